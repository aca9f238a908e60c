"""Exposure stacks of one's own radiance maps and panoramas."""

"""Exposure stacks of one's own bracketed photographs."""

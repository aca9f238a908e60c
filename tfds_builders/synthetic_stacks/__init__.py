"""Exposure stacks of procedural scenes."""

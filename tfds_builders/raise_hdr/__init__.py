"""Exposure stacks of the raw photographs of the RAISE data set."""

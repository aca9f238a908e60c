"""The recorded exposure stacks of the VDS data set."""

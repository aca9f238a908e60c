"""The recorded exposure stacks of the HDR-Eye data set."""

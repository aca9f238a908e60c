"""The networks that generate an exposure stack from one photograph."""

from hdr_jax.models.conv_gru import ConvGRUCell
from hdr_jax.models.exposure_stack import ExposureStackModel, StackOutput

__all__ = ["ConvGRUCell", "ExposureStackModel", "StackOutput"]

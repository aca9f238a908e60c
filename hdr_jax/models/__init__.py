"""The networks that generate an exposure stack from one photograph."""

from hdr_jax.models.conv_gru import ConvGRUCell
from hdr_jax.models.exposure_stack import ExposureStackModel, StackOutput
from hdr_jax.models.fields import (
    architecture,
    check_same_architecture,
    fields_of,
    model_from_fields,
    parameter_shapes,
)

__all__ = [
    "ConvGRUCell",
    "ExposureStackModel",
    "StackOutput",
    "architecture",
    "check_same_architecture",
    "fields_of",
    "model_from_fields",
    "parameter_shapes",
]

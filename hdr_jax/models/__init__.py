"""The networks that tell from one photograph what its other exposures hold."""

from hdr_jax.errors import extra

with extra("photographs"):
    from hdr_jax.models.conv_gru import ConvGRUCell
    from hdr_jax.models.exposure_stack import ExposureStackModel, StackOutput
    from hdr_jax.models.fields import (
        Model,
        architecture,
        check_same_architecture,
        fields_of,
        initial_parameters,
        model_from_fields,
        parameter_shapes,
    )
    from hdr_jax.models.highlights import HighlightModel, HighlightOutput

__all__ = [
    "ConvGRUCell",
    "ExposureStackModel",
    "HighlightModel",
    "HighlightOutput",
    "Model",
    "StackOutput",
    "architecture",
    "check_same_architecture",
    "fields_of",
    "initial_parameters",
    "model_from_fields",
    "parameter_shapes",
]

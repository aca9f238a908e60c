"""The networks that tell from one photograph what its other exposures hold."""

from hdr_jax.errors import extra

with extra("photographs"):
    from hdr_jax.models._conv_gru import ConvGRUCell
    from hdr_jax.models._exposure_stack import ExposureStackModel, StackOutput
    from hdr_jax.models._fields import (
        Model,
        architecture,
        check_fields,
        check_same_architecture,
        fields_of,
        initial_parameters,
        model_from_fields,
        parameter_shapes,
    )
    from hdr_jax.models._gain import MAX_GAIN, gain_of
    from hdr_jax.models._highlights import (
        HighlightModel,
        HighlightOutput,
        clip_mask,
        exposures,
        linearised,
    )
    from hdr_jax.models._networks import GlobalNetwork, LocalNetwork, RefinementNetwork, UNet

__all__ = [
    "MAX_GAIN",
    "ConvGRUCell",
    "ExposureStackModel",
    "GlobalNetwork",
    "HighlightModel",
    "HighlightOutput",
    "LocalNetwork",
    "Model",
    "RefinementNetwork",
    "StackOutput",
    "UNet",
    "architecture",
    "check_fields",
    "check_same_architecture",
    "clip_mask",
    "exposures",
    "fields_of",
    "gain_of",
    "initial_parameters",
    "linearised",
    "model_from_fields",
    "parameter_shapes",
]

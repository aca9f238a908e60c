"""From one photograph of any size to a radiance map and an exposure stack."""

from typing import Any, TypeGuard

import numpy as np

from hdr_jax.checks import check_stops
from hdr_jax.errors import InputError, extra
from hdr_jax.levels import as_unit_float

with extra("photographs"):
    from hdr_jax import weights
    from hdr_jax.models import ExposureStackModel, HighlightModel
    from hdr_jax.reconstruct._highlights import (
        EV_OFFSETS,
        WORKING_SIDE,
        brightening,
        exposure,
        highlights,
    )
    from hdr_jax.reconstruct._tiled import reconstruct_batch

__all__ = [
    "EV_OFFSETS",
    "WORKING_SIDE",
    "brightening",
    "exposure",
    "highlights",
    "paints",
    "reconstruct",
    "reconstruct_batch",
]


def reconstruct(
    image: np.ndarray,
    model: HighlightModel | ExposureStackModel | None = None,
    params: Any = None,
    **options: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """A photograph -> radiance map and exposure stack.

    Args:
      image: [h, w, 3] display-encoded RGB; uint8, uint16, or float in [0, 1]. Any h and w.
      model: as `hdr_jax.runs.checkpoints.load_model`, `hdr_jax.weights.load` or
        `hdr_jax.convert.load_released` gives it; the shipped one by default.
      params: its parameters.
      **options: those of `highlights` (g, working_side, refine), and `ev_offsets` of the stack; for
        an `ExposureStackModel` of tone "image" those of `reconstruct_batch`.

    Returns:
      radiance: float32 [h, w, 3], linear, relative, > 0.
      stack: float32 [n, h, w, 3] in [0, 1], in the order of `ev_offsets` (by default, and of an
        `ExposureStackModel` of tone "image" always, darkest first); the photograph where that is 0.

    Raises:
      InputError: for a model without parameters, another shape or dtype, non-finite pixels, a
        response without an inverse, stops that are not finite, an index or sizes out of range.

    Not differentiable: the models and `hdr_jax.merge.synthesize` are.
    Source: Kim, Lee, Kang 2020, section 3; the exposure formulation is this library's own.
    Example:
      >>> photograph = np.random.default_rng(0).random((9, 7, 3)).astype(np.float32)
      >>> radiance, stack = reconstruct(photograph)
      >>> radiance.shape, stack.shape
      ((9, 7, 3), (7, 9, 7, 3))
    """
    if model is None:
        model, params = weights.load()
    if params is None:
        raise InputError(
            f"got a {type(model).__name__} without params: expected both, as "
            "hdr_jax.runs.checkpoints.load_model gives them, or neither"
        )
    if paints(model):
        return next(reconstruct_batch([image], model, params, **options))
    ev_offsets = options.pop("ev_offsets", EV_OFFSETS)
    check_stops(ev_offsets)
    g = options.get("g")
    log_radiance = highlights(image, model, params, **options)
    photograph = as_unit_float(np.asarray(image)).astype(np.float32)
    stack = np.stack([exposure(log_radiance, ev, g) if ev else photograph for ev in ev_offsets])
    return np.exp(log_radiance), stack


def paints(model: HighlightModel | ExposureStackModel) -> TypeGuard[ExposureStackModel]:
    """Whether a model paints every pixel of every exposure, and so needs photographs in tiles.

    Args:
      model: any.

    Returns:
      True for an `ExposureStackModel` of tone "image".

    Example:
      >>> paints(ExposureStackModel()), paints(HighlightModel())
      (True, False)
    """
    return isinstance(model, ExposureStackModel) and model.tone == "image"

"""A photograph of any size by a model that predicts what it lacks, at a bounded working size.

All unclipped pixels are the photograph's own; what is nearly white among clipped pixels counts as
clipped (`hdr_jax.images.closed_highlights`). The gain of the clipped ones is smooth compared with
the picture: it is predicted on the reduced photograph and brought to full size along the share of
clipped pixels that each of its pixels stands for,

    gain = up(m gain) / up(m),

so that what the network says outside of highlights, where nothing taught it, does not bleed in. The
mean of a small lamp and what surrounds it does not clip, as the lamp's own light would: from a
share of `WHITE_FROM` on a pixel of the reduced photograph is made white. An `ExposureStackModel` of
tone "exposure" tells the gain by its shortest exposure, and what crushed pixels held by its
longest: both are brought to full size alike.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from hdr_jax.checks import check_increasing
from hdr_jax.color import srgb_to_linear
from hdr_jax.errors import InputError
from hdr_jax.exposure import LN2, log_inverse_sigmoid
from hdr_jax.images import canny, closed_highlights, reduced, resized, rim_distance
from hdr_jax.levels import CLIP_FROM, as_unit_float
from hdr_jax.models import ExposureStackModel, HighlightModel, linearised

# Longest side that the network sees, pixels. On middle exposures of real brackets against their
# merges 256, 320, 384 and 512 have mean Q 53.1, 53.3, 53.3, 53.4 and JOD 7.56, 7.56, 7.54, 7.59.
WORKING_SIDE = 512
EV_OFFSETS = (-3, -2, -1, 0, 1, 2, 3)
# Share of clipped pixels, beyond what their mean tells of, from which on what the network sees is
# made white. See "Small lamps" in docs/training_log.md.
WHITE_FROM = 0.1
CANVAS = 64  # working sizes are padded to multiples of this: fewer programs to compile


def highlights(
    image: np.ndarray,
    model: HighlightModel | ExposureStackModel,
    params: Any,
    *,
    g: np.ndarray | None = None,
    working_side: int = WORKING_SIDE,
    refine: bool = True,
) -> np.ndarray:
    """Log radiance of a photograph, its clipped pixels predicted.

    Args:
      image: [h, w, 3] display-encoded RGB; uint8, uint16, or float in [0, 1]. Any h and w.
      model: a `HighlightModel`, or an `ExposureStackModel` of tone "exposure".
      params: its parameters.
      g: log inverse response [num_levels], [1, num_levels] or [3, num_levels], where the camera is
        known; the canonical one by default.
      working_side: longest side of what the network sees, pixels.
      refine: whether the refinement networks of an `ExposureStackModel` take part, see
        `hdr_jax.runs.checkpoints.refined`.

    Returns:
      float32 [h, w, 3], nepers, 0 where the photograph clips.

    Raises:
      InputError: for another shape or dtype, non-finite pixels, a working side below 64, or a g
        that is not finite, falls, or never rises.

    Not differentiable: the models are.
    Source: this library's own; normalised convolution of Knutsson and Westin 1993 for the mask.
    Example: `log_radiance = highlights(image, *hdr_jax.weights.load())`
    """
    _check(image, working_side)
    curves = _curves(g)
    if image.dtype.kind == "f":  # OpenCV knows no half precision
        image = image.astype(np.float32, copy=False)
    image = closed_highlights(image)
    small = _reduced(image, working_side)
    predicted = _predicted(small, model, params, curves, refine)
    if (image == image[..., :1]).all():  # of black-and-white light no colour is known
        predicted = [(f, gain.mean(-1, keepdims=True).repeat(3, -1)) for f, gain in predicted]
    log_radiance = np.empty(image.shape, np.float32)
    for channel, curve in enumerate(curves):  # one at a time: photographs are large
        plane = image[..., channel]
        log_radiance[..., channel] = _of_levels(partial(_interpolated, curve), plane)
        for share_of, gain in predicted:
            share = _of_levels(share_of, plane)
            lacking = np.nonzero(share)
            seen = share_of(small[..., channel]) > 0
            full = _enlarged(gain[..., channel], share, seen)
            log_radiance[(*lacking, channel)] += full[lacking] * share[lacking]
    return log_radiance


def exposure(log_radiance: np.ndarray, ev_offset: float, g: np.ndarray | None = None) -> np.ndarray:
    """One exposure of a log radiance map: f(E 2^EV).

    Args:
      log_radiance: [h, w, 3] of `highlights`.
      ev_offset: stops; 0 gives the photograph back, but for levels that clip in part.
      g: as for `highlights`.

    Returns:
      float32 [h, w, 3] in [0, 1].

    Raises:
      InputError: for a g as in `highlights`.

    Not differentiable: `hdr_jax.models.exposures` is.
    Example:
      >>> exposure(np.zeros((1, 1, 3), np.float32), -1.0).round(2)[0, 0].tolist()
      [0.75, 0.75, 0.75]
    """
    curves, shift = _curves(g), np.float32(np.log(2) * ev_offset)
    levels = np.linspace(0, 1, curves.shape[1], dtype=np.float32)
    planes = [
        np.interp(log_radiance[..., c] + shift, curves[c], levels).astype(np.float32)
        for c in range(3)
    ]
    return np.stack(planes, -1)


def brightening(
    image: np.ndarray, log_radiance: np.ndarray, g: np.ndarray | None = None
) -> np.ndarray:
    """How much brighter the highlights of a photograph are than it shows them.

    The gain of `highlights` alone, without the camera's response: a photograph times 2^stops looks
    as it did wherever it does not clip.

    Args:
      image: the photograph [h, w, 3], as for `highlights`.
      log_radiance: [h, w, 3] of `highlights`, with the same g.
      g: as for `highlights`.

    Returns:
      float32 [h, w, 3], stops >= 0, relative to the photograph's light by the curve of sRGB.

    Raises:
      InputError: for a g as in `highlights`.

    Not differentiable.
    Example: `photograph_light * 2 ** brightening(image, highlights(image, *weights.load()))`
    """
    closed, stops = closed_highlights(image), np.empty(image.shape, np.float32)
    for channel, curve in enumerate(_curves(g)):
        plane, filled = image[..., channel], closed[..., channel]
        known = _of_levels(partial(_interpolated, curve), filled)
        gain = (log_radiance[..., channel] - known) / np.float32(LN2)
        holes = _of_levels(_stops, filled) - _of_levels(_stops, plane)
        stops[..., channel] = np.maximum(gain, 0) + holes
    return stops


def _stops(image: np.ndarray) -> np.ndarray:
    """log2 of the light of pixels in [0, 1] by sRGB's curve, of black too."""
    return np.log2(np.maximum(np.asarray(srgb_to_linear(jnp.asarray(image))), 2.0**-20))


def _reduced(image: np.ndarray, working_side: int) -> np.ndarray:
    """What the network sees of a photograph: means, but white where these hide what clips."""
    small = as_unit_float(reduced(image, working_side))
    if small.shape == image.shape:
        return small
    planes = np.moveaxis(image, -1, 0)
    share = np.stack([resized(_of_levels(_share, plane), *small.shape[:2]) for plane in planes], -1)
    return np.where(share - _share(small) >= WHITE_FROM, np.float32(1), small)


def _predicted(small, model, params, curves, refine) -> list:
    """(share of a pixel that is not known, what the model adds to it [h, w, 3]) of a photograph at
    its working size."""
    h, w, _ = small.shape
    canvas = [-(-side // CANVAS) * CANVAS for side in (h, w)]
    mode = "reflect" if all(c < 2 * s for c, s in zip(canvas, (h, w), strict=True)) else "edge"
    rest = [(0, c - s) for c, s in zip(canvas, (h, w), strict=True)]
    padded = np.pad(small, (*rest, (0, 0)), mode)
    if isinstance(model, HighlightModel):
        added = _apply(model, params, padded[None], rim_distance(padded)[None], curves)
        return [(_share, np.asarray(added)[0, :h, :w])]
    edges = canny(padded)[None, ..., None].astype(np.float32)
    ends = np.asarray(_walk(model, refine, params, padded[None], edges, curves))[:, 0, :h, :w]
    pairs = []
    for share_of, end in zip((_share, _crushed_share), ends, strict=True):
        share = share_of(small)
        pairs.append((share_of, np.where(share > 0, end / np.where(share > 0, share, 1), 0)))
    return pairs


@partial(jax.jit, static_argnums=0)
def _apply(model, params, image, distance, curves):
    """Gains [b, h, w, 3], compiled once for a canvas."""
    return model.apply({"params": params}, image, distance, curves).gain


@partial(jax.jit, static_argnums=(0, 1))
def _walk(model, refine, params, image, edges, curves):
    """What the ends of the stack add to the log radiance [2, b, h, w, 3], shortest first."""
    stack = model.apply({"params": params}, image, edges, g=curves, refine=refine).stack
    known = linearised(image, curves)
    ends = [linearised(stack[:, k], curves) - LN2 * model.stops[k] - known for k in (0, -1)]
    return jnp.stack([jnp.maximum(ends[0], 0), ends[1]])


def _enlarged(gain: np.ndarray, share: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The gain [h, w] at the size of the shares, carried by them where it was seen that something
    lacks [h, w] (module's head)."""
    if gain.shape == share.shape:
        return gain
    weight = np.where(seen, resized(share, *gain.shape), 0)
    weighted, total = (resized(x, *share.shape) for x in (gain * weight, weight))
    return weighted / np.maximum(total, np.finfo(np.float32).tiny)


def _of_levels(function, plane: np.ndarray) -> np.ndarray:
    """A function of [0, 1] at the pixels of a plane; of integers by a table."""
    if plane.dtype.kind != "u":
        return function(plane).astype(np.float32)
    white = np.iinfo(plane.dtype).max
    return function(np.arange(white + 1) / white).astype(np.float32)[plane]


def _interpolated(curve: np.ndarray, image: np.ndarray) -> np.ndarray:
    """The curve's value at pixels in [0, 1]."""
    return np.interp(image, np.linspace(0, 1, len(curve)), curve)


def _share(image: np.ndarray) -> np.ndarray:
    """`hdr_jax.models.clip_mask` of NumPy arrays."""
    return np.clip((image - CLIP_FROM) / (1 - CLIP_FROM), 0, 1)


def _crushed_share(image: np.ndarray) -> np.ndarray:
    """How much of a pixel is crushed, the same at the other end."""
    return _share(1 - image)


def _curves(g: np.ndarray | None) -> np.ndarray:
    """Three curves [3, num_levels] that have an inverse, 0 at white."""
    g = np.asarray(log_inverse_sigmoid() if g is None else g, np.float32)
    if g.ndim > 2 or (g.ndim == 2 and len(g) not in (1, 3)):
        raise InputError(f"got g of shape {g.shape}: expected [levels], [1, levels] or [3, levels]")
    check_increasing(g)
    g = np.broadcast_to(np.atleast_2d(g), (3, g.shape[-1]))
    if (g[:, 0] == g[:, -1]).any():
        raise InputError("got g of one value at all levels: expected one that grows with the level")
    return g - g[:, -1:]


def _check(image: np.ndarray, working_side: int) -> None:
    """Refuses what would be misread."""
    if not hasattr(image, "dtype"):
        raise InputError(f"got a {type(image).__name__}: expected an array [h, w, 3]")
    if np.ndim(image) != 3 or np.shape(image)[-1] != 3 or 0 in np.shape(image):
        raise InputError(f"got an image of shape {np.shape(image)}: expected [h, w, 3]")
    if image.dtype not in (np.uint8, np.uint16) and image.dtype.kind != "f":
        raise InputError(f"got pixels of {image.dtype}: expected uint8, uint16 or float in [0, 1]")
    if image.dtype.kind == "f" and not (
        np.isfinite(image).all() and 0 <= image.min() <= image.max() <= 1
    ):
        raise InputError("got pixels that are not in [0, 1]: expected display-encoded RGB")
    if working_side < CANVAS:
        raise InputError(f"got working_side {working_side}: expected {CANVAS} pixels at least")

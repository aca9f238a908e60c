"""What a page shows of one scene, and its numbers."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from hdr_jax import color
from hdr_jax.errors import InputError
from hdr_jax.files import json_number
from hdr_jax.page._encoding import packed, packed_radiance
from hdr_jax.tonemap import BURN_FRACTION, DARKEST

HISTOGRAM_BINS = 96


@dataclasses.dataclass(frozen=True)
class Scene:
    """One scene of a page: one map, or two that are compared.

    Attributes:
      name: of the scene.
      maps: {label: radiance [h, w, 3], linear, relative, finite}, one or two of one size.
      stacks: {label: exposures [n, h, w, 3] in [0, 1]}, one for each map in their order, or none.
      ev_offset: [n] stops of the exposures.
      visibility: [h, w] probability of seeing the difference of the maps, in [0, 1].
      curves: {label: log inverse response g [3, num_levels]}.
      scores: {name: number or text}.
      size: (height, width) of the files where the maps were reduced.

    Example:
      >>> scene = Scene("gray", {"gray.exr": np.ones((4, 6, 3), np.float32)})
      >>> json.loads(encoded(scene).text)["maps"][0]["median"]
      1.0
    """

    name: str
    maps: Mapping[str, np.ndarray]
    stacks: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    ev_offset: Sequence[float] = ()
    visibility: np.ndarray | None = None
    curves: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
    scores: Mapping[str, float | str] = dataclasses.field(default_factory=dict)
    size: tuple[int, int] | None = None


class Encoded(NamedTuple):
    """A scene as a page holds it.

    Attributes:
      name: of the scene.
      text: JSON.
    """

    name: str
    text: str


def encoded(scene: Scene, bits: int | None = None) -> Encoded:
    """A scene as the text that a page holds of it.

    Args:
      scene: to be shown.
      bits: of mantissa, see `packed_radiance`.

    Returns:
      Its name and text.

    Raises:
      InputError: for no or more than two maps, sizes or scales that differ too much, a map without
        light, a curve that is not finite, or what `packed_radiance` refuses.

    Example: `page.write("page.html", "gray", [encoded(scene)])`
    """
    _check(scene)
    maps = [
        {"label": label, **packed_radiance(radiance, bits), **statistics(radiance, label)}
        for label, radiance in scene.maps.items()
    ]
    first, *rest = scene.maps.values()
    for other, radiance in zip(maps[1:], rest, strict=True):
        match = float(color.median_scale(jnp.asarray(radiance), jnp.asarray(first)))
        if not 0 < match < np.inf:
            raise InputError(
                f"the scales of {maps[0]['label']} and {other['label']} differ by more than "
                "float32 holds; multiply one of them"
            )
        other["match"] = match
    curves = [
        {"label": label, "g": np.round(np.atleast_2d(g), 4).tolist()}
        for label, g in scene.curves.items()
    ]
    levels = None
    if scene.visibility is not None:
        levels = packed(_levels(scene.visibility)[..., None])
    text = json.dumps(
        {
            "name": scene.name,
            "maps": maps,
            "stacks": [[packed(_levels(x)) for x in stack] for stack in scene.stacks.values()],
            "stackLabels": list(scene.stacks),
            "ev": [round(float(ev), 3) for ev in scene.ev_offset],
            "visibility": levels,
            "curves": curves,
            "scores": {
                name: value if isinstance(value, str) else json_number(value)
                for name, value in scene.scores.items()
            },
            "size": scene.size,
        },
        allow_nan=False,
    )
    return Encoded(scene.name, text)


def statistics(radiance: np.ndarray, label: str) -> dict:
    """What a map's tone mapping and its scales go by.

    Args:
      radiance: [h, w, 3], linear, relative, finite.
      label: of the map, for the error.

    Returns:
      luminances `median` (of the positive ones), `logMean` and `white` (of Reinhard's operator),
      the largest value of a channel `peak`; `low` and `high`, stops from the median that all but a
      ten-thousandth of the pixels lie between; `histogram`, the share of the pixels in equal steps
      from `low` to `high`.

    Raises:
      InputError: if no luminance is positive.
    """
    luminance = np.maximum(np.asarray(color.luminance(radiance), np.float64), 0)
    positive = luminance[luminance > 0]
    if not positive.size:
        raise InputError(f"{label} has no positive luminance; there is nothing to look at")
    median = float(np.median(positive))
    # Over all pixels and not under DARKEST of the brightest, as `hdr_jax.tonemap.reinhard` has it.
    floor = DARKEST * luminance.max()
    stops = np.log2(positive / median)
    low, high = np.quantile(stops, (1e-4, 1 - 1e-4))
    high = max(high, low + 1e-3)
    counts, _ = np.histogram(stops, HISTOGRAM_BINS, (low, high))
    return {
        "median": median,
        "logMean": float(np.exp(np.mean(np.log(np.maximum(luminance, floor))))),
        "white": float(max(np.quantile(luminance, 1 - BURN_FRACTION), floor)),
        "peak": float(np.max(radiance)),
        "low": float(low),
        "high": float(high),
        "histogram": np.round(counts / luminance.size, 6).tolist(),
    }


def _check(scene: Scene) -> None:
    """Raises InputError where the parts of a scene do not fit each other."""
    if not 1 <= len(scene.maps) <= 2:
        raise InputError(f"a page compares one or two maps, got {len(scene.maps)}")
    shapes = {label: np.shape(radiance) for label, radiance in scene.maps.items()}
    if len(set(shapes.values())) > 1:
        sizes = " and ".join(f"{label} {s[1]} x {s[0]}" for label, s in shapes.items())
        raise InputError(f"maps of unequal size cannot be compared: {sizes}; resize one of them")
    size = next(iter(shapes.values()))[:2]
    n = len(scene.ev_offset)
    for label, stack in scene.stacks.items():
        if np.shape(stack) != (n, *size, 3):
            raise InputError(f"stack {label} is {np.shape(stack)}; expected {(n, *size, 3)}")
    if scene.stacks and len(scene.stacks) != len(scene.maps):
        raise InputError(f"got {len(scene.stacks)} stacks for {len(scene.maps)} maps")
    for label, g in scene.curves.items():
        if not np.isfinite(g).all():
            raise InputError(f"the curve of {label} holds ln 0 or NaN; expected finite numbers")
    if scene.visibility is not None and np.shape(scene.visibility) != size:
        raise InputError(f"the visibility map is {np.shape(scene.visibility)}; expected {size}")


def _levels(picture: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as levels 0 to 255."""
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.int16)

"""Other scenes made of the ones there are: a radiance map is changed before it is photographed.

Scenes are few, and a network soon knows by heart how bright their highlights are. All radiance
here is float32 [h, w, 3], linear, relative; what was positive stays positive.
"""

from collections.abc import Callable

import cv2
import numpy as np

from hdr_jax.color import LUMINANCE_WEIGHTS

# A changed scene has each of these changes by itself, with this probability.
MIXED, TURNED, LIT, CONTRASTED, REORDERED = 0.3, 0.6, 0.5, 0.4, 0.1


def changed(
    hdr: np.ndarray, another: Callable[[], np.ndarray] | None, rng: np.random.Generator
) -> np.ndarray:
    """A scene changed by some of what this module has, drawn at random.

    Args:
      hdr: the scene, [h, w, 3].
      another: gives a scene of the same shape, a part of which may take its place; asked only
        where one does.
      rng: where everything is drawn from.

    Returns:
      Radiance [h, w, 3].

    Not differentiable.
    """
    if rng.random() < TURNED:
        hdr = turned(hdr, rng.uniform(-8, 8), np.exp(rng.uniform(-0.08, 0.08)))
    if rng.random() < MIXED and another:
        hdr = mixed(hdr, another(), rng)
    if rng.random() < LIT:
        hdr = unevenly_lit(hdr, 0.3, rng)
    if rng.random() < CONTRASTED:
        hdr = contrasted(hdr, rng.uniform(0.9, 1.1))
    if rng.random() < REORDERED:
        hdr = np.ascontiguousarray(hdr[..., rng.permutation(3)])
    return hdr


def turned(hdr: np.ndarray, degrees: float, stretch: float) -> np.ndarray:
    """A scene turned about its middle, wider by a factor, and enlarged until it fills the picture.

    Args:
      hdr: [h, w, 3].
      degrees: against the clock, of less than 45.
      stretch: the picture gets wider by its square root and lower by that.

    Returns:
      Radiance [h, w, 3], a part of what `hdr` shows.

    Not differentiable.
    """
    rows, columns = hdr.shape[:2]
    angle, wider = np.deg2rad(degrees), np.sqrt(stretch)
    # From the new picture's pixels, about its middle, to the old one's.
    back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    back = back @ np.diag([1 / wider, wider])
    middle = np.array([columns - 1, rows - 1]) / 2
    # What the new corners reach of the old picture, at most its own middle and sides.
    reach = np.abs(back) @ middle
    back = back * np.min(np.divide(middle, reach, out=np.ones(2), where=reach > 0))
    matrix = np.column_stack([back, middle - back @ middle])
    return cv2.warpAffine(
        hdr,
        matrix,
        (columns, rows),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def mixed(hdr: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A scene with a part of another one in it, as bright on average.

    The part lies beyond a line or within random outlines, both sharp.

    Args:
      hdr, other: [h, w, 3].
      rng: where the part is drawn from.

    Returns:
      Radiance [h, w, 3].

    Not differentiable.
    """
    rows, columns = hdr.shape[:2]
    if rng.integers(2):
        down, right = np.mgrid[:rows, :columns] / max(rows, columns)
        angle = rng.uniform(0, 2 * np.pi)
        height = np.cos(angle) * right + np.sin(angle) * down
    else:
        height = _smooth(rng, (rows, columns), (6, 8))
    part = height > np.quantile(height, rng.uniform(0.3, 0.8))
    other = other * np.float32(_average(hdr) / _average(other))
    return np.where(part[..., None], other, hdr)


def unevenly_lit(hdr: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """A scene in another, smooth light.

    Args:
      hdr: [h, w, 3].
      deviation: of the light, standard, in nepers.
      rng: where the light is drawn from.

    Returns:
      Radiance [h, w, 3].

    Not differentiable.
    """
    light = np.exp(deviation * _smooth(rng, hdr.shape[:2], (3, 4)))
    return hdr * light[..., None]


def contrasted(hdr: np.ndarray, exponent: float) -> np.ndarray:
    """A scene of another contrast: its luminance about its average, to a power.

    Args:
      hdr: [h, w, 3].
      exponent: of luminance; colours are kept.

    Returns:
      Radiance [h, w, 3].

    Not differentiable.
    """
    luminance = hdr @ np.asarray(LUMINANCE_WEIGHTS, np.float32)
    average = _average(hdr)
    relative = np.maximum(luminance / average, 1e-6)
    return hdr * (relative ** (exponent - 1))[..., None].astype(np.float32)


def _average(hdr: np.ndarray) -> float:
    """The geometric mean of the radiance that is not black, 1 where there is none."""
    lit = hdr[hdr > 0]
    return float(np.exp(np.log(lit).mean())) if lit.size else 1.0


def _smooth(rng: np.random.Generator, size: tuple[int, int], grid: tuple[int, int]) -> np.ndarray:
    """A smooth random field float32 [h, w] of some unit of deviation, by cubic interpolation."""
    drawn = rng.normal(0, 1, grid).astype(np.float32)
    return cv2.resize(drawn, size[::-1], interpolation=cv2.INTER_CUBIC)

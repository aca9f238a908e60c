"""What the numbers red, green and blue stand for: primaries of files, and their light in Rec.709.

Chromaticities are the eight numbers (x, y) of red, green, blue and white, CIE 1931, in the order of
an EXR's attribute `chromaticities` and of Radiance's line `PRIMARIES=`. Light of maps is converted
without adaptation: a colour stays the colour it is, and the white of one space is not made that of
another. In photographs R = G = B is gray, whatever the white of their space: `of_photographs`.
"""

import io
from typing import Any

import numpy as np
from PIL import ImageCms

from hdr_jax.images._paths import Unsupported

D65, D50 = (0.3127, 0.329), (0.3457, 0.3585)
REC709 = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, *D65)
XYZ = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1 / 3, 1 / 3)
# Spaces of photographs, by the names that are shown.
SPACES = {
    "sRGB": REC709,
    "Adobe RGB (1998)": (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, *D65),
    "Display P3": (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, *D65),
    "Rec. 2020": (0.708, 0.292, 0.17, 0.797, 0.131, 0.046, *D65),
    "ProPhoto RGB": (0.734699, 0.265301, 0.159597, 0.840403, 0.036598, 0.000105, *D50),
}
# Whose curve is a power; that of the others is sRGB's.
EXPONENTS = {"Adobe RGB (1998)": 563 / 256, "ProPhoto RGB": 1.8}
# Files round chromaticities; profiles also their adaptation.
SAME, SAME_PROFILE = 1e-3, 3e-3
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def to_xyz(chromaticities: tuple[float, ...]) -> np.ndarray:
    """The matrix [3, 3] from RGB to CIE XYZ, with Y = 1 for white.

    Args:
      chromaticities: eight numbers.

    Returns:
      float64 [3, 3].

    Raises:
      Unsupported: if they span no colours.

    Example:
      >>> to_xyz(REC709)[1].round(4).tolist()
      [0.2126, 0.7152, 0.0722]
    """
    red, green, blue, white = np.asarray(chromaticities, np.float64).reshape(4, 2)
    columns = np.array([[x, y, 1 - x - y] for x, y in (red, green, blue)]).T
    good = np.isfinite(chromaticities).all() and white[1] > 0
    if not good or abs(np.linalg.det(columns)) < 1e-6:
        raise Unsupported(
            f"has primaries that span no colours ({_listed(chromaticities)}); expected x and y of "
            "red, green, blue and white"
        )
    light = np.array([white[0], white[1], 1 - white.sum()]) / white[1]
    return columns * np.linalg.solve(columns, light)


def in_rec709(radiance: np.ndarray, chromaticities: tuple[float, ...] | None) -> np.ndarray:
    """Light of given primaries in those of Rec.709; None are those of Rec.709.

    Args:
      radiance: float32 [h, w, 3].
      chromaticities: eight numbers, or None.

    Returns:
      float32 [h, w, 3]; colours that Rec.709 cannot make have negative values.

    Raises:
      Unsupported: if the primaries span no colours.

    Example:
      >>> green = np.array([[[0, 1, 0]]], np.float32)
      >>> seen = in_rec709(green, SPACES["Adobe RGB (1998)"])
      >>> [round(float(x), 2) for x in seen[0, 0]]
      [-0.4, 1.0, -0.04]
    """
    return radiance if chromaticities is None else converted(radiance, chromaticities, REC709)


def converted(
    radiance: np.ndarray, source: tuple[float, ...], target: tuple[float, ...]
) -> np.ndarray:
    """Light of given primaries in others.

    Args:
      radiance: float32 [h, w, 3].
      source, target: eight numbers each.

    Returns:
      float32 [h, w, 3]; the same array where the primaries are equal.

    Raises:
      Unsupported: if the primaries span no colours.

    Example:
      >>> white = np.ones((1, 1, 3), np.float32)
      >>> converted(white, SPACES["sRGB"], SPACES["Rec. 2020"]).round(3).tolist()
      [[[1.0, 1.0, 1.0]]]
    """
    if np.allclose(source, target, atol=SAME):
        return radiance
    matrix = np.linalg.solve(to_xyz(target), to_xyz(source))
    return radiance @ matrix.T.astype(np.float32)


def linear(levels: np.ndarray, space: str | None, exponent: float | None = None) -> np.ndarray:
    """Linear light of levels by the curve of their space.

    Args:
      levels: uint8 or uint16, any shape.
      space: a name of SPACES; None is sRGB.
      exponent: of a curve that is a power, in place of the space's own.

    Returns:
      float32, the same shape, in [0, 1].

    Example:
      >>> linear(np.array([0, 188, 255], np.uint8), "sRGB").round(2).tolist()
      [0.0, 0.5, 1.0]
    """
    top = np.iinfo(levels.dtype).max
    encoded = np.arange(top + 1) / top
    exponent = exponent or EXPONENTS.get(str(space))
    if exponent:
        table = encoded**exponent
    else:
        table = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return table.astype(np.float32)[levels]


def named(chromaticities) -> str:
    """The name of primaries, or their numbers.

    Args:
      chromaticities: eight numbers.

    Returns:
      A key of SPACES, also with ", adapted to D65", or text.

    Example:
      >>> named(REC709)
      'sRGB'
    """
    for name in SPACES:
        for text, known in ((name, SPACES[name]), of_photographs(name)):
            if np.allclose(chromaticities, known, atol=SAME):
                return text
    return f"x and y of red, green, blue and white {_listed(chromaticities)}"


def space_of(chromaticities: tuple[float, ...]) -> str | None:
    """The name in SPACES of primaries; None for others.

    Args:
      chromaticities: eight numbers.

    Returns:
      A key of SPACES, or None.

    Example:
      >>> space_of(REC709)
      'sRGB'
    """
    known = SPACES.items()
    return next((name for name, x in known if np.allclose(chromaticities, x, atol=SAME)), None)


def space_of_profile(profile: bytes) -> str | None:
    """The name in SPACES of an ICC profile's primaries; None for others.

    Args:
      profile: the bytes of the profile.

    Returns:
      A key of SPACES, or None, also for a profile that cannot be read.
    """
    try:
        core: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
        found = [core.red_primary, core.green_primary, core.blue_primary]
        corners = np.array([corner[1][:2] for corner in found])
    except (OSError, TypeError, ValueError, ImageCms.PyCMSError):
        return None
    for name, chromaticities in SPACES.items():
        # A profile holds them adapted to D50.
        if np.allclose(corners.ravel(), _adapted(chromaticities, D50)[:6], atol=SAME_PROFILE):
            return name
    return None


def of_photographs(space: str) -> tuple[str, tuple[float, ...]]:
    """What the numbers of photographs in a space stand for: their gray is D65, as Rec.709's is.

    Args:
      space: a name of SPACES.

    Returns:
      The name, which tells of an adaptation, and eight numbers.

    Source: Bradford's adaptation, as in ICC.1:2022, Annex E.
    Example:
      >>> name, chromaticities = of_photographs("ProPhoto RGB")
      >>> gray = in_rec709(np.ones((1, 1, 3), np.float32), chromaticities)
      >>> name, gray.round(4).tolist()
      ('ProPhoto RGB, adapted to D65', [[[1.0, 1.0, 1.0]]])
    """
    chromaticities = SPACES[space]
    if chromaticities[6:] == D65:
        return space, chromaticities
    return f"{space}, adapted to D65", _adapted(chromaticities, D65)


def _adapted(chromaticities: tuple[float, ...], white: tuple[float, float]) -> tuple[float, ...]:
    """Chromaticities of the same numbers where white is another: adapted by Bradford's matrix."""
    whites = (np.array([x / y, 1, (1 - x - y) / y]) for x, y in (chromaticities[6:], white))
    source, target = (BRADFORD @ light for light in whites)
    adaptation = np.linalg.solve(BRADFORD, (target / source)[:, None] * BRADFORD)
    adapted = adaptation @ to_xyz(chromaticities)
    return (*map(float, (adapted[:2] / adapted.sum(0)).T.ravel()), *white)


def _listed(chromaticities) -> str:
    """Numbers as text."""
    return " ".join(f"{value:.4g}" for value in chromaticities)

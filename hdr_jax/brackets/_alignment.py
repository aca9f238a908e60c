"""Registering hand-held brackets: where the pixels of one exposure lie in another.

A warp is a matrix [3, 3]: it takes a point (x, y, 1) of the reference exposure, in pixels with the
centre of the first one at 0, to the same point of the scene in another exposure.
"""

import contextlib
import functools

import cv2
import numpy as np

from hdr_jax.levels import as_unit_float

# Registration needs no more pixels than this: a quarter of a pixel at 2 megapixels is still less
# than a pixel at 24.
MAX_PIXELS = 2_000_000
# Levels (of 255) between which a pixel says something of the scene's light.
USABLE = (12, 243)
# A step of the registration may move a corner by that fraction of the diagonal; and it needs that
# fraction of the pixels to be well exposed in both pictures. Beyond that it followed noise.
MAX_STEP = 0.2
MIN_SHARED = 0.02
# A step must lower 1 - correlation to that share of it: more parameters always fit noise a little.
MIN_GAIN = 0.97
STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-6)


def register(reference: np.ndarray, picture: np.ndarray, g: np.ndarray) -> np.ndarray:
    """The warp from one exposure to another of the same scene, taken by a moved camera.

    First a translation by median threshold bitmaps, which no exposure changes; then a rotation and
    last a homography that maximise the enhanced correlation coefficient (ECC) of ln E over the
    pixels that are well exposed in both, in which two exposures differ by a constant only. A step
    that does not clearly raise the correlation of those pixels is not taken.

    Args:
      reference: [h, w, 3] uint8 or uint16, display-encoded.
      picture: the other exposure, same size and type.
      g: log inverse response [c, num_levels]; the curve of the green channel is read.

    Returns:
      Warp float64 [3, 3]; no movement where next to nothing is well exposed in both.

    Raises:
      ValueError: when sizes or types differ.

    Not differentiable.
    Source: Ward 2003, "Fast, robust image registration for compositing high dynamic range
      photographs from hand-held exposures"; Evangelidis and Psarakis 2008 (ECC).
    Example:
      >>> from hdr_jax.images import named_response
      >>> picture = np.random.default_rng(0).integers(20, 200, (64, 64, 3)).astype(np.uint8)
      >>> picture = cv2.GaussianBlur(picture, (0, 0), 2)
      >>> warp = register(picture, np.roll(picture, (2, 3), (0, 1)), named_response("srgb"))
      >>> np.round(warp[:2, 2]).tolist()
      [3.0, 2.0]
    """
    if reference.shape != picture.shape or reference.dtype != picture.dtype:
        raise ValueError(
            f"got exposures {reference.shape} {reference.dtype} and {picture.shape} "
            f"{picture.dtype}; expected equal sizes and types"
        )
    scale = min(1.0, (MAX_PIXELS / (reference.shape[0] * reference.shape[1])) ** 0.5)
    greens = [_green(image, scale) for image in (reference, picture)]
    curve = g[len(g) // 2]
    warp = np.eye(3)
    for size, step in STEPS:
        pair = _Pair(*(_shrunk(green, size) for green in greens), curve)
        here = _unscaled(warp, 1 / size)
        found = step(pair, here)
        if pair.better(found, here):
            warp = _unscaled(found, size)
    return _unscaled(warp, scale)


def aligned(picture: np.ndarray, warp: np.ndarray, crop: tuple[int, int, int, int]) -> np.ndarray:
    """A picture as the reference's camera would have seen it, cropped.

    Args:
      picture: [h, w, 3] uint8, uint16 or float32; or bool [h, w], where it holds data.
      warp: from the reference to this picture.
      crop: (top, bottom, left, right) in the reference, as `common_area` gives it.

    Returns:
      [bottom - top, right - left, 3] of the same type, by cubic interpolation; of a bool picture,
      where that mixes nothing in that is no data.

    Not differentiable.
    Example: `aligned(picture, register(reference, picture, g), crop)`
    """
    top, bottom, left, right = crop
    if displacement(warp, picture.shape) < 0.05:  # interpolation would only blur
        return picture[top:bottom, left:right]
    if picture.dtype == bool:
        return aligned(picture.astype(np.float32), warp, crop) > 0.99
    offset = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], np.float64)
    return cv2.warpPerspective(
        picture,
        warp @ offset,
        (right - left, bottom - top),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )


def common_area(warps: list[np.ndarray], shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """A rectangle of the reference that every exposure shows.

    Args:
      warps: from the reference to each exposure.
      shape: (h, w, ...) of the exposures.

    Returns:
      (top, bottom, left, right), ends exclusive.

    Raises:
      ValueError: if less than a quarter of the picture is common.

    Not differentiable.
    Example:
      >>> shifted = np.array([[1.0, 0, 3], [0, 1, -2], [0, 0, 1]])
      >>> common_area([np.eye(3), shifted], (100, 200))
      (2, 100, 0, 197)
    """
    h, w = shape[:2]
    top, left, bottom, right = 0.0, 0.0, h - 1.0, w - 1.0
    for warp in warps:
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = _mapped(np.linalg.inv(warp), _corners(shape))
        top, bottom = max(top, y0, y1), min(bottom, y2, y3)
        left, right = max(left, x0, x2), min(right, x1, x3)
    # Interpolation errors of a hair's breadth are no reason to lose a row.
    top, left = (int(np.ceil(end - 1e-3)) for end in (top, left))
    bottom, right = (int(np.floor(end + 1e-3)) + 1 for end in (bottom, right))
    if 4 * max(bottom - top, 0) * max(right - left, 0) < h * w:
        raise ValueError(
            "the pictures cannot be aligned: less than a quarter of the reference is found in all "
            "of them. Leave out those of another scene, or merge without alignment."
        )
    return top, bottom, left, right


def displacement(warp: np.ndarray, shape: tuple[int, ...]) -> float:
    """How far the corner of a picture moves at most.

    Args:
      warp: [3, 3].
      shape: (h, w, ...).

    Returns:
      Pixels.

    Not differentiable.
    Example:
      >>> displacement(np.array([[1.0, 0, 3], [0, 1, 4], [0, 0, 1]]), (100, 200))
      5.0
    """
    corners = _corners(shape)
    return float(np.linalg.norm(_mapped(warp, corners) - corners, axis=1).max())


def _corners(shape: tuple[int, ...]) -> np.ndarray:
    """Corner pixels (x, y): top left, top right, bottom left, bottom right."""
    h, w = shape[:2]
    return np.array([[0, 0], [w - 1, 0], [0, h - 1], [w - 1, h - 1]], np.float64)


def _mapped(warp: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [p, 2] under a warp."""
    mapped = np.c_[points, np.ones(len(points))] @ warp.T
    return mapped[:, :2] / mapped[:, 2:]


def _green(image: np.ndarray, scale: float) -> np.ndarray:
    """The green channel as levels 0..255, float32, scaled."""
    levels = np.asarray(as_unit_float(np.ascontiguousarray(image[..., 1]))) * 255
    return _shrunk(levels.astype(np.float32), scale)


def _shrunk(image: np.ndarray, scale: float) -> np.ndarray:
    """An image scaled down by averaging areas."""
    if scale == 1:
        return image
    size = [max(1, round(side * scale)) for side in image.shape[::-1]]
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _unscaled(warp: np.ndarray, scale: float) -> np.ndarray:
    """A warp of pictures scaled by `scale` as a warp of the unscaled ones."""
    # The centre of the first pixel is at 0: sizes scale about (-1/2, -1/2).
    shift = (scale - 1) / 2
    down = np.array([[scale, 0, shift], [0, scale, shift], [0, 0, 1]])
    return np.linalg.inv(down) @ warp @ down


class _Pair:
    """Two exposures of equal size as levels 0..255, as ln E, and where they are well exposed."""

    def __init__(self, reference: np.ndarray, picture: np.ndarray, curve: np.ndarray):
        self.levels = (reference, picture)
        position = np.linspace(0, 255, len(curve))
        self.logs = [
            np.interp(np.clip(image, *USABLE), position, curve).astype(np.float32)
            for image in self.levels
        ]
        self.masks = [
            ((image >= USABLE[0]) & (image <= USABLE[1])).astype(np.uint8) for image in self.levels
        ]

    def better(self, found: np.ndarray, warp: np.ndarray) -> bool:
        """Whether a warp not far from another one makes the exposures clearly more alike."""
        shape = self.levels[0].shape
        step = displacement(np.linalg.inv(warp) @ found, shape)
        near = np.isfinite(step) and step <= max(4, MAX_STEP * np.hypot(*shape))
        if not near:
            return False
        return 1 - self._correlation(found) < MIN_GAIN * (1 - self._correlation(warp))

    def _correlation(self, warp: np.ndarray) -> float:
        """Of ln E under a warp, over the pixels well exposed in both; -1 where they are few."""
        size = self.levels[0].shape[::-1]
        flags = cv2.WARP_INVERSE_MAP
        mask = cv2.warpPerspective(self.masks[1], warp, size, flags=flags | cv2.INTER_NEAREST)
        shared = (mask & self.masks[0]) > 0
        if shared.mean() < MIN_SHARED:
            return -1.0
        moved = cv2.warpPerspective(self.logs[1], warp, size, flags=flags | cv2.INTER_LINEAR)
        values = [self.logs[0][shared], moved[shared]]
        spread = min(float(np.std(value)) for value in values)
        return float(np.corrcoef(*values)[0, 1]) if spread > 0 else -1.0


def _bitmap_step(pair: _Pair, warp: np.ndarray) -> np.ndarray:
    """The translation of the median threshold bitmaps."""
    bits = int(np.clip(np.log2(min(pair.levels[0].shape)) - 3, 1, 6))
    levels = [np.rint(image).astype(np.uint8) for image in pair.levels]
    shift = np.asarray(cv2.createAlignMTB(max_bits=bits).calculateShift(*levels), np.float64)
    found = np.eye(3)
    found[:2, 2] = -shift
    return found


def _ecc_step(motion: int, pair: _Pair, warp: np.ndarray) -> np.ndarray:
    """The warp improved by ECC, or as it was where that does not converge."""
    rows = 3 if motion == cv2.MOTION_HOMOGRAPHY else 2
    start = (warp / warp[2, 2]).astype(np.float32)[:rows]
    with contextlib.suppress(cv2.error):  # no texture, or no convergence
        _, found = cv2.findTransformECCWithMask(*pair.logs, *pair.masks, start, motion, STOP, 5)
        return np.vstack([found, np.eye(3)[rows:]]).astype(np.float64)
    return warp


# The size at which a step works, and the step. At a quarter of the size, 64 pixels are 256.
STEPS = (
    (0.25, _bitmap_step),
    (0.25, functools.partial(_ecc_step, cv2.MOTION_EUCLIDEAN)),
    (1.0, functools.partial(_ecc_step, cv2.MOTION_EUCLIDEAN)),
    (1.0, functools.partial(_ecc_step, cv2.MOTION_HOMOGRAPHY)),
)

"""The warp between two exposures; warps as in `hdr_jax.brackets._warps`."""

import contextlib
import functools

import cv2
import numpy as np

from hdr_jax import images
from hdr_jax.brackets._brackets import Exposures
from hdr_jax.brackets._warps import displacement, unscaled
from hdr_jax.errors import InputError
from hdr_jax.levels import as_unit_float
from hdr_jax.sampling import thinning

# Registration needs no more pixels than this: a quarter of a pixel at 2 megapixels is still less
# than a pixel at 24.
MAX_PIXELS = 2_000_000
# Levels (of 255) between which a pixel says something of the scene's light.
USABLE = (12, 243)
# A step of the registration may move a corner by that fraction of the diagonal; and it needs that
# fraction of the pixels to be well exposed in both pictures. Beyond that it followed noise.
MAX_STEP = 0.2
MIN_SHARED = 0.02
UNKNOWN = -1.0  # the correlation where fewer are
# A step must lower 1 - correlation to that share of it: more parameters always fit noise a little.
MIN_GAIN = 0.97
# Neighbours of nine real brackets correlate by 0.82 and more where they are registered, by 0.15
# where a turned camera was not found.
TRUSTED = 0.5
# The camera moved where a translation lowers 1 - correlation to that share of it. Of nine real
# brackets the two that registration moves by more than 2 pixels are found, at 0.17 and 0.45.
MOVED = 0.5
MOVEMENT_PIXELS = 2**17  # of an exposure that are looked at for it
STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 50, 1e-6)


def register(reference: np.ndarray, picture: np.ndarray, g: np.ndarray) -> np.ndarray:
    """The warp from one exposure to another of the same scene, taken by a moved camera.

    First a translation by median threshold bitmaps, which no exposure changes; then a rotation and
    last a homography that maximise the enhanced correlation coefficient (ECC) of ln E over the
    pixels that are well exposed in both, in which two exposures differ by a constant only. A step
    that does not clearly raise the correlation of those pixels is not taken.

    Args:
      reference: [h, w, 3] uint8 or uint16, display-encoded.
      picture: the other exposure, of the same shape and type.
      g: log inverse response [c, num_levels]; the curve of the green channel is read.

    Returns:
      Warp float64 [3, 3]; no movement where next to nothing is well exposed in both.

    Raises:
      InputError: when sizes or types differ.

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
        raise InputError(
            f"got exposures {reference.shape} {reference.dtype} and {picture.shape} "
            f"{picture.dtype}; expected equal sizes and types"
        )
    return registered(reference, picture, g)[0]


def registered(
    reference: np.ndarray, picture: np.ndarray, g: np.ndarray
) -> tuple[np.ndarray, bool]:
    """`register`, and whether the pictures are plainly the same under that warp.

    Args:
      reference, picture, g: as for `register`, of one shape and type.

    Returns:
      (warp float64 [3, 3], bool).
    """
    scale = min(1.0, (MAX_PIXELS / (reference.shape[0] * reference.shape[1])) ** 0.5)
    greens = [_green(image, scale) for image in (reference, picture)]
    curve = g[len(g) // 2]
    warp = np.eye(3)
    for size, step in STEPS:
        first, second = (_shrunk(green, size) for green in greens)
        pair = _Pair(first, second, curve)
        here = unscaled(warp, 1 / size)
        found = step(pair, here)
        if pair.better(found, here):
            warp, here = unscaled(found, size), found
    return unscaled(warp, scale), pair.known(here)


def shift(reference: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """By how much a picture must be moved to lie on another exposure of the same scene.

    Args:
      reference: [h, w] uint8.
      picture: the other exposure, of the same shape.

    Returns:
      float64 [2], pixels to the right and down, whole numbers; 0 for pictures of less than 8
      pixels' height or width, whose bitmaps say nothing.

    Not differentiable.
    Source: Ward 2003, median threshold bitmaps; OpenCV's AlignMTB.
    Example:
      >>> picture = np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8)
      >>> picture = cv2.GaussianBlur(picture, (0, 0), 2)
      >>> shift(picture, np.roll(picture, (2, 3), (0, 1))).tolist()
      [-3.0, -2.0]
    """
    if min(reference.shape) < 8:
        return np.zeros(2)
    # The coarsest level of its pyramid keeps 8 pixels and more; fewer say nothing.
    bits = int(np.clip(np.log2(min(reference.shape)) - 3, 1, 6))
    matcher = cv2.createAlignMTB(max_bits=bits)
    return np.asarray(matcher.calculateShift(reference, picture), np.float64)


def movement(
    brackets: Exposures, log_times: np.ndarray, g: np.ndarray
) -> tuple[int, int, float] | None:
    """Whether the camera plainly moved between exposures, as far as a translation tells.

    Args:
      brackets: n >= 2 exposures.
      log_times: [n] natural logs of exposure times.
      g: log inverse response [c, num_levels]; the curve of the green channel is read.

    Returns:
      Two exposures that are neighbours by time, those between which it moved most, and by how many
      pixels; None where it does not seem to have. Pictures are looked at in steps of about a 400th
      of their width (10 pixels of 12 megapixels): what is less than half of that is not seen.

    Not differentiable.
    Source: Ward 2003, as `shift`.
    Example:
      >>> from hdr_jax.brackets import InMemory
      >>> from hdr_jax.images import named_response
      >>> scene = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype(np.uint8)
      >>> scene = cv2.GaussianBlur(scene, (0, 0), 2)
      >>> stack = np.stack([scene, np.roll(scene, 4, 1)])
      >>> movement(InMemory(stack), np.log([1, 2]), named_response("srgb"))
      (0, 1, 4.0)
    """
    step = thinning(*brackets.shape[1:3], MOVEMENT_PIXELS)
    thinned = brackets.thinned(MOVEMENT_PIXELS)
    greens, curve = [_green(image, 1) for image in thinned], g[len(g) // 2]
    order = np.argsort(log_times, kind="stable").tolist()
    found = []
    for i, j in zip(order[:-1], order[1:], strict=True):
        pair = _Pair(greens[i], greens[j], curve)
        here = np.eye(3)
        moved = _bitmap_step(pair, here)
        if pair.shared(here) and pair.better(moved, here, MOVED) and pair.known(moved):
            found.append((i, j, float(step * np.hypot(*moved[:2, 2]))))
    return max(found, key=lambda pair: pair[2], default=None)


def _green(image: np.ndarray, scale: float) -> np.ndarray:
    """The green channel as levels 0..255, float32, scaled."""
    levels = as_unit_float(np.ascontiguousarray(image[..., 1])) * 255
    return _shrunk(levels.astype(np.float32), scale)


def _shrunk(image: np.ndarray, scale: float) -> np.ndarray:
    """An image scaled down by averaging areas."""
    if scale == 1:
        return image
    return images.resized(image, *(max(1, round(side * scale)) for side in image.shape))


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

    def better(self, found: np.ndarray, warp: np.ndarray, gain: float = MIN_GAIN) -> bool:
        """Whether a warp not far from another one makes the exposures clearly more alike."""
        shape = self.levels[0].shape
        step = displacement(np.linalg.inv(warp) @ found, shape)
        near = np.isfinite(step) and step <= max(4, MAX_STEP * np.hypot(*shape))
        if not near:
            return False
        return 1 - self._correlation(found) < gain * (1 - self._correlation(warp))

    def shared(self, warp: np.ndarray) -> bool:
        """Whether enough is well exposed in both under a warp to compare them."""
        return self._correlation(warp) > UNKNOWN

    def known(self, warp: np.ndarray) -> bool:
        """Whether both are plainly the same under a warp, where enough is well exposed in both."""
        return self._correlation(warp) > TRUSTED

    def _correlation(self, warp: np.ndarray) -> float:
        """Of ln E under a warp, over pixels well exposed in both; UNKNOWN where they are few."""
        size = self.levels[0].shape[::-1]
        flags = cv2.WARP_INVERSE_MAP
        mask = cv2.warpPerspective(self.masks[1], warp, size, flags=flags | cv2.INTER_NEAREST)
        shared = (mask > 0) & (self.masks[0] > 0)
        if shared.mean() < MIN_SHARED:
            return UNKNOWN
        moved = cv2.warpPerspective(self.logs[1], warp, size, flags=flags | cv2.INTER_LINEAR)
        values = [self.logs[0][shared], moved[shared]]
        spread = min(float(np.std(value)) for value in values)
        return float(np.corrcoef(*values)[0, 1]) if spread > 1e-5 else UNKNOWN


def _bitmap_step(pair: _Pair, warp: np.ndarray) -> np.ndarray:
    """The translation of the median threshold bitmaps."""
    found = np.eye(3)
    found[:2, 2] = -shift(*(np.rint(image).astype(np.uint8) for image in pair.levels))
    return found


def _ecc_step(motion: int, pair: _Pair, warp: np.ndarray) -> np.ndarray:
    """The warp improved by ECC, or as it was where that does not converge."""
    rows = 3 if motion == cv2.MOTION_HOMOGRAPHY else 2
    start = (warp / warp[2, 2]).astype(np.float32)[:rows]
    with contextlib.suppress(cv2.error):  # no texture, or no convergence
        _, found = cv2.findTransformECCWithMask(  # pyright: ignore[reportCallIssue]
            *pair.logs, *pair.masks, start, motion, STOP, 5
        )
        return np.vstack([found, np.eye(3)[rows:]]).astype(np.float64)
    return warp


# The size at which a step works, and the step. At a quarter of the size, 64 pixels are 256.
STEPS = (
    (0.25, _bitmap_step),
    (0.25, functools.partial(_ecc_step, cv2.MOTION_EUCLIDEAN)),
    (1.0, functools.partial(_ecc_step, cv2.MOTION_EUCLIDEAN)),
    (1.0, functools.partial(_ecc_step, cv2.MOTION_HOMOGRAPHY)),
)

"""Edge maps: the Canny detector as the networks saw it in training.

Notation: `dx`, `dy` Sobel gradients of the smoothed image (a unit step has gradient 4), `magnitude`
their Euclidean length. Thresholds are on that scale, for images in [0, 1].
The steps and their order are those of scikit-image's `feature.canny`, so that both mark the same
pixels; OpenCV does the filtering and the linking.
"""

import functools

import cv2
import numpy as np

from hdr_jax.errors import InputError

RGB_WEIGHTS = (0.299, 0.587, 0.114)
"""Luma of ITU-R BT.601, for RGB channel order."""
RELEASED_WEIGHTS = (0.114, 0.587, 0.299)
"""What the method's released program applied to RGB pictures: the same weights in BGR order."""


EDGE_WEIGHTS = {"rgb": RGB_WEIGHTS, "released": RELEASED_WEIGHTS}
"""By the name that a configuration gives them."""


def edge_weights(name: str) -> tuple[float, float, float]:
    """Channel weights of the gray picture that edges are found in.

    Args:
      name: "rgb", or "released" as the method's released program has them.

    Returns:
      Weights of the channels R, G, B.

    Raises:
      InputError: for another name.

    Example:
      >>> edge_weights("rgb")
      (0.299, 0.587, 0.114)
    """
    if name not in EDGE_WEIGHTS:
        raise InputError(f"got edge weights {name!r}: expected one of {', '.join(EDGE_WEIGHTS)}")
    return EDGE_WEIGHTS[name]


def canny(
    image: np.ndarray,
    sigma: float = 2.0,
    *,
    low: float = 0.1,
    high: float = 0.2,
    channel_weights: tuple[float, float, float] = RGB_WEIGHTS,
) -> np.ndarray:
    """Canny edge map of one picture.

    `smooth = (G_sigma * gray) / (G_sigma * 1)`, gradients by Sobel, non-maximum suppression with
    magnitudes interpolated along the gradient, then hysteresis: of the ridge pixels with
    `magnitude >= low`, the 8-connected groups that hold one with `magnitude >= high`.

    Args:
      image: [h, w] or [h, w, 3] RGB; uint8, uint16, or float in [0, 1], display-encoded.
      sigma: standard deviation of the Gaussian, pixels; > 0. Its kernel ends at 4 sigma.
      low: lower threshold on the Sobel magnitude, >= 0.
      high: upper threshold, >= low.
      channel_weights: gray = sum of channel times weight. `RELEASED_WEIGHTS` for networks trained
          by the method's released program.

    Returns:
      uint8 [h, w], 1 on edges, else 0. The outermost pixels are never edges; an image of less
      than 3 x 3 pixels has none.

    Raises:
      InputError: for another shape, dtype or a non-finite image, and for sigma or thresholds out
          of range.

    Not differentiable.
    Source: Canny, "A Computational Approach to Edge Detection", PAMI 1986; scikit-image 0.26
      `feature.canny` (mode "constant") as the numerical reference.
    Example:
      >>> import numpy as np
      >>> picture = np.zeros((16, 16), np.uint8)
      >>> picture[:, 8:], picture[:, 9:] = 128, 255
      >>> canny(picture).sum(axis=1).max().item()
      1
    """
    if not (sigma > 0 and 0 <= low <= high):
        raise InputError(
            f"canny got sigma={sigma}, low={low}, high={high}; expected sigma > 0 and "
            "0 <= low <= high. The defaults are 2.0, 0.1 and 0.2."
        )
    gray = _gray(image, channel_weights)
    if min(gray.shape) < 3:
        return np.zeros(gray.shape, np.uint8)
    size = 2 * int(4.0 * sigma + 0.5) + 1
    smooth = cv2.GaussianBlur(gray, (size, size), sigma, borderType=cv2.BORDER_CONSTANT)
    smooth /= _coverage(gray.shape, size, sigma)
    dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, borderType=cv2.BORDER_REFLECT)
    dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, borderType=cv2.BORDER_REFLECT)
    return _link(*_ridge(dx, dy, low), gray.shape, high)


def _gray(image: np.ndarray, weights: tuple[float, float, float]) -> np.ndarray:
    """Single-channel float32 in [0, 1]."""
    image = np.asarray(image)
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or not image.size:
        raise InputError(
            f"canny got an image of shape {image.shape}; expected [h, w] or [h, w, 3]. "
            "For stacks and batches call it once per picture."
        )
    if image.dtype == np.uint8 or image.dtype == np.uint16:
        scale = 1.0 / np.iinfo(image.dtype).max
    elif np.issubdtype(image.dtype, np.floating):
        scale = 1.0
    else:
        raise InputError(
            f"canny got dtype {image.dtype}; expected uint8, uint16 or float in [0, 1]. "
            "Convert with image.astype(np.float32) / largest level."
        )
    image = image.astype(np.float32)
    if image.ndim == 2:
        gray = image * np.float32(scale)
    else:
        gray = cv2.transform(image, np.asarray([weights], np.float32) * np.float32(scale))
    if not np.isfinite(gray).all():
        raise InputError("canny got an image with NaN or infinite pixels; expected finite values.")
    return gray


@functools.lru_cache(maxsize=8)
def _coverage(shape: tuple[int, int], size: int, sigma: float) -> np.ndarray:
    """The Gaussian of an image of ones: what of the kernel lies inside the picture."""
    ones = np.ones(shape, np.float32)
    coverage = cv2.GaussianBlur(ones, (size, size), sigma, borderType=cv2.BORDER_CONSTANT)
    coverage += np.finfo(np.float32).eps
    coverage.setflags(write=False)
    return coverage


def _ridge(dx: np.ndarray, dy: np.ndarray, low: float) -> tuple[np.ndarray, np.ndarray]:
    """Flat positions of local maxima along the gradient, and their magnitudes."""
    width = dx.shape[1]
    magnitude = cv2.magnitude(dx, dy)
    # Only candidates are looked at: a part of a photograph's pixels, never the outermost.
    candidate = magnitude >= max(low, np.finfo(np.float32).tiny)
    candidate[[0, -1]] = candidate[:, [0, -1]] = False
    position = np.flatnonzero(candidate)
    flat = magnitude.ravel()
    across, down, here = dx.ravel().take(position), dy.ravel().take(position), flat.take(position)
    step_x, step_y = np.where(across >= 0, 1, -1), np.where(down >= 0, width, -width)
    across, down = np.abs(across), np.abs(down)
    # The gradient leaves the pixel between its straight neighbour and its diagonal one; the
    # magnitude there is interpolated between the two.
    straight, diagonal = np.where(down > across, step_y, step_x), step_x + step_y
    part = np.minimum(across, down) / np.maximum(across, down)
    keep = np.ones(position.size, bool)
    for ahead, aslant in ((straight, diagonal), (-straight, -diagonal)):
        a, b = flat.take(position + aslant), flat.take(position + ahead)
        keep &= here >= a * part + b * (1 - part)
    return position[keep], here[keep]


def _link(
    position: np.ndarray, magnitude: np.ndarray, shape: tuple[int, int], high: float
) -> np.ndarray:
    """Keep the 8-connected groups of ridge pixels that reach `high`."""
    weak = np.zeros(shape, np.uint8)
    weak.ravel()[position] = 1
    count, found = cv2.connectedComponents(weak, connectivity=8, ltype=cv2.CV_32S)
    labels = found.astype(np.intp)
    strong = np.zeros(count, np.uint8)
    strong[labels.ravel()[position[magnitude >= high]]] = 1
    return strong[labels]

"""The response of the camera that took exposures of any size."""

from typing import Any

import numpy as np

from hdr_jax import crf
from hdr_jax.brackets._brackets import Exposures
from hdr_jax.brackets._validity import contradicted
from hdr_jax.errors import InputError

# Pixels of all exposures together that the response is recovered from.
RESPONSE_PIXELS = 2**22
CANVAS = 256  # sides of the pictures for that are multiples of it
# Share of the pixels that all exposures must show for it.
MIN_COMMON = 0.01


def response(
    brackets: Exposures, log_times: np.ndarray, *, holes: bool = True, **options: Any
) -> np.ndarray:
    """Increasing log inverse response of the camera that took the brackets.

    Args:
      brackets: n exposures.
      log_times: [n] natural logs of exposure times.
      holes: whether black that a shorter exposure contradicts is no data, as in photographs; in
        generated exposures it is black.
      **options: of `hdr_jax.crf.recover`.

    Returns:
      g float32 [3, num_levels], non-decreasing (`crf.monotone`); 4096 levels for pictures of more
      than 8 bits.

    Raises:
      InputError: as `crf.recover`, or if the exposures hardly show the same.

    Example: `g = response(brackets, np.log([0.1, 0.4]), method="mitsunaga_nayar")`
    """
    pixels = RESPONSE_PIXELS // brackets.shape[0]
    stack, valid = brackets.thinned(pixels), brackets.valid_thinned(pixels)
    if holes:
        valid &= ~contradicted(stack, log_times, valid)
    common = valid.all(0).mean()
    if common < MIN_COMMON:
        raise InputError(
            f"only {common:.1%} of the scene is shown by all exposures; expected {MIN_COMMON:.0%} "
            "at least. Leave out the pictures that show less, or give the camera's response."
        )
    stack, valid = on_canvas(stack, valid)
    if not valid.all():
        options["valid"] = valid
    options.setdefault("num_levels", 256 if brackets.dtype == np.uint8 else 4096)
    return np.asarray(crf.monotone(crf.recover(stack, log_times, **options)))


def on_canvas(stack: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The exposures on a canvas of one of few sizes, for which programs are compiled already.

    Args:
      stack: [n, h, w, c].
      valid: bool [n, h, w].

    Returns:
      (stack, valid) of sides that are multiples of CANVAS where they were longer than that; what is
      added below and to the right is not valid.

    Example:
      >>> on_canvas(np.ones((2, 300, 200, 3)), np.ones((2, 300, 200), bool))[0].shape
      (2, 512, 200, 3)
    """
    rest = [-side % CANVAS if side > CANVAS else 0 for side in stack.shape[1:3]]
    added = [(0, 0), *((0, more) for more in rest)]
    return np.pad(stack, [*added, (0, 0)]), np.pad(valid, added)

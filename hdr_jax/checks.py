"""What arguments of the primitives must be; of traced ones only the shape is looked at."""

import numbers
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.core import Tracer
from jax.typing import ArrayLike

from hdr_jax.errors import InputError

# Floats a little outside [0, 1] are noise, or a network's, and are clipped; beyond, it is no unit.
DARKEST, BRIGHTEST = -0.5, 2.0


def check_table(table: ArrayLike) -> None:
    """Raises InputError for a response that is not finite, or of fewer than two levels.

    Args:
      table: g [..., num_levels]; the values of one that is traced go unseen.

    Example:
      >>> check_table(jnp.log(jnp.arange(256.0)))
      Traceback (most recent call last):
      hdr_jax.errors.InputError: got a response with ln 0 or NaN; expected finite numbers: read ...
    """
    if np.ndim(table) < 1 or np.shape(table)[-1] < 2:
        raise InputError(
            f"got a response {np.shape(table)}; expected [..., num_levels], at least 2"
        )
    if not isinstance(table, Tracer) and not np.isfinite(np.asarray(table)).all():
        raise InputError(
            "got a response with ln 0 or NaN; expected finite numbers: read level 0 at half a "
            "level, as hdr_jax.exposure.log_inverse_sigmoid does"
        )


def check_increasing(table: ArrayLike) -> None:
    """Raises InputError for a response that falls, which has no inverse, or that is not finite.

    Args:
      table: g [..., num_levels]; the values of one that is traced go unseen.

    Example:
      >>> check_increasing(jnp.array([0.0, 2.0, 1.0]))
      Traceback (most recent call last):
      hdr_jax.errors.InputError: got a response that falls from level 1 to 2; expected one that ...
    """
    check_table(table)
    if isinstance(table, Tracer):
        return
    falls = np.diff(np.asarray(table)) < 0
    if falls.any():
        level = int(np.argwhere(falls)[0, -1])
        raise InputError(
            f"got a response that falls from level {level} to {level + 1}; expected one that never "
            "does, which alone has an inverse: use hdr_jax.crf.monotone(g)"
        )


def check_same_shape(names: str, one: ArrayLike, other: ArrayLike) -> None:
    """Raises InputError for arrays of two shapes, since broadcasting would hide a mistake.

    Args:
      names: of both, for the message.
      one, other: any shapes.

    Example:
      >>> check_same_shape("error and mask", jnp.ones((4, 4, 3)), jnp.ones((4, 4, 1)))
      Traceback (most recent call last):
      hdr_jax.errors.InputError: expected error and mask of one shape, got (4, 4, 3) and (4, 4, 1...
    """
    if np.shape(one) != np.shape(other):
        raise InputError(
            f"expected {names} of one shape, got {np.shape(one)} and {np.shape(other)}; use "
            "jax.vmap for batches"
        )


def check_positive(name: str, argument: str, value: ArrayLike) -> None:
    """Raises InputError unless a number is > 0.

    Args:
      name: of the function that was given it, for the message.
      argument: its name there.
      value: scalar; the value of one that is traced goes unseen.

    Example:
      >>> check_positive("ssim", "data_range", 255)
    """
    if np.ndim(value) or not (isinstance(value, Tracer) or np.asarray(value) > 0):
        raise InputError(f"{name} got {argument} = {value}; expected a number > 0")


def as_array(values: Any) -> Any:
    """Lists and numbers of Python as arrays of NumPy, of JAX if traced; arrays as they are.

    Args:
      values: an array, or what `np.asarray` makes one of.

    Returns:
      The array.

    Raises:
      InputError: for lists of unequal lengths.

    Example:
      >>> as_array([1.0, 2.0]).dtype
      dtype('float64')
    """
    if hasattr(values, "dtype"):
        return values
    try:
        traced = any(isinstance(x, Tracer) for x in jax.tree.leaves(values))
        return jnp.asarray(values) if traced else np.asarray(values)
    except ValueError as error:
        raise InputError(
            "got a list of arrays of several sizes: expected all of one, to be stacked"
        ) from error


def check_count(argument: str, value: Any, least: int) -> None:
    """Raises InputError unless a number is whole and large enough.

    Args:
      argument: its name, for the message.
      value: the number; one that is traced is none.
      least: the smallest that will do.

    Example:
      >>> check_count("num_levels", 256, 2)
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or int(value) < least:
        raise InputError(f"got {argument} {value}: expected a whole number, at least {least}")


def check_within(name: str, values: ArrayLike, low: float, high: float) -> None:
    """Raises InputError for numbers outside of [low, high], and for NaN.

    Args:
      name: of the argument, for the message.
      values: any shape; those of an array that is traced go unseen.
      low, high: the ends of the range.

    Example:
      >>> check_within("confidence", [0.5, 2.0], 0, 1)
      Traceback (most recent call last):
      hdr_jax.errors.InputError: got confidence from 0.5 up to 2: expected [0, 1]
    """
    if isinstance(values, Tracer) or not np.size(values):
        return
    found = np.asarray(values)
    least, largest = found.min(), found.max()  # NaN where one is
    if not low <= least <= largest <= high:
        raise InputError(
            f"got {name} from {least:.6g} up to {largest:.6g}: expected [{low}, {high}]"
        )


def check_times(log_times: ArrayLike, *, different: bool = False) -> None:
    """Raises InputError for times that are not finite or, where they are to differ, all equal.

    Args:
      log_times: [n] natural logs of exposure times; the values of traced ones go unseen.
      different: whether exposures are to be compared.

    Example:
      >>> check_times([0.0, float("nan")])
      Traceback (most recent call last):
      hdr_jax.errors.InputError: log exposure times must be finite, got [ 0. nan]; are all ...
    """
    if isinstance(log_times, Tracer):
        return
    values = np.asarray(log_times)
    if not np.isfinite(values).all():
        raise InputError(f"log exposure times must be finite, got {values}; are all times > 0?")
    if different and np.ptp(values) == 0:
        raise InputError(f"all exposure times are equal ({values}): nothing to compare")


def check_stops(ev_offsets: ArrayLike) -> None:
    """Raises InputError unless exposures are finite numbers of stops, at least one.

    Args:
      ev_offsets: [n]; traced ones are none.

    Example:
      >>> check_stops([-2, 0, 2])
    """
    values = np.asarray(ev_offsets)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise InputError(f"got EV offsets {values}: expected finite stops [n], at least one")


def check_valid(valid: Any, stack_shape: tuple[int, ...]) -> None:
    """Raises InputError unless a mask is of bools, one for each pixel of each exposure.

    Args:
      valid: array, where an exposure holds data.
      stack_shape: (n, h, w, c).

    Example:
      >>> check_valid(np.ones((2, 4, 4), bool), (2, 4, 4, 3))
    """
    if valid.shape != tuple(stack_shape[:3]):
        raise InputError(f"got valid {valid.shape} for a stack {stack_shape}: expected [n, h, w]")
    if valid.dtype != jnp.bool_:
        raise InputError(
            f"got valid of type {valid.dtype}: expected bool; of a confidence pass "
            "confidence >= 0.5"
        )


def check_unit(pixels: Any) -> None:
    """Raises InputError for floats that are plainly not in [0, 1], and for NaN.

    Args:
      pixels: array of any shape and type; the values of one that is traced go unseen.

    Example:
      >>> check_unit(jnp.full((2, 4, 4, 3), 128.0))
      Traceback (most recent call last):
      hdr_jax.errors.InputError: got float pixels from 128 up to 128: expected [0, 1]; divide by ...
    """
    if isinstance(pixels, Tracer) or not jnp.issubdtype(pixels.dtype, jnp.floating):
        return
    with jax.ensure_compile_time_eval():
        good = _in_range(pixels) if isinstance(pixels, Array) else _all_in_range(pixels)
    if not good:
        found = np.asarray(pixels, np.float32)
        raise InputError(
            f"got float pixels from {found.min():.6g} up to {found.max():.6g}: expected [0, 1]; "
            "divide by 255 or 65535 (or (x + 1) / 2 of [-1, 1]), or pass uint8 or uint16"
        )


def _all_in_range(pixels: Any) -> Any:
    """Whether all are nearly in [0, 1]; XLA's maximum on a CPU may pass over NaN, this does not."""
    return ((pixels >= DARKEST) & (pixels <= BRIGHTEST)).all()


_in_range = jax.jit(_all_in_range)

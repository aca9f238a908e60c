"""From an exposure stack to response curves: sampling, then one solve for each channel."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from hdr_jax import exported
from hdr_jax.checks import (
    as_array,
    check_count,
    check_positive,
    check_times,
    check_unit,
    check_valid,
)
from hdr_jax.crf._debevec import debevec
from hdr_jax.crf._mitsunaga_nayar import mitsunaga_nayar
from hdr_jax.crf._samples import take, tied_share, warn_of_gaps
from hdr_jax.errors import InputError, one_of
from hdr_jax.levels import as_unit_float, default_num_levels
from hdr_jax.weighting import Weighting

METHODS: dict[str, Callable[..., Array]] = {"debevec": debevec, "mitsunaga_nayar": mitsunaga_nayar}


def recover(
    stack: ArrayLike,
    log_times: ArrayLike,
    *,
    num_samples: int = 256,
    smoothness: ArrayLike | None = None,
    weighting: str | Weighting = "hat",
    num_levels: int | None = None,
    sampling: str | Callable[..., Array] = "auto",
    method: str = "debevec",
    solver: str | None = None,
    degree: int | None = None,
    valid: Array | None = None,
) -> Array:
    """Camera response of a picture from its exposures: samples them, then solves for each channel.

    With sampling "auto" pixels are followed: at p places of the picture, spread over the levels and
    smooth, the levels of all exposures make a sample. Observations that do not obey the response of
    the rest, as of what moved or of a frame, are left out, and of several exposures that are nearly
    white at a place all but the shortest. Where exposures are not registered, and for curves of
    more than 256 levels, the samples are `hdr_jax.sampling.quantiles`, which follow no pixel.

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16; n >= 2, in any order.
      log_times: [n] natural logs of exposure times.
      num_samples: samples per channel, at least 1.
      smoothness: of `debevec` alone; None is its default, 20.
      weighting: name or function of `hdr_jax.weighting`.
      num_levels: length of g; None takes 4096 for uint16 and 256 for other types.
      sampling: "auto", or name or function of `hdr_jax.sampling`; "grossberg_nayar" is the paper's
        recipe.
      method: "debevec" or "mitsunaga_nayar".
      solver: of `debevec` alone; None is its default, "cholesky".
      degree: of `mitsunaga_nayar` alone; None is its default, 5.
      valid: bool [n, h, w], False where a pixel of an exposure holds no data; samples are taken
        from what all exposures show.

    Returns:
      g [c, num_levels], 0 at num_levels // 2. It need not increase: see `monotone`.

    Raises:
      InputError: for shapes that do not fit, fewer than two exposures, equal or non-finite times,
        an unknown name, an option that the method does not have, or `valid` that is not bool.

    Warns:
      when the exposures are so far apart that they tie too few of the levels together to know g
      (not inside `jax.jit`).

    Differentiable in `stack`, `log_times` and `smoothness`, in both modes and any order, at fixed
    samples: "auto" chooses places and leaves out what disobeys, and g jumps where its choice
    changes, of which levels that are equal, as of 8 bits, often are near. To descend through the
    solve, and to compare with finite differences, take sampling "quantiles".
    Source: Kim, Lee, Kang 2020, Eq. 1.
    Example:
      >>> from hdr_jax.exposure import expose, srgb
      >>> radiance = jnp.linspace(0.001, 1, 4096).reshape(64, 64, 1)
      >>> log_times = jnp.log(jnp.array([0.25, 0.5, 1.0]))
      >>> g = recover(expose(radiance, log_times, srgb()), log_times)
      >>> g.shape, bool(jnp.all(jnp.diff(g[0]) > 0))
      ((1, 256), True)
    """
    stack = as_array(stack)
    num_levels = default_num_levels(stack) if num_levels is None else num_levels
    check_count("num_levels", num_levels, 2)
    check_count("num_samples", num_samples, 1)
    stack, log_times = check_stack(stack, log_times, integers=True)
    one_of("method", method, METHODS)
    if valid is not None:
        valid = as_array(valid)
        check_valid(valid, stack.shape)
    levels, confidence = take(stack, log_times, sampling, num_samples, num_levels, valid)
    constants = _given(method, solver=solver, degree=degree)
    scalars = _given(method, smoothness=smoothness)
    for name, value in scalars.items():
        check_positive("recover", name, value)
        scalars[name] = jnp.asarray(value, levels.dtype)
    g, tied = _solved(
        levels,
        log_times,
        confidence,
        scalars,
        weighting=weighting,
        num_levels=num_levels,
        method=method,
        options=tuple(constants.items()),
    )
    warn_of_gaps(tied, log_times)
    return g


@exported.quick_jit
def _solved(levels, log_times, confidence, scalars, *, weighting, num_levels, method, options):
    """g of samples [c, p, n], and the share of the levels that are tied to others."""
    solve = functools.partial(
        METHODS[method], weighting=weighting, num_levels=num_levels, **scalars, **dict(options)
    )
    g = jax.vmap(lambda z, trust: solve(z, log_times, confidence=trust))(levels, confidence)
    return g, tied_share(levels, confidence, num_levels)


def _given(method: str, **options) -> dict[str, Any]:
    """The options that are not None, all of which the method must have."""
    known = inspect.signature(METHODS[method]).parameters
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if name not in known:
            raise InputError(
                f"got {name}={value} for method {method!r}, which has no {name}: leave it out"
            )
    return given


def check_exposures(stack: ArrayLike, log_times: ArrayLike) -> None:
    """Raises InputError for a stack and times that do not fit each other.

    Args:
      stack: [n, h, w, c], n >= 2, of which only the shape is looked at.
      log_times: [n] natural logs of exposure times, finite and not all equal.

    Example:
      >>> check_exposures(jnp.zeros((2, 4, 4, 3)), jnp.array([0.0, 0.7]))
    """
    shape, times = as_array(stack).shape, as_array(log_times).shape
    if len(shape) != 4 or len(times) != 1 or 0 in shape[1:]:
        raise InputError(
            "expected a stack [n, h, w, c] with pixels and log_times [n], got shapes "
            f"{shape} and {times}; use jax.vmap for batches"
        )
    if shape[0] != times[0] or shape[0] < 2:
        raise InputError(
            f"got {shape[0]} exposures and {times[0]} times: expected one time for each exposure, "
            "and at least two exposures"
        )
    check_times(log_times, different=True)


def check_stack(
    stack: ArrayLike, log_times: ArrayLike, *, integers: bool = False
) -> tuple[Array, Array]:
    """The stack as floats in [0, 1] and its log times as an array, checked against each other.

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16.
      log_times: [n] natural logs of exposure times.
      integers: leave uint8 and uint16 as they are.

    Returns:
      (stack float [n, h, w, c], log_times [n]), floats of at least 32 bits.

    Raises:
      InputError: for shapes that do not fit, fewer than two exposures, equal or non-finite times,
        no pixels, or floats that are plainly not in [0, 1], NaN among them.

    Example:
      >>> check_stack(jnp.zeros((2, 4, 4, 3)), jnp.array([0.0, 0.7]))[0].shape
      (2, 4, 4, 3)
    """
    # What is not JAX's stays on the host until it is ready: JAX compiles a program for every step.
    times: Any = log_times if isinstance(log_times, Array) else np.asarray(log_times)
    pixels: Any = as_array(stack)
    check_exposures(pixels, times)
    check_unit(pixels)
    # Half precision is too coarse for the sums of histograms, and unknown to LAPACK.
    dtype = jnp.promote_types(pixels.dtype, jnp.float32)
    if not (integers and pixels.dtype in (jnp.uint8, jnp.uint16)):
        pixels = as_unit_float(pixels).astype(dtype, copy=False)
    return jax.device_put((pixels, times.astype(dtype, copy=False)))

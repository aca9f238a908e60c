"""From an exposure stack to response curves: sampling, then one solve for each channel."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from hdr_jax.crf._debevec import debevec
from hdr_jax.crf._mitsunaga_nayar import mitsunaga_nayar
from hdr_jax.errors import InputError
from hdr_jax.levels import as_unit_float
from hdr_jax.sampling import get as sampling_function
from hdr_jax.weighting import Weighting

METHODS: dict[str, Callable[..., Array]] = {"debevec": debevec, "mitsunaga_nayar": mitsunaga_nayar}


def recover(
    stack: Array,
    log_times: Array,
    *,
    num_samples: int = 256,
    smoothness: float = 20.0,
    weighting: str | Weighting = "hat",
    num_levels: int = 256,
    sampling: str | Callable[..., Array] = "quantiles",
    method: str = "debevec",
    degree: int = 5,
    valid: Array | None = None,
) -> Array:
    """Camera response of a picture from its exposures: samples them, then solves for each channel.

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16; n >= 2, in any order.
      log_times: [n] natural logs of exposure times.
      num_samples: samples per channel.
      smoothness: of `debevec`.
      weighting: name or function of `hdr_jax.weighting`.
      num_levels: length of g; 16-bit input is read between the levels.
      sampling: name or function of `hdr_jax.sampling`; "grossberg_nayar" is the paper's recipe.
      method: "debevec" or "mitsunaga_nayar".
      degree: of `mitsunaga_nayar`.
      valid: bool [n, h, w], where an exposure holds data; None is everywhere.

    Returns:
      g [c, num_levels], 0 at num_levels // 2. It need not increase: see `monotone`.

    Raises:
      InputError: for shapes that do not fit, fewer than two exposures, equal or non-finite times,
        or an unknown name.

    Differentiable in `stack` and `log_times`.
    Source: Kim, Lee, Kang 2020, section 3.1.
    Example:
      >>> from hdr_jax.exposure import expose, srgb
      >>> radiance = jnp.linspace(0.001, 1, 4096).reshape(64, 64, 1)
      >>> log_times = jnp.log(jnp.array([0.25, 0.5, 1.0]))
      >>> g = recover(expose(radiance, log_times, srgb()), log_times)
      >>> g.shape, bool(jnp.all(jnp.diff(g[0]) > 0))
      ((1, 256), True)
    """
    stack, log_times = check_stack(stack, log_times)
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}: expected one of {sorted(METHODS)}")
    if valid is not None and jnp.shape(valid) != stack.shape[:3]:
        raise InputError(
            f"got valid {jnp.shape(valid)} for a stack {stack.shape}: expected [n, h, w]"
        )
    return _recover(
        stack,
        log_times,
        valid,
        num_samples=num_samples,
        smoothness=smoothness,
        weighting=weighting,
        num_levels=num_levels,
        sampling=sampling,
        method=method,
        degree=degree,
    )


@functools.partial(
    jax.jit,
    static_argnames=(
        "num_samples",
        "smoothness",
        "weighting",
        "num_levels",
        "sampling",
        "method",
        "degree",
    ),
)
def _recover(
    stack,
    log_times,
    valid,
    *,
    num_samples,
    smoothness,
    weighting,
    num_levels,
    sampling,
    method,
    degree,
):
    """`recover` of a checked stack."""
    masked = {} if valid is None else {"valid": valid}
    samples = sampling_function(sampling)(stack, num_samples, num_levels=num_levels, **masked)
    options = {"smoothness": smoothness} if method == "debevec" else {"degree": degree}

    def solve(levels):
        return METHODS[method](
            levels, log_times, weighting=weighting, num_levels=num_levels, **options
        )

    return jax.vmap(solve)(samples)


def check_stack(stack: Array, log_times: Array) -> tuple[Array, Array]:
    """The stack as floats in [0, 1] and its log times as an array, checked against each other.

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16.
      log_times: [n] natural logs of exposure times.

    Returns:
      (stack float [n, h, w, c], log_times [n]).

    Raises:
      InputError: for shapes that do not fit, fewer than two exposures, equal or non-finite times.

    Example:
      >>> check_stack(jnp.zeros((2, 4, 4, 3)), jnp.array([0.0, 0.7]))[0].shape
      (2, 4, 4, 3)
    """
    if jnp.ndim(stack) != 4 or jnp.ndim(log_times) != 1:
        raise InputError(
            f"expected a stack [n, h, w, c] and log_times [n], got shapes {jnp.shape(stack)} and "
            f"{jnp.shape(log_times)}; use jax.vmap for batches"
        )
    if jnp.shape(stack)[0] != jnp.shape(log_times)[0] or jnp.shape(stack)[0] < 2:
        raise InputError(
            f"got {jnp.shape(stack)[0]} exposures and {jnp.shape(log_times)[0]} times: expected "
            "one time for each exposure, and at least two exposures"
        )
    if not isinstance(log_times, jax.core.Tracer):
        values = np.asarray(log_times)
        if not np.all(np.isfinite(values)):
            raise InputError(f"log exposure times must be finite, got {values}; are all times > 0?")
        if np.ptp(values) == 0:
            raise InputError(f"all exposure times are equal ({values}): nothing to compare")
    stack = as_unit_float(jnp.asarray(stack))
    return stack, jnp.asarray(log_times, stack.dtype)

"""From an exposure stack to response curves: sampling, then one solve for each channel."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from hdr_jax.crf._debevec import debevec
from hdr_jax.crf._mitsunaga_nayar import mitsunaga_nayar
from hdr_jax.crf._samples import take, tied_share, warn_of_gaps
from hdr_jax.errors import InputError
from hdr_jax.levels import as_unit_float, default_num_levels
from hdr_jax.weighting import Weighting

METHODS: dict[str, Callable[..., Array]] = {"debevec": debevec, "mitsunaga_nayar": mitsunaga_nayar}


def recover(
    stack: Array,
    log_times: Array,
    *,
    num_samples: int = 256,
    smoothness: float = 20.0,
    weighting: str | Weighting = "hat",
    num_levels: int | None = None,
    sampling: str | Callable[..., Array] = "auto",
    method: str = "debevec",
    degree: int = 5,
    valid: Array | None = None,
) -> Array:
    """Camera response of a picture from its exposures: samples them, then solves for each channel.

    With sampling "auto" pixels are followed: at p places of the picture, spread over the levels and
    smooth, the levels of all exposures make a sample. Observations that do not obey the response of
    the rest, as of what moved or of a frame, are left out, and of several exposures that are nearly
    white at a place all but the shortest. Where exposures are not registered the samples are
    `hdr_jax.sampling.quantiles`, which follow no pixel.

    Args:
      stack: [n, h, w, c] float in [0, 1], uint8 or uint16; n >= 2, in any order.
      log_times: [n] natural logs of exposure times.
      num_samples: samples per channel.
      smoothness: of `debevec`.
      weighting: name or function of `hdr_jax.weighting`.
      num_levels: length of g; None takes 4096 for uint16 and 256 for other types.
      sampling: "auto", or name or function of `hdr_jax.sampling`; "grossberg_nayar" is the paper's
        recipe.
      method: "debevec" or "mitsunaga_nayar".
      degree: of `mitsunaga_nayar`.
      valid: bool [n, h, w], False where a pixel of an exposure holds no data; samples are taken
        from what all exposures show.

    Returns:
      g [c, num_levels], 0 at num_levels // 2. It need not increase: see `monotone`.

    Raises:
      InputError: for shapes that do not fit, fewer than two exposures, equal or non-finite times,
        or an unknown name.

    Warns:
      when the exposures are so far apart that they tie too few of the levels together to know g
      (not inside `jax.jit`).

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
    num_levels = num_levels or default_num_levels(stack)
    stack, log_times = check_stack(stack, log_times)
    if method not in METHODS:
        raise InputError(f"unknown method {method!r}: expected one of {sorted(METHODS)}")
    g, tied = _recover(
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
    warn_of_gaps(tied, log_times)
    return g


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
    """`recover` of a checked stack, and the share of the levels that are tied to others."""
    levels, confidence = take(stack, log_times, sampling, num_samples, num_levels, valid)
    options = {"smoothness": smoothness} if method == "debevec" else {"degree": degree}

    def solve(levels, confidence):
        return METHODS[method](
            levels,
            log_times,
            weighting=weighting,
            num_levels=num_levels,
            confidence=confidence,
            **options,
        )

    return jax.vmap(solve)(levels, confidence), tied_share(levels, confidence, num_levels)


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

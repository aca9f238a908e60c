"""The forward camera: radiance map -> exposure stack; and the units of exposure.

Notation: radiance E [h, w, c] (linear, relative), exposure times t [n] in seconds of which only
ratios matter, log_times = ln t, EV offset in stops (+1 doubles t), response f: exposure X = E t ->
pixel value in [0, 1]. A *response* is a function on arrays of any shape, or a log inverse response
table g [c, num_levels] or [num_levels].
All functions are pure and work on one scene; `jax.vmap` gives batches.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from hdr_jax import color
from hdr_jax.checks import (
    check_count,
    check_increasing,
    check_positive,
    check_times,
    check_within,
)
from hdr_jax.errors import InputError
from hdr_jax.levels import clamp, invert, paired, widened

Response = Callable[[Array], Array]

LN2 = 0.6931471805599453


def ev_to_log_times(ev_offset: ArrayLike) -> Array:
    """Natural log of the exposure time relative to EV offset 0: ln t = ln 2 * ev_offset.

    Args:
      ev_offset: stops, any shape.

    Returns:
      Log times, same shape.

    Differentiable in `ev_offset`.
    Example:
      >>> round(float(ev_to_log_times(3.0)), 4)
      2.0794
    """
    return LN2 * widened(ev_offset)


def log_times_to_ev(log_times: Array) -> Array:
    """EV offset in stops of natural log exposure times: the inverse of `ev_to_log_times`.

    Args:
      log_times: natural logs of exposure times, any shape.

    Returns:
      Stops, same shape.

    Differentiable in `log_times`.
    Example:
      >>> float(log_times_to_ev(ev_to_log_times(2.0)))
      2.0
    """
    return widened(log_times) / LN2


def gamma(exponent: float = 2.2) -> Response:
    """Response f(X) = X^(1 / exponent).

    Args:
      exponent: the display gamma, > 0.

    Returns:
      A function from exposures in [0, 1] to pixel values in [0, 1].

    Raises:
      InputError: for an exponent that is not positive.

    Differentiable, with a slope of 0 at X = 0 where the true one is infinite, and wherever the
    exponent is not the plain number 1.
    Example:
      >>> round(float(gamma(2.0)(0.25)), 3)
      0.5
    """

    check_positive("gamma", "exponent", exponent)

    def response(exposure):
        if isinstance(exponent, int | float) and exponent == 1:  # the slope of a line is finite
            return clamp(exposure, 0, jnp.inf)
        # Double where: the slope of a root is infinite at 0. A NaN stays one.
        dark = exposure <= 0
        return jnp.where(dark, 0, jnp.where(dark, 1, exposure) ** (1 / exponent))

    return response


def srgb() -> Response:
    """The sRGB curve: 12.92 X below 0.0031308, else 1.055 X^(1/2.4) - 0.055.

    Returns:
      A function from exposures in [0, 1] to pixel values in [0, 1].

    Source: IEC 61966-2-1.
    Example:
      >>> round(float(srgb()(0.5)), 4)
      0.7354
    """

    return color.linear_to_srgb


def sigmoid(n: float = 0.9, s: float = 0.6) -> Response:
    """Two-parameter sigmoid f(X) = (1 + s) X^n / (X^n + s) close to the mean measured camera curve.

    Args:
      n: exponent, > 0; about N(0.9, 0.1) over real cameras.
      s: toe, > 0; about N(0.6, 0.1).

    Returns:
      A function from exposures in [0, 1] to pixel values in [0, 1].

    Raises:
      InputError: for an n or s that is not positive.

    Source: Eilertsen et al. 2017 (HDRCNN), fitted to the DoRF curves of Grossberg and Nayar.
    Example:
      >>> float(sigmoid()(1.0))
      1.0
    """

    check_positive("sigmoid", "n", n)
    check_positive("sigmoid", "s", s)

    def response(exposure):
        power = gamma(1 / n)(exposure)
        return (1 + s) * power / (power + s)

    return response


def log_inverse_sigmoid(n: float = 0.9, s: float = 0.6, num_levels: int = 256) -> Array:
    """The table g of the sigmoid's inverse: g(z) = ln f^-1(z / (num_levels - 1)), 0 at white.

    f^-1(Z) = (s Z / (1 + s - Z))^(1 / n). The defaults are the canonical camera: what an unknown
    photograph is linearised by. Level 0, which stands for everything down to nothing, is read at
    half a level.

    Args:
      n, s: of `sigmoid`.
      num_levels: length of the table, >= 2.

    Returns:
      [num_levels], increasing.

    Raises:
      InputError: for an n or s that is not positive, and fewer than two levels.

    Source: as `sigmoid`.
    Example:
      >>> g = log_inverse_sigmoid()
      >>> round(255 * float(sigmoid()(jnp.exp(g[100]))), 2)
      100.0
    """
    check_positive("log_inverse_sigmoid", "n", n)
    check_positive("log_inverse_sigmoid", "s", s)
    check_count("num_levels", num_levels, 2)
    z = jnp.maximum(jnp.arange(num_levels), 0.5) / (num_levels - 1)
    return jnp.log(s * z / (1 + s - z)) / n


def expose(
    radiance: ArrayLike,
    log_times: ArrayLike,
    response: Response | ArrayLike,
    *,
    key: Array | None = None,
    read_noise: float = 0.0,
    shot_noise: float = 0.0,
    num_levels: int | None = None,
) -> Array:
    """Photographs a radiance map: stack_j = quantise(f(clip(E t_j + noise))).

    Noise is Gaussian on the exposure, before the response, with variance
    read_noise^2 + shot_noise^2 X. With a table g the response is its inverse,
    f(X) = g^-1(ln X + max g) / (num_levels - 1), which clips at X = 1 as functions do: whatever
    level g is 0 at, `hdr_jax.merge.merge` with the same g is the way back. A table of one's own
    scale is read by `hdr_jax.crf.respond`.

    Args:
      radiance: [h, w, c] float, linear, >= 0; the response clips at E t = 1.
      log_times: [n] natural logs of exposure times.
      response: a function (`srgb()`, `gamma()`, ...), or an increasing table g [num_levels],
        [1, num_levels] or [c, num_levels].
      key: random key; without it there is no noise.
      read_noise: standard deviation of signal-independent noise, in units of the clipping exposure.
      shot_noise: standard deviation of shot noise at full exposure, same unit.
      num_levels: round to that many levels; None leaves real values.

    Returns:
      Stack [n, h, w, c] float in [0, 1], of at least 32 bits.

    Raises:
      InputError: when shapes do not fit, times or a table are not finite, a table falls (see
        `hdr_jax.crf.monotone`), `num_levels` is below 2, noise is negative or asked for without a
        key, or the response is no function of exposures.

    Differentiable in `radiance` and `log_times` if `num_levels` is None; the slope is 0 beyond the
    clipping exposure and below black, not at them.
    Source: Debevec and Malik 1997, Eq. 1.
    Example:
      >>> log_times = ev_to_log_times(jnp.array([0.0, 1.0]))
      >>> stack = expose(jnp.full((1, 1, 1), 0.25), log_times, gamma(2.0))
      >>> [round(float(value), 3) for value in stack.ravel()]
      [0.5, 0.707]
    """
    radiance, log_times = widened(radiance), jnp.asarray(log_times)  # half has too few levels
    log_times = log_times.astype(jnp.promote_types(log_times.dtype, radiance.dtype))
    if radiance.ndim != 3 or log_times.ndim != 1:
        raise InputError(
            f"expected radiance [h, w, c] and log_times [n], got {radiance.shape} and "
            f"{log_times.shape}; use jax.vmap for batches"
        )
    check_times(log_times)
    if num_levels is not None:
        check_count("num_levels", num_levels, 2)
    if key is None and (read_noise or shot_noise):
        raise InputError("noise needs a random key: pass key=jax.random.key(...)")
    for name, deviation in (("read_noise", read_noise), ("shot_noise", shot_noise)):
        check_within(name, deviation, 0, float("inf"))
    if isinstance(response, str) or any(response is maker for maker in (srgb, gamma, sigmoid)):
        name = getattr(response, "__name__", response)
        raise InputError(f"got the response {name}: expected what {name}() gives, or a table")
    exposure = radiance[None] * jnp.exp(log_times)[:, None, None, None]
    if key is not None:
        variance = read_noise**2 + shot_noise**2 * clamp(exposure, 0, 1)
        # Double where: the slope of a root is infinite at 0.
        noisy = variance > 0
        deviation = jnp.where(noisy, jnp.sqrt(jnp.where(noisy, variance, 1)), 0)
        exposure += deviation * jax.random.normal(key, exposure.shape, exposure.dtype)
    if callable(response):
        stack = clamp(response(clamp(exposure, 0, 1)), 0, 1)
    else:
        check_increasing(response)
        stack = _respond_by_table(exposure, jnp.asarray(response))
    if num_levels is not None:
        stack = jnp.round(stack * (num_levels - 1)) / (num_levels - 1)
    return stack


def _respond_by_table(exposure: Array, g: Array) -> Array:
    """Pixel values in [0, 1] of exposures, by the inverse of g [..., num_levels] less its end."""
    # The logarithm of nothing is level 0 whatever the table. Double where: its slope is infinite,
    # and that of the smallest number so large that XLA makes NaN of it times 0.
    nothing = jnp.finfo(exposure.dtype).tiny
    lit = ~(exposure <= nothing)  # a NaN stays one
    log_exposure = jnp.where(lit, jnp.log(jnp.where(lit, exposure, 1)), jnp.log(nothing))
    return invert(*paired(log_exposure, g - jnp.max(g))) / (g.shape[-1] - 1)

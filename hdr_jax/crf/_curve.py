"""Reading a response curve: lookup, its inverse, and the nearest curve that has an inverse."""

import jax
import jax.numpy as jnp
from jax import Array

from hdr_jax.errors import InputError
from hdr_jax.levels import evaluate, invert


def lookup(levels: Array, g: Array, *, rounding: bool = False) -> Array:
    """Log exposure of pixel levels: g(Z), linear between integer levels.

    Forward: (1 - f) g(k) + f g(k + 1), equal to the table at integers. Backward, Eq. (3): the slope
    of the segment to the left, g(Z) - g(Z - 1) at an integer Z > 0 and g(0) at Z = 0; between
    integers that is the true derivative. Outside the table g is constant.

    Args:
      levels: float in [0, num_levels - 1], in levels and not in [0, 1]; any shape, or [..., c].
      g: [num_levels], or [c, num_levels] with one table for each entry of the last axis of
        `levels`.
      rounding: read g at the nearest integer level, as the released program does; the slope is
        then that of the rounded level.

    Returns:
      ln(E t), shape of `levels`.

    Differentiable in `levels` and `g` (reverse mode).
    Source: Kim, Lee, Kang 2020, Eq. 3.
    Example:
      >>> g = jnp.array([-3.0, -1.0, 0.0, 0.5])
      >>> lookup(jnp.array([1.0, 1.5]), g).tolist()
      [-1.0, -0.5]
      >>> jax.vmap(jax.grad(lookup), (0, None))(jnp.array([0.0, 1.0, 1.5]), g).tolist()
      [-3.0, 2.0, 1.0]
    """
    levels = jnp.asarray(levels, g.dtype)
    if g.ndim == 1:
        return evaluate(levels, g, rounding)
    _check_channels(levels, g)
    table_of = lambda z, table: evaluate(z, table, rounding)  # noqa: E731
    return jax.vmap(table_of, (-1, 0), -1)(levels, g)


def respond(log_exposure: Array, g: Array) -> Array:
    """The forward response: the level at which g takes the given log exposure; inverts `lookup`.

    Args:
      log_exposure: ln(E t), any shape, or [..., c].
      g: [num_levels] or [c, num_levels], increasing (see `monotone`).

    Returns:
      Levels, float in [0, num_levels - 1], clamped to the ends; shape of `log_exposure`.

    Differentiable in both arguments; the slope is 0 where the camera clips.
    Source: Debevec and Malik 1997, Eq. 2, inverted.
    Example:
      >>> g = jnp.array([-3.0, -1.0, 0.0, 0.5])
      >>> respond(jnp.array([-9.0, -2.0, 0.25, 9.0]), g).tolist()
      [0.0, 0.5, 2.5, 3.0]
    """
    log_exposure = jnp.asarray(log_exposure, g.dtype)
    if g.ndim == 1:
        return invert(log_exposure, g)
    _check_channels(log_exposure, g)
    return jax.vmap(invert, (-1, 0), -1)(log_exposure, g)


def monotone(g: Array) -> Array:
    """The non-decreasing curve nearest to g in least squares (isotonic regression).

    monotone(g)(z) = max_{i <= z} min_{k >= z} mean(g(i), ..., g(k)).

    Args:
      g: [..., num_levels].

    Returns:
      Non-decreasing curves, same shape; an increasing g is returned unchanged up to rounding.

    Differentiable almost everywhere.
    Source: Robertson, Wright and Dykstra 1988, Theorem 1.4.4 (the max-min formula).
    Example:
      >>> monotone(jnp.array([0.0, 2.0, 1.0, 3.0])).tolist()
      [0.0, 1.5, 1.5, 3.0]
    """
    return jnp.vectorize(_monotone, signature="(z)->(z)")(g)


def _monotone(g: Array) -> Array:
    """`monotone` of one curve."""
    num_levels = g.shape[0]
    sums = jnp.concatenate([jnp.zeros(1, g.dtype), jnp.cumsum(g)])
    first, last = jnp.arange(num_levels)[:, None], jnp.arange(num_levels)
    count = last - first + 1
    means = jnp.where(count > 0, (sums[last + 1] - sums[first]) / jnp.maximum(count, 1), jnp.inf)
    lowest_from = jax.lax.cummin(means, axis=1, reverse=True)
    fitted = jnp.max(jnp.where(count > 0, lowest_from, -jnp.inf), axis=0)
    # Sums of float32 lose the last digits: a curve that increases already needs none of this.
    return jnp.where(jnp.all(jnp.diff(g) >= 0), g, fitted)


def _check_channels(values: Array, g: Array) -> None:
    """Raises InputError unless g [c, num_levels] has one row for each entry of the last axis."""
    if g.ndim != 2 or values.ndim == 0 or values.shape[-1] != g.shape[0]:
        raise InputError(
            f"got values {values.shape} and g {g.shape}: expected g [num_levels], or "
            "[c, num_levels] with values [..., c]"
        )

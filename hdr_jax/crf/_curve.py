"""Reading a response curve: lookup, its inverse, and the nearest curve that has an inverse."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from hdr_jax import exported
from hdr_jax.checks import check_increasing, check_table
from hdr_jax.errors import InputError
from hdr_jax.levels import evaluate, invert, paired, widened
from hdr_jax.shards import alike


def lookup(levels: ArrayLike, g: ArrayLike, *, rounding: bool = False) -> Array:
    """Log exposure of pixel levels: g(Z), linear between integer levels.

    Forward: (1 - f) g(k) + f g(k + 1), equal to the table at integers. Backward, Eq. (3): the slope
    of the segment to the left, g(Z) - g(Z - 1) at an integer Z > 0 and g(0) at Z = 0; between
    integers that is the true derivative. Outside the table g is constant.

    Args:
      levels: in [0, num_levels - 1], in levels and not in [0, 1]; any shape, or [..., c].
      g: [num_levels] or [1, num_levels], or [c, num_levels] with one table for each entry of the
        last axis of `levels`.
      rounding: read g at the nearest integer level, as the released program does; the slope is
        then that of the rounded level.

    Returns:
      ln(E t), float of at least 32 bits, shape of `levels`.

    Raises:
      InputError: for a g that is not finite, or does not fit (of a traced one the shape alone is
        seen).

    Differentiable in `levels` and `g` (reverse mode).
    Source: Kim, Lee, Kang 2020, Eq. 3.
    Example:
      >>> g = jnp.array([-3.0, -1.0, 0.0, 0.5])
      >>> lookup(jnp.array([1.0, 1.5]), g).tolist()
      [-1.0, -0.5]
      >>> jax.vmap(jax.grad(lookup), (0, None))(jnp.array([0.0, 1.0, 1.5]), g).tolist()
      [-3.0, 2.0, 1.0]
    """
    check_table(g)
    return evaluate(*paired(levels, g), rounding)


def respond(log_exposure: ArrayLike, g: ArrayLike) -> Array:
    """The forward response: the level at which g takes the given log exposure; inverts `lookup`.

    Args:
      log_exposure: ln(E t), any shape, or [..., c].
      g: [num_levels], [1, num_levels] or [c, num_levels], increasing (see `monotone`).

    Returns:
      Levels, float of at least 32 bits in [0, num_levels - 1], clamped to the ends; shape of
      `log_exposure`.

    Raises:
      InputError: for a g that falls, is not finite, or does not fit (of a traced one the shape
        alone is seen).

    Differentiable in both arguments: at a table's value with the slope of the segment to its left,
    the reciprocal of that of `lookup`; beyond the ends, where the camera clips, with slope 0.
    Source: Debevec and Malik 1997, Eq. 2, inverted.
    Example:
      >>> g = jnp.array([-3.0, -1.0, 0.0, 0.5])
      >>> respond(jnp.array([-9.0, -2.0, 0.25, 9.0]), g).tolist()
      [0.0, 0.5, 2.5, 3.0]
    """
    check_increasing(g)
    return invert(*paired(log_exposure, g))


def monotone(g: ArrayLike) -> Array:
    """The non-decreasing curve nearest to g in least squares (isotonic regression).

    monotone(g)(z) = max_{i <= z} min_{k >= z} mean(g(i), ..., g(k)), which is constant over blocks
    of levels and there the mean of g. The blocks are found by pooling adjacent violators, in time
    and memory of O(num_levels).

    Args:
      g: [..., num_levels].

    Returns:
      Non-decreasing curves, same shape; a g that does not decrease is returned unchanged.

    Raises:
      InputError: for a number, or no levels.

    Differentiable almost everywhere.
    Source: Robertson, Wright and Dykstra 1988, section 1.2 (the algorithm), Theorem 1.4.4.
    Example:
      >>> monotone(jnp.array([0.0, 2.0, 1.0, 3.0])).tolist()
      [0.0, 1.5, 1.5, 3.0]
    """
    g = jnp.asarray(g)
    if g.ndim == 0 or g.size == 0:
        raise InputError(f"monotone got {g.shape}; expected curves [..., num_levels]")
    fitted = _all_monotone(widened(g))  # half precision does not count beyond 256
    return fitted.astype(g.dtype) if jnp.issubdtype(g.dtype, jnp.floating) else fitted


@exported.quick_jit
def _all_monotone(g: Array) -> Array:
    """`monotone` of floats."""
    # Not `vmap`, under which XLA copies the stack of blocks in every step.
    return jax.lax.map(_monotone, g.reshape(-1, g.shape[-1])).reshape(g.shape)


def _monotone(g: Array) -> Array:
    """`monotone` of one curve."""
    block = _pooled_blocks(jax.lax.stop_gradient(g))
    sums, counts = (jnp.zeros_like(g).at[block].add(x) for x in (g, jnp.ones_like(g)))
    fitted = sums[block] / counts[block]
    # Rounding may leave a fall by the last digit from one block to the next.
    highest = jax.lax.cummax(fitted)
    return fitted + jax.lax.stop_gradient(jnp.where(highest > fitted, highest - fitted, 0))


def _pooled_blocks(g: Array) -> Array:
    """Number of the block that each level of g [num_levels] is pooled in, from 0 on.

    A stack holds the first level and the sum of every block up to `level`. A step pools the two
    blocks on its top if they decrease and pushes the next level otherwise; 2 num_levels - 1 steps
    do all there is to do.
    """
    num_levels = g.shape[0]

    # What a step decides the next one writes, before it reads: else XLA copies the stack each time.
    def step(_, state):
        firsts, sums, top, level, (place, first, total) = state
        firsts = jax.lax.dynamic_update_index_in_dim(firsts, first, place, 0)
        sums = jax.lax.dynamic_update_index_in_dim(sums, total, place, 0)
        last, before = top - 1, top - 2
        length, length_before = level - firsts[last], firsts[last] - firsts[before]
        pools = (top >= 2) & (sums[before] * length > sums[last] * length_before)
        pushes = ~pools & (level < num_levels)
        place = jnp.where(pools, before, jnp.where(pushes, top, num_levels))  # the last: nowhere
        first = jnp.where(pools, firsts[before], level)
        total = jnp.where(pools, sums[before] + sums[last], g[level])
        top = jnp.where(pools, top - 1, top + pushes)
        return firsts, sums, top, level + pushes, (place, first, total)

    zero = jnp.int32(0)
    stack = (jnp.zeros(num_levels + 1, jnp.int32), jnp.zeros(num_levels + 1, g.dtype))
    nothing = (jnp.int32(num_levels), zero, jnp.zeros((), g.dtype))
    start, _ = alike((*stack, zero, zero, nothing), g)
    state = jax.lax.fori_loop(0, 2 * num_levels, step, start)
    starts = jnp.where(jnp.arange(num_levels) < state[2], state[0][:-1], num_levels)
    return jnp.cumsum(jnp.zeros(num_levels, jnp.int32).at[starts].set(1, mode="drop")) - 1

"""Pixel-following samples: places of the picture, drawn by level and by texture.

A sample is the mean level of a small window of pixels, the same window in all exposures. Where the
window is smooth, the mean of the levels is the level of the mean, noise and rounding are averaged,
and a pixel's shift does little.
"""

import functools

import jax
import jax.numpy as jnp
from jax import Array

from hdr_jax.sampling import LEVEL_SPREAD, thinning

# Pixels across, in pictures of fewer pixels than SMALL and in others. A wider window averages more
# of JPEG's noise, a narrower one fits between what moved and finds smooth places in small pictures.
# RMS of ln f^-1 with 3 and 4 pixels, 50 cameras, benchmarks/crf_accuracy.py --size 192: clean
# 0.0212 and 0.0203, JPEG 0.0260 and 0.0255, a moving square 0.0608 and 0.0572; but 0.075 and 0.088
# in the worst channel of seven clean pictures of 64 x 64.
WINDOWS, SMALL = (3, 4), 2**13
# At which windows are compared; a place and its level are sorted as one integer of 32 bits.
PLACE_BITS = 14
MAX_PLACES = 2**PLACE_BITS
# A window that is white in part has a mean level below that of its mean radiance. More than this
# range of levels at white is no noise.
WHITE, WHITE_RANGE = 0.998, 0.02


def windows(stack: Array) -> list[Array]:
    """The pixels of windows: [n, rows, columns, c] of each of a window's, row by row.

    Windows stand at every k-th row and column, so that there are at most MAX_PLACES. A picture that
    is narrower than a window has windows as narrow.
    """
    h, w = stack.shape[1:3]
    side = WINDOWS[h * w >= SMALL]
    height, width = min(side, h), min(side, w)
    rows, columns = h - height + 1, w - width + 1
    k = thinning(rows, columns, MAX_PLACES)
    corners = [(y, x) for y in range(height) for x in range(width)]
    return [stack[:, y : y + rows : k, x : x + columns : k] for y, x in corners]


def draw(
    parts: list[Array], log_times: Array, num_samples: int, *, valid: Array | None = None
) -> tuple[Array, Array, Array]:
    """Samples of the smoothest places at every level, channel by channel.

    The places are sorted by their mean level over the exposures and cut into p strata, equally wide
    in (1 - LEVEL_SPREAD) rank + LEVEL_SPREAD level; from each the place is taken whose most
    textured exposure (largest difference of levels in the window) is smoothest. An object that is
    flat in one exposure thus gains nothing by it.

    Args:
      parts: `windows` of a stack in [0, 1], no pixel beyond.
      log_times: [n] natural logs of exposure times.
      num_samples: p.
      valid: bool [n, h, w], False where an exposure holds no data; such windows are not drawn.

    Returns:
      (levels [c, p, n] in [0, 1]; drawn bool [c, p, n], whether the stratum has any place; cut, the
      same shape, whether the window is white in part in that exposure).

    Differentiable in `parts`; which places are drawn is piecewise constant.
    """
    mean = _by_place(functools.reduce(jnp.add, parts) / len(parts))
    lowest, highest = (_by_place(functools.reduce(f, parts)) for f in (jnp.minimum, jnp.maximum))
    spread = highest - lowest
    usable = jnp.ones(mean.shape[1], bool)
    if valid is not None:
        whole = functools.reduce(jnp.logical_and, windows(valid[..., None]))
        usable = jnp.all(_by_place(whole), axis=(0, 2))
    # Summed by exposure, so that the order of the exposures does not decide between equals.
    level, texture = mean[jnp.argsort(log_times)].mean(0), jnp.max(spread, axis=0)
    choose = functools.partial(_smoothest, usable=usable, num_samples=num_samples)
    places, drawn = jax.vmap(choose, in_axes=1)(*jax.lax.stop_gradient((level, texture)))

    def at_places(values):  # [n, places, c] -> [c, p, n]
        return jnp.take_along_axis(values, places.T[None], axis=1).transpose(2, 1, 0)

    cut = (at_places(highest) >= WHITE) & (at_places(spread) > WHITE_RANGE)
    levels = at_places(mean)
    return levels, jnp.broadcast_to(drawn[..., None], levels.shape), cut


def _by_place(pictures: Array) -> Array:
    """[n, h, w, c] -> [n, places, c]."""
    return pictures.reshape(pictures.shape[0], -1, pictures.shape[-1])


def _smoothest(level, texture, *, usable, num_samples) -> tuple[Array, Array]:
    """The place of least texture in each of p strata of `level`, and whether there is one."""
    order = _order(level, usable)
    level, texture, usable = level[order], texture[order], usable[order]
    rank = (jnp.arange(level.size) + 0.5) / jnp.maximum(jnp.sum(usable), 1)
    highest = jnp.max(jnp.where(usable, level, level[0]))
    # Levels of one key are in any order: those below the first one have risen by nothing.
    above = jnp.maximum(level - level[0], 0)
    rise = above / jnp.maximum(highest - level[0], jnp.finfo(level.dtype).tiny)
    stratum = jnp.floor(num_samples * ((1 - LEVEL_SPREAD) * rank + LEVEL_SPREAD * rise))
    stratum = jnp.where(usable, jnp.minimum(stratum, num_samples - 1), num_samples)
    # The first place of least texture in each stratum, without a second sort of all places.
    bins = stratum.astype(jnp.int32)
    least = jnp.full(num_samples + 1, jnp.inf, level.dtype).at[bins].min(texture)
    first = jnp.where(texture == least[bins], jnp.arange(level.size), level.size)
    first = jnp.full(num_samples + 1, level.size).at[bins].min(first)[:num_samples]
    return order[jnp.minimum(first, level.size - 1)], first < level.size


def _order(level: Array, usable: Array) -> Array:
    """Places by their level in [0, 1], those that are not usable last.

    Levels count up to 18 bits, finer than the mean of a window of 8-bit pixels, equal ones by their
    place. XLA's CPU backend sorts integers several times as fast as floats with their places.
    """
    highest = 2 ** (32 - PLACE_BITS) - 1
    fixed = jnp.where(usable, jnp.floor(level * (highest - 1)), highest).astype(jnp.uint32)
    keys = jnp.sort(fixed * MAX_PLACES + jnp.arange(level.size, dtype=jnp.uint32))
    return (keys % MAX_PLACES).astype(jnp.int32)

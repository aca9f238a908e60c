"""From one photograph of any size to an exposure stack and a radiance map.

The networks see a picture whole where it fits into a tile. A larger one is walked in overlapping
tiles, exposure by exposure: every step starts from the blended picture of the step before, and all
tiles are normalised by the same means and variances, those of the whole picture reduced to one
tile. Instance norms are what makes a network's tone depend on the whole picture; with them fixed, a
tile differs from its neighbour only near its rim, where the blending gives it no weight.

Notation: b photographs of one size, n exposures, r the index of the given one; `carry` as in
`ExposureStackModel.step`: image in [-1, 1], edge map, recurrent states.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from hdr_jax import brackets
from hdr_jax.errors import InputError
from hdr_jax.exposure import ev_to_log_times
from hdr_jax.images import RGB_WEIGHTS, canny, resized
from hdr_jax.levels import as_unit_float
from hdr_jax.models import ExposureStackModel
from hdr_jax.progress import Progress, silent

Carry = tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]
Tile = tuple[slice, slice]  # rows and columns
MARGIN = 32  # pixels reflected beyond each side: the networks' zero padding shows at a rim


def reconstruct_batch(
    images: Sequence[np.ndarray],
    model: ExposureStackModel,
    params: Any,
    *,
    reference_index: int | None = None,
    ev_step: float = 1.0,
    tile: int = 512,
    overlap: int = 64,
    channel_weights: tuple[float, float, float] = RGB_WEIGHTS,
    refine: bool = True,
    progress: Progress = silent,
    **layer: Any,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Photographs of one size -> exposure stacks -> radiance maps, spread over all local devices.

    Args:
      images: [h, w, 3] each, display-encoded RGB; uint8, uint16, or float in [0, 1]. Any h and w.
      model: as `hdr_jax.runs.checkpoints.load_model` or `hdr_jax.convert.load_released` gives it.
      params: its parameters.
      reference_index: r, which exposure of the stack the photograph is; the middle by default.
      ev_step: stops between neighbouring exposures, as in the data the model was trained on.
      tile: side of the largest picture that the networks are given at once, pixels.
      overlap: of neighbouring tiles, pixels.
      channel_weights: of the gray picture whose edges the local networks are given;
        `hdr_jax.images.RELEASED_WEIGHTS` for the authors' released weights.
      refine: whether the refinement networks take part, see `hdr_jax.runs.checkpoints.refined`.
      progress: shows how many tiles are done, see `hdr_jax.progress`.
      **layer: arguments of `hdr_jax.crf.recover`, as `num_samples` or `smoothness`.

    Returns:
      An iterator over pairs, one a photograph, merged when it is asked for: radiance float32
      [h, w, 3], linear, relative, > 0, and stack float32 [n, h, w, 3] in [0, 1], darkest first,
      the photograph at r.

    Raises:
      InputError: for another shape or dtype, unequal sizes, pixels that are not finite, an index or
        sizes out of range.

    Not differentiable: `ExposureStackModel` and `hdr_jax.merge.synthesize` are.
    Source: Kim, Lee, Kang 2020, section 3; the tiles are this library's own.
    Example:
      >>> model = ExposureStackModel(3, 2, 1, 2, 1, 2, 1)
      >>> image, edge_map = jnp.ones((1, 8, 8, 3)), jnp.ones((1, 8, 8, 1))
      >>> params = jax.jit(model.init)(jax.random.key(0), image, edge_map, reference_index=1)
      >>> photograph = np.random.default_rng(0).random((9, 7, 3)).astype(np.float32)
      >>> ((radiance, stack),) = reconstruct_batch([photograph], model, params["params"])
      >>> radiance.shape, stack.shape
      ((9, 7, 3), (3, 9, 7, 3))
    """
    n = model.num_exposures
    reference = n // 2 if reference_index is None else reference_index
    _check(images, model, reference, ev_step, tile, overlap)
    pictures = np.stack([as_unit_float(np.asarray(image)) for image in images]).astype(np.float32)
    carry_of = partial(_start, model, channel_weights)
    step = partial(_step, model, refine)
    stacks = _generate(
        pictures, model, params, reference, (tile, overlap), carry_of, step, progress
    )
    log_times = ev_to_log_times(ev_step * (jnp.arange(n) - n // 2))
    return ((_merge(stack, log_times, layer), stack) for stack in stacks)


def _generate(pictures, model, params, reference, tiling, carry_of, step, progress) -> np.ndarray:
    """Stacks [b, n, h, w, 3] of pictures [b, h, w, 3] in [0, 1]."""
    (b, h, w, _), n, m = pictures.shape, model.num_exposures, model.multiple
    tile, overlap = (length // m * m for length in tiling)
    margin = -(-MARGIN // m) * m
    sides = [(margin, margin + -length % m) for length in (h, w)]
    padded = np.pad(pictures, ((0, 0), *sides, (0, 0)), _padding(h, w))
    inside = (slice(None), slice(margin, margin + h), slice(margin, margin + w))
    start, tiles = carry_of(padded), _tiles(padded.shape[1:3], tile, overlap)
    whole = start if len(tiles) == 1 else carry_of(_reduced(padded, tile, m))
    stacks = np.empty((b, n, h, w, 3), np.float32)
    stacks[:, reference] = pictures
    with progress("generating", (n - 1) * len(tiles)) as advance:
        for up, targets in ((True, range(reference + 1, n)), (False, range(reference - 1, -1, -1))):
            chosen = jax.device_put(params["up" if up else "down"], _replicated())
            carry, guide = start, whole
            for target in targets:
                entries = model.entries(target - 1 if up else target + 1, up)
                guide, statistics = step(chosen, _spread(guide), entries, None)
                if len(tiles) == 1:
                    carry = guide
                    advance()
                else:
                    network = partial(step, chosen, entries=entries)
                    carry = _walk_tiles(network, carry, statistics, tiles, overlap, advance)
                stacks[:, target] = np.clip((np.asarray(carry[0])[inside] + 1) / 2, 0, 1)
    return stacks


@partial(jax.jit, static_argnums=(0, 1))
def _step(model, refine, params, carry, entries, statistics):
    """One step of one direction, compiled once for a size of picture."""
    return model.step(params, carry, entries, statistics, refine)


def _walk_tiles(network, carry: Carry, statistics, tiles, overlap: int, advance) -> Carry:
    """One step of whole pictures: tiles go through the network, as many at once as there are
    devices, and are blended."""
    b, height, width, _ = carry[0].shape
    at_once = max(1, jax.local_device_count() // b)
    statistics = jax.tree.map(lambda x: np.concatenate([np.asarray(x)] * at_once), statistics)
    statistics = _spread(statistics)  # the same for all tiles
    sums = jax.tree.map(lambda x: np.zeros(x.shape, np.float32), carry)
    weights = jax.tree.map(lambda x: np.zeros((*x.shape[1:3], 1), np.float32), carry)
    for first in range(0, len(tiles), at_once):
        group = tiles[first : first + at_once]
        filled = group + [group[-1]] * (at_once - len(group))
        parts = jax.tree.map(
            lambda x, filled=filled: np.concatenate([x[_window(t, x, height)] for t in filled]),
            carry,
        )
        made = jax.device_get(network(carry=_spread(parts), statistics=statistics)[0])
        for i, tile in enumerate(group):
            ramp = _ramp(tile, (height, width), overlap)

            def add(total, weight, part, tile=tile, ramp=ramp, i=i):
                window, factor = _window(tile, total, height), height // total.shape[1]
                share = ramp[factor // 2 :: factor, factor // 2 :: factor, None]
                total[window] += share * part[i * b : (i + 1) * b]
                weight[window[1:]] += share

            jax.tree.map(add, sums, weights, made)
            advance()
    return jax.tree.map(np.divide, sums, weights)


def _window(tile: Tile, x: np.ndarray, height: int) -> tuple:
    """The tile of an array [b, h, w, c] that may be smaller than the pictures by a factor."""
    factor = height // x.shape[1]
    return (slice(None), *(slice(s.start // factor, s.stop // factor) for s in tile))


def _ramp(tile: Tile, size: tuple[int, int], overlap: int) -> np.ndarray:
    """Weights [tile, tile] of a tile: 1 inside and at the picture's rim, and across an overlap
    0 for a quarter, rising for a half (with the neighbour's they sum to 1), 1 for a quarter."""
    sides = []
    for span, length in zip(tile, size, strict=True):
        position = np.arange(span.stop - span.start) + 0.5
        before = position if span.start > 0 else np.inf
        behind = position[::-1] if span.stop < length else np.inf
        distance = np.minimum(np.minimum(before, behind), overlap + 1.0)
        rise = np.clip((distance - overlap / 4) / max(overlap / 2, 1e-6), 0, 1)
        sides.append(np.broadcast_to(0.5 - 0.5 * np.cos(np.pi * rise), position.shape))
    return np.outer(*sides).astype(np.float32)


def _tiles(size: tuple[int, int], tile: int, overlap: int) -> list[Tile]:
    """Tiles of equal size that cover the picture; the last of a row or column is moved inwards."""
    axes = []
    for length in size:
        side = min(tile, length)
        starts = [*range(0, length - side, tile - overlap), length - side]
        axes.append([slice(start, start + side) for start in starts])
    return [(rows, columns) for rows in axes[0] for columns in axes[1]]


def _start(model: ExposureStackModel, channel_weights: tuple, pictures: np.ndarray) -> Carry:
    """The carry of pictures [b, h, w, 3] in [0, 1] before the first step."""
    edges_of = partial(canny, channel_weights=channel_weights)
    edge_maps = np.stack([edges_of(picture) for picture in pictures])[..., None]
    states = jax.tree.map(np.asarray, model.initial_states(*pictures.shape[:3]))
    return 2 * pictures - 1, edge_maps.astype(np.float32), states


def _reduced(pictures: np.ndarray, tile: int, multiple: int) -> np.ndarray:
    """Pictures reduced to the size of one tile, sides being multiples of `multiple`."""
    longest = max(pictures.shape[1:3])
    height, width = (
        max(multiple, round(side * tile / longest / multiple) * multiple)
        for side in pictures.shape[1:3]
    )
    return np.stack([resized(picture, height, width) for picture in pictures])


def _padding(h: int, w: int) -> Literal["reflect", "edge"]:
    """How a picture is continued: a single row or column has nothing to reflect."""
    return "reflect" if min(h, w) > 1 else "edge"


def _merge(stack: np.ndarray, log_times, layer: dict[str, Any]) -> np.ndarray:
    """Radiance map of a stack, by the rules of photographs."""
    exposures, options = brackets.InMemory(stack), {"num_levels": 256, **layer}
    g = brackets.response(exposures, log_times, holes=False, **options)
    return brackets.merge_strips(exposures, log_times, g)


def _spread(tree: Any) -> Any:
    """Puts the leading axis onto all local devices where it divides evenly, else onto one."""
    count = jax.local_device_count()
    even = all(leaf.shape[0] % count == 0 for leaf in jax.tree.leaves(tree))
    return jax.device_put(tree, _over_devices("device") if even else _replicated())


def _replicated() -> NamedSharding:
    """A copy on every local device."""
    return _over_devices()


def _over_devices(*axes: str) -> NamedSharding:
    """Arrays whose leading axis lies on the local devices, or none."""
    return NamedSharding(Mesh(np.asarray(jax.local_devices()), ("device",)), PartitionSpec(*axes))


def _check(images, model, reference, ev_step, tile, overlap) -> None:
    """Refuses what would be misread."""
    shapes = {np.shape(image) for image in images}
    n, m = model.num_exposures, model.multiple
    shape = next(iter(shapes), ())
    if model.tone != "image":
        raise InputError(f"got a model of tone {model.tone!r}: expected 'image'; use highlights()")
    if len(shapes) != 1 or len(shape) != 3 or shape[-1] != 3 or 0 in shape:
        raise InputError(
            f"got images of shapes {sorted(shapes)}: expected [h, w, 3], equal in one batch"
        )
    if not all(np.isfinite(image).all() for image in images):
        raise InputError("got pixels that are not finite: expected display-encoded RGB in [0, 1]")
    for image in images:
        if image.dtype.kind == "f" and not (image.min() >= 0 and image.max() <= 1):
            raise InputError(
                f"got pixels from {image.min():.4g} to {image.max():.4g}: expected display-encoded "
                "RGB in [0, 1]"
            )
    if not 0 <= reference < n:
        raise InputError(
            f"got reference_index {reference}: expected 0 to {n - 1}, of {n} exposures"
        )
    if not ev_step > 0:
        raise InputError(f"got ev_step {ev_step}: expected stops, above 0")
    if tile < m or not 0 <= overlap // m < tile // m:
        raise InputError(
            f"got tile {tile} and overlap {overlap}: expected a tile of {m} pixels at least (the "
            "networks' multiple) and an overlap below it"
        )

"""Batches of a source, and their way onto the devices; sources and batches as in `hdr_jax.data`."""

import collections
import numbers
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import grain
import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from hdr_jax import images
from hdr_jax.data import _augmentation, _photographs

Batch = dict[str, np.ndarray]


def batches(
    source: Sequence[dict],
    *,
    batch_size: int,
    size: int,
    seed: int,
    start_step: int = 0,
    metering_stops: float = 0.0,
    channel_weights: tuple[float, float, float] = images.RGB_WEIGHTS,
    num_threads: int = 2,
    shard: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """Endless training batches, in an order shuffled anew every time through the source.

    Batch k depends on `seed` and k alone. The source is run through as one endless list, so that a
    batch may hold the end of one round and the start of the next; a source of fewer scenes than
    `batch_size` repeats scenes within a batch. Each scene is cropped at a random scale, flipped and
    turned by quarters, all exposures and the radiance map alike.

    Args:
      source: see `hdr_jax.data`.
      batch_size: scenes in a batch, over all devices.
      size: height and width of what is cropped, pixels. Smaller pictures are enlarged.
      seed: in [0, 2^32).
      start_step: number of the first batch.
      metering_stops: if > 0, the exposures are made anew from the radiance map by a random camera
        whose meter errs by up to so many stops; the stored exposures are not used then.
      channel_weights: of the gray picture whose edges they are, see `hdr_jax.images.canny`.
      num_threads: threads that decode, crop and find edges.
      shard: (i, m), for host i of m: of every batch the scenes i, i + m, ...

    Returns:
      An iterator with `close()`, which stops its threads; also done when it is deleted. Errors of
      the threads are raised where the batch is asked for.

    Raises:
      InputError: for an empty source, scenes of unequal numbers of exposures or with exposures that
        are not uint8, a black radiance map to photograph, or sizes, seed or step out of range.

    Not differentiable.
    Example:
      >>> scene = {"stack": np.zeros((3, 9, 9, 3), np.uint8), "ev_offset": np.arange(3.0),
      ...          "hdr": np.ones((9, 9, 3), np.float32), "scene": "one"}
      >>> next(batches([scene], batch_size=2, size=8, seed=0))["edges"].shape
      (2, 3, 8, 8, 1)
    """
    _augmentation.check(
        isinstance(size, numbers.Integral) and size >= 1,
        f"size={size}",
        "one whole number of pixels: batches are of squares",
    )
    _augmentation.check(
        0 <= metering_stops <= 20, f"metering_stops={metering_stops}", "stops from 0 to 20"
    )
    count = len(source[0]["ev_offset"]) if len(source) else 0

    def prepare(scene: dict, rng: np.random.Generator) -> Batch:
        name, found = _augmentation.scene_name(scene["scene"]), len(scene["ev_offset"])
        _augmentation.check(
            found == count,
            f"{found} exposures of scene {name} and {count} of the first one",
            "equal numbers: leave out the others",
        )
        example = _augmentation.augmented(_augmentation.decode(scene), size, rng)
        if metering_stops > 0:
            with _augmentation.scene_named(scene):
                example = _augmentation.rephotographed(example, metering_stops, rng)
        return _augmentation.with_edges(example, channel_weights)

    return endless(
        source,
        prepare,
        batch_size=batch_size,
        seed=seed,
        start_step=start_step,
        num_threads=num_threads,
        shard=shard,
    )


def photographs(
    source: Sequence[dict],
    *,
    batch_size: int,
    size: tuple[int, int],
    seed: int,
    start_step: int = 0,
    photographer: _photographs.Photographer | None = None,
    num_threads: int = 1,
    shard: tuple[int, int] = (0, 1),
) -> Iterator[Batch]:
    """Endless batches of single photographs of the source's radiance maps, each by a new camera.

    Args:
      source: see `hdr_jax.data`; only `hdr` is used, and `scene`, if there is one, for errors.
      batch_size, seed, start_step, num_threads, shard: as for `batches`.
      size: (height, width) of the photographs, pixels.
      photographer: how they are drawn.

    Returns:
      As `batches`: dicts of `image` uint8, `rim_distance` and `hdr` float32, all [b, h, w, 3].

    Raises:
      InputError: as `batches`.

    Not differentiable.
    Example:
      >>> scene = {"hdr": np.ones((9, 9, 3), np.float32)}
      >>> batch = next(photographs([scene], batch_size=2, size=(8, 8), seed=0))
      >>> batch["image"].shape, batch["image"].dtype
      ((2, 8, 8, 3), dtype('uint8'))
    """
    photographer = photographer or _photographs.Photographer()
    _augmentation.check(
        np.shape(size) == (2,) and all(isinstance(x, numbers.Integral) and x >= 1 for x in size),
        f"size={size}",
        "(height, width), whole numbers of pixels",
    )

    def prepare(scene: dict, rng: np.random.Generator) -> Batch:
        def another() -> np.ndarray:
            return np.asarray(source[int(rng.integers(len(source)))]["hdr"], np.float32)

        with _augmentation.scene_named(scene):
            return photographer.take(np.asarray(scene["hdr"], np.float32), size, rng, another)

    return endless(
        source,
        prepare,
        batch_size=batch_size,
        seed=seed,
        start_step=start_step,
        num_threads=num_threads,
        shard=shard,
    )


def endless(source, prepare, *, batch_size, seed, start_step, num_threads, shard):
    """The endless, shuffled, resumable iterator behind `batches` and `photographs`."""
    _augmentation.check(len(source) > 0, "a source without scenes", "at least one scene")
    _augmentation.check(batch_size >= 1, f"batch_size={batch_size}", "at least 1")
    _augmentation.check(0 <= seed < 2**32, f"seed={seed}", "a number in [0, 2^32)")
    _augmentation.check(start_step >= 0, f"start_step={start_step}", "at least 0")
    index, count = shard
    _augmentation.check(
        0 <= index < count and batch_size % count == 0,
        f"shard={shard} of batches of {batch_size}",
        "(i, m) with i from 0 to m - 1, and a batch size that is a multiple of m",
    )
    scenes = _in_order(source, seed).random_map(prepare)
    scenes = scenes[start_step * batch_size + index :: count]
    batch_size //= count
    options = grain.ReadOptions(
        num_threads=num_threads, prefetch_buffer_size=max(2 * batch_size, num_threads)
    )
    return iter(scenes.to_iter_dataset(options).batch(batch_size, drop_remainder=True))


def scenes_of(
    count: int, *, batch_size: int, seed: int, step: int, shard: tuple[int, int] = (0, 1)
) -> list[int]:
    """Which scenes a training batch is made of.

    Args:
      count: scenes of the source.
      batch_size, seed, shard: as for `batches`.
      step: number of the batch, from 0.

    Returns:
      Their indices in the source.

    Example:
      >>> sorted(scenes_of(4, batch_size=4, seed=0, step=7))
      [0, 1, 2, 3]
    """
    order: Any = _in_order(range(count), seed)
    numbers = range(step * batch_size, (step + 1) * batch_size)
    return [int(order[i]) for i in numbers[shard[0] :: shard[1]]]


def _in_order(source: Sequence[Any], seed: int) -> grain.MapDataset:
    """All scenes, shuffled anew every time through, endlessly."""
    return grain.MapDataset.source(source).seed(seed).shuffle().repeat()


def to_devices(
    batches: Iterable[Batch], devices: Sequence[Any] | None = None, ahead: int = 2
) -> Iterator[dict[str, jax.Array]]:
    """Split batches over devices and copy them there while the devices still work.

    Args:
      batches: dicts of arrays [b, ...], b a multiple of the number of devices. Entries that are no
        arrays are left out.
      devices: where to; all local devices by default.
      ahead: how many batches are copied in advance.

    Returns:
      An iterator over dicts of arrays [d, b / d, ...], entry i of axis 0 on device i, as `jax.pmap`
      takes them. Closing it closes `batches`.

    Raises:
      InputError: if b is not a multiple of the number of devices.

    Not differentiable.
    Example:
      >>> batch = next(to_devices([{"hdr": np.zeros((4, 8, 8, 3))}], jax.local_devices()[:1]))
      >>> batch["hdr"].shape
      (1, 4, 8, 8, 3)
    """
    devices = list(devices or jax.local_devices())
    sharding = NamedSharding(Mesh(np.asarray(devices), ("device",)), PartitionSpec("device"))

    def put(array: np.ndarray) -> jax.Array:
        _augmentation.check(
            array.shape[0] % len(devices) == 0,
            f"a batch of {array.shape[0]} for {len(devices)} devices",
            "a multiple: change batch_size, or pass fewer devices",
        )
        return jax.device_put(array.reshape(len(devices), -1, *array.shape[1:]), sharding)

    iterator, queue = iter(batches), collections.deque()
    try:
        # Copies are asynchronous: the queue only keeps them a few batches ahead.
        for batch in iterator:
            queue.append({k: put(v) for k, v in batch.items() if isinstance(v, np.ndarray)})
            if len(queue) > ahead:
                yield queue.popleft()
        while queue:
            yield queue.popleft()
    finally:
        getattr(iterator, "close", lambda: None)()

"""Every scene of a source once, in batches; sources and batches as in `hdr_jax.data`."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from hdr_jax import images
from hdr_jax.data import _augmentation, _photographs

ARRAYS = ("stack", "edges", "hdr", "ev_offset", "image", "rim_distance")


def evaluation_batches(
    source: Sequence[dict],
    *,
    batch_size: int = 1,
    size: int | None = None,
    channel_weights: tuple[float, float, float] | None = images.RGB_WEIGHTS,
) -> Iterator[dict[str, Any]]:
    """Every scene once, in order, without augmentation.

    Args:
      source: see `hdr_jax.data`.
      batch_size: scenes in a batch. The last batch is filled up with its last scene.
      size: crop to so many pixels in the middle, smaller pictures being enlarged; None for whole
        pictures, which need equal sizes within a batch.
      channel_weights: of the gray picture whose edges they are, see `hdr_jax.images.canny`; None
        for batches without `edges`, which a `HighlightModel` does not look at.

    Returns:
      An iterator over batches with four further entries: `image` uint8 and `rim_distance` float32
      [b, h, w, 3], the exposure at EV 0 as `photographs` gives it, `mask` bool [b], False for
      scenes that only fill up, and `scene`, a list of names.

    Raises:
      InputError: if batch_size is below 1, exposures are not uint8, or whole pictures of a batch
        differ in size.

    Not differentiable.
    Example: `for batch in evaluation_batches(source, batch_size=4, size=256): ...`
    """
    _augmentation.check(batch_size >= 1, f"batch_size={batch_size}", "at least 1")
    for start in range(0, len(source), batch_size):
        stop = min(start + batch_size, len(source))
        scenes = []
        for i in range(start, stop):
            scene = source[i]
            name, scene = _augmentation.scene_name(scene["scene"]), _augmentation.decode(scene)
            if size:
                scene = _augmentation.centred(scene, size, size)
            if channel_weights is not None:
                scene = _augmentation.with_edges(scene, channel_weights)
            given = np.argmin(np.abs(scene["ev_offset"]))
            scenes.append((name, scene | _photographs.for_model(scene["stack"][given])))
        scenes += [scenes[-1]] * (batch_size - len(scenes))
        shapes = {scene["stack"].shape for _, scene in scenes}
        _augmentation.check(
            len(shapes) == 1,
            f"stacks of unequal shapes {sorted(shapes)} in one batch",
            "equal ones: pass size=, or batch_size=1",
        )
        names = [name for name in ARRAYS if name in scenes[0][1]]
        batch = {name: np.stack([scene[name] for _, scene in scenes]) for name in names}
        yield {
            **batch,
            "mask": np.arange(batch_size) < stop - start,
            "scene": [name for name, _ in scenes],
        }

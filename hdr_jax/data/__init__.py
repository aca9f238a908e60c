"""From a TFDS dataset to batches on the devices.

A *source* is anything with `len` and `source[i]` -> a dict of `stack` (uint8 [n, h, w, 3] or n
pictures), `ev_offset` ([n] stops), `hdr` (float32 [h, w, 3]) and `scene`. A *batch* is a dict of
NumPy arrays:

    stack      uint8   [b, n, h, w, 3]  exposures, RGB
    edges      uint8   [b, n, h, w, 1]  1 on Canny edges of the exposure
    hdr        float32 [b, h, w, 3]     radiance, linear, relative
    ev_offset  float32 [b, n]           stops

Training order and augmentation depend on the seed and the position in the run alone: a run that is
resumed at step k sees the batches that it would have seen.
"""

from hdr_jax.errors import extra

with extra("data"):
    from hdr_jax.data._augmentation import (
        augmented,
        centred,
        decode,
        rephotographed,
        scene_name,
        scene_named,
        with_edges,
    )
    from hdr_jax.data._batches import Batch, batches, photographs, scenes_of, to_devices
    from hdr_jax.data._evaluation import ARRAYS, evaluation_batches
    from hdr_jax.data._photographs import (
        Photographer,
        RadianceMaps,
        as_jpeg,
        evaluation_photograph,
    )
    from hdr_jax.data._source import BUILDERS, Readable, builder_of, load_source, prepare

__all__ = [
    "ARRAYS",
    "BUILDERS",
    "Batch",
    "Photographer",
    "RadianceMaps",
    "Readable",
    "as_jpeg",
    "augmented",
    "batches",
    "builder_of",
    "centred",
    "decode",
    "evaluation_photograph",
    "evaluation_batches",
    "load_source",
    "photographs",
    "prepare",
    "rephotographed",
    "scene_name",
    "scene_named",
    "scenes_of",
    "to_devices",
    "with_edges",
]

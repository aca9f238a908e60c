"""From a TFDS dataset to batches on the devices."""

from hdr_jax.data._augmentation import (
    augmented,
    centred,
    decode,
    rephotographed,
    resized,
    scene_name,
    with_edges,
)
from hdr_jax.data._batches import (
    ARRAYS,
    batches,
    builder_of,
    evaluation_batches,
    load_source,
    prepare,
    to_devices,
)

__all__ = [
    "ARRAYS",
    "augmented",
    "batches",
    "builder_of",
    "centred",
    "decode",
    "evaluation_batches",
    "load_source",
    "prepare",
    "rephotographed",
    "resized",
    "scene_name",
    "to_devices",
    "with_edges",
]

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
    Batch,
    batches,
    builder_of,
    evaluation_batches,
    load_source,
    photographs,
    prepare,
    to_devices,
)
from hdr_jax.data._photographs import (
    Photographer,
    RadianceMaps,
    as_jpeg,
    evaluation_photograph,
)

__all__ = [
    "ARRAYS",
    "Batch",
    "Photographer",
    "RadianceMaps",
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
    "resized",
    "scene_name",
    "to_devices",
    "with_edges",
]

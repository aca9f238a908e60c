"""TFDS builders of exposure stacks with radiance maps.

Importing this package makes every builder known to TensorFlow Datasets by name:

    import tensorflow_datasets as tfds
    import tfds_builders

    source = tfds.data_source("synthetic_stacks/64", split="train")
"""

from hdr_jax import data as _data
from tfds_builders.bracketed_photos import bracketed_photos_dataset_builder as _bracketed_photos
from tfds_builders.hdr_eye import hdr_eye_dataset_builder as _hdr_eye
from tfds_builders.radiance_maps import radiance_maps_dataset_builder as _radiance_maps
from tfds_builders.raise_hdr import raise_hdr_dataset_builder as _raise_hdr
from tfds_builders.synthetic_stacks import synthetic_stacks_dataset_builder as _synthetic_stacks
from tfds_builders.vds import vds_dataset_builder as _vds

__all__ = ["BUILDERS"]

_MODULES = (_bracketed_photos, _hdr_eye, _radiance_maps, _raise_hdr, _synthetic_stacks, _vds)
BUILDERS = {module.Builder.name: module.Builder for module in _MODULES}
"""Name -> builder class."""
_data.BUILDERS.update(BUILDERS)

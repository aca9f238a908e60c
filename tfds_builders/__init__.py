"""TFDS builders of exposure stacks with radiance maps.

Importing this package makes every builder known to TensorFlow Datasets by name:

    import tensorflow_datasets as tfds
    import tfds_builders

    source = tfds.data_source("synthetic_stacks/64", split="train")
"""

from tfds_builders.radiance_maps import radiance_maps_dataset_builder as _radiance_maps
from tfds_builders.synthetic_stacks import synthetic_stacks_dataset_builder as _synthetic_stacks

__all__ = ["BUILDERS"]

BUILDERS = {module.Builder.name: module.Builder for module in (_radiance_maps, _synthetic_stacks)}
"""Name -> builder class."""

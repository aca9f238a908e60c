"""synthetic_stacks: procedural scenes, photographed by random cameras."""

import tensorflow_datasets as tfds

from hdr_jax import synthetic
from tfds_builders import common, stack_builder

# First scene of each split: far apart, so that a split can grow without touching another.
FIRST_SCENE = {"train": 0, "val": 1_000_000, "test": 2_000_000}
NUM_SCENES = {"train": 512, "val": 32, "test": 32}


class Builder(stack_builder.StackBuilder):
    """Builder of synthetic_stacks: nothing to download, every scene is computed."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Rooms and streets, seven exposures."}
    BUILDER_CONFIGS = common.configs(sides=(64, 128, 256))
    DEFAULT_BUILDER_CONFIG_NAME = "64"

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        del dl_manager  # nothing to download
        return {
            split: self._generate_examples(range(first, first + NUM_SCENES[split]))
            for split, first in FIRST_SCENE.items()
        }

    def _generate_examples(self, scene_ids):
        size = self.builder_config.size
        for scene_id in scene_ids:
            name = f"synthetic_{scene_id:07d}"
            radiance = synthetic.render_scene(scene_id, size, size)
            yield scene_id, common.photographed(radiance, name, self.builder_config)

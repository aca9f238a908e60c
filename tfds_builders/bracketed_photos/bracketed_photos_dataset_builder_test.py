"""TFDS's own conformance suite; needs TensorFlow (tests/tfds_builders does not)."""

import pytest

for _needed in ("tensorflow", "dill"):
    pytest.importorskip(_needed, reason="TFDS's conformance suite needs tensorflow and dill")

import tensorflow_datasets as tfds  # noqa: E402

from tfds_builders.bracketed_photos import bracketed_photos_dataset_builder as module  # noqa: E402


class BracketedPhotosTest(tfds.testing.DatasetBuilderTestCase):
    """Three folders of three splits."""

    DATASET_CLASS = module.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["native", "256_ev1"]
    SPLITS = {"train": 1, "val": 1, "test": 1}


if __name__ == "__main__":
    tfds.testing.test_main()

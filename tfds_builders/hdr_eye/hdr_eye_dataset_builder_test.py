"""TFDS's own conformance suite; needs TensorFlow (tests/test_builders.py does not)."""

import pytest

for _needed in ("tensorflow", "dill"):
    pytest.importorskip(_needed, reason="TFDS's conformance suite needs tensorflow and dill")

import tensorflow_datasets as tfds  # noqa: E402

from tfds_builders.hdr_eye import hdr_eye_dataset_builder as module  # noqa: E402


class HdrEyeTest(tfds.testing.DatasetBuilderTestCase):
    """Two scenes, with and without EXIF data."""

    DATASET_CLASS = module.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["native", "256_ev1"]
    SPLITS = {"test": 2}


if __name__ == "__main__":
    tfds.testing.test_main()

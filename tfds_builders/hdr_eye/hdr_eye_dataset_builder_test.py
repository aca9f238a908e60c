"""TFDS's own conformance suite; needs TensorFlow (tests/tfds_builders does not)."""

import pathlib
import tempfile

import pytest

for _needed in ("tensorflow", "dill"):
    pytest.importorskip(_needed, reason="TFDS's conformance suite needs tensorflow and dill")

import make_dummy_data  # noqa: E402
import tensorflow_datasets as tfds  # noqa: E402

from tfds_builders.hdr_eye import hdr_eye_dataset_builder as module  # noqa: E402


class HdrEyeTest(tfds.testing.DatasetBuilderTestCase):
    """Two scenes, with and without EXIF data."""

    DATASET_CLASS = module.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["native", "256_ev1"]
    SPLITS = {"test": 2}


class HdrEyeParentTest(HdrEyeTest):
    """The same scenes below HDREye/images."""

    BUILDER_CONFIG_NAMES_TO_TEST = ["native"]
    ROOT = "HDREye/images"

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.EXAMPLE_DIR = folder.name
        make_dummy_data.hdr_eye(pathlib.Path(folder.name), cls.ROOT)
        super().setUpClass()


class HdrEyeInPlaceTest(HdrEyeParentTest):
    """HDREye in the place of images."""

    ROOT = "HDREye"


if __name__ == "__main__":
    tfds.testing.test_main()

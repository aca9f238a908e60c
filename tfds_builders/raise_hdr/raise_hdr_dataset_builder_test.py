"""TFDS's own conformance suite; needs TensorFlow (tests/tfds_builders does not)."""

import pytest

for _needed in ("tensorflow", "dill"):
    pytest.importorskip(_needed, reason="TFDS's conformance suite needs tensorflow and dill")

import tensorflow_datasets as tfds  # noqa: E402

from tfds_builders.raise_hdr import raise_hdr_dataset_builder as module  # noqa: E402


class RaiseHdrTest(tfds.testing.DatasetBuilderTestCase):
    """Three TIFF files of three splits."""

    DATASET_CLASS = module.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["native_ev1"]
    SPLITS = {"train": 1, "val": 1, "test": 1}


if __name__ == "__main__":
    tfds.testing.test_main()

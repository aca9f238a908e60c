"""TFDS's own conformance suite; needs TensorFlow (tests/tfds_builders does not)."""

from unittest import mock

import pytest

for _needed in ("tensorflow", "dill"):
    pytest.importorskip(_needed, reason="TFDS's conformance suite needs tensorflow and dill")

import tensorflow_datasets as tfds  # noqa: E402

from tfds_builders.synthetic_stacks import synthetic_stacks_dataset_builder as module  # noqa: E402


class SyntheticStacksTest(tfds.testing.DatasetBuilderTestCase):
    """A few scenes of each split."""

    DATASET_CLASS = module.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["64_ev1"]
    SPLITS = {"train": 3, "val": 1, "test": 1}

    def setUp(self):
        super().setUp()
        self.enterContext(mock.patch.dict(module.NUM_SCENES, self.SPLITS))


if __name__ == "__main__":
    tfds.testing.test_main()

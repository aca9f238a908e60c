"""TFDS's own conformance suite; needs TensorFlow (tests/tfds_builders does not)."""

import pathlib
import tempfile

import pytest

for _needed in ("tensorflow", "dill"):
    pytest.importorskip(_needed, reason="TFDS's conformance suite needs tensorflow and dill")

import make_dummy_data  # noqa: E402
import tensorflow_datasets as tfds  # noqa: E402

from tfds_builders.vds import vds_dataset_builder as module  # noqa: E402


class VdsTest(tfds.testing.DatasetBuilderTestCase):
    """Two training scenes and a test scene, as released."""

    DATASET_CLASS = module.Builder
    BUILDER_CONFIG_NAMES_TO_TEST = ["native", "256_ev1"]
    SPLITS = {"train": 2, "test": 1}


class VdsLayoutTest(VdsTest):
    """The same scenes as the release's README describes them."""

    BUILDER_CONFIG_NAMES_TO_TEST = ["native"]
    LAYOUT = "readme"

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.EXAMPLE_DIR = folder.name
        make_dummy_data.vds(pathlib.Path(folder.name), cls.LAYOUT)
        super().setUpClass()


class VdsNestedTest(VdsLayoutTest):
    """Folders train/set and train/hdr_set."""

    LAYOUT = "nested"


class VdsFlatTest(VdsLayoutTest):
    """One folder a scene; splits by the release's table."""

    LAYOUT = "flat"


class VdsDecimalsTest(VdsLayoutTest):
    """Flat, and names like t1_-3.0EV_true.jpg.png."""

    LAYOUT = "decimals"


if __name__ == "__main__":
    tfds.testing.test_main()

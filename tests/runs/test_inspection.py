"""A loss that is not finite: the batch is kept and named."""

import numpy as np
import pytest
from ml_collections import ConfigDict

from hdr_jax.errors import InputError
from hdr_jax.runs.inspection import batch_kept
from hdr_jax.runs.log import NotFinite

SOURCE = [{"scene": f"scene {i}"} for i in range(4)]
CONFIG = ConfigDict({"batch_size": 2, "seed": 0})


def batches_from(step):
    """The step and an array whose second scene holds a NaN."""
    yield {"step": np.full(2, step), "hdr": np.array([[1.0, 2.0], [3.0, np.nan]])}


def test_the_batch_of_the_step_is_kept_and_its_scenes_are_named(tmp_path):
    with (
        pytest.raises(FloatingPointError, match="step 7: loss = nan") as raised,
        batch_kept(tmp_path, SOURCE, CONFIG, batches_from),
    ):
        raise NotFinite(7, "loss = nan")
    kept = np.load(tmp_path / "not_finite/step_000007.npz")
    assert kept["step"].tolist() == [6, 6] and np.isnan(kept["hdr"][1, 1])
    first, second = kept["scene"]
    assert first != second and {first, second} <= {scene["scene"] for scene in SOURCE}
    assert f"of {first}, {second} (not finite already: hdr), is in {tmp_path}" in str(raised.value)


def test_what_cannot_be_kept_hides_no_reason(tmp_path):
    def unreadable(step):
        raise InputError("the data is gone")

    with (
        pytest.raises(FloatingPointError, match="loss = inf.*the data is gone"),
        batch_kept(tmp_path, SOURCE, CONFIG, unreadable),
    ):
        raise NotFinite(7, "loss = inf")

"""The losses of a batch."""

import numpy as np
import pytest
from tiny_run import tiny_config, tiny_source

from hdr_jax import training


@pytest.mark.slow
def test_hdr_loss_is_0_for_the_true_stack_and_does_not_see_the_scale_of_the_data_set():
    config, scenes = tiny_config(), tiny_source(2, 16)
    batch = {
        key: np.stack([scene[key] for scene in scenes]) for key in ("stack", "ev_offset", "hdr")
    }
    true = batch["stack"].astype(np.float32) / 255
    wrong = (true + np.roll(true, 1, axis=2)) / 2  # another scene; a mere curve would be undone

    def loss(stack, batch=batch, **fields):
        config.update(fields)
        setup = training.Setup.from_config(config)
        return float(training.hdr_loss(setup.objective, stack, batch))

    for align in (False, True):
        assert loss(true, hdr_target="synthesized", hdr_align=align) < 1e-6
        assert loss(wrong, hdr_align=align) > 0.01
    measured = loss(wrong, hdr_target="dataset")
    scaled = {**batch, "hdr": 7 * batch["hdr"]}
    np.testing.assert_allclose(loss(wrong, scaled), measured, rtol=1e-4)
    with pytest.raises(ValueError, match="expected 'synthesized' or 'dataset'"):
        loss(true, hdr_target="neither")

"""A run small enough for tests: configuration and scenes."""

import numpy as np

from configs import small

TINY = dict(
    global_width=4,
    global_levels=1,
    local_width=4,
    local_levels=1,
    refinement_width=4,
    refinement_levels=1,
)


def tiny_config():
    """A run of six steps, three in each phase."""
    config = small.get_config()
    config.model.update(**TINY)
    config.layer.num_samples = 32
    config.update(
        dataset="synthetic_stacks/64", metering_stops=0.0, max_reference_offset=0,
        learning_rate=2e-3, refinement_learning_rate=4e-3,
        steps=6, refine_from=3, batch_size=2, size=16, log_every=1, eval_every=6, eval_scenes=2,
        checkpoint_every=2, data_dir="",
    )  # fmt: skip
    return config


def tiny_source(count=3, size=20):
    """Scenes of random radiance, photographed at seven exposures."""
    rng = np.random.default_rng(0)
    scenes = []
    for i in range(count):
        hdr = np.exp(rng.uniform(-4, 2, (size, size, 3))).astype(np.float32)
        exposures = np.clip(hdr * np.exp2(np.arange(-3.0, 4.0))[:, None, None, None], 0, 1)
        stack = np.round(255 * exposures ** (1 / 2.2)).astype(np.uint8)
        ev_offset = np.arange(-3, 4, dtype=np.float32)
        scenes.append({"stack": stack, "ev_offset": ev_offset, "hdr": hdr, "scene": f"s{i}"})
    return scenes

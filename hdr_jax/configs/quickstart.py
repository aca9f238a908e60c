"""The embedded data at 64 x 64: learns in a few minutes on two CPU cores, no download.

python train.py --config configs/quickstart.py --workdir runs/quickstart
"""

from ml_collections import ConfigDict

from hdr_jax.configs import highlights


def get_config() -> ConfigDict:
    config = highlights.get_config()
    config.dataset = "synthetic_stacks/64"
    config.size = 64
    config.model.update(widths=(32, 48, 64), depths=(1, 1, 1))
    config.photographs.update(whole=0.0, crop=(0.55, 1.0), aspect=1.0)  # few and small scenes
    config.loss.hdr = 0.2
    config.ev_offsets = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)  # those of the data
    config.steps = 1200
    config.refine_from = 1000
    config.batch_size = 4
    config.learning_rate = 2e-3
    config.average = 0.98
    config.log_every = 10
    config.eval_every = 300
    config.checkpoint_every = 300
    return config

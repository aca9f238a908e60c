"""The embedded data at 64 x 64: learns visibly in a few minutes on two CPU cores, no download.

python train.py --config configs/quickstart.py --workdir runs/quickstart
"""

from ml_collections import ConfigDict

from configs import small


def get_config() -> ConfigDict:
    config = small.get_config()
    config.dataset = "synthetic_stacks/64"
    config.size = 64
    config.metering_stops = 0.0
    config.steps = 400
    config.batch_size = 2
    config.eval_every = 100
    config.eval_scenes = 8
    config.checkpoint_every = 50
    config.refine_from = 200
    config.max_reference_offset = 0  # from the middle exposure, as it is evaluated
    config.model.update(global_levels=3, local_levels=2, refinement_levels=2)
    config.learning_rate = 2e-3
    config.refinement_learning_rate = 4e-3
    return config

"""The values with which the released program differs from the paper.

python train.py --config configs/released.py --workdir runs/released \
    --config.dataset=vds/256 --config.val_split=test --config.manual_dir=/data/VDS
"""

from ml_collections import ConfigDict

from hdr_jax.configs import paper


def get_config() -> ConfigDict:
    config = paper.get_config()
    config.loss.global_histogram = 0.01
    config.mu = 100.0
    config.refinement_learning_rate = 1e-5
    config.weight_decay = 5e-5
    config.layer.rounding = True
    config.edge_weights = "released"
    return config

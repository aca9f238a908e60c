"""At most 5 M parameters, for real data on one GPU or a patient CPU.

python train.py --config configs/small.py --workdir runs/small \
    --config.dataset=radiance_maps/native --config.manual_dir=/my/hdr/pictures
"""

from ml_collections import ConfigDict

from hdr_jax.configs import paper


def get_config() -> ConfigDict:
    config = paper.get_config()
    config.dataset = "radiance_maps/native"
    config.size = 128
    config.metering_stops = 0.5
    config.steps = 20_000
    config.batch_size = 4
    config.log_every = 10
    config.eval_every = 500
    config.checkpoint_every = 500
    config.model.update(
        global_width=8,
        global_levels=4,
        local_width=8,
        local_levels=3,
        refinement_width=8,
        refinement_levels=3,
        remat=False,
    )
    config.layer.sampling = "quantiles"
    config.layer.solver = "cholesky"  # the same g, eight times as fast
    config.hdr_align = True  # else the term is mostly the scale, which g's last levels decide
    # At weight 1 the HDR term, in log units of radiance, drowns the others in phase 2 at first.
    config.loss.hdr = 0.2
    config.refine_from = 2_000
    config.learning_rate = 5e-4
    config.refinement_learning_rate = 5e-4
    config.cosine_decay = True
    return config

"""What a photograph lacks: a gain in its clipped pixels, from any folder of radiance maps.

python train.py --config configs/highlights.py --workdir runs/highlights \
    --config.manual_dir=/my/hdr/pictures

Phase 1 learns the radiance of the clipped pixels, phase 2 (from `refine_from` on) goes through
HDR-VDP-2 as well. Fields that are not set here are those of configs/paper.py.
"""

from ml_collections import ConfigDict

from hdr_jax.configs import paper


def get_config() -> ConfigDict:
    config = paper.get_config()
    config.dataset = "radiance_maps/native"
    config.size = 192
    config.model = ConfigDict(
        dict(
            tone="highlights",
            widths=(32, 64, 128, 192, 256),
            depths=(1, 1, 2, 2, 2),
            convolution="auto",
        )
    )
    # How the photographs are drawn: fields of hdr_jax.data.Photographer.
    config.photographs = ConfigDict(
        dict(
            ev=(-1.0, 1.5),
            clipped=(0.003, 0.6),
            canonical=0.6,
            clean=0.1,
            jpeg=0.85,
            quality=(75, 98),
            white_balance=0.08,
            hue=0.08,
            whole=0.4,
            crop=(0.6, 1.0),
            aspect=4 / 3,
        )
    )
    # The losses: factors of the terms of hdr_jax.training.highlight_terms; the last four only in
    # phase 2. `hdr` is Eq. (6) through the layer, on exposures of these stops.
    config.loss = ConfigDict(
        dict(
            gain_l1=1.0,
            gradient_l1=0.5,
            hdr=0.0,
            chroma_l1=1.5,
            partial_l1=1.0,
            hdrvdp2=0.3,
            pu21=1.2,
        )
    )
    config.ev_offsets = (-7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
    config.layer.sampling = "quantiles"
    # The schedule: each phase has a rate of its own, which rises and falls to 0.
    config.steps = 16_000
    config.refine_from = 11_000
    config.batch_size = 2
    config.learning_rate = 1.2e-3
    config.refinement_learning_rate = 5e-4
    config.b1 = 0.9
    config.b2 = 0.99
    config.weight_decay = 1e-4
    config.clip_norm = 1.0
    config.average = 0.998
    config.log_every = 50
    config.eval_every = 1_000
    config.checkpoint_every = 500
    config.eval_scenes = 8
    return config

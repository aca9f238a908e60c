"""What a photograph lacks: a gain in its clipped pixels, from any folder of radiance maps.

python train.py --config configs/highlights.py --workdir runs/highlights \
    --config.manual_dir=/my/hdr/pictures

Phase 1 learns the radiance of the clipped pixels, phase 2 (from `refine_from` on) goes through
HDR-VDP-2 as well. Fields that are not set here are those of configs/paper.py; of these
`edge_weights`, `metering_stops`, `max_reference_offset`, `hdr_target`, `hdr_align`, `end_to_end`,
`cosine_decay` and `vgg_path` have no effect on a model of this kind.
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
            widths=(32, 64, 128, 192, 256),  # channels, from the finest level to the coarsest
            depths=(1, 1, 2, 2, 2),  # residual blocks of each level
            convolution="auto",
        )
    )
    # How the photographs are drawn: fields of hdr_jax.data.Photographer.
    config.photographs = ConfigDict(
        dict(
            ev=(-1.0, 1.5),  # stops from the meter's exposure
            clipped=(0.003, 0.6),  # share of the pixels that clip
            canonical=0.6,  # share of photographs by the canonical camera, without noise or JPEG
            clean=0.1,  # share by random sigmoids, likewise
            jpeg=0.85,  # share of the rest that is compressed
            quality=(75, 98),  # of JPEG
            white_balance=0.08,  # standard deviation of ln gain of each channel
            hue=0.08,  # greatest mix of a channel with the mean of all
            whole=0.4,  # share of whole views; the others are crops
            crop=(0.6, 1.0),  # of the sides
            aspect=4 / 3,  # width over height
            changed=0.0,  # share of photographs of a scene that was changed first: see training.md
        )
    )
    # The losses: factors of the terms of hdr_jax.training.highlight_terms.
    config.loss = ConfigDict(
        dict(
            gain_l1=1.0,  # log radiance of the clipped pixels
            gradient_l1=0.5,  # its differences
            hdr=0.0,  # Eq. (6) through the layer, on exposures of the stops below
            chroma_l1=1.5,  # its colour; in phase 2 alone, as are the next three
            partial_l1=1.0,  # where only some channels clip
            hdrvdp2=0.3,  # 100 - Q
            pu21=1.2,  # light as it is seen
        )
    )
    config.ev_offsets = (-7.0, -6.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
    config.layer.update(sampling="quantiles", solver="cholesky")
    # The schedule: each phase has a rate of its own, which rises and falls to 0.
    config.steps = 16_000
    config.refine_from = 11_000
    config.batch_size = 2
    config.learning_rate = 1.2e-3
    config.refinement_learning_rate = 5e-4
    config.b1 = 0.9
    config.b2 = 0.99
    config.weight_decay = 1e-4
    config.clip_norm = 1.0  # a longer gradient is shortened to that
    config.average = 0.998  # of the parameters that are validated and stored; 0: none
    config.log_every = 50
    config.eval_every = 1_000
    config.checkpoint_every = 500
    config.eval_scenes = 8
    return config

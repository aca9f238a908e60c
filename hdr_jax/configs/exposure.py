"""The recursion on log exposures: what is known is kept, steps add what the photograph cannot tell.

python train.py --config configs/exposure.py --workdir runs/exposure \
    --config.dataset=radiance_maps/native --config.manual_dir=/my/hdr/pictures

The networks, losses and layer of configs/small.py with `tone="exposure"`; the HDR term compares
with the data set's own radiance. Training needs data of these exposures; a trained model makes any
others (`ExposureStackModel.with_exposures`). docs/ablation.md has it beside configs/highlights.py,
which is one pass.
"""

from ml_collections import ConfigDict

from hdr_jax.configs import small


def get_config() -> ConfigDict:
    config = small.get_config()
    config.model.tone = "exposure"
    config.model.ev_offsets = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
    config.model.norm_entries = 6
    config.hdr_target = "dataset"
    config.loss.contextual = 0.0  # details outside of highlights and shadows are exact
    config.loss.global_histogram = 0.0
    return config

"""Weights from elsewhere: PyTorch state_dicts and the authors' released checkpoints."""

from hdr_jax.convert.containers import load_state_dict
from hdr_jax.convert.released import export_released, load_released
from hdr_jax.convert.write import save_state_dict

__all__ = ["export_released", "load_released", "load_state_dict", "save_state_dict"]

"""Weights from elsewhere: PyTorch state_dicts, the authors' released checkpoints, VGG-19."""

from hdr_jax.errors import extra

with extra("train"):
    from hdr_jax.convert._containers import load_state_dict
    from hdr_jax.convert._released import export_released, load_released
    from hdr_jax.convert._vgg_weights import load_vgg19
    from hdr_jax.convert._write import save_state_dict

__all__ = ["export_released", "load_released", "load_state_dict", "load_vgg19", "save_state_dict"]

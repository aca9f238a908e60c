"""The door of a checkout to hdr_jax/configs/shipped.py, elsewhere `hdr_jax:shipped`."""

from hdr_jax.configs.shipped import get_config

__all__ = ["get_config"]

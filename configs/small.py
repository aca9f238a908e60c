"""The door of a checkout to hdr_jax/configs/small.py, elsewhere `hdr_jax:small`."""

from hdr_jax.configs.small import get_config

__all__ = ["get_config"]

"""The door of a checkout to hdr_jax/configs/released.py, elsewhere `hdr_jax:released`."""

from hdr_jax.configs.released import get_config

__all__ = ["get_config"]

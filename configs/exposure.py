"""The door of a checkout to hdr_jax/configs/exposure.py, elsewhere `hdr_jax:exposure`."""

from hdr_jax.configs.exposure import get_config

__all__ = ["get_config"]

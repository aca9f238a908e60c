"""The door of a checkout to hdr_jax/configs/quickstart.py, elsewhere `hdr_jax:quickstart`."""

from hdr_jax.configs.quickstart import get_config

__all__ = ["get_config"]

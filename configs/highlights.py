"""The door of a checkout to hdr_jax/configs/highlights.py, elsewhere `hdr_jax:highlights`."""

from hdr_jax.configs.highlights import get_config

__all__ = ["get_config"]

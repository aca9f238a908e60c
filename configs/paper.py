"""The door of a checkout to hdr_jax/configs/paper.py, elsewhere `hdr_jax:paper`."""

from hdr_jax.configs.paper import get_config

__all__ = ["get_config"]

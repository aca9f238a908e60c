"""A page to look at radiance maps: one HTML file that needs no server, network or other file."""

from hdr_jax.page._encoding import packed, packed_radiance
from hdr_jax.page._page import write
from hdr_jax.page._scene import Encoded, Scene, encoded

__all__ = ["Encoded", "Scene", "encoded", "packed", "packed_radiance", "write"]

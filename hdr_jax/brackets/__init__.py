"""Bracketed photographs of any size: decoded once, registered, deghosted, merged in strips."""

from hdr_jax.errors import extra

with extra("photographs"):
    from hdr_jax.brackets._alignment import align
    from hdr_jax.brackets._brackets import Brackets, Chosen, Exposures, InMemory, load
    from hdr_jax.brackets._deghosting import confidence, reference_index
    from hdr_jax.brackets._merging import merge_strips
    from hdr_jax.brackets._registration import movement, register, shift
    from hdr_jax.brackets._response import response
    from hdr_jax.brackets._splitting import look_like_several, split
    from hdr_jax.brackets._white import low_white

__all__ = [
    "Brackets",
    "Chosen",
    "Exposures",
    "InMemory",
    "align",
    "confidence",
    "load",
    "look_like_several",
    "low_white",
    "merge_strips",
    "movement",
    "reference_index",
    "register",
    "response",
    "shift",
    "split",
]

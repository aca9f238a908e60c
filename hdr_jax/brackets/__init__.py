"""Bracketed photographs of any size: decoded once, registered, deghosted, merged in strips."""

from hdr_jax.errors import extra

with extra("photographs"):
    from hdr_jax.brackets._alignment import register, shift
    from hdr_jax.brackets._brackets import Brackets, Chosen, Exposures, InMemory, load
    from hdr_jax.brackets._deghosting import confidence, reference_index
    from hdr_jax.brackets._merging import align, merge_strips, response
    from hdr_jax.brackets._splitting import split

__all__ = [
    "Brackets",
    "Chosen",
    "Exposures",
    "InMemory",
    "align",
    "confidence",
    "load",
    "merge_strips",
    "reference_index",
    "register",
    "response",
    "shift",
    "split",
]

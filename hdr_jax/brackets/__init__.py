"""Bracketed photographs of any size: decoded once, registered, deghosted, merged in strips."""

from hdr_jax.brackets._alignment import register
from hdr_jax.brackets._brackets import Brackets, align, load, merge_strips, progress, response
from hdr_jax.brackets._deghosting import confidence, reference_index

__all__ = [
    "Brackets",
    "align",
    "confidence",
    "load",
    "merge_strips",
    "progress",
    "reference_index",
    "register",
    "response",
]

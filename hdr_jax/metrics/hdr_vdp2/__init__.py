"""HDR-VDP-2.2 in JAX, one module per stage of the model.

encoding -> optics -> spectral -> photoreceptor -> steerable -> sensitivity -> masking -> quality,
put together in `_metric`. The package is called `hdr_vdp2` and the function `hdrvdp2`: were they
named alike, the function `hdr_jax.metrics.hdrvdp2` would hide the package's modules.
"""

from hdr_jax.metrics.hdr_vdp2._metric import VERSION, Result, hdrvdp2, pixels_per_degree
from hdr_jax.metrics.hdr_vdp2._steerable import MIN_SIZE

__all__ = ["MIN_SIZE", "VERSION", "Result", "hdrvdp2", "pixels_per_degree"]

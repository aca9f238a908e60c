"""HDR-VDP-2.2 in JAX, one module per stage of the model.

encoding -> optics -> spectral -> photoreceptor -> steerable -> sensitivity -> masking -> quality,
put together in `metric`. The package is called `hdr_vdp2` and the function `hdrvdp2`: were they
named alike, the function `hdr_jax.metrics.hdrvdp2` would hide the package's modules.
"""

from hdr_jax.metrics.hdr_vdp2.metric import VERSION, Result, hdrvdp2, pixels_per_degree

__all__ = ["VERSION", "Result", "hdrvdp2", "pixels_per_degree"]

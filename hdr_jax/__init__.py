"""hdr_jax: differentiable high-dynamic-range imaging in JAX.

Importing the package loads JAX and the radiometric primitives only. The learning, measuring and I/O
modules (`hdr_jax.models`, `hdr_jax.metrics`, `hdr_jax.images`, ...) are imported by name when
they are needed.
"""

__version__ = "0.1.0"

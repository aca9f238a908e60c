"""hdr_jax: differentiable high-dynamic-range imaging in JAX.

Importing the package loads nothing. Its rooms are imported by name (`from hdr_jax import crf`);
those that need more than JAX say which extra brings it.
"""

__version__ = "0.1.0"

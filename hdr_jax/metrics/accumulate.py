"""Running means over batches and devices."""

import dataclasses

import jax
import jax.numpy as jnp
from jax import Array


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Mean:
    """A mean as (total, count), so that parts of unequal size add up correctly.

    A pytree: goes through `jit`, `lax.psum`, `lax.scan`.

    Attributes:
      total: sum of the values so far.
      count: how many.

    Example:
      >>> parts = Mean.of(jnp.array([1.0, 2.0, 6.0])) + Mean.of(jnp.array([7.0]))
      >>> float(parts.value)
      4.0
    """

    total: Array
    count: Array

    @classmethod
    def empty(cls) -> "Mean":
        """The mean of nothing: the neutral element of `+`."""
        return cls(jnp.zeros(()), jnp.zeros(()))

    @classmethod
    def of(cls, values: Array, mask: Array | None = None) -> "Mean":
        """The mean of an array; `mask` (same shape, 0 or 1) leaves padding out."""
        values = jnp.asarray(values)
        if mask is None:
            return cls(values.sum(), jnp.full((), values.size, values.dtype))
        # Where, not a product: padding may hold NaN.
        kept = jnp.asarray(mask) > 0
        return cls(jnp.where(kept, values, 0).sum(), kept.sum().astype(values.dtype))

    def __add__(self, other: "Mean") -> "Mean":
        return Mean(self.total + other.total, self.count + other.count)

    @property
    def value(self) -> Array:
        """total / count; NaN for nothing."""
        return self.total / self.count

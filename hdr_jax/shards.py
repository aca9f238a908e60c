"""What `jax.shard_map` asks for: values of which it knows that they differ from device to device.

It tells arrays that are the same on all devices from those that vary along axes of the mesh. A
loop's carry must not change from one kind to the other, and a hand-written gradient is of the kind
of its argument.
"""

from typing import Any

import jax


def alike(*trees: Any) -> tuple[Any, ...]:
    """The same values, all of them varying along the axes of the mesh that any varies along.

    Outside of `jax.shard_map` nothing is done. Inside, the gradient towards what is the same on all
    devices is thereby the sum over the devices, as JAX's own.

    Args:
      *trees: trees of arrays, of any shapes.

    Returns:
      One tree for each.

    Differentiable.
    Example:
      >>> alike(1.0, (2.0, 3.0))
      (1.0, (2.0, 3.0))
    """
    axes = frozenset().union(*(_axes(x) for x in jax.tree.leaves(trees)))
    return jax.tree.map(lambda x: _vary(x, tuple(axes - _axes(x))), trees)


def _axes(x: Any) -> frozenset:
    """Names of the axes that x varies along; JAX has called them by two names."""
    kind: Any = jax.typeof(x)  # pyright: ignore[reportAttributeAccessIssue]
    return kind.mat.varying if hasattr(kind, "mat") else kind.vma


def _vary(x: Any, axes: tuple) -> Any:
    """x, which is the same along these axes, as one that varies along them."""
    if not axes:
        return x
    if hasattr(jax.lax, "pcast"):
        return jax.lax.pcast(x, axes, to="varying")
    return jax.lax.pvary(x, axes)  # JAX 0.8 # pyright: ignore[reportAttributeAccessIssue]

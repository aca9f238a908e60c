"""Checks of arguments that the metrics share."""

from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from hdr_jax.checks import check_positive
from hdr_jax.errors import InputError


def image_pair(
    name: str, test: ArrayLike, reference: ArrayLike, *, channels: tuple[int, ...] = ()
) -> tuple[Array, Array]:
    """Both images as float arrays [h, w, c] of one type.

    Args:
      name: of the metric, for messages.
      test: [h, w, c] or [h, w], float.
      reference: the same shape.
      channels: how many channels the metric takes, [h, w] having one; any, if empty.

    Returns:
      (test, reference), each [h, w, c].

    Raises:
      InputError: for integers, unequal shapes, a wrong number of axes or channels.
    """
    test, reference = jnp.asarray(test), jnp.asarray(reference)
    check_pair(name, test, reference)
    dtype = jnp.promote_types(jnp.promote_types(test.dtype, reference.dtype), jnp.float32)
    shape = (*test.shape[:2], test.shape[2] if test.ndim == 3 else 1)
    if channels and shape[2] not in channels:
        expected = " or ".join(map(str, channels))
        raise InputError(
            f"{name} got {shape[2]} channel(s); expected {expected}. Use hdr_jax.color.luminance "
            "for one, numpy.repeat for three."
        )
    return test.astype(dtype).reshape(shape), reference.astype(dtype).reshape(shape)


def check_pair(name: str, test: Array, reference: Array) -> None:
    """Refuse images that cannot be compared.

    Args:
      name: of the metric, for messages.
      test: [h, w, c] or [h, w], float.
      reference: the same shape.

    Raises:
      InputError: for integers, unequal shapes or a wrong number of axes.
    """
    if test.shape != reference.shape:
        raise InputError(
            f"{name} got a test image {test.shape} and a reference {reference.shape}; expected "
            "equal shapes. Crop or resize one of them first."
        )
    if test.ndim not in (2, 3):
        raise InputError(
            f"{name} got images of shape {test.shape}; expected [h, w, c] or [h, w]. Use jax.vmap "
            "for batches."
        )
    for image in (test, reference):
        if not jnp.issubdtype(image.dtype, jnp.floating):
            raise InputError(
                f"{name} got {image.dtype} pixels; expected float. Divide by 255 or 65535 first; "
                "hdrvdp2 takes such pictures as color_encoding='sRGB-display'."
            )


def python_number(name: str, argument: str, value: Any) -> float:
    """A number that is a constant of the compiled program, as a Python float.

    Args:
      name: of the metric, for messages.
      argument: its name there.
      value: scalar.

    Raises:
      InputError: for what is no number, or is traced.
    """
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} got {argument} {value!r}; expected a Python number: it is a constant of the "
            "compiled program and cannot be traced"
        ) from error


def data_range(name: str, value: ArrayLike, dtype: jnp.dtype) -> Array:
    """The scale of images of that type as one of its numbers, > 0, or an InputError."""
    check_positive(name, "data_range", value)
    return jnp.asarray(value, dtype)

"""A model as plain fields, as configurations and checkpoints hold it."""

from typing import Any

import jax
import jax.numpy as jnp

from hdr_jax.errors import InputError
from hdr_jax.models.exposure_stack import ExposureStackModel

EXECUTION = ("convolution", "dtype", "remat")
"""Fields that say how the networks are computed, not what they are: parameters fit any of them."""


def model_from_fields(fields: dict[str, Any]) -> ExposureStackModel:
    """The model of JSON-able fields.

    Args:
      fields: of `ExposureStackModel`, `dtype` by name.

    Returns:
      The unbound module.

    Raises:
      InputError: for a field that the model does not have, or an unknown `dtype`.

    Example:
      >>> model_from_fields({"global_width": 8, "dtype": "bfloat16"}).global_width
      8
    """
    known = _field_names()
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise InputError(f"unknown model fields {unknown}: expected some of {known}")
    name = fields.get("dtype", "float32")
    try:
        dtype = jnp.dtype(name)
    except TypeError:
        raise InputError(f"got model.dtype {name!r}: expected float32 or bfloat16") from None
    return ExposureStackModel(**{**fields, "dtype": dtype})


def fields_of(model: ExposureStackModel) -> dict[str, Any]:
    """The fields of a model as JSON can hold them; `model_from_fields` undoes it.

    Args:
      model: unbound.

    Returns:
      {field: value}, `dtype` by name.

    Example:
      >>> fields_of(ExposureStackModel(global_width=8))["global_width"]
      8
    """
    fields = {name: getattr(model, name) for name in _field_names()}
    return {**fields, "dtype": jnp.dtype(model.dtype).name}


def architecture(model: ExposureStackModel) -> dict[str, Any]:
    """The fields that parameters depend on: all but `EXECUTION`.

    Args:
      model: unbound.

    Returns:
      {field: value}; two models of equal ones can exchange their parameters.

    Example:
      >>> architecture(ExposureStackModel(remat=True)) == architecture(ExposureStackModel())
      True
    """
    return {name: value for name, value in fields_of(model).items() if name not in EXECUTION}


def check_same_architecture(
    found: ExposureStackModel, expected: ExposureStackModel, place: str
) -> None:
    """Refuses parameters of another model.

    Args:
      found: the model whose parameters they are.
      expected: the model that they are to fit; how either is computed does not matter.
      place: where the parameters come from, for the message.

    Raises:
      InputError: naming the fields that differ.
    """
    there = architecture(found)
    differing = [
        f"{name} = {there[name]!r} there, {value!r} in the configuration"
        for name, value in architecture(expected).items()
        if there[name] != value
    ]
    if differing:
        raise InputError(
            f"{place} holds another model: {'; '.join(differing)}. Take its values "
            "(--config.model.NAME=VALUE), or another folder"
        )


def parameter_shapes(model: ExposureStackModel) -> Any:
    """Shapes and types of a model's parameters; nothing is computed.

    Args:
      model: unbound.

    Returns:
      The tree of its parameters, `jax.ShapeDtypeStruct` for arrays.

    Example:
      >>> sorted(parameter_shapes(ExposureStackModel(2, 4, 1, 4, 1, 4, 1)))
      ['down', 'up']
    """
    side = model.multiple
    inputs = jnp.zeros((1, side, side, 3)), jnp.zeros((1, side, side, 1))
    initial = lambda key: model.init(key, *inputs, reference_index=0)["params"]  # noqa: E731
    return jax.eval_shape(initial, jax.random.key(0))


def _field_names() -> list[str]:
    """Names of the model's own fields."""
    return sorted(set(ExposureStackModel.__dataclass_fields__) - {"parent", "name"})

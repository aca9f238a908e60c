"""A model as plain fields, as configurations and checkpoints hold it."""

from typing import Any

import jax
import jax.numpy as jnp

from hdr_jax.errors import InputError
from hdr_jax.models import _convolution
from hdr_jax.models._exposure_stack import ExposureStackModel
from hdr_jax.models._highlights import HighlightModel
from hdr_jax.models._stack_inputs import check_options

Model = ExposureStackModel | HighlightModel
MODELS = {
    "image": ExposureStackModel,
    "exposure": ExposureStackModel,
    "highlights": HighlightModel,
}
"""What `tone` says: networks that paint every exposure, the same that add to log exposures what the
photograph cannot tell, or a single pass that predicts the gain where it clips."""
EXECUTION = ("convolution", "dtype", "remat")
"""Fields that say how the networks are computed, not what they are: parameters fit any of them."""


def model_from_fields(fields: dict[str, Any]) -> Model:
    """The model of JSON-able fields.

    Args:
      fields: `tone`, "image" (the default) or "exposure" for an `ExposureStackModel` and
        "highlights" for a `HighlightModel`, and fields of that model, `dtype` by name.

    Returns:
      The unbound module.

    Raises:
      InputError: for a field that the model does not have, or an unknown `tone` or `dtype`.

    Example:
      >>> model_from_fields({"global_width": 8, "dtype": "bfloat16"}).global_width
      8
      >>> model_from_fields({"tone": "highlights", "widths": [8, 8]}).widths
      (8, 8)
    """
    fields = dict(fields)
    tone = fields.pop("tone", "image")
    if tone not in MODELS:
        raise InputError(f"got model.tone {tone!r}: expected one of {', '.join(MODELS)}")
    known = _field_names(MODELS[tone])
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise InputError(
            f"unknown model fields {unknown}: expected some of {known} for tone {tone!r}"
        )
    # JSON and configurations hold lists; a module must be hashable.
    fields = {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in fields.items()}
    if "dtype" in known:
        fields["dtype"] = _dtype(fields.get("dtype", "float32"))
    return MODELS[tone](**({"tone": tone} if "tone" in known else {}), **fields)


def fields_of(model: Model) -> dict[str, Any]:
    """The fields of a model as JSON can hold them; `model_from_fields` undoes it.

    Args:
      model: unbound.

    Returns:
      {field: value} with `tone`; `dtype` by name, sequences as lists.

    Example:
      >>> fields_of(ExposureStackModel(global_width=8))["global_width"]
      8
    """
    fields = {name: getattr(model, name) for name in _field_names(type(model))}
    fields = {k: list(v) if isinstance(v, tuple) else v for k, v in fields.items()}
    if "dtype" in fields:
        fields["dtype"] = jnp.dtype(model.dtype).name
    fields.setdefault("tone", "highlights")
    return fields


def check_fields(model: Model) -> None:
    """Refuses values of fields that no network is made of.

    Args:
      model: unbound.

    Raises:
      InputError: naming the field and what it may be.

    Example:
      >>> check_fields(HighlightModel(convolution="fast"))
      Traceback (most recent call last):
      hdr_jax.errors.InputError: convolution 'fast' is unknown: use 'auto', 'xla' or 'matmul'
    """
    _convolution.choose(model.convolution)
    if isinstance(model, ExposureStackModel):
        check_options(model)


def architecture(model: Model) -> dict[str, Any]:
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


def check_same_architecture(found: Model, expected: Model, place: str) -> None:
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
        f"{name} = {there.get(name)!r} there, {value!r} in the configuration"
        for name, value in architecture(expected).items()
        if there.get(name) != value
    ]
    if differing:
        raise InputError(
            f"{place} holds another model: {'; '.join(differing)}. Take its values "
            "(--config.model.NAME=VALUE), or another folder"
        )


def parameter_shapes(model: Model) -> Any:
    """Shapes and types of a model's parameters; nothing is computed.

    Args:
      model: unbound.

    Returns:
      The tree of its parameters, `jax.ShapeDtypeStruct` for arrays.

    Example:
      >>> sorted(parameter_shapes(ExposureStackModel(2, 4, 1, 4, 1, 4, 1)))
      ['down', 'up']
    """
    return jax.eval_shape(lambda key: initial_parameters(model, key), jax.random.key(0))


def initial_parameters(model: Model, key: jax.Array) -> Any:
    """Parameters drawn at random.

    Args:
      model: unbound.
      key: random key.

    Returns:
      The tree of its parameters.

    Example:
      >>> "head1" in initial_parameters(HighlightModel((8,), (1,)), jax.random.key(0))
      True
    """
    image = jnp.zeros((1, model.multiple, model.multiple, 3))
    second = image if isinstance(model, HighlightModel) else image[..., :1]
    # Under `jit` the networks are traced, but not run.
    return jax.jit(lambda key: model.init(key, image, second)["params"])(key)


def _dtype(name: str) -> Any:
    """A type of the networks by its name."""
    if name not in ("float32", "bfloat16"):
        raise InputError(f"got model.dtype {name!r}: expected float32 or bfloat16")
    return jnp.dtype(name)


def _field_names(kind: type) -> list[str]:
    """Names of the model's own fields."""
    return sorted(set(kind.__dataclass_fields__) - {"parent", "name"})

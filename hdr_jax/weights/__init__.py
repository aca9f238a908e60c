"""The weights that come with the library: one file a model, with its fields and a checksum.

`<name>.npz` holds the parameters as float16, each under its path in the tree, `<name>.json` the
model's fields, the SHA-256 of the first file, and how it was made. docs/model_card.md describes
the model.
"""

import hashlib
import io
import json
import pathlib
from typing import Any

import numpy as np

from hdr_jax.errors import InputError, extra

with extra("photographs"):
    from flax.traverse_util import flatten_dict, unflatten_dict

    from hdr_jax.models import HighlightModel

FOLDER = pathlib.Path(__file__).parent
DEFAULT = "highlights-8"


def load(name: str = DEFAULT) -> tuple[HighlightModel, Any]:
    """A model that comes with the library.

    Args:
      name: of the weights, with their version.

    Returns:
      (model, params), float32.

    Raises:
      InputError: for an unknown name, or a file that is not the one that was shipped.

    Example:
      >>> model, params = load()
      >>> model.widths[0]
      32
    """
    try:
        description = describe(name)
        data = (FOLDER / f"{name}.npz").read_bytes()
        expected = description["sha256"]
        fields: dict[str, Any] = {key: tuple(value) for key, value in description["model"].items()}
        model = HighlightModel(**fields)
    except (OSError, KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise InputError(
            f"weights {name} are damaged or of another version ({error!r}); install the package "
            "again"
        ) from error
    checksum = hashlib.sha256(data).hexdigest()
    if checksum != expected:
        raise InputError(
            f"weights {name} are damaged: SHA-256 {checksum[:12]}..., expected "
            f"{expected[:12]}...; install the package again"
        )
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        flat = {tuple(key.split("/")): arrays[key].astype(np.float32) for key in arrays.files}
    return model, unflatten_dict(flat)


def names() -> list[str]:
    """The weights that come with the library, with their versions.

    Returns:
      What `load` and `describe` take, sorted.

    Example:
      >>> DEFAULT in names()
      True
    """
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def describe(name: str = DEFAULT) -> dict[str, Any]:
    """What is said beside a model's weights: its fields, their checksum, how it was made.

    Args:
      name: of the weights.

    Returns:
      The content of `<name>.json`.

    Raises:
      InputError: for an unknown name.

    Example:
      >>> sorted(describe())[:2]
      ['made', 'model']
    """
    if name not in names():
        raise InputError(f"no weights named {name!r}: expected one of {', '.join(names())}")
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def save(
    name: str, model: HighlightModel, params: Any, made: str, folder: str | pathlib.Path = FOLDER
) -> None:
    """Writes a model in the form that `load` reads.

    Args:
      name: of the weights, with their version.
      model, params: what is stored; parameters are rounded to float16.
      made: how they were made, in words.
      folder: where to.

    Raises:
      InputError: for parameters that are not finite as float16.

    Example: `save("highlights-8", *load_model("runs/shipped")[:2], "configs/shipped.py")`
    """
    leaves = flatten_dict(params).items()
    with np.errstate(over="ignore"):  # said below
        flat: dict[str, Any] = {"/".join(path): np.asarray(x, np.float16) for path, x in leaves}
    wrong = sorted(path for path, x in flat.items() if not np.isfinite(x).all())
    if wrong:
        raise InputError(f"got parameters {wrong} that are not finite as float16: expected others")
    file = io.BytesIO()
    np.savez_compressed(file, **flat)
    fields = {"widths": list(model.widths), "depths": list(model.depths)}
    checksum = hashlib.sha256(file.getvalue()).hexdigest()
    text = json.dumps({"model": fields, "sha256": checksum, "made": made}, indent=1)
    (pathlib.Path(folder) / f"{name}.npz").write_bytes(file.getvalue())
    (pathlib.Path(folder) / f"{name}.json").write_text(text + "\n", encoding="utf-8")

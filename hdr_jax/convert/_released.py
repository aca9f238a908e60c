"""The authors' released checkpoints as an `ExposureStackModel`, and back.

One state_dict per network and direction, `<step>-<suffix>.ckpt`: gu, gd global; su, sd local
("structure"); cbu, cbd refinement ("combine"); u up, d down. Kernels turn from PyTorch's
[out, in, h, w] into [h, w, in, out]; the conditional norms' entries, one module each there, are
stacked to [entries, channels].
"""

import os
import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from hdr_jax.convert._containers import load_state_dict
from hdr_jax.convert._write import save_state_dict
from hdr_jax.errors import InputError
from hdr_jax.models import (
    ExposureStackModel,
    GlobalNetwork,
    LocalNetwork,
    RefinementNetwork,
    UNet,
)

CLASSES = {"global": GlobalNetwork, "local": LocalNetwork, "refinement": RefinementNetwork}
FIELDS = ("width", "levels")
SUFFIXES = {
    ("up", "global"): "gu", ("up", "local"): "su", ("up", "refinement"): "cbu",
    ("down", "global"): "gd", ("down", "local"): "sd", ("down", "refinement"): "cbd",
}  # fmt: skip


def load_released(
    directory: str | os.PathLike, step: int | str = 80000
) -> tuple[ExposureStackModel, dict]:
    """The released program's checkpoint as a model and its parameters.

    Args:
        directory: folder with the six files `<step>-{gu,gd,su,sd,cbu,cbd}.ckpt`.
        step: their common prefix.

    Returns:
        (model, params): widths, levels and the number of exposures read off the files' shapes;
        `model.apply({"params": params}, image, edge_map)` runs it.

    Raises:
        InputError: a file is missing or not readable, or its tensors are not those of the network;
            the message lists what is missing, surplus or of another shape.

    Not differentiable.
    Source: key names of the released PyTorch program (MIT licence).

    Example:
        >>> load_released("/nowhere")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        hdr_jax.errors.InputError: /nowhere: missing 80000-gu.ckpt, 80000-su.ckpt, ...
    """
    paths = {where: Path(directory, f"{step}-{suffix}.ckpt") for where, suffix in SUFFIXES.items()}
    if missing := [path.name for path in paths.values() if not path.is_file()]:
        raise InputError(f"{directory}: missing {', '.join(missing)}")
    params, built = {"up": {}, "down": {}}, {}
    for (direction, name), path in paths.items():
        built[direction, name], params[direction][name] = _load_network(path, name)
    for name in CLASSES:
        if built["up", name] != built["down", name]:
            raise InputError(f"{directory}: the {name} networks up and down differ in size")
    nets = {name: built["up", name] for name in CLASSES}
    if nets["global"].entries != nets["local"].entries:
        raise InputError(f"{directory}: global and local networks differ in their exposures")
    fields = {f"{name}_{field}": getattr(nets[name], field) for name in nets for field in FIELDS}
    return ExposureStackModel(nets["global"].entries + 1, **fields), params


def _load_network(path: Path, name: str) -> tuple[UNet, dict]:
    """One file: the network its shapes describe, and its parameters."""
    tensors = load_state_dict(path)
    if all(key.startswith("module.") for key in tensors):  # of PyTorch's DataParallel
        tensors = {key.removeprefix("module."): value for key, value in tensors.items()}
    if getattr(tensors.get("init_layers.0.conv.weight"), "ndim", 0) != 4:
        raise InputError(f"{path}: no released {name} network, without init_layers.0.conv.weight")
    width = tensors["init_layers.0.conv.weight"].shape[0]
    levels = sum(bool(re.fullmatch(r"down_layers\.\d+\.conv1\.conv\.weight", k)) for k in tensors)
    norms = "up_layers.1.conv2.norm.inns."
    entries = len({key.split(".")[5] for key in tensors if key.startswith(norms)})
    network = CLASSES[name](width, levels, entries or UNet.entries)
    flat: dict[Any, Any] = flatten_dict(network.parameter_shapes())
    keys = released_keys(name, {place: leaf.shape for place, leaf in flat.items()})
    _compare(path, tensors, {k: _released_shape(flat[p].shape, p, e) for k, (p, e) in keys.items()})
    gathered = {}
    for key, (place, _) in keys.items():  # a conditional norm's entries come in order
        gathered.setdefault(place, []).append(tensors.pop(key))
    values = {p: _from_released(parts, flat[p].shape) for p, parts in gathered.items()}
    return network, unflatten_dict(values)


def _from_released(parts: list[np.ndarray], shape: tuple) -> jax.Array:
    """Kernels to [h, w, in, out]; entries stacked; float32."""
    value = parts[0].transpose(2, 3, 1, 0) if len(shape) == 4 else np.stack(parts).reshape(shape)
    return jnp.asarray(np.ascontiguousarray(value, np.float32))


def _released_shape(shape: tuple, place: tuple, entry: int | None) -> tuple:
    """The shape in the released file."""
    if place[-1] == "kernel":
        return (shape[3], shape[2], shape[0], shape[1])
    return shape if entry is None else shape[1:]


def _compare(path: Path, tensors: dict[str, np.ndarray], shapes: dict[str, tuple]) -> None:
    """List missing, surplus and misshaped tensors, and those that are no finite floats."""
    faults = [f"missing {key} {shapes[key]}" for key in shapes if key not in tensors]
    faults += [f"surplus {key} {tensors[key].shape}" for key in tensors if key not in shapes]
    faults += [
        f"{key} is {tensors[key].shape}, expected {shape}"
        for key, shape in shapes.items()
        if key in tensors and tensors[key].shape != shape
    ]
    faults += [
        f"{key} holds {tensor.dtype if tensor.dtype.kind != 'f' else 'NaN or infinity'}"
        for key, tensor in tensors.items()
        if tensor.dtype.kind != "f" or not np.isfinite(tensor).all()
    ]
    if faults:
        raise InputError(f"{path}: {'; '.join(faults)}")


def released_keys(name: str, shapes: dict[tuple, tuple]) -> dict[str, tuple]:
    """Released key -> (path in our parameters, entry of a conditional norm or None).

    Args:
        name: "global", "local" or "refinement".
        shapes: shape by path, as `flatten_dict` gives paths.
    """
    levels = 1 + max(int(p[0][2]) for p in shapes if re.match(r"up\d", p[0]))
    keys = {}
    for place, shape in shapes.items():
        layer = _released_layer(name, place[:-1], levels)
        leaf = "bias" if place[-1] == "bias" else "weight"
        if len(shape) == 2:
            keys |= {f"{layer}.inns.{e}.{leaf}": (place, e) for e in range(shape[0])}
        else:
            keys[f"{layer}.{leaf}"] = (place, None)
    return keys


def _released_layer(name: str, layer: tuple, levels: int) -> str:
    """The released program's name of one of our layers."""
    fixed = {
        "stem": "init_layers.0.conv",
        "bottleneck": "inter_layers.0.conv",
        "bottleneck_conv1": "inter_layers.conv_block.conv1.conv",
        "bottleneck_conv2": "inter_layers.conv_block.conv2.conv",
        "merge": "out_conv.conv",
        "merge_norm": "out_conv.norm",
        "head": "final_conv.conv" if name == "local" else "out_conv.conv",
    }
    if layer[0] in fixed:
        return fixed[layer[0]]
    if layer[0] == "gru":
        return f"inter_layers.gru_block.{'out' if layer[1] == 'candidate' else layer[1]}_gate"
    way, level, part = re.findall(r"^(up|down)(\d+)_(\w+)$", layer[0])[0]
    # Pooling and upsampling count as layers there; the way up is counted from the deepest level.
    index = 2 * int(level) if way == "down" else 2 * (levels - 1 - int(level)) + 1
    return f"{way}_layers.{index}.{'conv2.norm' if part == 'norm' else f'{part}.conv'}"


def export_released(
    directory: str | os.PathLike, params: dict, step: int | str = 80000
) -> list[Path]:
    """Write a model's parameters as the released program's six files; inverse of `load_released`.

    For those who have the authors' program: a model that was trained here runs there as it is.

    Args:
        directory: folder, made when absent.
        params: {"up": {"global", "local", "refinement"}, "down": ...}.
        step: the files' common prefix.

    Returns:
        The files written.

    Raises:
        InputError: if networks are missing, before anything is written.

    Example:
        >>> import tempfile
        >>> model = ExposureStackModel(4, 4, 1, 4, 1, 4, 1)
        >>> image, edge_map = jnp.ones((1, 2, 2, 3)), jnp.ones((1, 2, 2, 1))
        >>> params = jax.jit(model.init)(jax.random.key(0), image, edge_map)["params"]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     files = export_released(folder, params)
        ...     load_released(folder)[0].num_exposures, len(files)
        (4, 6)
    """
    if missing := [f"{d}/{name}" for d, name in SUFFIXES if name not in params.get(d, {})]:
        raise InputError(f"got parameters without {', '.join(missing)}; expected six networks")
    content = {}
    for (direction, name), suffix in SUFFIXES.items():
        tensors = content[Path(directory, f"{step}-{suffix}.ckpt")] = {}
        flat: dict[Any, Any] = flatten_dict(params[direction][name])
        shapes = {path: leaf.shape for path, leaf in flat.items()}
        for key, (path, entry) in released_keys(name, shapes).items():
            value = np.asarray(flat[path] if entry is None else flat[path][entry])
            tensors[key] = value.transpose(3, 2, 0, 1) if path[-1] == "kernel" else value
    Path(directory).mkdir(parents=True, exist_ok=True)
    for path, tensors in content.items():
        save_state_dict(path, tensors)
    return list(content)

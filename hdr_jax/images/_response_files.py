"""Response curves on disk, and those that have a name.

A curve is a log inverse response g [c, num_levels], ln exposure over the level, natural logarithm.
`.csv` has a first line `level,g_red,g_green,g_blue` (or `level,g`; the colours may stand in another
order) and one line for each level from 0 on; `.npy` is the array.
"""

import io
import pathlib

import jax.numpy as jnp
import numpy as np

from hdr_jax import color
from hdr_jax.checks import check_count
from hdr_jax.errors import InputError
from hdr_jax.files import replacing
from hdr_jax.images._paths import PathLike, existing, named_errors, warn

CURVE_SUFFIXES = (".csv", ".npy")
MAX_LEVELS = 65536
USUAL_LEVELS = tuple(2**bits for bits in (8, 10, 12, 14, 16))
NAMED = ("srgb", "linear")
COLOURS = {"red": 0, "r": 0, "green": 1, "g": 1, "blue": 2, "b": 2}


def named_response(name: str, num_levels: int = 256) -> np.ndarray:
    """Log inverse response of a standard encoding: g(z) = ln f^-1(z / (num_levels - 1)).

    Level 0, which stands for everything down to nothing, is read at half a level.

    Args:
      name: "srgb", or "linear" for developed raw files.
      num_levels: length of g, >= 2.

    Returns:
      float32 [1, num_levels], increasing, 0 at num_levels // 2.

    Raises:
      InputError: for another name, or num_levels below 2 or not whole.

    Not differentiable.
    Source: IEC 61966-2-1.
    Example:
      >>> g = named_response("linear")
      >>> round(float(np.exp(g[0, 200] - g[0, 100])), 3)
      2.0
    """
    if name not in NAMED:
        raise InputError(f"unknown response {name!r}: expected srgb or linear")
    check_count("num_levels", num_levels, 2)
    values = np.maximum(np.arange(num_levels), 0.5) / (num_levels - 1)
    if name == "srgb":
        values = np.asarray(color.srgb_to_linear(jnp.asarray(values)))
    g = np.log(values)
    return (g - g[num_levels // 2]).astype(np.float32)[None]


def camera_response(name: str | pathlib.Path, num_levels: int = 256) -> np.ndarray:
    """A response by its name, or from a file: what `--response` takes.

    Args:
      name: "srgb" or "linear", or the path of a .csv or .npy file.
      num_levels: length of g where it is a name, >= 2.

    Returns:
      float32 [c, num_levels], c 1 or 3.

    Raises:
      InputError: as `named_response` or `read_response`.

    Not differentiable.
    Example:
      >>> camera_response("srgb").shape
      (1, 256)
    """
    return named_response(str(name), num_levels) if name in NAMED else read_response(name)


def read_response(path: PathLike) -> np.ndarray:
    """Read a response curve.

    Args:
      path: `.csv` or `.npy`, see the head of this module.

    Returns:
      float32 [c, num_levels], c 1 or 3, non-decreasing.

    Raises:
      InputError: if the file is missing, damaged, no table of 1 or 3 curves, not finite, or a curve
        falls from one level to the next.

    Warns:
      UserWarning: for a number of levels that no camera has, as part of the file may be missing,
        and for three columns whose names are no colours.

    Not differentiable.
    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write_response(folder + "/g.csv", named_response("srgb"))
      ...     read_response(folder + "/g.csv").shape
      (1, 256)
    """
    path = existing(path)
    if path.suffix.lower() not in CURVE_SUFFIXES:
        raise InputError(f"got {path}; expected a response curve ending in .csv or .npy")
    with named_errors(path, "a response curve (level,g_red,g_green,g_blue)"):
        if path.suffix.lower() == ".npy":
            g = np.atleast_2d(np.load(path, allow_pickle=False))
        else:
            g = _read_csv(path)
    if g.ndim != 2 or g.shape[0] not in (1, 3) or not 2 <= g.shape[1] <= MAX_LEVELS:
        raise InputError(
            f"{path} holds an array of shape {g.shape}; expected [3, levels], [1, levels] or "
            "[levels], with 256 levels for instance."
        )
    if g.dtype.kind not in "fiu" or not np.isfinite(g).all():
        raise InputError(f"{path} holds values that are no finite numbers; expected ln exposure.")
    if g.shape[1] not in USUAL_LEVELS:
        warn(
            path,
            f"holds a curve of {g.shape[1]} levels, where cameras have 256, or 1024 to 65536: it "
            "is stretched over the whole scale. Is it whole?",
        )
    # What falls by rounding in a file of few digits is no fall.
    falls = np.diff(g, axis=1) < -1e-5
    if falls.any() or not (g[:, -1] > g[:, 0]).all():
        level = int(np.argmax(falls.any(0))) if falls.any() else 0
        raise InputError(
            f"{path} holds a curve that does not increase (at level {level}); expected ln exposure "
            "over the level, which more light never lowers. Repair it with hdr_jax.crf.monotone."
        )
    return np.maximum.accumulate(g, axis=1).astype(np.float32)


def write_response(path: PathLike, g: np.ndarray) -> None:
    """Write a response curve in the format that its name ends in.

    Args:
      path: `.csv` or `.npy`; the folder must exist.
      g: log inverse response [c, num_levels], c 1 or 3.

    Raises:
      InputError: for another suffix or shape.

    Not differentiable.
    Example: `write_response("canon.csv", g)`
    """
    path, g = pathlib.Path(path), np.asarray(g, np.float32)
    if path.suffix.lower() not in CURVE_SUFFIXES or g.ndim != 2 or g.shape[0] not in (1, 3):
        raise InputError(
            f"got {path} for g of shape {g.shape}; expected a name ending in .csv or .npy and "
            "[1 or 3, num_levels]"
        )
    if path.suffix.lower() == ".npy":
        file = io.BytesIO()
        np.save(file, g)
        data = file.getvalue()
    else:
        header = "level,g" if len(g) == 1 else "level,g_red,g_green,g_blue"
        lines = [",".join([str(z), *(f"{x:.7g}" for x in row)]) for z, row in enumerate(g.T)]
        data = "\n".join([header, *lines, ""]).encode()
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def _read_csv(path: pathlib.Path) -> np.ndarray:
    """g [c, num_levels] of a table whose first column counts the levels."""
    lines = path.read_text(encoding="utf-8-sig").split()
    if not lines or not lines[0].lower().startswith("level"):
        raise InputError("its first line is not level,g_red,g_green,g_blue or level,g")
    columns = [name.removeprefix("g_") for name in lines[0].lower().split(",")[1:]]
    rows = np.array([[float(x) for x in line.split(",")] for line in lines[1:]], ndmin=2)
    if rows.shape[1] != len(columns) + 1:
        raise InputError(f"its first line names {len(columns) + 1} columns of {rows.shape[1]}")
    if not rows.size or not np.array_equal(rows[:, 0], np.arange(len(rows))):
        raise InputError("its first column does not count the levels 0, 1, 2, ...")
    order = [COLOURS.get(name, -1) for name in columns]
    if sorted(order) == [0, 1, 2]:
        return rows[:, 1:].T[np.argsort(order)]
    if len(order) == 3:
        warn(path, f"has columns {', '.join(columns)}, which are taken for red, green and blue")
    return rows[:, 1:].T

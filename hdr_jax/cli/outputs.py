"""What a command is going to write, checked before anything is computed."""

import pathlib

import jax.numpy as jnp
import numpy as np

from hdr_jax import images, tonemap
from hdr_jax.errors import InputError

SUFFIXES = {
    "map": (".exr", ".hdr", ".jpg", ".jpeg", ".avif"),
    "preview": (".jpg", ".jpeg", ".png", ".tif", ".tiff"),
    "curve": (".csv", ".npy"),
    "plot": (".png",),
    "page": (".html",),
}
EXPECTED = {name: " or ".join(suffixes) for name, suffixes in SUFFIXES.items()}
EXPECTED["map"] = ".exr or .hdr, or .jpg or .avif for HDR screens"
PREVIEW_PIXELS = 2048  # of the longer side


def write_preview(path: pathlib.Path, radiance) -> tuple[int, int]:
    """A radiance map tone-mapped, to look at; returns the picture's (height, width)."""
    small = images.reduced(radiance, PREVIEW_PIXELS)
    images.write(path, np.asarray(tonemap.reinhard(jnp.asarray(small))), comment="tone-mapped")
    return small.shape[:2]


def check(outputs: dict[str, pathlib.Path], inputs: list) -> None:
    """Raises InputError for a wrong suffix, a missing folder, or a file that is also an input."""
    taken = [pathlib.Path(path).resolve() for path in inputs]
    for name, path in outputs.items():
        if path.suffix.lower() not in SUFFIXES[name]:
            raise InputError(f"got {path} for the {name}; expected {EXPECTED[name]}")
        if not path.parent.is_dir():
            raise InputError(f"the folder of {path} does not exist; create it first")
        if path.is_dir():
            raise InputError(f"{path} is a folder; expected the name of a file")
        if path.resolve() in taken:
            raise InputError(f"{path} would be written twice or over an input; give another name")
        taken.append(path.resolve())

"""What a command is going to write, checked before anything is computed."""

import os
import pathlib
from collections.abc import Iterable

import numpy as np
from jax import Array

from hdr_jax import exported, images, tonemap
from hdr_jax.errors import InputError

SUFFIXES = {
    "map": (".exr", ".hdr", ".jpg", ".jpeg", ".avif"),
    "preview": (".jpg", ".jpeg", ".png", ".tif", ".tiff"),
    # Those that can say what wrote them, or the next run would take it for a photograph.
    "visibility map": tuple(x for x in images.PHOTO_SUFFIXES if x != ".bmp"),
    "curve": (".csv", ".npy"),
    "plot": (".png",),
    "page": (".html",),
}
RESULTS = (".csv", ".exr", ".hdr", ".html")  # beside pictures, what may be told to be one
EXPECTED = {name: " or ".join(suffixes) for name, suffixes in SUFFIXES.items()}
EXPECTED["map"] = ".exr or .hdr, or .jpg or .avif for HDR screens"
PREVIEW_PIXELS = 2048  # of the longer side
MEASURED = 2**16  # pixels whose light decides the tones
CANVAS = 256  # the sides of the picture are padded to multiples of it


def write_preview(path: pathlib.Path, radiance, chromaticities=None) -> tuple[int, int]:
    """A radiance map tone-mapped, to look at; returns the picture's (height, width).

    Measured at MEASURED pixels and tone-mapped on a canvas of one of few sizes: a picture of a new
    size needs no new program. Chromaticities are those of the map, where they are not Rec.709's.
    """
    small = images.in_rec709(images.reduced(radiance, PREVIEW_PIXELS), chromaticities).clip(0)
    height, width = small.shape[:2]
    known = known_pixels(small)
    chosen = np.linspace(0, known.shape[1] - 1, MEASURED).astype(int)
    rest = [(0, -side % CANVAS) for side in (height, width)]
    shown = _tone_mapped(known[:, chosen], np.pad(small, [*rest, (0, 0)]))
    images.write(path, np.asarray(shown)[:height, :width], comment="tone-mapped")
    return height, width


def stops_of(radiance: np.ndarray) -> float:
    """`images.stops`; InputError for a map that holds no light."""
    stops = images.stops(radiance)
    if stops is None:
        raise InputError(
            "the map would hold no light, all of its pixels are 0; check exposure times, response "
            "and transparency of the pictures"
        )
    return stops


def known_pixels(radiance: np.ndarray) -> np.ndarray:
    """Pixels [1, n, c] of a map whose radiance is not 0, as where no exposure holds data; of a
    black map all."""
    pixels = radiance.reshape(1, -1, radiance.shape[-1])
    lit = pixels @ np.ones(radiance.shape[-1], np.float32) > 0  # a sixth of the time of max(-1)
    return pixels if lit.all() or not lit.any() else pixels[:, lit[0]]


@exported.jit
def _tone_mapped(measured: Array, radiance: Array) -> Array:
    """Reinhard's operator by what some of the pixels say."""
    return tonemap.with_adaptation(radiance, *tonemap.adaptation(measured))


def check(
    outputs: dict[str, pathlib.Path], inputs: list, unasked: Iterable[pathlib.Path] = ()
) -> None:
    """Raises InputError for a wrong suffix, a missing folder, or as `check_places`."""
    for name, path in outputs.items():
        if path.suffix.lower() not in SUFFIXES[name]:
            raise InputError(f"got {path} for the {name}; expected {EXPECTED[name]}")
        folder = resolved(path).parent  # of the file, where the path is a link
        if not folder.is_dir():
            raise InputError(f"the folder of {path} does not exist; create it first")
        if not os.access(folder, os.W_OK):
            raise InputError(f"nothing can be written into the folder of {path}; give another one")
    check_places(outputs.values(), inputs, unasked)


def resolved(path: pathlib.Path) -> pathlib.Path:
    """The place that a path leads to, behind all links; InputError for links in a ring."""
    try:
        return path.resolve()
    except (RuntimeError, OSError) as error:  # RuntimeError until Python 3.12
        raise InputError(f"{path} leads nowhere ({error}); give another name") from error


def check_places(
    outputs: Iterable[pathlib.Path], inputs: list, unasked: Iterable[pathlib.Path] = ()
) -> None:
    """Raises InputError for a file that is written twice, is also an input, or may not be replaced.

    Pictures, of which one may be a photograph, and outputs whose names nobody typed (`unasked`)
    replace results of this program alone.
    """
    unasked = set(unasked)
    taken = {resolved(pathlib.Path(path)) for path in inputs}
    for path in outputs:
        if path.suffix.lower() in (".exr", ".html") and not _is_text(path):
            shown = str(path).encode(errors="replace").decode()
            raise InputError(
                f"the name {shown} is not UTF-8; give another one, or rename the input"
            )
        place = resolved(path)
        if place in taken:
            raise InputError(f"{path} would be written twice or over an input; give another name")
        if path.exists() and not path.is_file():
            kind = "a folder" if path.is_dir() else "no ordinary file"
            raise InputError(f"{path} is {kind}; expected the name of a file")
        check_writable(path)
        taken.add(place)
        kept = images.PHOTO_SUFFIXES + (RESULTS if path in unasked else ())
        if path.suffix.lower() in kept and path.exists() and not images.is_result(path):
            raise InputError(
                f"{path} exists and is no result of this program, which would replace it; move it, "
                "or give the output another name"
            )


def check_writable(path: pathlib.Path) -> None:
    """Raises InputError for a file that is write-protected."""
    # The superuser may write whatever its mode says.
    if path.exists() and not (os.access(path, os.W_OK) and path.stat().st_mode & 0o222):
        raise InputError(f"{path} is write-protected; give another name")


def _is_text(path: pathlib.Path) -> bool:
    """Whether a name is UTF-8, as OpenEXR and a page want it."""
    try:
        return bool(str(path).encode())
    except UnicodeEncodeError:
        return False

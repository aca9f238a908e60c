"""Photographs of any format as arrays, as they are stored: one reader for each format."""

import io
import pathlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from hdr_jax.images import _formats, _metadata, _raw, _tiff
from hdr_jax.images._paths import Unsupported, quiet
from hdr_jax.images._samples import Samples, unit_range

CMYK = "holds CMYK separations; expected gray or RGB. Convert it to RGB first"


def decode(
    path: pathlib.Path, *, to_srgb: bool = False, balance: tuple[float, ...] | None = None
) -> Samples:
    """The samples of a photograph, not turned.

    Args:
      path: of the file.
      to_srgb: convert by the file's ICC profile, where it has one, to sRGB with 8 bits; encode a
        raw file by sRGB's curve.
      balance: white balance of a raw file, by default its own.

    Returns:
      Colours uint8, uint16 or float32 [h, w, 3], and where they are data.

    Raises:
      Unsupported: for what is no photograph or not read.
      ValueError: if the file is damaged.
    """
    kind = _formats.photo_format(path)
    if kind == "raw":
        return Samples(_raw.develop(path, balance, to_srgb=to_srgb), None)
    profile = _metadata.read(path).profile if to_srgb else None
    if kind == "TIFF":
        colours, valid = _tiff.read(path)
    elif kind == "PNG":
        colours, valid = _of_png(path)
    else:
        colours, valid = _of_others(path, profile)
    if profile:
        colours = _in_srgb(colours, profile)
    if colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    return Samples(np.ascontiguousarray(colours), valid)


def _of_png(path: pathlib.Path) -> Samples:
    """A PNG of any depth; Pillow, which has no 16-bit RGB, reads only its header."""
    import imagecodecs

    with _metadata.opened(path), quiet("imagecodecs"):
        return _split(imagecodecs.png_decode(path.read_bytes()))


def _of_others(path: pathlib.Path, profile: bytes | None) -> Samples:
    """A format of 8 bits, read by Pillow."""
    with _metadata.opened(path) as picture:
        if picture.mode == "CMYK":
            if not profile:
                raise Unsupported(CMYK)
            return Samples(np.array(picture), None)
        if picture.mode not in ("L", "LA", "RGB", "RGBA"):
            transparent = "transparency" in picture.info or picture.mode.endswith(("A", "a"))
            picture = picture.convert("RGBA" if transparent else "RGB")
        return _split(np.array(picture))


def _split(pixels: np.ndarray) -> Samples:
    """Gray, gray with opacity, RGB or RGB with opacity."""
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    colours = 1 if pixels.shape[2] < 3 else 3
    alpha = pixels[..., colours] if pixels.shape[2] > colours else None
    return unit_range(pixels[..., :colours], alpha)


def _in_srgb(colours: np.ndarray, profile: bytes) -> np.ndarray:
    """Colours of an ICC profile in sRGB, uint8 [h, w, 3]."""
    top = np.iinfo(colours.dtype).max if colours.dtype.kind == "u" else 1
    levels = colours if top == 255 else np.rint(colours * (255 / top)).astype(np.uint8)
    source: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space = source.profile.xcolor_space.strip()
    if space == "GRAY" or levels.shape[2] == 1:
        levels = levels[..., 0]
        if space != "GRAY":
            levels = np.repeat(levels[..., None], 3, axis=2)
    mode = {"GRAY": "L", "CMYK": "CMYK"}.get(space, "RGB")
    srgb = ImageCms.createProfile("sRGB")
    picture = Image.fromarray(np.ascontiguousarray(levels), mode if mode == "CMYK" else None)
    return np.array(ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB"))

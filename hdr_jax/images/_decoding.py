"""Photographs of any format as arrays, as they are stored: one reader for each format."""

import io
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageCms

from hdr_jax.color import linear_to_srgb
from hdr_jax.images import _formats, _metadata, _raw, _tiff
from hdr_jax.images._paths import Unsupported, quiet, warn
from hdr_jax.images._primaries import in_rec709, linear, of_photographs
from hdr_jax.images._samples import Samples, in_8_bits, unit_range

OTHER_TRANSFERS = {8: "linear", 16: "PQ", 18: "HLG"}  # by ITU-T H.273
STRIP_ROWS = 256  # that are converted at a time
CMYK = "holds CMYK separations; expected gray or RGB. Convert it to RGB first"


def decode(
    path: pathlib.Path, *, to_srgb: bool = False, balance: tuple[float, ...] | None = None
) -> Samples:
    """The samples of a photograph, not turned.

    Args:
      path: of the file.
      to_srgb: convert to sRGB with 8 bits where the file's ICC profile, or EXIF, tells of another
        space or curve; encode a raw file by sRGB's curve.
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
    told = _metadata.read(path) if to_srgb else _metadata.Metadata()
    if kind == "TIFF":
        colours, valid = _tiff.read(path)
    elif kind == "PNG":
        colours, valid = _of_png(path)
    else:
        colours, valid = _of_others(path, told.profile)
    if told.profile and colours.shape[2] < 4 and not _is_profile(told.profile):
        warn(path, "has an ICC profile that cannot be read: its colours are taken for sRGB")
        told = told._replace(profile=None)
    as_srgb = told.space == "sRGB" and colours.shape[2] < 4
    if told.profile and not (as_srgb and _has_srgb_curve(told.profile)):
        colours = _by_profile(colours, told.profile)
    elif told.space not in (None, "sRGB"):
        colours = _by_name(colours, told.space)
    if colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    return Samples(np.ascontiguousarray(colours), valid)


def _of_png(path: pathlib.Path) -> Samples:
    """A PNG of any depth; Pillow, which has no 16-bit RGB, reads only its header."""
    import imagecodecs

    transfer = _metadata.coded(path)[1]
    if transfer in OTHER_TRANSFERS:
        raise Unsupported(
            f"holds {OTHER_TRANSFERS[transfer]} levels, which no photograph has; expected an "
            "ordinary PNG. Convert it to a radiance map first"
        )
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


def _by_name(colours: np.ndarray, space: str) -> np.ndarray:
    """Colours of a space of `SPACES` in sRGB, uint8 [h, w, 3] or, of gray, [h, w, 1]."""
    levels = in_8_bits(colours)
    # The curve as a table: what 16 bits of light round is a twentieth of a level at most.
    curve = np.asarray(linear_to_srgb(jnp.arange(65536, dtype=jnp.float32) / 65535))
    encoded = np.rint(255 * curve).astype(np.uint8)
    found = np.empty_like(levels)
    for start in range(0, len(levels), STRIP_ROWS):
        light = linear(levels[start : start + STRIP_ROWS], space)
        if light.shape[2] == 3:
            light = in_rec709(light, of_photographs(space)[1])
        steps = np.rint(np.clip(light, 0, 1) * np.float32(65535)).astype(np.uint16)
        found[start : start + STRIP_ROWS] = encoded[steps]
    return found


def _is_profile(profile: bytes) -> bool:
    """Whether an ICC profile is whole."""
    try:
        return bool(ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile)
    except (OSError, ImageCms.PyCMSError):
        return False


def _has_srgb_curve(profile: bytes) -> bool:
    """Whether levels of gray stay what they are, but for rounding, when converted to sRGB."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None, None], 3, axis=2)
    return bool(np.abs(_by_profile(ramp, profile).astype(int) - ramp).max() <= 1)


def _by_profile(colours: np.ndarray, profile: bytes) -> np.ndarray:
    """Colours of an ICC profile in sRGB, uint8 [h, w, 3]."""
    levels = in_8_bits(colours)
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

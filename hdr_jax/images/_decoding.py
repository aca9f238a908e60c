"""Photographs of any format as arrays, as they are stored: one reader for each format."""

import io
import pathlib
from typing import Any

import jax.numpy as jnp
import numpy as np
from PIL import Image, ImageCms

from hdr_jax.color import linear_to_srgb
from hdr_jax.images import _formats, _metadata, _png, _raw, _tiff
from hdr_jax.images._paths import Unsupported, quiet, warn
from hdr_jax.images._primaries import in_rec709, linear, of_photographs
from hdr_jax.images._samples import Samples, in_levels_of, unit_range

# Curves of coded pictures by ITU-T H.273: those that are read, and names of others.
TRANSFERS, OTHER_TRANSFERS = (1, 2, 4, 5, 6, 13, 14, 15), {8: "linear", 16: "PQ", 18: "HLG"}
CHANNELS = {"GRAY": (1,), "RGB": (1, 3), "CMYK": (4,)}  # that a profile of that kind can tell of
STRIP_ROWS = 256  # that are converted at a time
CMYK = "holds CMYK separations; expected gray or RGB. Convert it to RGB first"


def decode(
    path: pathlib.Path, *, to_srgb: bool = False, balance: tuple[float, ...] | None = None
) -> Samples:
    """The samples of a photograph, not turned.

    Args:
      path: of the file.
      to_srgb: convert to sRGB where the file's ICC profile, or EXIF, tells of another space or
        curve, to 8 bits those of 8, to 16 all others; encode a raw file by sRGB's curve.
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
    kind = told.profile and profile_kind(told.profile)
    if told.profile and colours.shape[2] not in CHANNELS.get(str(kind), ()):
        if colours.shape[2] == 4:
            raise Unsupported(CMYK)
        what = f"of {kind} colours" if kind else "that cannot be read"
        warn(path, f"has an ICC profile {what}: its own colours are taken for sRGB")
        told = told._replace(profile=None)
    if told.profile and not (told.space == "sRGB" and has_srgb_curve(told.profile)):
        colours = _by_profile(colours, told.profile)
    elif told.exponent or told.space not in (None, "sRGB"):
        colours = _by_name(colours, told.space or "sRGB", told.exponent)
    if colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    return Samples(np.ascontiguousarray(colours), valid)


def _of_png(path: pathlib.Path) -> Samples:
    """A PNG of any depth; Pillow, which has no 16-bit RGB, reads only its header."""
    import imagecodecs

    coding = _png.coded(path)
    if coding.transfer not in TRANSFERS:
        name = OTHER_TRANSFERS.get(coding.transfer, f"H.273's transfer {coding.transfer} as its")
        raise Unsupported(
            f"holds {name} levels, which no photograph has; expected an ordinary PNG. Convert it "
            "to a radiance map first"
        )
    if not coding.full_range:
        raise Unsupported(
            "holds levels of a narrow range, by its chunk cICP; expected those from black to "
            "white. Convert it to the full range first"
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


def _by_name(colours: np.ndarray, space: str, exponent: float | None) -> np.ndarray:
    """Colours of a space of `SPACES` in sRGB, [h, w, 3] or, of gray, [h, w, 1]: uint8 of uint8,
    uint16 of others. Its curve is a power where an exponent tells so."""
    levels = colours if colours.dtype == np.uint8 else in_levels_of(np.uint16, colours)
    # The curve as a table: what 16 bits of light round is a twentieth of a level of 8 bits at most.
    curve = np.asarray(linear_to_srgb(jnp.arange(65536, dtype=jnp.float32) / 65535))
    encoded = np.rint(np.iinfo(levels.dtype).max * curve).astype(levels.dtype)
    found = np.empty_like(levels)
    for start in range(0, len(levels), STRIP_ROWS):
        light = linear(levels[start : start + STRIP_ROWS], space, exponent)
        if light.shape[2] == 3:
            light = in_rec709(light, of_photographs(space)[1])
        steps = np.rint(np.clip(light, 0, 1) * np.float32(65535)).astype(np.uint16)
        found[start : start + STRIP_ROWS] = encoded[steps]
    return found


def profile_kind(profile: bytes) -> str | None:
    """What an ICC profile tells the colours of.

    Args:
      profile: its bytes.

    Returns:
      "RGB", "GRAY", "CMYK" or another name of ICC.1; None for what is no profile.
    """
    try:
        core: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
    except (OSError, ImageCms.PyCMSError):
        return None
    return core.xcolor_space.strip()


def has_srgb_curve(profile: bytes) -> bool:
    """Whether levels of gray stay what they are, but for rounding, when converted to sRGB.

    Args:
      profile: an ICC profile of kind "RGB" or "GRAY".

    Returns:
      True or False.
    """
    ramp = np.arange(256, dtype=np.uint8)[:, None, None]
    return bool(np.abs(_by_profile(ramp, profile).astype(int) - ramp).max() <= 1)


def _by_profile(colours: np.ndarray, profile: bytes) -> np.ndarray:
    """Colours of an ICC profile in sRGB, [h, w, 3]: uint8 of uint8, uint16 of others."""
    import imagecodecs

    kind = profile_kind(profile)
    levels = colours[..., 0] if kind == "GRAY" else colours
    if kind == "RGB" and levels.shape[2] == 1:
        levels = np.repeat(levels, 3, axis=2)
    srgb: Any = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    if levels.dtype != np.uint8:  # which Pillow does not convert
        return imagecodecs.cms_transform(
            in_levels_of(np.uint16, levels),
            profile,
            srgb.tobytes(),
            colorspace=str(kind).lower(),
            outcolorspace="rgb",
            flags=imagecodecs.CMS.FLAGS.NOOPTIMIZE,  # in coarse tables the shadows would be lost
        )
    picture = Image.fromarray(np.ascontiguousarray(levels), "CMYK" if kind == "CMYK" else None)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return np.array(ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB"))

"""How `hdr_jax.images` decodes pictures: OpenCV's and OpenEXR's pixels as RGB arrays."""

import io
import pathlib

import cv2
import numpy as np
import OpenEXR
from PIL import ExifTags, Image, ImageCms


def bits(path: pathlib.Path, picture: Image.Image) -> int:
    """Bits per channel of a PNG or TIFF, from its header."""
    if picture.format == "PNG":
        with path.open("rb") as file:
            return file.read(25)[24]
    return max(picture.tag_v2.get(ExifTags.Base.BitsPerSample, (1,)))


def decode(path: pathlib.Path) -> np.ndarray:
    """Pixels as OpenCV decodes them, without its messages on stderr."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    finally:
        cv2.utils.logging.setLogLevel(level)
    if pixels is None:
        raise ValueError("the data is incomplete or of an unknown format")
    return pixels


def rgb(pixels: np.ndarray) -> np.ndarray:
    """OpenCV's gray, BGR or BGRA as RGB."""
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels[..., 2::-1])


def in_srgb(path: pathlib.Path, picture: Image.Image) -> Image.Image:
    """A picture converted from its ICC profile to sRGB, 8 bits, its EXIF data kept."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
    exif = picture.getexif()
    if picture.format in ("PNG", "TIFF") and bits(path, picture) > 8:
        # Pillow has no 16-bit RGB.
        picture = Image.fromarray(np.rint(rgb(decode(path)) / 257).astype(np.uint8))
        if source.profile.xcolor_space.strip() == "GRAY":
            picture = picture.convert("L")
    elif picture.mode not in ("L", "RGB", "CMYK"):
        picture = picture.convert("L" if picture.mode == "LA" else "RGB")
    srgb = ImageCms.createProfile("sRGB")
    picture = ImageCms.profileToProfile(picture, source, srgb, outputMode="RGB")
    picture.info["exif"] = exif.tobytes()
    return picture


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """Undo an EXIF orientation 1..8; others are taken as upright."""
    if orientation in (5, 6, 7, 8):
        image = np.swapaxes(image, 0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def read_exr(path: pathlib.Path) -> np.ndarray:
    """Channels R, G, B (or Y) of an EXR's first part."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = file.channels()
        names = ["R", "G", "B"] if "R" in channels else ["Y"] * 3
        missing = [name for name in names if name not in channels]
        if missing:
            raise ValueError(
                f"it has the channels {', '.join(sorted(channels)) or 'none'} but not "
                f"{', '.join(sorted(set(missing)))}"
            )
        return np.stack([np.asarray(channels[name].pixels, np.float32) for name in names], axis=-1)

"""What a file is by its first bytes, whatever its name."""

import pathlib

from hdr_jax.images._paths import RAW_SUFFIXES, Unsupported

# (offset, bytes, format). Raw files with the structure of TIFF are told apart by their tags.
SIGNATURES = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (0, b"BM", "BMP"),
    (8, b"WEBP", "WebP"),
    (0, b"FUJIFILMCCD-RAW", "raw"),
    (0, b"IIRO", "raw"),
    (0, b"IIRS", "raw"),
    (0, b"MMOR", "raw"),
    (0, b"IIU\0", "raw"),
    (6, b"HEAPCCDR", "raw"),
    (4, b"ftypcrx ", "raw"),
    (0, b"FOVb", "raw"),
    (0, b"\0MRM", "raw"),
    (0, b"#?", "Radiance"),
    (0, b"v/1\x01", "OpenEXR"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftypavis", "AVIF"),
    (4, b"ftyphe", "HEIF"),
    (4, b"ftypmif1", "HEIF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\0\0\0\x0cjP", "JPEG 2000"),
    (0, b"GIF8", "GIF"),
    (0, b"8BPS", "Photoshop"),
)
PHOTO_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WebP")
HDR_FORMATS = ("Radiance", "OpenEXR")


def sniffed(path: pathlib.Path) -> str | None:
    """The format of a file; "raw" for what a sensor recorded, None for an unknown one.

    Args:
      path: of the file.

    Returns:
      A name of SIGNATURES, or None.

    Raises:
      OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(32)
    for offset, signature, name in SIGNATURES:
        if head[offset:].startswith(signature):
            return "raw" if name == "TIFF" and _is_raw(path) else name
    return None


def photo_format(path: pathlib.Path) -> str:
    """The format of a photograph.

    Args:
      path: of the file.

    Returns:
      A name of PHOTO_FORMATS, or "raw".

    Raises:
      Unsupported: for another format that is known.
      ValueError: for others.
    """
    name = sniffed(path)
    if name in (*PHOTO_FORMATS, "raw"):
        return name
    if name in HDR_FORMATS:
        raise Unsupported(f"is a radiance map ({name}); expected a photograph")
    if name:
        raise Unsupported(
            f"is a {name} file; expected {', '.join(PHOTO_FORMATS)} or raw. Convert it first"
        )
    raise ValueError("it is of an unknown format")


def _is_raw(path: pathlib.Path) -> bool:
    """Whether a file with the structure of TIFF is a raw file."""
    from hdr_jax.images import _tiff

    if path.suffix.lower() in RAW_SUFFIXES:
        return True
    with _tiff.opened(path) as file:
        return _tiff.is_raw(file)

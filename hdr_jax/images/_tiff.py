"""TIFF pictures: which page is the picture, and what its samples mean."""

import contextlib
import itertools
import pathlib
from collections.abc import Iterator

import numpy as np

from hdr_jax.images._paths import Unsupported, check_size, quiet, warn
from hdr_jax.images._samples import Samples, solid, unit_range
from hdr_jax.levels import white_level

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR = 0, 1, 2, 3, 6
MOSAICS = (32803, 34892)  # colour filter array, linear raw
RAW_COMPRESSIONS = (32767, 34713, 65535)  # of Sony, Nikon, Pentax
OTHERS = {4: "a mask", 5: "CMYK separations", 8: "CIE L*a*b*", 9: "ICC L*a*b*", 10: "ITU L*a*b*"}
JPEG = (6, 7)
ASSOCIATED, UNASSOCIATED = 1, 2
MOST_PAGES = 64


@contextlib.contextmanager
def opened(path: pathlib.Path) -> Iterator:
    """The file, opened by tifffile."""
    import tifffile

    with quiet("tifffile"), tifffile.TiffFile(path) as file:
        if not len(file.pages):
            raise ValueError("it holds no picture")
        yield file


def is_raw(file) -> bool:
    """Whether a file with the structure of TIFF holds what a sensor recorded."""
    if 50706 in file.pages[0].tags or file.filehandle.read_array("u1", 4, 8).tobytes() == b"CR\2\0":
        return True
    return any(
        page.photometric in MOSAICS or page.compression in RAW_COMPRESSIONS for page in _pages(file)
    )


def picture_page(file) -> tuple:
    """The page that holds the picture, and how many could be it.

    It is the largest page that is no reduced copy and no mask, the first of equals.
    """
    whole = [page for page in _pages(file) if not page.is_reduced and not page.is_mask]
    largest = max((_area(page) for page in whole), default=0)
    found = [page for page in whole if _area(page) == largest] or [file.pages[0]]
    return found[0], len(found)


def read(path: pathlib.Path) -> Samples:
    """The picture of a TIFF file.

    Args:
      path: of the file.

    Returns:
      Its samples as they are stored: not turned by the orientation.

    Raises:
      Unsupported: for samples that are no light or cannot be known.
      ValueError: if the file is damaged.
    """
    with opened(path) as file:
        page, count = picture_page(file)
        if count > 1:
            warn(path, f"holds {count} pictures, of which the first is read")
        stored, palette = _stored(page), page.colormap
        masks = [p for p in _pages(file) if p.is_mask and p.shape[:2] == stored.shape[:2]]
        masked = solid(_stored(masks[0])[..., 0]) if masks else None
    kind = page.tags.valueof(262, RGB if stored.shape[2] > 2 else BLACK_IS_ZERO)
    if kind == PALETTE:
        # Entries of 16 bits are levels of 8 bits times 257, or, as some write them, times 256 or 1.
        entries = np.asarray(palette)
        if entries.max() < 256:
            entries = entries.astype(np.uint8)
        elif (entries % 257 == 0).all() or (entries % 256 == 0).all():
            entries = (entries // 256).astype(np.uint8)
        return Samples(entries.T[stored[..., 0]], masked)
    stored = _scaled(page, stored)
    count = 3 if kind in (RGB, YCBCR) else 1
    if stored.shape[2] < count:
        raise ValueError(f"{stored.shape[2]} samples make no colour")
    colours, alpha = stored[..., :count], _alpha(path, page, stored, count)
    if kind == WHITE_IS_ZERO:
        colours = white_level(colours) - colours
    samples = unit_range(colours, alpha, ASSOCIATED in page.extrasamples)
    return samples if masked is None else samples.also(masked)


def _pages(file) -> Iterator:
    """Pages and the pages below them."""
    for page in itertools.islice(file.pages, MOST_PAGES):
        if hasattr(page, "photometric"):
            yield page
            yield from itertools.islice(page.pages or (), MOST_PAGES)


def _area(page) -> int:
    """Pixels of a page."""
    return page.imagewidth * page.imagelength


def _stored(page) -> np.ndarray:
    """The samples [h, w, s] of a page as the file holds them."""
    check_size(page.imagewidth, page.imagelength)
    kind = page.tags.valueof(262)
    if kind not in (None, WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, YCBCR) and not page.is_mask:
        name = OTHERS.get(kind, f"samples of photometric interpretation {kind}")
        raise Unsupported(f"holds {name}; expected gray, RGB or a palette. Convert it first")
    if kind == YCBCR and page.compression not in JPEG:
        raise Unsupported("holds YCbCr samples without JPEG compression; save it as RGB first")
    if page.imagedepth > 1 or page.samplesperpixel > 8:
        raise Unsupported(f"holds {page.imagedepth} x {page.samplesperpixel} samples a pixel")
    size = page.parent.filehandle.size
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    complete = len(segments) >= np.prod(page.chunked)
    if not complete or any(not 0 < count <= size - start for start, count in segments):
        raise ValueError("strips or tiles are missing")
    planes = page.asarray(squeeze=False)[:, 0]  # planes or 1, h, w, samples or 1
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1).reshape(*planes.shape[1:3], -1))


def _scaled(page, stored: np.ndarray) -> np.ndarray:
    """Samples of any depth as uint8, uint16 or float32 in [0, 1]."""
    bits, kind = page.bitspersample, stored.dtype.kind
    if kind == "f":
        return stored.astype(np.float32)
    if kind not in "ub" or not isinstance(bits, int) or bits > 32:
        raise Unsupported(
            f"holds {stored.dtype} samples of {bits} bits; expected unsigned integers of up to 32 "
            "bits or floats in [0, 1]. Save it with 8 or 16 bits"
        )
    if bits in (8, 16):
        return stored
    if bits > 16:
        return (stored / (2.0**bits - 1)).astype(np.float32)
    top, dtype = (255, np.uint8) if bits < 8 else (65535, np.uint16)
    return np.rint(stored * (top / (2**bits - 1))).astype(dtype)


def _alpha(path: pathlib.Path, page, stored: np.ndarray, count: int) -> np.ndarray | None:
    """The samples [h, w] that tell how opaque a pixel is."""
    extra = stored.shape[2] - count
    if extra == 1 and 338 not in page.tags:  # as OpenCV writes it
        return stored[..., count]
    for k, meaning in enumerate(page.extrasamples[:extra]):
        if meaning in (ASSOCIATED, UNASSOCIATED):
            return stored[..., count + k]
    if extra > 0:
        warn(
            path, f"has {extra} samples a pixel that are not said to be opacity; they are left out"
        )
    return None

"""One orientation for all exposures of a scene, whatever their tags say."""

import pathlib
from collections import Counter
from collections.abc import Sequence

import numpy as np

from hdr_jax.errors import InputError
from hdr_jax.images import _metadata
from hdr_jax.images._decoding import decode
from hdr_jax.images._paths import existing, named_errors, warn
from hdr_jax.images._resizing import reduced
from hdr_jax.images._samples import upright

THUMBNAIL = 48  # pixels of the longer side
# Correlation of the ranks of two exposures' pixels: of the same scene at least, and by how much it
# must be higher than in the other orientation.
ALIKE, CLEARLY = 0.5, 0.2


def common(paths: Sequence[pathlib.Path]) -> list[int]:
    """The orientation by which each exposure of a scene is turned.

    Where the tags differ, the pictures tell: a picture whose pixels agree with the others' as they
    are stored was taken like them, and its tag is wrong.

    Args:
      paths: of the photographs.

    Returns:
      EXIF orientations, one for each; 1 for files that cannot be read.

    Raises:
      InputError: if the tags differ and the pictures agree neither way.
    """
    tags = [_tag(path) for path in paths]
    known = [tag for tag in tags if tag is not None]
    usual = Counter(known).most_common(1)[0][0] if known else 1  # the first of equals
    if len(set(known)) < 2:
        return [usual] * len(tags)
    pattern = [_thumbnail(path) for path, tag in zip(paths, tags, strict=True) if tag == usual]
    return [
        usual if tag in (None, usual) else _told(path, tag, usual, pattern)
        for path, tag in zip(paths, tags, strict=True)
    ]


def _tag(path: pathlib.Path) -> int | None:
    """The orientation that a file tells; None if it cannot be read, which is said in its turn."""
    try:
        return _metadata.read(existing(path)).orientation
    except Exception:
        return None


def _told(path: pathlib.Path, tag: int, usual: int, pattern: list[np.ndarray]) -> int:
    """The orientation of a picture whose tag is not the usual one."""
    small = _thumbnail(path)
    others = [upright(other, usual) for other in pattern]
    as_tagged, as_others = (
        max(_correlation(upright(small, turn), other) for other in others) for turn in (tag, usual)
    )
    if as_others > max(ALIKE, as_tagged + CLEARLY):
        warn(
            path, f"has orientation {tag}, but agrees with the others as they are: {usual} is used"
        )
        return usual
    if as_tagged > max(ALIKE, as_others + CLEARLY):
        return tag
    raise InputError(
        f"{path} has orientation {tag} but other pictures have {usual}, and they agree neither "
        "turned by their tags nor as they are stored. Turn all of them upright first."
    )


def _thumbnail(path: pathlib.Path) -> np.ndarray:
    """A picture as it is stored, gray and small."""
    with named_errors(path, "a photograph"):
        colours = decode(existing(path)).colours
    return reduced(colours.astype(np.float32), THUMBNAIL).mean(-1)


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Of the ranks of two pictures' pixels, which no exposure changes; -1 for other shapes."""
    if first.shape != second.shape:
        return -1.0
    ranks, others = _ranks(first), _ranks(second)
    if min(np.ptp(ranks), np.ptp(others)) == 0:
        return 0.0
    return float(np.corrcoef(ranks, others)[0, 1])


def _ranks(image: np.ndarray) -> np.ndarray:
    """The mean rank of every pixel among all."""
    _, inverse, counts = np.unique(image, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse.ravel()]

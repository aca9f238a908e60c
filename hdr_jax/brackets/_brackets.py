"""Exposures of any size: decoded once, kept on disk or in memory, and read in strips of rows."""

import abc
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from hdr_jax import images
from hdr_jax.errors import InputError
from hdr_jax.files import temporary_space
from hdr_jax.progress import Progress, silent
from hdr_jax.sampling import thinning


class Exposures(abc.ABC):
    """Exposures of one scene, wherever they lie.

    Attributes: `shape` (n, h, w, 3) and `dtype`.
    """

    shape: tuple[int, int, int, int]
    dtype: np.dtype

    @abc.abstractmethod
    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows of all exposures [n, stop - start, w, 3]."""

    @abc.abstractmethod
    def picture(self, index: int) -> np.ndarray:
        """One exposure [h, w, 3]."""

    def valid(self, index: int, start: int, stop: int) -> np.ndarray:
        """Where rows of one exposure hold data, bool [stop - start, w]."""
        return np.ones((stop - start, self.shape[2]), bool)

    def valid_rows(self, start: int, stop: int) -> np.ndarray:
        """Where rows of all exposures hold data, bool [n, stop - start, w]."""
        return np.stack([self.valid(j, start, stop) for j in range(self.shape[0])])

    def thinned(self, pixels: int) -> np.ndarray:
        """Every k-th row and column of all exposures, at most so many pixels each."""
        step = thinning(*self.shape[1:3], pixels)
        return np.stack([self.picture(j)[::step, ::step] for j in range(self.shape[0])])

    def valid_thinned(self, pixels: int) -> np.ndarray:
        """Where the pixels of `thinned` hold data, bool [n, h', w']."""
        n, height, width = self.shape[:3]
        step = thinning(height, width, pixels)
        return np.stack([self.valid(j, 0, height)[::step, ::step] for j in range(n)])


class InMemory(Exposures):
    """Exposures of one scene as an array.

    Args:
      stack: [n, h, w, 3].

    Example:
      >>> InMemory(np.zeros((2, 4, 5, 3))).rows(1, 3).shape
      (2, 2, 5, 3)
    """

    def __init__(self, stack: np.ndarray):
        self._stack, self.shape, self.dtype = stack, stack.shape, stack.dtype

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows of all exposures [n, stop - start, w, 3]."""
        return self._stack[:, start:stop]

    def picture(self, index: int) -> np.ndarray:
        """One exposure [h, w, 3]."""
        return self._stack[index]


class Chosen(Exposures):
    """Some of the exposures of a scene, which lie where they lay.

    Args:
      exposures: of the scene.
      indices: [m] which of them.

    Example:
      >>> Chosen(InMemory(np.zeros((3, 4, 5, 3))), [0, 2]).shape
      (2, 4, 5, 3)
    """

    def __init__(self, exposures: Exposures, indices: Sequence[int] | np.ndarray):
        self._exposures, self._indices = exposures, [int(j) for j in indices]
        self.shape, self.dtype = (len(self._indices), *exposures.shape[1:]), exposures.dtype

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows of the chosen exposures [m, stop - start, w, 3]."""
        return self._exposures.rows(start, stop)[self._indices]

    def picture(self, index: int) -> np.ndarray:
        """One exposure [h, w, 3]."""
        return self._exposures.picture(self._indices[index])

    def valid(self, index: int, start: int, stop: int) -> np.ndarray:
        """Where rows of one exposure hold data, bool [stop - start, w]."""
        return self._exposures.valid(self._indices[index], start, stop)


class Brackets(Exposures):
    """Exposures of one scene in a nameless temporary file, which goes when this does.

    Args:
      pictures: [h, w, 3] uint8, uint16 or float32, all alike, consumed one by one; at least one.
        Or pairs of such a picture and where it holds data, bool [h, w] or None for everywhere.

    Raises:
      InputError: if there is none.
      OSError: if the disk of temporary files is full.

    Example:
      >>> with Brackets(np.full((4, 5, 3), z, np.uint8) for z in (10, 20)) as brackets:
      ...     brackets.rows(1, 3).shape
      (2, 2, 5, 3)
    """

    def __init__(self, pictures: Iterable[np.ndarray | tuple[np.ndarray, np.ndarray | None]]):
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._valid: list[np.ndarray | None] = []  # a bit for each pixel
        for picture in pictures:
            picture, valid = picture if isinstance(picture, tuple) else (picture, None)
            with temporary_space():
                np.ascontiguousarray(picture).tofile(self._file)
            if valid is None or valid.all():
                self._valid.append(None)
            else:
                self._valid.append(np.packbits(valid, axis=1))
        if not self._valid:
            self._file.close()
            raise InputError("got no pictures; expected at least one photograph of [h, w, 3]")
        self.shape, self.dtype = (len(self._valid), *picture.shape), picture.dtype

    def __enter__(self) -> "Brackets":
        return self

    def __exit__(self, *exception) -> None:
        self._file.close()

    def picture(self, index: int) -> np.ndarray:
        """One exposure [h, w, 3]."""
        return self._read(index, 0, self.shape[1])

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Rows of all exposures [n, stop - start, w, 3]."""
        return np.stack([self._read(j, start, stop) for j in range(self.shape[0])])

    def valid(self, index: int, start: int, stop: int) -> np.ndarray:
        """Where rows of one exposure hold data, bool [stop - start, w]."""
        bits = self._valid[index]
        if bits is None:
            return super().valid(index, start, stop)
        return np.unpackbits(bits[start:stop], axis=1, count=self.shape[2]) > 0

    def hold_data(self) -> bool:
        """Whether any pixel of any exposure holds data."""
        return any(bits is None or bits.any() for bits in self._valid)

    def _read(self, index: int, start: int, stop: int) -> np.ndarray:
        """Rows of one exposure."""
        _, h, w, c = self.shape
        self._file.seek((index * h + start) * w * c * self.dtype.itemsize)
        values = np.fromfile(self._file, self.dtype, (stop - start) * w * c)
        return values.reshape(stop - start, w, c)


def load(paths: Sequence[pathlib.Path], *, progress: Progress = silent) -> Brackets:
    """Decodes photographs of one size into a temporary file.

    Args:
      paths: photographs.
      progress: shows how far it is, see `hdr_jax.progress`.

    Returns:
      The brackets, in the order of `paths`.

    Raises:
      InputError: if one is missing or damaged, sizes or depths differ, or all are transparent.

    Example: `with load(["a.jpg", "b.jpg"]) as brackets: ...`
    """
    with progress("reading", len(paths)) as advance:
        brackets = Brackets(counted(images.equal_photos(paths), advance))
    if not brackets.hold_data():
        with brackets:
            raise InputError(
                f"all pixels of all {len(paths)} pictures are transparent: their alpha channel is "
                "empty. Save them without it."
            )
    return brackets


def counted(items: Iterable, advance: Callable[[], object]) -> Iterator:
    """The items, calling `advance` behind each."""
    for item in items:
        yield item
        advance()

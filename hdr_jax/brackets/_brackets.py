"""Merging photographs of any size: decoded once, kept on disk, merged in strips of rows.

Memory holds one photograph, one strip of all of them and the radiance map, however many
photographs there are. The strips do not show: every pixel's value is that of `hdr_jax.merge.merge`
on the whole stack, with `extremes_once` (see GHOST_LINKS for deghosting).
"""

import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tqdm

from hdr_jax import crf, images
from hdr_jax.brackets import _alignment, _deghosting, _validity
from hdr_jax.merge import merge

# Values of all exposures together in one strip; about 20 float32 copies of it exist at a time.
STRIP_VALUES = 2**23
# The confidence in an exposure looks 2 radius + 1 pixels around and, where the reference is black
# or white, at exposures nearer to it, which look as far around: strips overlap by two such links.
GHOST_LINKS = 2
# Pixels of all exposures together that the response is recovered from.
RESPONSE_PIXELS = 2**22
# Share of the pixels that all exposures must show for it.
MIN_COMMON = 0.01

Bar = Callable[[Iterable, str], Iterable]


def progress(items: Iterable, name: str) -> Iterable:
    """A progress bar on a terminal that leaves nothing behind.

    Args:
      items: to go through.
      name: what is done.

    Returns:
      The same items.

    Example:
      >>> list(progress([1, 2], "counting"))
      [1, 2]
    """
    return tqdm.tqdm(items, desc=name, leave=False, dynamic_ncols=True, disable=None)


class Brackets:
    """Exposures of one scene in a nameless temporary file, which goes when this does.

    Args:
      pictures: [h, w, 3] uint8, uint16 or float32, all alike, consumed one by one; at least one.
        Or pairs of such a picture and where it holds data, bool [h, w] or None for everywhere.

    Attributes: `shape` (n, h, w, 3) and `dtype`.
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
            np.ascontiguousarray(picture).tofile(self._file)
            whole = valid is None or valid.all()
            self._valid.append(None if whole else np.packbits(valid, axis=1))
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

    def thinned(self, pixels: int) -> np.ndarray:
        """Every k-th row and column of all exposures, at most so many pixels each."""
        step = self._step(pixels)
        return np.stack([self.picture(j)[::step, ::step] for j in range(self.shape[0])])

    def photo(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """One exposure [h, w, 3], and where it holds data, bool [h, w]."""
        return self.picture(index), self._known(index, 0, self.shape[1])

    def valid_rows(self, start: int, stop: int) -> np.ndarray:
        """Where rows of all exposures hold data, bool [n, stop - start, w]."""
        return np.stack([self._known(j, start, stop) for j in range(self.shape[0])])

    def valid_thinned(self, pixels: int) -> np.ndarray:
        """Where the pixels of `thinned` hold data, bool [n, h', w']."""
        step = self._step(pixels)
        return self.valid_rows(0, self.shape[1])[:, ::step, ::step]

    def _step(self, pixels: int) -> int:
        """The k of `thinned`."""
        step = 1
        while -(-self.shape[1] // step) * -(-self.shape[2] // step) > pixels:
            step += 1
        return step

    def _known(self, index: int, start: int, stop: int) -> np.ndarray:
        """Where rows of one exposure hold data."""
        if self._valid[index] is None:
            return np.ones((stop - start, self.shape[2]), bool)
        return np.unpackbits(self._valid[index][start:stop], axis=1, count=self.shape[2]) > 0

    def _read(self, index: int, start: int, stop: int) -> np.ndarray:
        """Rows of one exposure."""
        _, h, w, c = self.shape
        self._file.seek((index * h + start) * w * c * self.dtype.itemsize)
        values = np.fromfile(self._file, self.dtype, (stop - start) * w * c)
        return values.reshape(stop - start, w, c)


def load(paths: Sequence[pathlib.Path], *, bar: Bar = progress) -> Brackets:
    """Decodes photographs of one size into a temporary file.

    Args:
      paths: photographs, 8 or 16 bits.
      bar: shows the progress.

    Returns:
      The brackets, in the order of `paths`.

    Raises:
      ValueError: if one is missing or damaged, or sizes or depths differ.

    Example: `with load(["a.jpg", "b.jpg"]) as brackets: ...`
    """
    return Brackets(images.equal_photos(bar(paths, "reading")))


def response(brackets: Brackets, log_times: np.ndarray, **options) -> np.ndarray:
    """Increasing log inverse response of the camera that took the brackets.

    Args:
      brackets: n exposures.
      log_times: [n] natural logs of exposure times.
      **options: of `hdr_jax.crf.recover`.

    Returns:
      g float32 [3, 256], non-decreasing (`crf.monotone`).

    Raises:
      ValueError: as `crf.recover`.

    Example: `g = response(brackets, np.log([0.1, 0.4]), method="mitsunaga_nayar")`
    """
    pixels = RESPONSE_PIXELS // brackets.shape[0]
    stack, valid = brackets.thinned(pixels), brackets.valid_thinned(pixels)
    valid &= ~_validity.contradicted(stack, log_times, valid)
    common = valid.all(0).mean()
    if common < MIN_COMMON:
        raise ValueError(
            f"only {common:.1%} of the scene is shown by all exposures; expected {MIN_COMMON:.0%} "
            "at least. Leave out the pictures that show less, or give the camera's response."
        )
    if common < 1:
        options["valid"] = valid
    return np.asarray(crf.monotone(crf.recover(stack, log_times, **options)))


def align(
    brackets: Brackets, log_times: np.ndarray, g: np.ndarray, reference: int, *, bar: Bar = progress
) -> tuple[Brackets, list[float]]:
    """The brackets as seen from where the reference was taken, cropped to what all of them show.

    Neighbours in exposure are registered with each other, since they have most in common, and the
    warps are chained.

    Args:
      brackets: n exposures.
      log_times: [n] natural logs of exposure times.
      g: log inverse response [c, num_levels]; its recovery needs no alignment.
      reference: index of the exposure that stays where it is.
      bar: shows the progress.

    Returns:
      (aligned brackets, by how many pixels each exposure was moved at most).

    Raises:
      ValueError: if the exposures hardly overlap.

    Example: `aligned, moved = align(brackets, np.log([0.1, 0.4]), g, 0)`
    """
    n = brackets.shape[0]
    order = list(np.argsort(log_times, kind="stable"))
    middle = order.index(reference)
    pairs = [(order[k + 1], order[k]) for k in range(middle - 1, -1, -1)]
    pairs += [(order[k - 1], order[k]) for k in range(middle + 1, n)]
    warps = {reference: np.eye(3)}
    for neighbour, index in bar(pairs, "aligning"):
        step = _alignment.register(brackets.picture(neighbour), brackets.picture(index), g)
        warps[index] = step @ warps[neighbour]
    warps = [warps[j] for j in range(n)]
    crop = _alignment.common_area(warps, brackets.shape[1:])
    moved = [_alignment.displacement(warp, brackets.shape[1:]) for warp in warps]
    pictures = (
        tuple(_alignment.aligned(part, warps[j], crop) for part in brackets.photo(j))
        for j in bar(range(n), "warping")
    )
    return Brackets(pictures), moved


def merge_strips(
    brackets: Brackets,
    log_times: np.ndarray,
    g: np.ndarray,
    *,
    reference: int | None = None,
    bar: Bar = progress,
) -> np.ndarray:
    """Radiance map of brackets with known response, in bounded memory.

    Args:
      brackets: n >= 2 exposures.
      log_times: [n] natural logs of exposure times.
      g: log inverse response [c, num_levels] or [1, num_levels], non-decreasing.
      reference: index of the exposure whose scene is kept where others disagree (deghosting);
        None merges all of them.
      bar: shows the progress.

    Returns:
      Radiance float32 [h, w, 3], > 0, as `hdr_jax.merge.merge` scales it.

    Raises:
      ValueError: when the numbers of exposures and times differ.

    Example: `radiance = merge_strips(brackets, np.log([0.1, 0.4]), g)`
    """
    n, height, width, channels = brackets.shape
    log_times = np.asarray(log_times, np.float32)
    g = np.broadcast_to(np.asarray(g, np.float32), (channels, g.shape[-1]))
    radius = max(2, round(max(height, width) / 1000))
    margin = 0 if reference is None else GHOST_LINKS * (2 * radius + 1)
    margin += _validity.MARGIN
    rows = max(1, STRIP_VALUES // (n * width * channels))
    radiance = np.empty((height, width, channels), np.float32)
    for start, stop, first, last in bar(list(_strips(height, rows, margin)), "merging"):
        stack, valid = brackets.rows(first, last), brackets.valid_rows(first, last)
        valid &= ~_validity.contradicted(stack, log_times, valid)
        trust = None if valid.all() else valid.astype(np.float32)
        if reference is not None:
            trust = _deghosting.confidence(
                stack, log_times, g, reference=reference, radius=radius, valid=valid
            )
        strip = merge(stack, log_times, g, confidence=trust, extremes_once=True)
        radiance[start:stop] = np.asarray(strip)[start - first : stop - first]
    return radiance


def _strips(height: int, rows: int, margin: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop) of strips of rows, and (first, last) of the rows that are read for each.

    All but short pictures are read in equal numbers of rows, so that one program is compiled.
    """
    window = min(rows + 2 * margin, height)
    for start in range(0, height, rows):
        first = min(max(start - margin, 0), height - window)
        yield start, min(start + rows, height), first, first + window

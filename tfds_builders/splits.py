"""Which split a scene belongs to, where its data set does not say: by a table, or by its name."""

import csv
import pathlib
import warnings
import zlib
from collections.abc import Iterator, Sequence

from hdr_jax import images
from hdr_jax.errors import InputError
from tfds_builders import manual

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
MANIFEST = "manifest.csv"


def by_hash(scene: str) -> str:
    """The same split for the same name, on every machine; 8 in 10 scenes are in "train"."""
    place = zlib.crc32(manual.plain(scene).encode()) / 2**32
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    return "test"


def from_manifest(folder: pathlib.Path, names: Sequence[str]) -> dict[str, str] | None:
    """Splits by `manifest.csv` (columns `view`, `scene`, `split`), in the folder or beside it.

    Args:
      folder: of the data.
      names: `manual.name_of` what is in the folder. The column `view` has these, or their last
        parts, where no other ends so.

    Returns:
      Name -> split, for the names that the table has; None without a table. One that lies beside
      the folder and is of another kind, or names nothing in it, is taken for another folder's.

    Raises:
      InputError: if it lacks columns, names an unknown split or none of `names`, names a view twice
        or several by one name, or puts one scene into two splits.

    Warns:
      UserWarning: of files that the table leaves out, and of views that are not there.
    """
    for path in (folder / MANIFEST, folder.parent / MANIFEST):
        own = path.parent == folder
        if not path.is_file():
            continue
        try:
            rows = _rows(path)
        except InputError:
            if own:
                raise
            continue
        listed = _listed(path, rows)
        if found := dict(_matched(path, listed, names)):
            _warn_of_others(path, folder, listed if own else {}, names, found)
            return found
        if own:
            raise InputError(
                f"{path} names none of the {len(names)} views in {folder}, such as {names[0]}; "
                "expected their names in the column view."
            )
    return None


def _warn_of_others(
    path: pathlib.Path,
    folder: pathlib.Path,
    listed: dict[str, str],
    names: Sequence[str],
    found: dict[str, str],
) -> None:
    """Warns of views of a table that are not there, and of files that it leaves out."""
    known = {*names, *(name.rpartition("/")[2] for name in names)}
    if lost := [view for view in listed if view not in known]:
        warnings.warn(
            f"{path} names {len(lost)} views that are not there, such as {lost[0]}", stacklevel=3
        )
    if out := [name for name in names if name not in found]:
        warnings.warn(
            f"{path} leaves out {len(out)} of the {len(names)} files in {folder}, such as {out[0]}",
            stacklevel=3,
        )


def _matched(
    path: pathlib.Path, listed: dict[str, str], names: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Names and their splits."""
    by_last = {}
    for name in names:
        by_last.setdefault(name.rpartition("/")[2], []).append(name)
    for last, found in by_last.items():
        if last in listed and last not in names:
            if len(found) > 1:
                raise InputError(
                    f"{path} names {last}, which is {found[0]} or {found[1]}; expected names with "
                    "their folders."
                )
            yield found[0], listed[last]
    yield from ((name, listed[name]) for name in names if name in listed)


def _rows(path: pathlib.Path) -> list[dict[str, str]]:
    """The rows of a table with the columns that are needed."""
    with (
        images.named_errors(path, "a table view,scene,split"),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        rows = list(csv.DictReader(file))
    if not rows or not {"view", "scene", "split"} <= set(rows[0]):
        found = ", ".join(map(str, rows[0])) if rows else "no rows"
        raise InputError(f"{path} has {found}; expected the columns view, scene, split.")
    return rows


def _listed(path: pathlib.Path, rows: list[dict[str, str]]) -> dict[str, str]:
    """View -> split."""
    listed, split_of_scene = {}, {}
    for row in rows:
        split, known = row["split"], ", ".join(SHARES)
        if split not in SHARES:
            raise InputError(f"{path} puts {row['view']} into {split!r}; expected {known}.")
        if split_of_scene.setdefault(row["scene"], split) != split:
            raise InputError(
                f"{path} puts scene {row['scene']} into {split_of_scene[row['scene']]} and {split};"
                " expected one split for all views of a scene."
            )
        view = manual.plain((row["view"] or "").strip())
        if view in listed:
            raise InputError(f"{path} names {view} twice; expected each view once.")
        listed[view] = split
    return listed

"""Which split a scene belongs to, where its data set does not say: by a table, or by its name."""

import csv
import pathlib
import zlib
from collections.abc import Sequence

from hdr_jax import images
from hdr_jax.errors import InputError

SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}
MANIFEST = "manifest.csv"


def by_hash(scene: str) -> str:
    """The same split for the same name, on every machine; 8 in 10 scenes are in "train"."""
    place = zlib.crc32(scene.encode()) / 2**32
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    return "test"


def from_manifest(folder: pathlib.Path, names: Sequence[str]) -> dict[str, str] | None:
    """Splits by `manifest.csv` (columns `view`, `scene`, `split`), in the folder or beside it.

    Args:
      folder: of the data.
      names: what the column `view` may name.

    Returns:
      View -> split, for the names that the table has; None without a table. One that lies beside
      the folder and names nothing in it is taken for another folder's.

    Raises:
      InputError: if it lacks columns, names an unknown split or none of `names`, or puts one scene
        into two splits.
    """
    for path in (folder / MANIFEST, folder.parent / MANIFEST):
        if path.is_file():
            listed = _read(path)
            found = {name: listed[name] for name in names if name in listed}
            if found:
                return found
            if path.parent == folder:
                raise InputError(
                    f"{path} names none of the {len(names)} views in {folder}, such as "
                    f"{names[0]}; expected their names in the column view."
                )
    return None


def _read(path: pathlib.Path) -> dict[str, str]:
    """View -> split."""
    with (
        images.named_errors(path, "a table view,scene,split"),
        path.open(newline="", encoding="utf-8-sig") as file,
    ):
        rows = list(csv.DictReader(file))
    if not rows or not {"view", "scene", "split"} <= set(rows[0]):
        found = ", ".join(map(str, rows[0])) if rows else "no rows"
        raise InputError(f"{path} has {found}; expected the columns view, scene, split.")
    split_of_scene = {}
    for row in rows:
        split, known = row["split"], ", ".join(SHARES)
        if split not in SHARES:
            raise InputError(f"{path} puts {row['view']} into {split!r}; expected {known}.")
        if split_of_scene.setdefault(row["scene"], split) != split:
            raise InputError(
                f"{path} puts scene {row['scene']} into {split_of_scene[row['scene']]} and {split};"
                " expected one split for all views of a scene."
            )
    return {row["view"]: row["split"] for row in rows}

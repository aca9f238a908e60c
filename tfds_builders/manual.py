"""Files that a dataset needs from the user: finding them, and knowing them again.

They lie in TFDS's manual directory (`--manual_dir`, by default `<data_dir>/downloads/manual`), or
in its sub-folder called like the dataset.
"""

import hashlib
import pathlib

import tensorflow_datasets as tfds


def directory(dl_manager: tfds.download.DownloadManager, name: str, expected: str) -> pathlib.Path:
    """The manual directory of a download manager.

    Args:
      dl_manager: as TFDS passes it to `_split_generators`.
      name: the dataset's.
      expected: the tree that a person should have made, for the error.

    Returns:
      The path, which exists and is not empty.

    Raises:
      ValueError: if it does not exist or is empty.
    """
    try:
        return pathlib.Path(dl_manager.manual_dir)
    except AssertionError as error:  # what TFDS raises
        raise ValueError(f"{name}: {str(error).splitlines()[0]}\n{_trees(expected)}") from error


def find_files(
    folder: pathlib.Path, name: str, suffixes: tuple[str, ...], expected: str
) -> tuple[pathlib.Path, list[pathlib.Path]]:
    """Files of a kind in a manual directory, or in its sub-folder called like the dataset.

    Args:
      folder: the manual directory.
      name: the dataset's.
      suffixes: what the files end in, lower case.
      expected: the tree that a person should have made, for the error.

    Returns:
      The folder and all its files of that kind, in its sub-folders too, sorted.

    Raises:
      ValueError: if there are none; shows the expected tree and what was found.
    """
    # A manual directory may also hold the files of other datasets, in folders called like them.
    own = any(path.suffix.lower() in suffixes for path in folder.iterdir())
    for place in [folder] if own else [folder / name, folder]:
        files = sorted(
            path
            for path in place.rglob("*")
            if path.suffix.lower() in suffixes and not path.name.startswith(".")
        )
        if files:
            return place, files
    raise ValueError(
        f"{name}: {folder} has no files ending in {' or '.join(suffixes)}.\n"
        f"{_trees(expected, folder)}"
    )


def fingerprint(folder: pathlib.Path, files: list[pathlib.Path]) -> str:
    """A text that changes when files are added, removed, renamed or change their size.

    Args:
      folder: what the files' names are relative to.
      files: the files that a dataset is made from.

    Returns:
      Hexadecimal digits.
    """
    lines = [f"{path.relative_to(folder).as_posix()} {path.stat().st_size}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def check_same_files(builder: tfds.core.DatasetBuilder, folder: pathlib.Path) -> None:
    """Raise if a prepared dataset was made from other files than those in a manual directory.

    TFDS itself would go on reading what was prepared once.

    Args:
      builder: of a prepared dataset; without a method `find_files` nothing is checked.
      folder: the manual directory asked for; nothing is checked if it is gone.

    Raises:
      ValueError: if the files differ.
    """
    known = (builder.info.metadata or {}).get("fingerprint")
    if known and hasattr(builder, "find_files") and pathlib.Path(folder).is_dir():
        found = builder.find_files(pathlib.Path(folder))
        if fingerprint(*found) != known:
            raise ValueError(
                f"{builder.info.full_name} in {builder.data_dir} was made from other files than "
                f"the {len(found[1])} in {found[0]}. Pass another data_dir, or delete that folder."
            )


def _trees(expected: str, folder: pathlib.Path | None = None, limit: int = 12) -> str:
    """The tree that is expected beside the one that was found."""
    lines = ["Expected:", *(f"  {line}" for line in expected.strip().splitlines())]
    if folder is not None:
        found = sorted(folder.rglob("*"))
        lines.append(f"Found in {folder}:")
        lines += [f"  {path.relative_to(folder)}" for path in found[:limit]]
        if len(found) > limit:
            lines.append(f"  ... and {len(found) - limit} more")
    return "\n".join(lines)

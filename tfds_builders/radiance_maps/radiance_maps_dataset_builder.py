"""radiance_maps: a folder of .hdr and .exr files, photographed by random cameras."""

import csv
import pathlib
import re
import zlib

import numpy as np
import tensorflow_datasets as tfds

from hdr_jax import images
from tfds_builders import common, manual, panorama

EXPECTED = """
<manual directory>/           or <manual directory>/radiance_maps/
  kitchen.hdr                 photographs and views, any size
  harbour_4k.exr              2:1 pictures are equirectangular panoramas
  manifest.csv                optional: view,scene,split
"""
SHARES = {"train": 0.8, "val": 0.1, "test": 0.1}


class Builder(tfds.core.GeneratorBasedBuilder):
    """Builder of radiance_maps: the data is the user's own folder."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Radiance maps and panoramas, seven exposures."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put radiance maps (.hdr or .exr, linear RGB) into a folder and name it as the manual "
        f"directory:\n{EXPECTED}"
        "Free panoramas (CC0): https://polyhaven.com/hdris"
    )
    BUILDER_CONFIGS = [
        common.StackConfig(name="native", description="As large as the files, EV -3 .. +3."),
        common.StackConfig(
            name="256", size=256, description="The middle at 256 x 256 pixels, EV -3 .. +3."
        ),
    ]
    DEFAULT_BUILDER_CONFIG_NAME = "native"

    def _info(self) -> tfds.core.DatasetInfo:
        return common.dataset_info(self)

    def find_files(self, folder: pathlib.Path) -> tuple[pathlib.Path, list[pathlib.Path]]:
        """The folder of radiance maps in a manual directory, and its files."""
        return manual.find_files(folder, self.name, images.HDR_SUFFIXES, EXPECTED)

    def _split_generators(self, dl_manager: tfds.download.DownloadManager):
        folder, files = self.find_files(manual.directory(dl_manager, self.name, EXPECTED))
        self.info.metadata["fingerprint"] = manual.fingerprint(folder, files)
        splits = assign_splits(folder, files)
        return {
            split: self._generate_examples(folder, chosen)
            for split in SHARES
            if (chosen := [path for path in files if splits.get(path) == split])
        }

    def _generate_examples(self, folder: pathlib.Path, files: list[pathlib.Path]):
        size = self.builder_config.size
        for path in files:
            name = path.relative_to(folder).with_suffix("").as_posix()
            # Filters leave small negative values in many maps; light is not negative.
            radiance = np.maximum(images.read_hdr(path), 0)
            if panorama.is_panorama(radiance):
                views = panorama.cut(radiance, size)
                named = [(f"{name}_view{k}", view) for k, view in enumerate(views)]
            else:
                named = [(name, radiance if size is None else panorama.middle(radiance, size))]
            for view_name, view in named:
                yield view_name, common.photographed(view, view_name, self.builder_config)


def assign_splits(folder: pathlib.Path, files: list[pathlib.Path]) -> dict[pathlib.Path, str]:
    """Split of every file: by `manifest.csv`, or by a hash of the scene's name.

    The manifest (columns `view`, a file name; `scene`; `split`) lies in the folder or beside it. A
    file that it does not name is left out. Without one, the scene is the file's name without
    numbers and resolutions at its end ("harbour_02_4k" -> "harbour"), so that views of one place
    share a split.

    Raises:
      ValueError: if a manifest lacks columns, names an unknown split or none of the files, or puts
        one scene into two splits.
    """
    for path in (folder / "manifest.csv", folder.parent / "manifest.csv"):
        if path.is_file():
            listed = _read_manifest(path)
            found = {file: listed[file.name] for file in files if file.name in listed}
            if found:
                return found
            if path.parent == folder:
                raise ValueError(
                    f"{path} names none of the {len(files)} files in {folder}, such as "
                    f"{files[0].name}; expected their names in the column view."
                )
    return {file: _split_by_hash(scene_of(file.stem)) for file in files}


def scene_of(stem: str) -> str:
    """Name of the scene that a file name without its suffix stands for."""
    return re.sub(r"([_-]\d+k?)+$", "", stem) or stem


def _split_by_hash(scene: str) -> str:
    """The same split for the same name, on every machine."""
    place = zlib.crc32(scene.encode()) / 2**32
    for split, share in SHARES.items():
        if place < share:
            return split
        place -= share
    return "test"


def _read_manifest(path: pathlib.Path) -> dict[str, str]:
    """View -> split."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    if not rows or not {"view", "scene", "split"} <= set(rows[0]):
        found = ", ".join(map(str, rows[0])) if rows else "no rows"
        raise ValueError(f"{path} has {found}; expected the columns view, scene, split.")
    splits = {}
    for row in rows:
        split, known = row["split"], ", ".join(SHARES)
        if split not in SHARES:
            raise ValueError(f"{path} puts {row['view']} into {split!r}; expected {known}.")
        if splits.setdefault(row["scene"], split) != split:
            raise ValueError(
                f"{path} puts scene {row['scene']} into {splits[row['scene']]} and {split}; "
                "expected one split for all views of a scene."
            )
    return {row["view"]: row["split"] for row in rows}

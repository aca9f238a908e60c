"""radiance_maps: a folder of radiance maps or HDR photographs, photographed by random cameras."""

import pathlib
import re
import warnings

import numpy as np
import tensorflow_datasets as tfds

from hdr_jax import images
from tfds_builders import base, common, manual, panorama, splits

# How cameras and telephones begin the names of files.
CAMERAS = re.compile(
    "_?(img|imgp|mvimg|mg|dsc|dscn|dscf|pxl|dji|gopr|gp|sam|cimg|pict|pano|wp|hdr|p|image|photo|"
    r"\d{8}|(19|20)\d\d)",  # a date, or the year of one
    re.IGNORECASE,
)
FEW = 8  # views of one place
# What ends the names of views of one place: "_02_4k", " v3", ".view3", " (3)". Digits that follow a
# letter may as well count scenes ("scene01"), and do so in a camera's names.
NUMBERS = re.compile(r"(([ _.-]+(v|view)?\d+k?)|([ _.-]*\(\d+\)))+$", re.IGNORECASE)
RESOLUTION = re.compile(r"\d+k", re.IGNORECASE)  # where it is the whole name, the folder tells


class Builder(base.ManualBuilder):
    """Builder of radiance_maps: the data is the user's own folder."""

    VERSION = tfds.core.Version("2.0.0")
    SUPPORTED_VERSIONS = [tfds.core.Version("1.0.0")]  # can be read
    RELEASE_NOTES = {
        "1.0.0": "Radiance maps and panoramas, seven exposures.",
        "2.0.0": "Splits: sub-folders tell scenes apart, numbers behind any separator do not.",
    }
    EXPECTED = """
<manual directory>/           or <manual directory>/radiance_maps/
  kitchen.hdr                 photographs and views, any size
  harbour_4k.exr              2:1 pictures are equirectangular panoramas
  PXL_20260101.jpg            JPEGs with a gain map (Ultra HDR); others are passed over
  manifest.csv                optional: view,scene,split
"""
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put radiance maps (.hdr or .exr, linear RGB, or .jpg with a gain map, as phones write "
        "them) into a folder and name it as the manual "
        f"directory:\n{EXPECTED}"
        "Free panoramas (CC0): https://polyhaven.com/hdris"
    )
    BUILDER_CONFIGS = common.configs()
    DEFAULT_BUILDER_CONFIG_NAME = "native"

    def scenes_in(self, place: pathlib.Path) -> list[manual.SceneFiles]:
        """Every radiance map."""
        files = [
            path
            for path in manual.files_below(place, images.HDR_SUFFIXES + images.JPEG_SUFFIXES)
            if path.suffix.lower() in images.HDR_SUFFIXES
            or (path.exists() and images.is_radiance_map(path))  # a link may lead nowhere
        ]
        split_of = assign_splits(place, files)
        return [
            manual.SceneFiles(
                manual.name_of(path.with_suffix(""), place), split_of[path], source=path
            )
            for path in files
            if path in split_of
        ]

    def read_files(self, scene: manual.SceneFiles) -> manual.Recording:
        """The radiance map."""
        # Filters leave small negative values in many maps; light is not negative.
        return manual.Recording(np.maximum(images.read_hdr(scene.source), 0))

    def examples(self, scene: manual.SceneFiles):
        """The photographed map, or those of a panorama's views but the black ones."""
        radiance, config = self.read(scene).radiance, self.builder_config
        views = {scene.name: radiance}
        if panorama.is_panorama(radiance):
            cut = enumerate(panorama.cut(radiance, config.size))
            views = {f"{scene.name}_view{k}": view for k, view in cut}
            views = {name: view for name, view in views.items() if view.any()} or views
        for name, view in views.items():
            yield name, common.photographed(view, name, config)


def assign_splits(folder: pathlib.Path, files: list[pathlib.Path]) -> dict[pathlib.Path, str]:
    """Split of every file: by `manifest.csv`, or by a hash of the scene's name.

    A file that the manifest (see `splits.from_manifest`) does not name is left out. Without one,
    the scene is `scene_of` the name, so that views of one place share a split.
    """
    if not files:
        return {}
    names = {file: manual.name_of(file, folder) for file in files}
    listed = splits.from_manifest(folder, list(names.values()))
    if listed is not None:
        return {file: listed[name] for file, name in names.items() if name in listed}
    scenes = {file: scene_of(manual.name_of(file.with_suffix(""), folder)) for file in files}
    if len(files) > FEW and len(set(scenes.values())) == 1:
        warnings.warn(
            f"by their names all {len(files)} radiance maps in {folder} show one scene, "
            f"{scenes[files[0]]!r}, and are one split. If they do not, write a manifest.csv (view, "
            "scene, split) beside them, or put every scene into a folder of its own",
            stacklevel=2,
        )
    return {file: splits.by_hash(scene) for file, scene in scenes.items()}


def scene_of(name: str) -> str:
    """The scene that a file shows: its name without separate numbers and resolutions at the end.

    Of a camera's own names ("IMG_0001", "PXL_20260101_120000123") only the numbers tell scenes
    apart.

    Args:
      name: of the file below the folder of the data, without its suffix.

    Returns:
      A name of the scene, with the sub-folder.

    Example:
      >>> scene_of("coast/harbour_02_4k")
      'coast/harbour'
      >>> scene_of("coast/harbour/4K")
      'coast/harbour'
    """
    folder, _, stem = name.rpartition("/")
    if folder and RESOLUTION.fullmatch(stem):
        return folder
    scene = NUMBERS.sub("", stem)
    return name if not scene or CAMERAS.fullmatch(scene) else name.removesuffix(stem) + scene

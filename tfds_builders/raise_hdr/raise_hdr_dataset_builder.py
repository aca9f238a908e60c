"""raise_hdr: raw photographs of the RAISE set as linear light, photographed by random cameras."""

import importlib.util
import pathlib

import numpy as np
import tensorflow_datasets as tfds

from hdr_jax import color, images
from hdr_jax.errors import InputError
from hdr_jax.levels import as_unit_float
from tfds_builders import base, common, manual, splits

RAW_SUFFIXES = (".nef", ".dng")
TIFF_SUFFIXES = (".tif", ".tiff")


class Builder(base.ManualBuilder):
    """Builder of raise_hdr: the files come on request from the University of Trento.

    Option `linear_tiff`: TIFF files hold linear light. By default they are read as sRGB, which is
    what a raw converter writes.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "NEF and 16-bit TIFF, seven synthetic exposures."}
    OPTIONS = {**base.ManualBuilder.OPTIONS, "linear_tiff": False}
    EXPECTED = """
<manual directory>/           or <manual directory>/raise_hdr/
  r000da54ft.NEF              raw files (needs rawpy), or
  r001d260dt.TIF              16-bit TIFF files; a raw file of the same name goes first
  RAISE_1k.csv                not needed
  manifest.csv                optional: view,scene,split
"""
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Ask for RAISE (or RAISE-1k) at http://loki.disi.unitn.it/RAISE/, download the NEF or the "
        f"TIFF files and name their folder as the manual directory:\n{EXPECTED}"
        'NEF files need rawpy: pip install "hdr_jax[raw]", or ".[raw]" in a checkout'
    )
    BUILDER_CONFIGS = common.configs()
    DEFAULT_BUILDER_CONFIG_NAME = "256"

    def scenes_in(self, place: pathlib.Path) -> list[manual.SceneFiles]:
        """Every photograph; splits by manifest or hash."""
        files = manual.files_below(place, TIFF_SUFFIXES + RAW_SUFFIXES)
        if not files:
            return []
        # Of two files of one scene the raw one is taken, which is sorted last.
        files.sort(key=lambda path: path.suffix.lower() in RAW_SUFFIXES)
        by_name = {manual.name_of(path.with_suffix(""), place): path for path in files}
        views = {name: manual.name_of(path, place) for name, path in by_name.items()}
        listed = splits.from_manifest(place, list(views.values()))
        return [
            manual.SceneFiles(name, split, source=path)
            for name, path in sorted(by_name.items())
            if (split := listed.get(views[name]) if listed else splits.by_hash(path.stem))
        ]

    def find_scenes(self, folder: pathlib.Path) -> tuple[pathlib.Path, list[manual.SceneFiles]]:
        """As the base class; complains once, not for every scene, when rawpy is missing."""
        place, scenes = super().find_scenes(folder)
        raw = sum(scene.source.suffix.lower() in RAW_SUFFIXES for scene in scenes)
        if raw and importlib.util.find_spec("rawpy") is None:
            raise InputError(
                f"{self.name}: {raw} of {len(scenes)} photographs in {place} are raw files, which "
                "need rawpy: pip install rawpy. Or put 16-bit TIFF files there instead."
            )
        return place, scenes

    def read_files(self, scene: manual.SceneFiles) -> manual.Recording:
        """Linear light of one photograph; 1 is where the camera clipped."""
        if scene.source.suffix.lower() in RAW_SUFFIXES:
            return manual.Recording(as_unit_float(images.read_photo(scene.source)))
        return manual.Recording(read_tiff(scene.source, self.options["linear_tiff"]))

    def examples(self, scene: manual.SceneFiles):
        """The photographed light."""
        radiance = self.read(scene).radiance
        yield scene.name, common.photographed(radiance, scene.name, self.builder_config)


def read_tiff(path: pathlib.Path, is_linear: bool) -> np.ndarray:
    """Linear light of a 16-bit TIFF.

    Args:
      path: of the file.
      is_linear: its levels are linear, not sRGB-encoded.

    Returns:
      float32 [h, w, 3] in [0, 1].

    Raises:
      InputError: if the file is damaged, or of 8 bits, too few for a radiance map.
    """
    levels = images.read_photo(path)
    if levels.dtype == np.uint8:
        raise InputError(f"{path.name} has 8 bits a channel; expected 16. Export it again.")
    levels = np.rint(as_unit_float(levels) * 65535).astype(np.uint16)  # it may hold floats
    # A table of all levels: quicker than a power for each pixel.
    curve = as_unit_float(np.arange(65536).astype(np.uint16))
    return np.asarray(curve if is_linear else color.srgb_to_linear(curve))[levels]

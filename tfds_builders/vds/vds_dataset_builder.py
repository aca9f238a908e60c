"""vds: 96 scenes of seven recorded exposures with radiance maps, the set of the method's paper."""

import pathlib
import re

import numpy as np
import tensorflow_datasets as tfds

from hdr_jax import images
from hdr_jax.errors import InputError
from hdr_jax.images import PHOTO_SUFFIXES
from tfds_builders import base, common, exposures, manual

# The release's split, for layouts that do not say it: these of t1 .. t96, the other 48 train.
TEST_SCENES = frozenset(
    [3, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 31, 33, 35, 37, 39, 41, 42, 44, 46, 48]
    + [50, 52, 54, 56, 58, 60, 62, 64, 66, 68, 70, 72, 74, 76, 78, 80, 82, 84, 87, 89, 90, 93, 94]
    + [96]
)
NUM_SCENES = 96
EXPOSURE = re.compile(r"_([+-]?\d+(?:\.\d+)?)EV", re.IGNORECASE)  # t1_-3EV_true.jpg.png
SPLIT = re.compile(r"(train|test)([ _-]?hdr)?([ _-]?set)?", re.IGNORECASE)  # a folder's name


class Builder(base.ManualBuilder):
    """Builder of vds: the files come from the authors' download."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "As released: 48 training and 48 test scenes."}
    EXPECTED = """
<manual directory>/                        or <manual directory>/vds/
  train_set/t1/t1_-3EV_true.jpg.png        seven exposures of a scene, -3EV to 3EV
  train_hdr_set/t1/target_hdr.hdr          its radiance map
  test_set/t3/t3_-3EV_true.jpg.png
  test_hdr_set/t3/target_hdr.hdr           or test_hdr/
also as train/set/t1/, train/hdr_set/t1/; or flat, split by the release's table:
  VDS/t1/t1_-3EV_true.jpg.png and VDS/t1/target_hdr.hdr
"""
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Download VDS from its authors (https://siyeong-lee.github.io/hdr_vds_dataset/; cite their "
        "papers if you use it), unpack it and name the folder as the manual directory:"
        f"\n{EXPECTED}"
    )
    BUILDER_CONFIGS = common.configs()
    DEFAULT_BUILDER_CONFIG_NAME = "native"

    def scenes_in(self, place: pathlib.Path) -> list[manual.SceneFiles]:
        """Scenes by the names of their folders, whatever the folders above are called."""
        photos, maps = {}, {}
        for path in manual.files_below(place, PHOTO_SUFFIXES):
            if match := EXPOSURE.search(path.name):
                photos.setdefault(_scene_key(path, place), {})[path] = float(match[1])
        for path in manual.files_below(place, images.HDR_SUFFIXES):
            maps.setdefault(_scene_key(path, place), []).append(path)
        if not photos:
            return []
        # Maps of other sets may lie about: only those whose folder is a scene's count.
        known = {key for key in maps if key in photos or _number(key[1])}
        return [
            manual.SceneFiles(
                name,
                split,
                photos=tuple(photos.get((split, name), {})),
                ev_offset=tuple(photos.get((split, name), {}).values()),
                source=maps.get((split, name), [None])[0],
                tables=tuple(maps.get((split, name), ())[1:]),
            )
            for split, name in sorted({*photos, *known}, key=lambda key: (key[0], _natural(key[1])))
        ]

    def read_files(self, scene: manual.SceneFiles) -> manual.Recording:
        """The config's exposures and the radiance map."""
        if scene.source is None:
            raise InputError(
                f"it has no radiance map; expected a folder {scene.name}/ with target_hdr.hdr."
            )
        scene.check_one_map()
        wanted = self.builder_config.ev_offset
        found = {}
        for ev, path in zip(scene.ev_offset, scene.photos, strict=True):
            if (other := found.setdefault(ev, path)) != path:
                raise InputError(f"it has two files of EV {ev:+g}: {other.name} and {path.name}.")
        missing = [ev for ev in wanted if ev not in found]
        if missing:
            raise InputError(
                f"it lacks EV {', '.join(f'{ev:+g}' for ev in missing)}; expected files named "
                f"like {scene.name}_{missing[0]:g}EV_true.jpg.png."
            )
        stack, _ = images.read_stack([found[ev] for ev in wanted], [2.0**ev for ev in wanted])
        return manual.Recording(
            images.read_hdr(scene.source), exposures.as_bytes(stack), np.asarray(wanted, np.float32)
        )

    def examples(self, scene: manual.SceneFiles):
        """The scene as it was recorded."""
        made = common.recorded(self.read(scene), scene.name, self.builder_config)
        yield f"{scene.split}/{scene.name}", made


def _scene_key(path: pathlib.Path, place: pathlib.Path) -> tuple[str, str]:
    """Split and name of the scene whose folder a file lies in."""
    *above, name = path.parent.relative_to(place).parts or ("",)
    for part in above:
        if match := SPLIT.fullmatch(part):
            return match[1].lower(), name
    return "test" if _number(name) in TEST_SCENES else "train", name


def _number(name: str) -> int | None:
    """1 .. 96 of a scene's name."""
    match = re.fullmatch(r"t(\d+)", name)
    return int(match[1]) if match and 1 <= int(match[1]) <= NUM_SCENES else None


def _natural(name: str) -> tuple[int, str]:
    """Sorts t2 before t10."""
    return _number(name) or 0, name

"""hdr_eye: 46 scenes of nine recorded exposures with radiance maps (EPFL), for evaluation."""

import pathlib

import numpy as np
import tensorflow_datasets as tfds

from hdr_jax import images
from hdr_jax.errors import InputError
from hdr_jax.images import PHOTO_SUFFIXES
from tfds_builders import base, common, exposures, manual

EV_OFFSETS = (-2.7, -2.0, -1.3, -0.7, 0.0, 0.7, 1.3, 2.0, 2.7)
MIDDLE = EV_OFFSETS.index(0.0)
BRACKETS = "Bracketed_images"
BETWEEN = 0.15  # share of the way from EV -0.7 to EV +0.7 by which EV 0 is apart from either
TOLERANCE = 0.4
"""Stops by which the cameras' exposure times may differ from `EV_OFFSETS`."""


class Builder(base.ManualBuilder):
    """Builder of hdr_eye: the files come from EPFL's download."""

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "All scenes in one split, test."}
    EXPECTED = """
<manual directory>/                        or <manual directory>/hdr_eye/
  images/LDR/C01_LDR.tif                   the exposure of EV 0
  images/HDR/C01_HDR.hdr                   the radiance map
  images/Bracketed_images/C01/*.JPG        nine exposures, -2.7 EV to +2.7 EV
also with HDREye/ above images/, or in its place
"""
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Download HDR-Eye from EPFL (https://www.epfl.ch/labs/mmspg/downloads/hdr-eye/), unpack it "
        f"and name the folder as the manual directory:\n{EXPECTED}"
    )
    BUILDER_CONFIGS = common.configs(ev_offset=EV_OFFSETS)
    DEFAULT_BUILDER_CONFIG_NAME = "native"

    def scenes_in(self, place: pathlib.Path) -> list[manual.SceneFiles]:
        """Scenes by the folders of brackets and the radiance maps beside them."""
        parents = [place, place / "images", place / "HDREye", place / "HDREye/images"]
        root = next((parent for parent in parents if (parent / BRACKETS).is_dir()), None)
        if root is None:
            return []
        maps = _by_scene(root / "HDR", images.HDR_SUFFIXES, "_HDR")
        middle = _by_scene(root / "LDR", PHOTO_SUFFIXES, "_LDR")
        brackets = {}
        for path in manual.files_below(root / BRACKETS, PHOTO_SUFFIXES):
            brackets.setdefault(path.parent.name, []).append(path)
        return [
            manual.SceneFiles(
                name,
                "test",
                photos=(*brackets.get(name, ()), *middle.get(name, ())),
                source=maps.get(name, (None,))[0],
                tables=tuple(maps.get(name, ())[1:]),
            )
            for name in sorted({*maps, *brackets})
        ]

    def read_files(self, scene: manual.SceneFiles) -> manual.Recording:
        """The config's exposures and the radiance map."""
        if scene.source is None:
            raise InputError(f"it has no radiance map; expected HDR/{scene.name}_HDR.hdr.")
        scene.check_one_map()
        kept = self.builder_config.kept(EV_OFFSETS)
        radiance = images.read_hdr(scene.source)
        stack = [exposures.fitted(one, radiance.shape) for one in _nine_exposures(scene)[kept]]
        ev_offset = np.asarray(EV_OFFSETS, np.float32)[kept]
        return manual.Recording(radiance, np.stack(stack), ev_offset)

    def examples(self, scene: manual.SceneFiles):
        """The scene as it was recorded."""
        yield scene.name, common.recorded(self.read(scene), scene.name, self.builder_config)


def _nine_exposures(scene: manual.SceneFiles) -> np.ndarray:
    """The brackets from darkest to brightest; the picture of EV 0 stands in for a missing one."""
    brackets = [path for path in scene.photos if path.parent.parent.name == BRACKETS]
    paths = scene.photos if len(brackets) == len(EV_OFFSETS) - 1 else brackets
    if len(paths) != len(EV_OFFSETS):
        raise InputError(
            f"it has {len(brackets)} exposures in {BRACKETS}/{scene.name}; expected "
            f"{len(EV_OFFSETS)}, or one less and LDR/{scene.name}_LDR.tif."
        )
    stack, times = exposures.read(paths), exposures.times_if_known(brackets)
    order, expected = exposures.order(stack[: len(brackets)], times), list(EV_OFFSETS)
    if len(paths) > len(brackets):
        expected.pop(MIDDLE)
        means = stack.mean((1, 2, 3))
        darker, brighter = means[order[MIDDLE - 1]], means[order[MIDDLE]]
        place = (means[-1] - darker) / (brighter - darker)
        if not BETWEEN < place < 1 - BETWEEN:
            raise InputError(
                f"an exposure other than EV 0 is missing in {BRACKETS}/{scene.name}: "
                f"{paths[-1].name} is not the middle one."
            )
    if times is not None:
        stops = np.log2(times[order])
        stops += np.median(expected - stops)
        if np.abs(stops - expected).max() > TOLERANCE:
            raise InputError(
                f"its exposure times are {', '.join(f'{ev:+.1f}' for ev in stops)} EV apart from "
                f"the middle one; expected {', '.join(f'{ev:+.1f}' for ev in expected)}."
            )
    return stack[order if len(paths) == len(brackets) else np.insert(order, MIDDLE, len(brackets))]


def _by_scene(
    folder: pathlib.Path, suffixes: tuple[str, ...], ending: str
) -> dict[str, list[pathlib.Path]]:
    """Scene -> its files in a folder, where a file is called after its scene with an ending."""
    found = {}
    for path in manual.files_below(folder, suffixes):
        found.setdefault(path.stem.removesuffix(ending), []).append(path)
    return found

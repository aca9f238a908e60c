"""bracketed_photos: folders of one's own bracketed photographs, merged into radiance maps."""

import dataclasses
import math
import pathlib
import warnings
from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds

from hdr_jax import images
from hdr_jax.errors import InputError
from hdr_jax.images import EXPOSURES_FILE, PHOTO_SUFFIXES, RAW_SUFFIXES
from hdr_jax.merge import synthesize
from tfds_builders import base, common, exposures, manual, splits

MAX_EV = 10.0


class Builder(base.ManualBuilder):
    """Builder of bracketed_photos: the data is the user's own folder.

    Options: `ev`, the stops between neighbouring exposures, which are then ordered by their
    brightness (by default the times come from `exposures.csv` or EXIF); `align`, shift the
    exposures onto each other first, for photographs taken by hand.
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Every exposure of every folder, merged by Debevec and Malik."}
    OPTIONS = {**base.ManualBuilder.OPTIONS, "ev": None, "align": False}
    EXPECTED = """
<manual directory>/           or <manual directory>/bracketed_photos/
  bridge/                     one folder a scene, two photographs or more, one size
    IMG_1.jpg                 exposure times from EXIF,
    IMG_2.jpg
    exposures.csv             or from this table: file,exposure_time_s
  manifest.csv                optional: view,scene,split (view: the folder)
"""
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put bracketed photographs into one folder a scene, and name the folder above as the "
        f"manual directory:\n{EXPECTED}"
        "Without exposure times give their spacing: tfds.builder('bracketed_photos', ev=2.0)"
    )
    BUILDER_CONFIGS = common.configs(ev_offset=None)
    DEFAULT_BUILDER_CONFIG_NAME = "native"

    def __init__(self, **arguments):
        """Takes the arguments of `base.ManualBuilder`. Raises InputError for an impossible `ev`."""
        super().__init__(**arguments)
        ev = self.options["ev"]
        if ev is not None and not (isinstance(ev, int | float) and 0 < ev <= MAX_EV):
            raise InputError(f"{self.name} got ev={ev!r}; expected stops above 0, such as 2.")

    def scenes_in(self, place: pathlib.Path) -> list[manual.SceneFiles]:
        """Every sub-folder with photographs or a table."""
        folders = {}
        for path in manual.files_below(place, (*PHOTO_SUFFIXES, ".csv")):
            if path.suffix.lower() in PHOTO_SUFFIXES or path.name == EXPOSURES_FILE:
                folders[manual.name_of(path.parent, place)] = path.parent
        files = {name: _files(path) for name, path in folders.items() if path != place}
        files = {name: found for name, found in files.items() if any(found)}
        if not files:
            return []
        _warn_of_raw(place, set(folders.values()) - {place})
        listed = splits.from_manifest(place, list(files))
        return [
            manual.SceneFiles(name, split, photos=photos, tables=tables)
            for name, (photos, tables) in files.items()
            if (split := listed.get(name) if listed else splits.by_hash(name))
        ]

    def read_files(self, scene: manual.SceneFiles) -> manual.Recording:
        """The exposures from darkest to brightest, aligned if asked for."""
        ev = self.options["ev"]
        photos = scene.photos or images.find_photos(scene.files[0].parent)  # says what is wrong
        if ev is None:
            _check_timed(photos)
            stack, times = images.read_stack(photos)
            stack = exposures.as_bytes(stack)
            order = exposures.order(stack, times)
            stops = np.log2(times[order])
        else:
            stack = exposures.read(photos)
            order = exposures.order(stack)
            stops = ev * np.arange(len(order))
        if np.ptp(stops) == 0:
            raise InputError(
                f"it has {len(stack)} photographs of one exposure time; expected two times or more."
            )
        stack = stack[order]
        if self.options["align"]:
            stack = exposures.aligned(stack)
        ev_offset = (stops - stops[len(stops) // 2]).astype(np.float32)
        return manual.Recording(stack=stack, ev_offset=ev_offset)

    def examples(self, scene: manual.SceneFiles):
        """The exposures, and the radiance map that all of them make."""
        made = self.read(scene)
        # In units of the exposure that clips at EV 0, as the maps of synthetic exposures.
        radiance, _ = synthesize(made.stack, math.log(2) * made.ev_offset)
        made = dataclasses.replace(made, radiance=np.asarray(radiance))
        yield scene.name, common.recorded(made, scene.name, self.builder_config)


def _check_timed(photos: Sequence[pathlib.Path]) -> None:
    """Raises InputError for photographs without times; what else is wrong `read_stack` says."""
    if images.exposure_source(photos) == EXPOSURES_FILE:
        return
    for path in photos:
        if images.read_exposure_time(path) is None:
            raise InputError(
                f"{path} has no exposure time in its EXIF data and none in {EXPOSURES_FILE} beside "
                "it. Write that table (file,exposure_time_s), or give the stops between the "
                "exposures: hdr-jax data ... --option ev=2 (the data set bracketed_photos/ev=2)"
            )


def _warn_of_raw(place: pathlib.Path, developed: set[pathlib.Path]) -> None:
    """Warns of folders of raw files alone; not of originals below what was developed of them."""
    raw = {path.parent for path in manual.files_below(place, RAW_SUFFIXES)} - {place}
    if left_out := sorted(f for f in raw if developed.isdisjoint({f, *f.parents})):
        warnings.warn(
            f"{len(left_out)} folders hold raw files alone and are left out, such as "
            f"{left_out[0]}: develop them to TIFF or JPEG, as exposures of 8 bits are kept",
            stacklevel=3,
        )


def _files(folder: pathlib.Path) -> tuple[tuple[pathlib.Path, ...], tuple[pathlib.Path, ...]]:
    """Photographs and tables that are read of a folder: neither previews nor what no table names.

    There are no photographs where the table is bad.
    """
    table = folder / EXPOSURES_FILE
    tables = (table,) if table.is_file() else ()
    try:
        return tuple(images.find_photos(folder)), tables
    except InputError:
        return (), tables

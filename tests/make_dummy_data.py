"""Makes the small files that the builders' tests read: `python tests/make_dummy_data.py`.

Run it again after a change here and commit what it writes; the pictures are procedural.
"""

import pathlib
import shutil

import numpy as np
from PIL import ExifTags, Image

from hdr_jax import images, synthetic

BUILDERS = pathlib.Path(__file__).resolve().parents[1] / "tfds_builders"
SIZE = 16, 24  # height, width of the pictures
VDS_EV = range(-3, 4)
HDR_EYE_EV = (-2.7, -2.0, -1.3, -0.7, 0.0, 0.7, 1.3, 2.0, 2.7)

VDS_LAYOUTS = {
    "released": ("{split}_set/{scene}", "{split}_hdr_set/{scene}", "{scene}_{ev}EV_true.jpg.png"),
    "readme": ("{split}_set/{scene}", "{split}_hdr/{scene}", "{scene}_{ev}EV_true.jpg.png"),
    "nested": ("{split}/set/{scene}", "{split}/hdr_set/{scene}", "{scene}_{ev}EV_true.jpg.png"),
    "flat": ("VDS/{scene}", "VDS/{scene}", "{scene}_{ev}EV_true.jpg.png"),
    "decimals": ("VDS/{scene}", "VDS/{scene}", "{scene}_{ev:.1f}EV_true.jpg.png"),
}
"""Folder of a scene's exposures, folder of its map, names of the exposures."""
HDR_EYE_ROOTS = ("images", "HDREye", "HDREye/images")


def radiance_maps(folder: pathlib.Path) -> None:
    """Two views and a photograph in three splits, and a panorama."""
    folder.mkdir(parents=True, exist_ok=True)
    images.write(folder / "garden.hdr", light(0))
    images.write(folder / "kitchen_01.hdr", light(1))
    images.write(folder / "tunnel.exr", light(2))
    images.write(folder / "attic_2k.exr", panorama(16))


def vds(folder: pathlib.Path, layout: str = "released") -> None:
    """Two training scenes and a test scene, in one of `VDS_LAYOUTS`."""
    photo_folder, map_folder, name = VDS_LAYOUTS[layout]
    for number, (scene, split) in enumerate({"t1": "train", "t2": "train", "t3": "test"}.items()):
        radiance = light(number)
        photos = folder / photo_folder.format(split=split, scene=scene)
        maps = folder / map_folder.format(split=split, scene=scene)
        for path in (photos, maps):
            path.mkdir(parents=True, exist_ok=True)
        images.write(maps / "target_hdr.hdr", radiance)
        np.save(maps / "crf.npy", np.zeros(1))  # released with some scenes, not read
        for ev in VDS_EV:
            images.write(photos / name.format(scene=scene, ev=ev), photograph(radiance, ev))


def hdr_eye(folder: pathlib.Path, root: str = "images") -> None:
    """Two scenes below one of `HDR_EYE_ROOTS`: one with exposure times, one without."""
    for number, scene in enumerate(("C01", "C02")):
        radiance = light(number)
        brackets = folder / root / "Bracketed_images" / scene
        for path in (brackets, folder / root / "LDR", folder / root / "HDR"):
            path.mkdir(parents=True, exist_ok=True)
        images.write(folder / root / f"HDR/{scene}_HDR.hdr", radiance)
        images.write(folder / root / f"LDR/{scene}_LDR.tif", photograph(radiance, 0))
        # A camera brackets around the middle first: names do not follow the exposure.
        for k, ev in enumerate(sorted(HDR_EYE_EV, key=abs)):
            time = 2.0**ev / 60 if scene == "C01" else None
            write_jpeg(brackets / f"DSC_{k:04d}.JPG", photograph(radiance, ev), time)


def raise_hdr(folder: pathlib.Path) -> None:
    """Three 16-bit TIFF files, one in each split."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(("r000da50ft", "r001a7d1t", "r008a7d1t")):
        encoded = np.clip(light(number) / light(number).max() * 4, 0, 1) ** (1 / 2.2)
        images.write(folder / f"{name}.TIF", np.rint(encoded * 65535).astype(np.uint16))
    (folder / "RAISE_1k.csv").write_text("File,NEF,TIFF\n")


def bracketed_photos(folder: pathlib.Path) -> None:
    """Three scenes, one in each split: times from EXIF, or from a table."""
    for number, scene in enumerate(("bridge", "canal", "river")):
        (folder / scene).mkdir(parents=True, exist_ok=True)
        rows = ["file,exposure_time_s"]
        for k, ev in enumerate((0, -1, 1, -2, 2)):
            name, time = f"IMG_{k}.jpg", 2.0**ev / 30
            picture = photograph(light(number), ev)
            write_jpeg(folder / scene / name, picture, None if scene == "canal" else time)
            rows.append(f"{name},{time:.8f}")
        if scene == "canal":
            (folder / scene / "exposures.csv").write_text("\n".join(rows) + "\n")


def synthetic_stacks(folder: pathlib.Path) -> None:
    """Nothing is read: a note that says so."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("synthetic_stacks computes its scenes and reads no files.\n")


def light(number: int) -> np.ndarray:
    """A procedural scene whose median is middle gray."""
    radiance = synthetic.render_scene(number, *SIZE)
    return (0.18 * radiance / np.median(radiance)).astype(np.float32)


def photograph(radiance: np.ndarray, ev: float) -> np.ndarray:
    """An exposure of a camera with gamma 2.2."""
    return np.rint(255 * np.clip(radiance * 2.0**ev, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def write_jpeg(path: pathlib.Path, picture: np.ndarray, exposure_time: float | None = None) -> None:
    """A JPEG file with the exposure time in its EXIF data."""
    exif = Image.Exif()
    if exposure_time is not None:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = exposure_time
    Image.fromarray(picture).save(path, quality=95, subsampling=0, exif=exif)


def panorama(height: int) -> np.ndarray:
    """An equirectangular picture of a sky over a floor, with a bright window."""
    latitude = (0.5 - (np.arange(height)[:, None] + 0.5) / height) * np.pi
    longitude = ((np.arange(2 * height) + 0.5) / height - 1) * np.pi
    sky = np.where(latitude > 0, 0.5 + np.sin(latitude), 0.1 + 0 * longitude)
    window = (np.abs(longitude) < 0.4) & (np.abs(latitude - 0.3) < 0.3)
    gray = np.where(window, 500.0, sky * (1.2 + np.cos(longitude)))
    return (gray[..., None] * np.array([0.9, 1.0, 1.1])).astype(np.float32)


def main() -> None:
    """Write the dummy data of every builder anew."""
    makers = (bracketed_photos, hdr_eye, radiance_maps, raise_hdr, synthetic_stacks, vds)
    for make in makers:
        folder = BUILDERS / make.__name__ / "dummy_data"
        shutil.rmtree(folder, ignore_errors=True)
        make(folder)


if __name__ == "__main__":
    main()

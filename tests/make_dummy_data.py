"""Makes the small files that the builders' tests read: `python tests/make_dummy_data.py`.

Run it again after a change here and commit what it writes; the pictures are procedural.
"""

import pathlib

import numpy as np

from hdr_jax import images, scenes

BUILDERS = pathlib.Path(__file__).resolve().parents[1] / "tfds_builders"


def radiance_maps(folder: pathlib.Path) -> None:
    """Two views and a photograph in three splits, and a panorama."""
    folder.mkdir(parents=True, exist_ok=True)
    images.write(folder / "garden.hdr", scenes.render_scene(0, 16, 24))
    images.write(folder / "kitchen_01.hdr", scenes.render_scene(1, 16, 24))
    images.write(folder / "tunnel.exr", scenes.render_scene(2, 16, 24))
    images.write(folder / "attic_2k.exr", panorama(16))


def panorama(height: int) -> np.ndarray:
    """An equirectangular picture of a sky over a floor, with a bright window."""
    latitude = (0.5 - (np.arange(height)[:, None] + 0.5) / height) * np.pi
    longitude = ((np.arange(2 * height) + 0.5) / height - 1) * np.pi
    sky = np.where(latitude > 0, 0.5 + np.sin(latitude), 0.1 + 0 * longitude)
    window = (np.abs(longitude) < 0.4) & (np.abs(latitude - 0.3) < 0.3)
    gray = np.where(window, 500.0, sky * (1.2 + np.cos(longitude)))
    return (gray[..., None] * np.array([0.9, 1.0, 1.1])).astype(np.float32)


def synthetic_stacks(folder: pathlib.Path) -> None:
    """Nothing is read: a note that says so."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("synthetic_stacks computes its scenes and reads no files.\n")


def main() -> None:
    """Write the dummy data of every builder."""
    for make in (radiance_maps, synthetic_stacks):
        make(BUILDERS / make.__name__ / "dummy_data")


if __name__ == "__main__":
    main()

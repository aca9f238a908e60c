"""A contact sheet of a data set: exposures and tone-mapped radiance maps of its scenes."""

from collections.abc import Iterable

import cv2
import numpy as np

from hdr_jax import tonemap
from hdr_jax.data import scene_name
from hdr_jax.errors import InputError
from hdr_jax.images import resized
from hdr_jax.runs import figures

HEIGHT, WIDTH = 108, 160  # of a thumbnail
CAPTION = 14  # height of the line below it
COLUMNS = 7  # exposures shown of a scene


def draw(scenes: Iterable[dict]) -> np.ndarray:
    """One row a scene: its exposures from darkest to brightest, then its radiance map (Reinhard).

    Args:
      scenes: of a source (see `hdr_jax.data`); of more than seven exposures an even choice is
        shown.

    Returns:
      [H, W, 3] float32 in [0, 1].

    Raises:
      InputError: without scenes.

    Not differentiable.
    Example:
      >>> scene = {"stack": np.zeros((2, 8, 12, 3), np.uint8), "ev_offset": np.array([-1.0, 1.0]),
      ...          "hdr": np.ones((8, 12, 3), np.float32), "scene": "one"}
      >>> draw([scene]).shape
      (126, 488, 3)
    """
    rows = [_row(scene) for scene in scenes]
    if not rows:
        raise InputError("got no scenes to draw; expected one at least.")
    columns = max(map(len, rows))
    blank = np.ones((HEIGHT + CAPTION, WIDTH, 3), np.float32)
    return figures.tile([row[:-1] + [blank] * (columns - len(row)) + row[-1:] for row in rows])


def _row(scene: dict) -> list[np.ndarray]:
    """Captioned thumbnails of one scene."""
    count = len(scene["stack"])
    shown = np.unique(np.linspace(0, count - 1, min(count, COLUMNS)).round().astype(int))
    row = [
        _captioned(_thumbnail(scene["stack"][j]), f"{scene['ev_offset'][j]:+.2g} EV") for j in shown
    ]
    hdr = np.asarray(tonemap.reinhard(_thumbnail(np.asarray(scene["hdr"]))))
    return [*row, _captioned(np.rint(hdr * 255).astype(np.uint8), scene_name(scene["scene"])[:24])]


def _thumbnail(picture: np.ndarray) -> np.ndarray:
    """A picture as large as fits."""
    height, width = picture.shape[:2]
    scale = min(HEIGHT / height, WIDTH / width)
    return resized(picture, max(round(height * scale), 1), max(round(width * scale), 1))


def _captioned(picture: np.ndarray, text: str) -> np.ndarray:
    """A uint8 picture in the middle of a white frame with a line below it, as float in [0, 1]."""
    height, width = picture.shape[:2]
    top, left = (HEIGHT - height) // 2, (WIDTH - width) // 2
    framed = np.full((HEIGHT + CAPTION, WIDTH, 3), 255, np.uint8)
    framed[top : top + height, left : left + width] = picture
    line, black = (2, HEIGHT + CAPTION - 4), (0, 0, 0)
    cv2.putText(framed, text, line, cv2.FONT_HERSHEY_SIMPLEX, 0.36, black, 1, cv2.LINE_AA)
    return framed / np.float32(255)

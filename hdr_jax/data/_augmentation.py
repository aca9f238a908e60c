"""Crops, turns and edges of one scene: what stands between a source and its batches.

A *scene* is a dict of `stack` uint8 [n, h, w, 3], `ev_offset` float32 [n] (stops) and `hdr` float32
[h, w, 3] (linear, relative). Every change is the same for all exposures and the radiance map.
Exposures are resized as they are, display-encoded, and the radiance map in linear light: at strong
edges they then agree only nearly.
"""

from collections.abc import Callable

import numpy as np

from hdr_jax import images, synthetic
from hdr_jax.errors import InputError

Scene = dict[str, np.ndarray]


def decode(scene: dict) -> Scene:
    """One scene of a source as plain arrays.

    Args:
      scene: `stack` (pictures or an array), `ev_offset`, `hdr` and, for errors, `scene`.

    Returns:
      `stack` uint8 [n, h, w, 3], `ev_offset` float32 [n], `hdr` float32 [h, w, 3].

    Raises:
      InputError: naming the scene, if its shapes do not fit.

    Not differentiable.
    Example: `scene = decode(source[0])`
    """
    shapes = {np.shape(picture) for picture in scene["stack"]}
    hdr, ev_offset = scene["hdr"], np.asarray(scene["ev_offset"], np.float32)
    check(
        shapes == {np.shape(hdr)} and len(scene["stack"]) == len(ev_offset),
        f"scene {scene_name(scene.get('scene', '?'))} with exposures {sorted(shapes)}, a radiance "
        f"map {np.shape(hdr)} and {len(ev_offset)} EV offsets",
        "equal sizes and counts",
    )
    return {
        "stack": np.asarray(scene["stack"], np.uint8),
        "ev_offset": ev_offset,
        "hdr": np.asarray(hdr, np.float32),
    }


def augmented(scene: Scene, size: int, rng: np.random.Generator) -> Scene:
    """A random square of a scene, at a random scale, flipped and turned.

    The side of the square is drawn log-uniformly between 2/3 `size` (or of the shorter side, if
    that is less) and the shorter side; it is resized to `size`.

    Args:
      scene: `stack`, `hdr`, `ev_offset` of one scene.
      size: of the result, pixels.
      rng: where the square and the turn are drawn from.

    Returns:
      The scene, [n, size, size, 3] and [size, size, 3].

    Not differentiable.
    Example: `scene = augmented(scene, 256, np.random.default_rng(0))`
    """
    height, width = scene["hdr"].shape[:2]
    longest = min(height, width)
    shortest = max(min(size, longest) * 2 / 3, 1)
    side = int(round(np.exp(rng.uniform(np.log(shortest), np.log(longest)))))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))

    def change(picture: np.ndarray) -> np.ndarray:
        picture = images.resized(picture[top : top + side, left : left + side], size, size)
        picture = np.rot90(picture, turns)
        return picture[:, ::-1] if mirrored else picture

    return _each_picture(scene, change)


def centred(scene: Scene, height: int, width: int) -> Scene:
    """The middle of a scene; a scene too small is enlarged first until it covers it.

    Args:
      scene: `stack`, `hdr`, `ev_offset` of one scene.
      height, width: of the result, pixels.

    Returns:
      The scene, [n, height, width, 3] and [height, width, 3].

    Not differentiable.
    Example: `scene = centred(scene, 256, 256)`
    """
    rows, columns = scene["hdr"].shape[:2]
    scale = max(height / rows, width / columns, 1.0)
    enlarged = max(height, round(rows * scale)), max(width, round(columns * scale))
    top, left = (enlarged[0] - height) // 2, (enlarged[1] - width) // 2

    def change(picture: np.ndarray) -> np.ndarray:
        return images.resized(picture, *enlarged)[top : top + height, left : left + width]

    return _each_picture(scene, change)


def rephotographed(scene: Scene, metering_stops: float, rng: np.random.Generator) -> Scene:
    """Replace a scene's exposures by those of a random camera.

    Args:
      scene: `stack`, `hdr`, `ev_offset` of one scene.
      metering_stops: the meter errs by up to so many stops.
      rng: where camera and error are drawn from.

    Returns:
      The scene, its radiance map in units of the exposure that clips at EV 0.

    Not differentiable.
    Example: `scene = rephotographed(scene, 1.0, np.random.default_rng(0))`
    """
    hdr = synthetic.meter(scene["hdr"], metering_stops * rng.uniform(-1, 1))
    return {**scene, "hdr": hdr, "stack": synthetic.photograph(hdr, scene["ev_offset"], rng)}


def with_edges(
    scene: Scene,
    sigma: float = 2.0,
    channel_weights: tuple[float, float, float] = images.RGB_WEIGHTS,
) -> Scene:
    """Add the Canny edge map of every exposure.

    Args:
      scene: `stack` uint8 [n, h, w, 3] and whatever else.
      sigma: of the Gaussian, pixels.
      channel_weights: of the gray picture whose edges they are, see `hdr_jax.images.canny`.

    Returns:
      The scene with `edges` uint8 [n, h, w, 1].

    Not differentiable.
    Example: `scene = with_edges({"stack": stack})`
    """
    maps = [
        images.canny(picture, sigma, channel_weights=channel_weights) for picture in scene["stack"]
    ]
    return {**scene, "edges": np.stack(maps)[..., None]}


def _each_picture(scene: Scene, change: Callable[[np.ndarray], np.ndarray]) -> Scene:
    """The same change to every exposure and to the radiance map."""
    return {
        **scene,
        "stack": np.stack([change(picture) for picture in scene["stack"]]),
        "hdr": np.ascontiguousarray(change(scene["hdr"])),
    }


def scene_name(scene: str | bytes) -> str:
    """Scene name as text (TFDS gives bytes)."""
    return scene.decode() if isinstance(scene, bytes) else str(scene)


def check(condition: bool, got: str, expected: str) -> None:
    """Raise unless the condition holds."""
    if not condition:
        raise InputError(f"got {got}; expected {expected}.")

"""Crops, turns and edges of one example: what stands between a source and its batches.

An *example* is a dict of `stack` uint8 [n, h, w, 3], `ev_offset` float32 [n] (stops) and `hdr`
float32 [h, w, 3] (linear, relative). Every change is the same for all exposures and the radiance
map.
Exposures are resized as they are, display-encoded, and the radiance map in linear light: at strong
edges they then agree only nearly.
"""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from hdr_jax import images, synthetic
from hdr_jax.errors import InputError

Example = dict[str, np.ndarray]


def decode(example: dict) -> Example:
    """One example of a source as plain arrays.

    Args:
      example: `stack` (pictures or an array), `ev_offset`, `hdr` and, for errors, `scene`.

    Returns:
      `stack` uint8 [n, h, w, 3], `ev_offset` float32 [n], `hdr` float32 [h, w, 3].

    Raises:
      InputError: naming the scene, if its shapes do not fit or its exposures are not uint8.

    Not differentiable.
    Example: `example = decode(source[0])`
    """
    stack = [np.asarray(picture) for picture in example["stack"]]
    shapes = {picture.shape for picture in stack}
    hdr, ev_offset = example["hdr"], np.asarray(example["ev_offset"], np.float32)
    name = scene_name(example.get("scene", "?"))
    check(
        shapes == {np.shape(hdr)} and len(stack) == len(ev_offset),
        f"scene {name} with exposures {sorted(shapes)}, a radiance map {np.shape(hdr)} and "
        f"{len(ev_offset)} EV offsets",
        "equal sizes and counts",
    )
    for picture in stack:
        check_bytes(picture, f"scene {name} with exposures")
    return {
        "stack": np.stack(stack),
        "ev_offset": ev_offset,
        "hdr": np.asarray(hdr, np.float32),
    }


def augmented(example: Example, size: int, rng: np.random.Generator) -> Example:
    """A random square of an example, at a random scale, flipped and turned.

    The side of the square is drawn log-uniformly between 2/3 `size` (or of the shorter side, if
    that is less) and the shorter side; it is resized to `size`. Where radiance is not black
    everywhere, the square holds some.

    Args:
      example: `stack`, `hdr`, `ev_offset` of one example.
      size: of the result, pixels.
      rng: where the square and the turn are drawn from.

    Returns:
      The example, [n, size, size, 3] and [size, size, 3].

    Not differentiable.
    Example: `example = augmented(example, 256, np.random.default_rng(0))`
    """
    height, width = example["hdr"].shape[:2]
    longest = min(height, width)
    shortest = max(min(size, longest) * 2 / 3, 1)
    side = int(round(np.exp(rng.uniform(np.log(shortest), np.log(longest)))))
    top, left = lit_part(example["hdr"], side, side, rng)
    turns, mirrored = int(rng.integers(4)), bool(rng.integers(2))

    def change(picture: np.ndarray) -> np.ndarray:
        picture = images.resized(picture[top : top + side, left : left + side], size, size)
        picture = np.rot90(picture, turns)
        return picture[:, ::-1] if mirrored else picture

    return _each_picture(example, change)


def centred(example: Example, height: int, width: int) -> Example:
    """The middle of an example; an example too small is enlarged first until it covers it.

    Args:
      example: `stack`, `hdr`, `ev_offset` of one example.
      height, width: of the result, pixels.

    Returns:
      The example, [n, height, width, 3] and [height, width, 3].

    Not differentiable.
    Example: `example = centred(example, 256, 256)`
    """
    rows, columns = example["hdr"].shape[:2]
    scale = max(height / rows, width / columns, 1.0)
    enlarged = max(height, round(rows * scale)), max(width, round(columns * scale))
    top, left = (enlarged[0] - height) // 2, (enlarged[1] - width) // 2

    def change(picture: np.ndarray) -> np.ndarray:
        return images.resized(picture, *enlarged)[top : top + height, left : left + width]

    return _each_picture(example, change)


def rephotographed(example: Example, metering_stops: float, rng: np.random.Generator) -> Example:
    """Replace an example's exposures by those of a random camera.

    Args:
      example: `stack`, `hdr`, `ev_offset` of one example.
      metering_stops: the meter errs by up to so many stops.
      rng: where camera and error are drawn from.

    Returns:
      The example, its radiance map in units of the exposure that clips at EV 0.

    Not differentiable.
    Example: `example = rephotographed(example, 1.0, np.random.default_rng(0))`
    """
    hdr = synthetic.meter(example["hdr"], metering_stops * rng.uniform(-1, 1))
    return {**example, "hdr": hdr, "stack": synthetic.photograph(hdr, example["ev_offset"], rng)}


def with_edges(
    example: Example, channel_weights: tuple[float, float, float] = images.RGB_WEIGHTS
) -> Example:
    """Add the Canny edge map of every exposure.

    Args:
      example: `stack` uint8 [n, h, w, 3] and whatever else.
      channel_weights: of the gray picture whose edges they are, see `hdr_jax.images.canny`.

    Returns:
      The example with `edges` uint8 [n, h, w, 1].

    Not differentiable.
    Example: `example = with_edges({"stack": stack})`
    """
    maps = [images.canny(x, channel_weights=channel_weights) for x in example["stack"]]
    return {**example, "edges": np.stack(maps)[..., None]}


def _each_picture(example: Example, change: Callable[[np.ndarray], np.ndarray]) -> Example:
    """The same change to every exposure and to the radiance map."""
    return {
        **example,
        "stack": np.stack([change(picture) for picture in example["stack"]]),
        "hdr": np.ascontiguousarray(change(example["hdr"])),
    }


def lit_part(hdr: np.ndarray, height: int, width: int, rng: np.random.Generator) -> tuple[int, int]:
    """Top and left of a random part of a radiance map [h, w, 3] that is not black, if there is one.

    A part that is black is put around a lit pixel: no meter has an exposure for it.
    """
    most = np.array(hdr.shape[:2]) - (height, width)
    top, left = rng.integers(most[0] + 1), rng.integers(most[1] + 1)
    if not hdr[top : top + height, left : left + width].any():
        lit = np.argwhere(hdr.any(-1))
        if len(lit):
            top, left = (rng.choice(lit) - rng.integers((height, width))).clip(0, most)
    return int(top), int(left)


@contextlib.contextmanager
def scene_named(scene: dict) -> Iterator[None]:
    """A context whose errors begin with the name of the scene.

    Args:
      scene: of a source; `scene` is its name.

    Raises:
      InputError: the one that was raised inside, with the name before it.

    Example: `with scene_named(scene): check(scene)`
    """
    try:
        yield
    except InputError as error:
        raise InputError(f"scene {scene_name(scene.get('scene', '?'))}: {error}") from error


def scene_name(name: str | bytes) -> str:
    """Scene name as text (TFDS gives bytes).

    Args:
      name: text, or bytes of UTF-8.

    Returns:
      Text.
    """
    return name.decode() if isinstance(name, bytes) else str(name)


def check_bytes(picture: np.ndarray, name: str) -> None:
    """Raise unless a picture is uint8, as which other levels would be cut off."""
    check(
        picture.dtype == np.uint8,
        f"{name} of {picture.dtype}",
        "uint8 levels from 0 to 255: round 255 times floats in [0, 1], or uint16 levels / 257",
    )


def check(condition: bool, got: str, expected: str) -> None:
    """Raise unless the condition holds."""
    if not condition:
        raise InputError(f"got {got}; expected {expected}.")

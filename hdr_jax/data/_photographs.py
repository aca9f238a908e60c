"""Single photographs of radiance maps, as a stranger's camera would have taken them.

A *photograph* is a dict of `image` uint8 [h, w, 3] (what the camera wrote) and `hdr` float32
[h, w, 3]: the scene's radiance in units of the exposure that clips, the truth that a model is to
find. For a model, `image` has its highlights closed and `rim_distance` float32 [h, w, 3] is beside
it (see `hdr_jax.images`).
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from hdr_jax.data import _scenes
from hdr_jax.data._augmentation import check, check_bytes, lit_part
from hdr_jax.errors import InputError
from hdr_jax.images import closed_highlights, resized, rim_distance
from hdr_jax.synthetic import Camera, meter

Photograph = dict[str, np.ndarray]
TRIES = 20
# Limits of the ranges that are drawn from, and of single numbers.
RANGES = {"ev": (-20, 20), "clipped": (0, 1), "quality": (1, 100), "crop": (0.01, 1)}
NUMBERS = {
    **dict.fromkeys(("canonical", "clean", "jpeg", "whole", "hue", "changed"), (0, 1)),
    "white_balance": (0, 2),
}


@dataclasses.dataclass(frozen=True)
class Photographer:
    """How photographs are drawn; every range is drawn from evenly.

    Attributes:
      ev: stops by which the light meter errs.
      clipped: share of the pixels that clip in some channel; drawn again until it fits.
      canonical: share of photographs by the canonical camera, noise-free and uncompressed.
      clean: share of photographs by random sigmoids, without noise or compression either; at most
        what `canonical` leaves.
      jpeg: share of the other photographs that are JPEGs.
      quality: of those.
      white_balance: standard deviation of ln gain of each channel.
      hue: greatest mix of a channel with the mean of all.
      whole: share of photographs that show as much of the radiance map as fits.
      crop: of the others: sides of the crop, of the largest that fits.
      aspect: width over height, a configuration's, 1 where it names none: `hdr_jax.training` judges
        it and makes of it the size that `take` is given. It has no effect here.
      changed: share of photographs of a scene that was changed first: mixed with another one,
        turned, lit unevenly, of another contrast (`hdr_jax.data._scenes`).

    Raises:
      InputError: for what is outside of RANGES and NUMBERS, and a quality that is not whole.
    """

    ev: tuple[float, float] = (-1.0, 1.5)
    clipped: tuple[float, float] = (0.003, 0.6)
    canonical: float = 0.6
    clean: float = 0.1
    jpeg: float = 0.85
    quality: tuple[int, int] = (75, 98)
    white_balance: float = 0.08
    hue: float = 0.08
    whole: float = 0.4
    crop: tuple[float, float] = (0.6, 1.0)
    aspect: float = 1.0
    changed: float = 0.0

    def __post_init__(self):
        for limits, count in ((RANGES, 2), (NUMBERS, 1)):
            expected = "two numbers, the lesser first," if count == 2 else "a number"
            for name, (low, high) in limits.items():
                value = getattr(self, name)
                numbers = np.ravel(value)
                check(
                    len(numbers) == count
                    and numbers.dtype.kind in "iuf"
                    and low <= numbers[0] <= numbers[-1] <= high,
                    f"{name} = {value!r} of photographs",
                    f"{expected} from {low} to {high}",
                )
        check(
            np.result_type(*self.quality).kind in "iu",
            f"quality = {self.quality!r} of photographs",
            "two whole numbers, the lesser first, from 1 to 100",
        )

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "Photographer":
        """From the fields of a configuration.

        Args:
          fields: some of the attributes.

        Returns:
          A photographer.

        Raises:
          InputError: naming a field that there is not.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = sorted(set(fields) - set(known))
        if unknown:
            raise InputError(f"unknown fields {unknown} of photographs: expected some of {known}")
        return cls(**fields)

    def take(
        self,
        hdr: np.ndarray,
        size: tuple[int, int],
        rng: np.random.Generator,
        another: Callable[[], np.ndarray] | None = None,
    ) -> Photograph:
        """A photograph of a part of a radiance map.

        Args:
          hdr: float32 [h, w, 3], linear, relative.
          size: (height, width) of the photograph.
          rng: where everything is drawn from.
          another: gives another radiance map, a part of which a changed scene may have.

        Returns:
          A photograph for a model, see the head of this module. A scene that never clips by the
          wanted share is taken as the last draw left it.

        Raises:
          InputError: for other shapes, and as `hdr_jax.synthetic.meter`.
        """
        for _ in range(TRIES):
            scene = self._scene(hdr, size, rng, another)
            share = float((scene >= 1).any(-1).mean())
            if self.clipped[0] <= share <= self.clipped[1]:
                break
        kind = rng.random()
        quiet = kind < self.canonical + self.clean
        camera = Camera() if kind < self.canonical else Camera.draw(rng)
        if quiet:
            camera = Camera(n=camera.n, s=camera.s)
        (image,) = camera.photograph(scene, np.zeros(1), rng)
        if not quiet and rng.random() < self.jpeg:
            image = as_jpeg(
                image, int(rng.integers(*self.quality, endpoint=True)), bool(rng.integers(2))
            )
        return for_model(image) | {"hdr": scene}

    def _scene(self, hdr, size, rng, another) -> np.ndarray:
        """A crop at the wanted size, mirrored, changed, metered and tinted: what light arrives."""
        part = self._part(hdr, size, rng)
        if self.changed and rng.random() < self.changed:
            other = another and (lambda: self._part(another(), size, rng))
            made = _scenes.changed(part, other, rng)
            part = made if made.any() else part  # what took the light's place may be black
        part = meter(part, rng.uniform(*self.ev))
        part = part * np.exp(rng.normal(0, self.white_balance, 3)).astype(np.float32)
        mix = np.float32(rng.uniform(-self.hue, self.hue))
        return np.maximum(part + mix * (part.mean(-1, keepdims=True) - part), 0)

    def _part(self, hdr, size, rng) -> np.ndarray:
        """A crop at the wanted size, one of two mirrored."""
        check(
            hdr.ndim == 3 and hdr.shape[2] == 3 and hdr.size > 0,
            f"a radiance map {hdr.shape}",
            "[h, w, 3]",
        )
        scale = 1.0 if rng.random() < self.whole else rng.uniform(*self.crop)
        part = _crop(hdr, size, scale, rng)
        return part[:, ::-1] if rng.integers(2) else part


class RadianceMaps:
    """The radiance maps of a source, each decoded once and kept while memory for it lasts.

    Args:
      source: see `hdr_jax.data`.
      limit: bytes that are kept at most.

    Example:
      >>> maps = RadianceMaps([{"hdr": np.ones((2, 2, 3)), "stack": ...}])
      >>> len(maps), sorted(maps[0])
      (1, ['hdr'])
    """

    def __init__(self, source: Sequence[dict], limit: int = 4 << 30):
        self._source, self._left, self._kept = source, limit, {}

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, i: int) -> dict[str, Any]:
        if i in self._kept:
            return self._kept[i]
        scene = self._source[i]
        item = {name: scene[name] for name in ("scene",) if name in scene}
        item["hdr"] = np.asarray(scene["hdr"], np.float32)
        if item["hdr"].nbytes <= self._left:  # threads may count one twice: it is a bound on memory
            self._left -= item["hdr"].nbytes
            self._kept[i] = item
        return item


def evaluation_photograph(hdr: np.ndarray, *, seed: int | None = None) -> tuple[Photograph, Camera]:
    """The photograph of a whole radiance map that a model is measured on, and what took it.

    Args:
      hdr: float32 [h, w, 3], linear, relative.
      seed: None for the canonical camera; else a random camera drawn by it, and JPEG quality 90.

    Returns:
      (photograph at EV 0, camera), see the head of this module.

    Raises:
      InputError: as `hdr_jax.synthetic.meter`.

    Not differentiable.
    Example:
      >>> scene = np.full((8, 8, 3), 7.0, np.float32)
      >>> evaluation_photograph(scene)[0]["image"][0, 0].tolist()
      [107, 107, 107]
    """
    scene, rng = meter(hdr), np.random.default_rng(seed or 0)
    camera = Camera() if seed is None else Camera.draw(rng)
    (image,) = camera.photograph(scene, np.zeros(1), rng)
    return {"image": image if seed is None else as_jpeg(image, 90, False), "hdr": scene}, camera


def for_model(image: np.ndarray) -> Photograph:
    """What a `HighlightModel` sees of a photograph.

    Args:
      image: uint8 [h, w, 3].

    Returns:
      `image` with closed highlights, and its `rim_distance`.

    Not differentiable.
    Example:
      >>> sorted(for_model(np.full((8, 8, 3), 77, np.uint8)))
      ['image', 'rim_distance']
    """
    closed = closed_highlights(image)
    return {"image": closed, "rim_distance": rim_distance(closed)}


def as_jpeg(image: np.ndarray, quality: int, full_chroma: bool) -> np.ndarray:
    """What JPEG leaves of a picture.

    Args:
      image: uint8 [h, w, 3].
      quality: 1 to 100.
      full_chroma: 4:4:4 in place of 4:2:0.

    Returns:
      uint8 [h, w, 3].

    Raises:
      InputError: for an image that is not uint8.

    Not differentiable.
    Example:
      >>> as_jpeg(np.full((8, 8, 3), 77, np.uint8), 90, False)[0, 0].tolist()
      [77, 77, 77]
    """
    check_bytes(image, "an image")
    sampling = (
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        if full_chroma
        else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    )
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    encoded = cv2.imencode(".jpg", image[..., ::-1], options)[1]
    decoded: Any = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(decoded[..., ::-1])


def _crop(hdr, size, scale, rng) -> np.ndarray:
    """A part of the wanted shape at a random place, resized."""
    (rows, columns), (height, width) = hdr.shape[:2], size
    check(min(rows, columns) > 0, f"a radiance map of {rows} x {columns}", "pixels")
    fit = min(rows / height, columns / width) * scale
    h, w = (max(1, int(side * fit)) for side in size)
    top, left = lit_part(hdr, h, w, rng)
    return resized(hdr[top : top + h, left : left + w], height, width)

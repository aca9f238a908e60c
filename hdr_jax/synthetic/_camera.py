"""A random camera: radiance map -> 8-bit exposure stack, for making training data.

Notation: EV offset in stops, +1 doubles the exposure time; at EV 0 a camera's meter puts the log
average of the scene at middle gray. A metered radiance map is in units of the clipping exposure:
what is above 2^-ev clips in the exposure of that EV.
"""

import dataclasses
import functools
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from hdr_jax import color, exposure
from hdr_jax.checks import check_count, check_positive, check_stops, check_within
from hdr_jax.color import LUMINANCE_WEIGHTS
from hdr_jax.errors import InputError

MIDDLE_GRAY = 0.18
KINDS = ("sigmoid", "gamma", "srgb")
CHUNK = 1 << 16
"""Pixels photographed at a time."""


def meter(radiance: np.ndarray, offset: float = 0.0) -> np.ndarray:
    """Scale a radiance map as a light meter would set the exposure.

    `metered = radiance * 2^offset * 0.18 / exp(mean(ln(luminance)))`, the luminance held above a
    millionth of its maximum, so that black pixels do not decide.

    Args:
      radiance: [h, w, 3] linear RGB, relative, >= 0.
      offset: stops by which the meter errs; +1 exposes twice as long.

    Returns:
      float32 [h, w, 3]; 1 is where EV 0 clips.

    Raises:
      InputError: if the map is negative, not finite, or black everywhere.

    Not differentiable.
    Example:
      >>> round(float(meter(np.full((4, 4, 3), 7.0)).mean()), 3)
      0.18
    """
    radiance = np.asarray(radiance, np.float32)
    _check_map("meter", radiance)
    lowest, highest = radiance.min(initial=0), radiance.max(initial=0)
    if not 0 <= lowest <= highest or highest == 0:
        raise InputError(
            f"meter got radiance from {lowest} to {highest}; expected finite values >= 0, some of "
            "them > 0. Repair or leave out this radiance map."
        )
    # In float64, as a sum over many pixels of a wide range.
    luminance = radiance.astype(np.float64) @ np.asarray(LUMINANCE_WEIGHTS)
    average = np.exp(np.log(np.maximum(luminance, 1e-6 * luminance.max())).mean())
    return (radiance * (MIDDLE_GRAY * 2.0**offset / average)).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Camera:
    """A response and its noise; by default the canonical camera, noise-free.

    Attributes:
      kind: "sigmoid" (of HDRCNN), "gamma" or "srgb".
      n, s: of the sigmoid.
      exponent: of the gamma curve.
      read_noise, shot_noise: in units of the clipping exposure, see `hdr_jax.exposure.expose`.

    Raises:
      InputError: for another kind, a curve's parameter that is not positive, noise not in [0, 1].
    """

    kind: str = "sigmoid"
    n: float = 0.9
    s: float = 0.6
    exponent: float = 2.2
    read_noise: float = 0.0
    shot_noise: float = 0.0

    def __post_init__(self):
        if self.kind not in KINDS:
            raise InputError(f"got a camera of kind {self.kind!r}; expected one of {KINDS}")
        for name in ("n", "s", "exponent"):
            check_positive("Camera", name, getattr(self, name))
        for name in ("read_noise", "shot_noise"):
            check_within(name, getattr(self, name), 0, 1)

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Camera":
        """Anybody's camera.

        The response is the sigmoid (n ~ N(0.9, 0.1), s ~ N(0.6, 0.1); two in three), a gamma curve
        (1.8 to 2.6) or sRGB; read noise 2e-4 to 2e-3 and shot noise 2e-3 to 1e-2 of the clipping
        exposure.

        Args:
          rng: where it is drawn from.

        Returns:
          A camera.

        Source: Eilertsen et al. 2017 (HDRCNN) for the sigmoid and its parameters.
        Example:
          >>> Camera.draw(np.random.default_rng(0)).kind
          'srgb'
        """
        kind = KINDS[int(rng.choice([0, 0, 0, 0, 1, 2]))]
        n, s = np.clip(rng.normal((0.9, 0.6), 0.1), (0.6, 0.2), (1.3, 1.2))
        exponent = rng.uniform(1.8, 2.6)
        return cls(kind, n, s, exponent, 10 ** rng.uniform(-3.7, -2.7), 10 ** rng.uniform(-2.7, -2))

    def log_inverse_response(self, num_levels: int = 256) -> np.ndarray:
        """The true g: ln f^-1(z / (num_levels - 1)), 0 at white, level 0 read at half a level.

        Args:
          num_levels: length of g.

        Returns:
          float32 [num_levels].

        Not differentiable.
        Example:
          >>> g = Camera("gamma", exponent=2.0).log_inverse_response()
          >>> round(float(np.exp(g[51])), 3)
          0.04
        """
        if self.kind == "sigmoid":
            return np.asarray(exposure.log_inverse_sigmoid(self.n, self.s, num_levels), np.float32)
        check_count("num_levels", num_levels, 2)
        z = np.maximum(np.arange(num_levels), 0.5) / (num_levels - 1)
        if self.kind == "gamma":
            return (self.exponent * np.log(z)).astype(np.float32)
        return np.log(np.asarray(color.srgb_to_linear(jnp.asarray(z, jnp.float32))))

    def photograph(
        self, metered: np.ndarray, ev_offset: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Exposure stack of a metered radiance map, 256 levels.

        Args:
          metered: [h, w, 3] radiance in units of the clipping exposure at EV 0 (see `meter`).
          ev_offset: [n] stops.
          rng: where the noise is drawn from.

        Returns:
          uint8 [n, h, w, 3].

        Raises:
          InputError: for another shape, or radiance or stops that are not finite.

        Not differentiable; `hdr_jax.exposure.expose` is.
        Example:
          >>> rng = np.random.default_rng(0)
          >>> Camera().photograph(np.full((4, 4, 3), 0.18), [-1, 0, 1], rng)[:, 0, 0, 0].tolist()
          [65, 107, 163]
        """
        key = jax.random.key(int(rng.integers(2**31)))
        metered, ev_offset = np.asarray(metered, np.float32), np.atleast_1d(ev_offset)
        _check_map("photograph", metered)
        check_stops(ev_offset)
        pixels = metered.reshape(-1, 3)
        # Every pixel is on its own: in pieces of few sizes, few programs are compiled and little
        # memory is needed whatever the picture's size.
        length = min(CHUNK, 1 << (len(pixels) - 1).bit_length())
        stack = np.empty((len(ev_offset), *pixels.shape), np.uint8)
        curve = (self.n, self.s, self.exponent, self.read_noise, self.shot_noise)
        arguments, kind = [np.float32(value) for value in curve], KINDS.index(self.kind)
        # Data is made on the host, whatever device trains.
        with jax.default_device(jax.local_devices(backend="cpu")[0]):
            for number, start in enumerate(range(0, len(pixels), length)):
                piece = pixels[start : start + length]
                padded = np.pad(piece, ((0, length - len(piece)), (0, 0)))
                log_times = exposure.ev_to_log_times(np.asarray(ev_offset, np.float32))
                noise = jax.random.fold_in(key, number)
                made = _photograph(padded, log_times, arguments, noise, kind)
                stack[:, start : start + length] = np.asarray(made)[:, : len(piece)]
        return stack.reshape(len(ev_offset), *np.shape(metered))


def photograph(metered: np.ndarray, ev_offset: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Exposure stack of a metered radiance map by a camera drawn at random.

    Args:
      metered: [h, w, 3] radiance in units of the clipping exposure at EV 0 (see `meter`).
      ev_offset: [n] stops.
      rng: where camera and noise are drawn from.

    Returns:
      uint8 [n, h, w, 3].

    Not differentiable; `hdr_jax.exposure.expose` is.
    Source: `Camera.draw`.
    Example:
      >>> photograph(np.full((4, 4, 3), 0.18), [-1, 0, 1], np.random.default_rng(0)).shape
      (3, 4, 4, 3)
    """
    return Camera.draw(rng).photograph(metered, ev_offset, rng)


def _check_map(name: str, radiance: np.ndarray) -> None:
    """Raises InputError for another shape than [h, w, 3], or values that are not finite."""
    if radiance.ndim != 3 or radiance.shape[2] != 3 or radiance.size == 0:
        raise InputError(f"{name} got radiance {radiance.shape}; expected [h, w, 3]")
    if not np.isfinite(radiance).all():
        raise InputError(
            f"{name} got radiance with NaN or infinity; expected finite values. Repair or leave "
            "out this radiance map."
        )


@functools.partial(jax.jit, static_argnames="kind")
def _photograph(pixels, log_times, arguments, key, kind):
    """8-bit exposures [n, p, 3] of p pixels by a camera whose parameters are drawn."""
    n, s, gamma, read_noise, shot_noise = arguments
    response = [exposure.sigmoid(n, s), exposure.gamma(gamma), exposure.srgb()][kind]
    # `expose` wants a picture: one row. Given a key, its noise may be traced numbers.
    stack = exposure.expose(
        pixels[None], log_times, response, key=key, read_noise=read_noise, shot_noise=shot_noise
    )
    return jnp.round(stack[:, 0] * 255).astype(jnp.uint8)


def seeded_by_name(name: str, purpose: str = "") -> np.random.Generator:
    """Random generator that depends on a scene's name alone.

    Args:
      name: the scene.
      purpose: what the numbers are for; other purposes get other numbers.

    Returns:
      A generator, the same in every process.

    Not differentiable.
    Example:
      >>> int(seeded_by_name("kitchen").integers(1000))
      447
    """
    words = [zlib.crc32(text.encode()) for text in (name, purpose, f"{name}/{purpose}")]
    return np.random.default_rng(np.random.SeedSequence(words))

"""HDR-VDP-2.2: the whole metric, from two images to a quality and a visibility map."""

import dataclasses
import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from hdr_jax.errors import InputError, one_of
from hdr_jax.metrics import _validation
from hdr_jax.metrics.hdr_vdp2 import (
    _arguments,
    _encoding,
    _masking,
    _optics,
    _photoreceptor,
    _quality,
    _sensitivity,
    _spectral,
    _steerable,
    _tables,
)
from hdr_jax.metrics.hdr_vdp2._arguments import DARK_SURROUND, GEOMETRIC_MEAN
from hdr_jax.metrics.hdr_vdp2._resize import resize

VERSION = "HDR-VDP-2.2.1"


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Result:
    """What HDR-VDP-2 says about a pair of images; a pytree, so `vmap` and `jit` pass it on.

    Attributes:
      Q: quality on the scale of release 2.2.1 and later: 100 for equal images, falling, may be
        negative.
      P_det: probability that a difference is seen anywhere, in [0, 1]; the maximum of P_map.
      C_max: largest value of C_map.
      P_map: [h, w] probability of seeing a difference at each pixel, in [0, 1].
      C_map: [h, w] visibility in multiples of the threshold; 1 is seen half of the time.
      Q_220: quality of release 2.2.0, about -4 (good) to -1: higher is worse.
      Q_mos: mean opinion score of release 2.2.0, 0 to 100; its author withdrew it.
      version: release whose numbers these are.
      protocol: encoding, resolution and calibration in words.
    """

    Q: Array
    P_det: Array
    C_max: Array
    P_map: Array
    C_map: Array
    Q_220: Array
    Q_mos: Array
    version: str = dataclasses.field(default=VERSION, metadata={"static": True})
    protocol: str = dataclasses.field(default="", metadata={"static": True})


def pixels_per_degree(diagonal: float, resolution: tuple[int, int], distance: float) -> float:
    """Pixels per degree of visual angle of a display: H / (2 atan(h / (2 distance))).

    Args:
      diagonal: of the screen, inches, > 0.
      resolution: (W, H) in pixels.
      distance: of the eye, metres, > 0.

    Returns:
      Pixels per degree, with the screen height h from the diagonal and square pixels.

    Raises:
      InputError: when a value is not positive.

    Not differentiable.
    Example:
      >>> round(pixels_per_degree(24, (1920, 1080), 0.5), 3)
      32.453
    """
    width, height = resolution
    if not all(value > 0 for value in (diagonal, width, height, distance)):  # NaN is not
        raise InputError(
            f"pixels_per_degree got diagonal {diagonal}, resolution {resolution}, distance "
            f"{distance}; expected positive numbers (inches, pixels, metres)"
        )
    screen_height = diagonal * 0.0254 / math.sqrt(1 + (width / height) ** 2)
    return height / math.degrees(2 * math.atan(screen_height / (2 * distance)))


def hdrvdp2(
    test: Array,
    reference: Array,
    *,
    color_encoding: str,
    pixels_per_degree: float,
    surround: float | Sequence[float] | str = DARK_SURROUND,
    display: str = "ccfl-lcd",
    masking: bool = True,
    mtf: bool = True,
    spatial_pooling: bool = True,
    peak_sensitivity: float = 2.4,
) -> Result:
    """HDR-VDP-2: would a person see the difference between two images, and how bad is it?

    encode -> optics -> receptors -> response -> steerable pyramid -> sensitivity and masking ->
    D per plane; Q = 100 - sum w ln(1 + E(D) / eps), P_map = 1 - 0.5^C(D). Computes in the type of
    the images, float32 or float64.

    Args:
      test: [h, w, c], or [h, w] with one channel; both sides at least 17. Batches: `jax.vmap`.
      reference: the same shape.
      color_encoding: "luminance" (c = 1, cd/m^2), "rgb-bt.709" (c = 3, linear, absolute),
        "sRGB-display" (c = 3, in [0, 1]), "luma-display" (c = 1, in [0, 1]), "XYZ" (c = 3,
        absolute).
      pixels_per_degree: a Python number > 0; see `pixels_per_degree`. Each value, like each
        size, is compiled once.
      surround: light around the image in cd/m^2, for all channels or one number each, or
        "geometric-mean": that of each channel of the reference.
      display: spectrum of a three-channel display: "ccfl-lcd", "led-lcd" or "crt".
      masking: whether contrast in the images hides differences.
      mtf: whether light scatters in the eye.
      spatial_pooling: whether differences at several places add up in P_map, P_det, C_max.
      peak_sensitivity: log10 of the observer's peak contrast sensitivity, 0 to 10.

    Returns:
      `Result`. Equal images: Q = 100 exactly, all maps 0. NaN in an image counts as 1e-5 cd/m^2.

    Raises:
      InputError: for unequal or too small sizes, a wrong number of channels, unknown names, a
        resolution that is not positive, or a surround or sensitivity out of range or traced.

    Differentiable in `test` and `reference`; finite also where they are equal or 0.
    Source: Mantiuk, Kim, Rempel, Heidrich, ACM TOG 30(4) 40, 2011; quality: Narwaria, Mantiuk,
    Perreira Da Silva, Le Callet, J. Electronic Imaging 24(1) 010501, 2015.
    Example:
      >>> image = jnp.full((32, 32), 50.0).at[8:24, 8:24].set(100.0)
      >>> same = hdrvdp2(image, image, color_encoding="luminance", pixels_per_degree=30)
      >>> float(same.Q), float(same.P_det)
      (100.0, 0.0)
    """
    test, reference = _validation.image_pair("hdrvdp2", test, reference)
    _arguments.check_images(test.shape, color_encoding)
    ppd = _arguments.check_resolution(pixels_per_degree)
    one_of("display", display, _spectral.DISPLAYS)
    return _hdrvdp2(
        test,
        reference,
        color_encoding=color_encoding,
        ppd=ppd,
        surround=_arguments.check_surround(surround, _encoding.CHANNELS[color_encoding]),
        display=display,
        masked=bool(masking),
        mtf=bool(mtf),
        spatial_pooling=spatial_pooling,
        peak_sensitivity=_arguments.check_sensitivity(peak_sensitivity),
    )


_STATIC = (
    "color_encoding",
    "ppd",
    "surround",
    "display",
    "masked",
    "mtf",
    "peak_sensitivity",
)


@functools.partial(jax.jit, static_argnames=_STATIC)
def _hdrvdp2(
    test,
    reference,
    *,
    color_encoding,
    ppd,
    surround,
    display,
    masked,
    mtf,
    spatial_pooling,
    peak_sensitivity,
):
    """The stages in order, on [h, w, c] arrays.

    Up to masking the pictures go one by one: the slope of one then costs nothing of the other.
    """
    light = [_encoding.to_light(image, color_encoding) for image in (test, reference)]
    mask = _encoding.difference_mask(*light)
    light = [jnp.moveaxis(image, -1, 0) for image in light]
    around = surround_light(surround, light[1])
    bands, adapting = [], []
    for image in light:
        retinal = _optics.scatter(image, around, ppd) if mtf else _optics.clip(image)
        absorbed = _spectral.absorb(retinal, display)
        response = _photoreceptor.respond(absorbed, peak_sensitivity)
        bands.append(_steerable.analyse(response[None]))
        adapting.append(absorbed[0] + absorbed[1])
    pad = bands[1][-1].mean()  # of the reference, for both
    test_bands, reference_bands = (
        [band[0] for band in filtered_base(of_one, luminance[None], pad, ppd)]
        for of_one, luminance in zip(bands, adapting, strict=True)
    )
    sensitivities = band_sensitivity((adapting[0] + adapting[1]) / 2, test_bands, ppd)
    difference = _masking.differences(test_bands, reference_bands, sensitivities, masked)
    # Two programs of the same stages may round differently: equal images get exactly 0.
    equal = (test == reference).all()
    difference = [jnp.where(equal, 0, d) for d in difference]
    q_221, q_220, q_mos = _quality.pool(_quality.plane_errors(difference, mask), ppd)
    c_map = _masking.detection_map(difference, spatial_pooling)
    p_map = _masking.probability(c_map)
    return Result(
        Q=q_221,
        P_det=jnp.where(jnp.isnan(q_221), jnp.nan, p_map.max()),
        C_max=jnp.where(jnp.isnan(q_221), jnp.nan, c_map.max()),
        P_map=p_map,
        C_map=c_map,
        Q_220=q_220,
        Q_mos=q_mos,
        protocol=f"{color_encoding}, {ppd:.6g} pixels per degree",
    )


def surround_light(surround: tuple[float, ...] | str, reference: Array) -> Array:
    """Light [c, 1, 1] around pictures [c, h, w]; a name is the geometric mean of the reference."""
    if surround == GEOMETRIC_MEAN:
        # Black pixels count as 1e-5 cd/m^2: the logarithm of 0 would make all of it 0.
        logs = jnp.log(jnp.maximum(reference, DARK_SURROUND))
        return jnp.exp(logs.mean((-2, -1), keepdims=True))
    return jnp.asarray(surround, reference.dtype)[:, None, None]


def filtered_base(bands: list[Array], adapting: Array, pad: Array, ppd: float) -> list[Array]:
    """Bands of n pictures, the base band filtered by the CSF at their luminances [n, h, w]."""
    *fine, base = bands
    frequency = _sensitivity.band_frequency(len(fine), ppd)
    return [*fine, _sensitivity.filter_base(base, adapting.mean((-2, -1)), pad, frequency)]


def band_sensitivity(adapting: Array, bands: list[Array], ppd: float) -> list[Array]:
    """Sensitivity S per band at the adapting luminance [h, w]; 1 for the filtered base band."""
    logs = _tables.log10_luminance(adapting)
    maps = [
        _tables.look_up(
            resize(logs, band.shape[-2:]),
            _sensitivity.sensitivity_table(_sensitivity.band_frequency(b, ppd)),
        )
        for b, band in enumerate(bands[:-1])
    ]
    return [*maps, jnp.ones((), adapting.dtype)]

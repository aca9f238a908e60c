"""hdr-jax score TEST REFERENCE: every metric of a pair of radiance maps, and where they differ."""

import argparse
import concurrent.futures
import functools
import json
import pathlib
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from hdr_jax import color, images, metrics, tonemap
from hdr_jax.cli.outputs import check
from hdr_jax.errors import InputError
from hdr_jax.exported import QUICK, quickly_compiled, without_collection
from hdr_jax.files import json_number

FAINT = 1e-4  # light that a map should reach, under "singlehdr"
# A pair is scored once, so that what compiling saves counts more than what running costs: no
# optimisation either of what does not look for percentiles.
UNOPTIMISED = QUICK | {"xla_backend_optimization_level": 0}


def run(args: argparse.Namespace) -> int:
    """Prints the metrics and writes the visibility map; returns the exit code."""
    path = pathlib.Path(args.map or f"{pathlib.Path(args.test).stem}_visibility.png")
    if args.map and args.no_map:
        raise InputError("got --map and --no-map; expected one of them")
    if not args.no_map:
        check({"visibility map": path}, [args.test, args.reference], [] if args.map else [path])
    if args.peak is not None and args.protocol != "display":
        raise InputError(f"got --peak {args.peak:g}: it is white of --protocol display; add that")
    peak = metrics.DEFAULT_PEAK if args.peak is None else args.peak
    test, reference = (read_map(path, args.protocol) for path in (args.test, args.reference))
    given = _Given(args.protocol, peak, args.pixels_per_degree, args.crf_correction)
    preparing = _prepare.lower(test, reference, given=given)
    shapes = preparing.out_info
    # The program of HDR-VDP-2 is compiled here while another thread does all the rest.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        prepared = pool.submit(lambda: quickly_compiled(preparing)(test, reference))
        comparing = pool.submit(
            lambda: quickly_compiled(_compare.lower(*shapes, given=given), UNOPTIMISED)
        )
        with without_collection():
            seeing = _see.lower(*shapes[0], given=given)
        drawing = pool.submit(lambda: quickly_compiled(_draw.lower(seeing.out_info.P_map, test)))
        result = quickly_compiled(seeing, UNOPTIMISED)(*prepared.result()[0])
        others = comparing.result()(*prepared.result())
        picture = drawing.result()(result.P_map, test)
    numbers = {
        "hdrvdp2_Q": result.Q,
        "hdrvdp2_Q_220": result.Q_220,
        "hdrvdp2_Q_mos": result.Q_mos,
        "hdrvdp2_P_det": result.P_det,
        "hdrvdp2_C_max": result.C_max,
        "visible_pixels": np.mean(np.asarray(result.P_map) > 0.5),
    }
    found = numbers | others
    values = {name: None if found[name] is None else json_number(found[name]) for name in NOTES}
    values |= {
        "version": result.version,
        "protocol": result.protocol,
        "crf_correction": "luminance curve fitted before PU21" if args.crf_correction else "none",
    }
    if not args.no_map:
        images.write(path, np.asarray(picture), comment="visibility of differences")
        values["visibility_map"] = str(path)
    if args.json:
        print(json.dumps(values, indent=2))
    else:
        print_table(values)
    return 0


def read_map(path: str, protocol: str) -> np.ndarray:
    """A radiance map, which must hold light."""
    radiance = images.read_hdr(path)
    if not (radiance > 0).any():
        raise InputError(f"{path} has no positive radiance; expected a radiance map")
    negative = float(np.mean((radiance < 0).any(-1)))
    if negative:
        warnings.warn(
            f"{path}: {negative:.2%} of the pixels have negative values, which count for what "
            "scales the map and as no light",
            stacklevel=2,
        )
    if protocol == "singlehdr" and radiance.max() < FAINT:
        warnings.warn(
            f"{path} holds at most {radiance.max():.2g}, where the protocol's own 1e-8 counts; "
            "multiply the maps by a number, or take --protocol display",
            stacklevel=2,
        )
    return radiance


class _Given(NamedTuple):
    """What was asked for, a constant of the programs."""

    protocol: str
    peak: float
    pixels_per_degree: float
    crf_correction: bool


_of_given = functools.partial(jax.jit, static_argnames="given")


@_of_given
def _prepare(test, reference, *, given: _Given):
    """Both maps in cd/m^2, and as pictures."""
    light = metrics.calibrate(test, reference, protocol=given.protocol, peak=given.peak)
    return light, tuple(tonemap.reinhard(jnp.maximum(image, 0)) for image in light)


@_of_given
def _see(test, reference, *, given: _Given):
    """What HDR-VDP-2 says of a pair in cd/m^2."""
    return metrics.hdrvdp2_calibrated(
        test,
        reference,
        protocol=given.protocol,
        peak=given.peak,
        pixels_per_degree=given.pixels_per_degree,
    )


@jax.jit
def _draw(p_map, test):
    """The visibility map over the test picture."""
    return metrics.visibility_picture(p_map, color.luminance(test))


@_of_given
def _compare(light, pictures, *, given: _Given):
    """The other metrics by name."""
    white = jnp.maximum(light[1].max(), 1e-20)
    large = min(light[0].shape[:2]) >= metrics.MS_SSIM_MIN_SIZE
    return {
        "pu21_psnr": metrics.pu21_psnr(*light, correct_crf=given.crf_correction),
        "pu21_ssim": metrics.pu21_ssim(*light, correct_crf=given.crf_correction),
        "psnr_mu": metrics.psnr_mu(*(image / white for image in light)),
        "psnr_reinhard": metrics.psnr(*pictures),
        "ssim_reinhard": metrics.ssim(*pictures),
        "ms_ssim_reinhard": metrics.ms_ssim(*pictures) if large else None,
    }


NOTES = {
    "hdrvdp2_Q": "HDR-VDP-2 quality, 100 = identical",
    "hdrvdp2_Q_220": "its release 2.2.0, about -4 (good) to -1",
    "hdrvdp2_Q_mos": "mean opinion score of 2.2.0",
    "hdrvdp2_P_det": "probability that a difference is seen at all",
    "hdrvdp2_C_max": "largest visibility, 1 = at the threshold",
    "visible_pixels": "fraction where most people see a difference",
    "pu21_psnr": "dB, of perceptually uniform RGB",
    "pu21_ssim": "of perceptually uniform luminance",
    "psnr_mu": "dB, mu-law radiance, reference maximum 1",
    "psnr_reinhard": "dB, after Reinhard's tone mapping",
    "ssim_reinhard": "the same pictures",
    "ms_ssim_reinhard": "the same pictures; from 161 pixels on",
}


def print_table(values: dict) -> None:
    """The metrics, one a line, with what they mean."""
    for name, value in values.items():
        if name not in NOTES:
            print(f"{name:<18}{value}")
        elif isinstance(value, float):
            print(f"{name:<18}{value:>12.5g}  {NOTES[name]}")
        else:
            print(f"{name:<18}{value or 'n/a':>12}  {NOTES[name]}")

"""hdr-jax score TEST REFERENCE: every metric of a pair of radiance maps, and where they differ."""

import argparse
import json
import math
import pathlib

import numpy as np

from hdr_jax import color, images, metrics, tonemap
from hdr_jax.metrics.structure import MS_SSIM_MIN_SIZE


def run(args: argparse.Namespace) -> int:
    """Prints the metrics and writes the visibility map; returns the exit code."""
    test, reference = (images.read_hdr(path) for path in (args.test, args.reference))
    result = metrics.hdrvdp2_by_protocol(
        test,
        reference,
        protocol=args.protocol,
        peak=args.peak,
        pixels_per_degree=args.pixels_per_degree,
    )
    values = scores(test, reference, result, args)
    if not args.no_map:
        path = pathlib.Path(args.map or f"{pathlib.Path(args.test).stem}_visibility.png")
        picture = metrics.visibility_picture(result.P_map, color.luminance(test))
        images.write(path, np.asarray(picture))
        values["visibility_map"] = str(path)
    if args.json:
        print(json.dumps(values, indent=2))
    else:
        print_table(values)
    return 0


def scores(test, reference, result, args: argparse.Namespace) -> dict:
    """All metrics of a pair by name, as Python values; infinities as text, for JSON."""
    light = metrics.calibrate(test, reference, protocol=args.protocol, peak=args.peak)
    white = max(float(light[1].max()), 1e-20)
    pictures = [tonemap.reinhard(image.clip(0)) for image in light]
    large = min(test.shape[:2]) >= MS_SSIM_MIN_SIZE
    values = {
        "hdrvdp2_Q": result.Q,
        "hdrvdp2_Q_220": result.Q_220,
        "hdrvdp2_Q_mos": result.Q_mos,
        "hdrvdp2_P_det": result.P_det,
        "hdrvdp2_C_max": result.C_max,
        "visible_pixels": (result.P_map > 0.5).mean(),
        "pu21_psnr": metrics.pu21_psnr(*light, correct_crf=args.crf_correction),
        "pu21_ssim": metrics.pu21_ssim(*light, correct_crf=args.crf_correction),
        "psnr_mu": metrics.psnr_mu(*(image / white for image in light)),
        "psnr_reinhard": metrics.psnr(*pictures),
        "ssim_reinhard": metrics.ssim(*pictures),
        "ms_ssim_reinhard": metrics.ms_ssim(*pictures) if large else None,
    }
    values = {name: None if x is None else _plain(float(x)) for name, x in values.items()}
    correction = "luminance curve fitted before PU21" if args.crf_correction else "none"
    return values | {
        "version": result.version,
        "protocol": result.protocol,
        "crf_correction": correction,
    }


def _plain(value: float) -> float | str:
    """A number that JSON can hold, or its name."""
    return value if math.isfinite(value) else str(value)


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

"""hdr-jax score TEST REFERENCE: every metric of a pair of radiance maps, and where they differ."""

import argparse
import json
import math
import pathlib

EXAMPLE = """example:
  hdr-jax score reconstructed.hdr truth.hdr --protocol display --peak 1000

The visibility map is gray where nobody sees a difference, then blue (25 %), green (50 %),
yellow (75 %) and red (everybody sees it)."""


def add_parser(subparsers) -> argparse.ArgumentParser:
    """Adds the subcommand to the parsers of `hdr-jax`."""
    parser = subparsers.add_parser(
        "score",
        help="quality of a radiance map against a reference",
        description="HDR-VDP-2, PU21 and tone-mapped metrics of a radiance map.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("test", help="radiance map to judge, .hdr or .exr")
    parser.add_argument("reference", help="radiance map it should equal, same size")
    parser.add_argument(
        "--protocol",
        default="singlehdr",
        help="how relative values become cd/m^2: singlehdr (default), display or absolute",
    )
    parser.add_argument(
        "--peak", type=float, default=1000.0, help="white of the display protocol, cd/m^2"
    )
    parser.add_argument(
        "--pixels-per-degree", type=float, default=30.0, help="of visual angle, default 30"
    )
    parser.add_argument(
        "--crf-correction",
        action="store_true",
        help="fit the test image's tones to the reference before the PU21 metrics",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    parser.add_argument(
        "--map", metavar="PNG", help="the visibility map, default <test>_visibility.png here"
    )
    parser.add_argument("--no-map", action="store_true", help="write no visibility map")
    return parser


def run(args: argparse.Namespace) -> int:
    """Prints the metrics and writes the visibility map; returns the exit code."""
    from hdr_jax import color, images, metrics

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
        images.write(path, picture)
        values["visibility_map"] = str(path)
    if args.json:
        print(json.dumps(values, indent=2))
    else:
        print_table(values)
    return 0


def scores(test, reference, result, args: argparse.Namespace) -> dict:
    """All metrics of a pair by name, as Python values; infinities as text, for JSON."""
    from hdr_jax import metrics, tonemap
    from hdr_jax.metrics.structure import MS_SSIM_MIN_SIZE

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

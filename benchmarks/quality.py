"""How good is a radiance map made from one photograph? Scores of several ways, scene by scene.

  PYTHONPATH=. python benchmarks/quality.py FOLDER [--split val] [--camera blind] [--csv out.csv]

FOLDER holds radiance maps (.hdr, .exr) and perhaps, in it or beside it, a manifest.csv with columns
view and split. Every map is photographed once at EV 0, log-average luminance at 0.18, in 8 bits: by
the canonical camera (the sigmoid response of mean parameters, no noise, no compression), or with
--camera blind by a random one (sigmoid, gamma or sRGB response, noise, JPEG quality 90; drawn by
the scene's place in the list) of which the model is told nothing. The truth is the map itself.

  srgb         the photograph read as plain sRGB
  inverse      the inverse of the true response
  bump         the same, clipped pixels x exp(0.2 min(distance from the rim, 20 px))
  model        hdr_jax.reconstruct with the shipped weights, or those of --checkpoint
  merge 7, 11  the merge of the true exposures by the same camera, EV -3..+3 and -7..+3

Q: HDR-VDP-2.2.1, protocol singlehdr. PU21: PU21-PSNR, protocol display. JOD: ColorVideoVDP
(standard_hdr_linear), median-aligned, the truth's 99.5 percentile at 1000 cd/m^2, clipped to
0.005..4000, where `cvvdp` is installed. At last, PSNR of the model's exposures by EV.
"""

import argparse
import csv
import functools
import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from hdr_jax import images, metrics, weights
from hdr_jax.data import evaluation_photograph
from hdr_jax.exposure import ev_to_log_times
from hdr_jax.images import HDR_SUFFIXES, rim_distance
from hdr_jax.merge import synthesize
from hdr_jax.reconstruct import EV_OFFSETS, exposure, highlights
from hdr_jax.runs.checkpoints import load_model
from hdr_jax.synthetic import Camera

BRACKETS = {"merge 7": range(-3, 4), "merge 11": range(-7, 4)}
WAYS = ("srgb", "inverse", "bump", "model", *BRACKETS)
Ways = dict[str, Callable[[], np.ndarray]]


def scenes(folder: pathlib.Path, split: str | None) -> list[pathlib.Path]:
    """The radiance maps of a folder, those of a split where a manifest tells."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in HDR_SUFFIXES)
    if split is None:
        return paths
    places = [place / "manifest.csv" for place in (folder, folder.parent)]
    manifest = next(place for place in places if place.exists())
    with manifest.open(newline="") as file:
        chosen = {row["view"] for row in csv.DictReader(file) if row["split"] == split}
    return [path for path in paths if path.name in chosen]


def linearised(image: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Radiance of a photograph by a response curve [levels], 1 at white."""
    return np.exp(g - g[-1])[image].astype(np.float32)


def ways(photograph: dict, camera: Camera, model, params) -> Ways:
    """What makes a radiance map of one photograph, by the name of the way."""
    image, scene = photograph["image"], photograph["hdr"]
    inverse = linearised(image, camera.log_inverse_response())
    distance = rim_distance(image).max(-1, keepdims=True)

    def merged(stops) -> np.ndarray:
        stack = camera.photograph(scene, stops, np.random.default_rng(0))
        log_times = ev_to_log_times(jnp.asarray(stops, jnp.float32))
        return np.asarray(synthesize(stack, log_times)[0])

    return {
        "srgb": lambda: linearised(image, images.named_response("srgb")[0]),
        "inverse": lambda: inverse,
        "bump": lambda: inverse * np.exp(0.2 * np.minimum(distance, 20)),
        "model": lambda: np.exp(highlights(image, model, params)),
        **{name: functools.partial(merged, stops) for name, stops in BRACKETS.items()},
    }


@jax.jit
def _scores(radiance, truth):
    shown = metrics.calibrate(radiance, truth, protocol="display")
    return metrics.hdrvdp2_by_protocol(radiance, truth).Q, metrics.pu21_psnr(*shown)


def scored(radiance: np.ndarray, truth: np.ndarray, jod: Callable | None) -> list[float]:
    """Q, PU21-PSNR and, with a `jod_of`, JOD of a map."""
    values = [float(x) for x in _scores(radiance, truth)]
    return values + ([jod(radiance, truth)] if jod else [])


def jod_of() -> Callable | None:
    """ColorVideoVDP as a function (radiance, truth) -> JOD, or None where it is not installed."""
    try:
        import pycvvdp
    except ImportError:
        return None
    metric = pycvvdp.cvvdp(display_name="standard_hdr_linear", heatmap=None)

    def jod(radiance: np.ndarray, truth: np.ndarray) -> float:
        usable = (radiance > 0) & (truth > 0)
        scale = np.median(np.log(truth[usable]) - np.log(radiance[usable]))
        light = 1000 / np.percentile(truth, 99.5)
        pair = (radiance * np.exp(scale), truth)
        shown = [np.clip(x * light, 0.005, 4000).astype(np.float32) for x in pair]
        return float(metric.predict(*shown, dim_order="HWC")[0])

    return jod


def stack_psnr(photograph: dict, camera: Camera, model, params) -> np.ndarray:
    """PSNR [n] of the exposures of the model's map, by the true response, dB."""
    g = camera.log_inverse_response()
    log_radiance = highlights(photograph["image"], model, params, g=g)
    truth = camera.photograph(photograph["hdr"], EV_OFFSETS, np.random.default_rng(0)) / 255.0
    made = [exposure(log_radiance, stops, g) for stops in EV_OFFSETS]
    error = np.square(np.stack(made) - truth).mean((1, 2, 3))
    return -10 * np.log10(np.maximum(error, 1e-10))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--split")
    parser.add_argument("--camera", choices=("canonical", "blind"), default="canonical")
    parser.add_argument("--checkpoint", help="a run's work directory; default the shipped weights")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="only these")
    parser.add_argument("--csv", type=pathlib.Path, help="also write the table here")
    args = parser.parse_args()
    model, params = load_model(args.checkpoint)[:2] if args.checkpoint else weights.load()
    jod = jod_of()
    names = ["Q", "PU21"] + (["JOD"] if jod else [])
    rows, exposures = [], []
    for place, path in enumerate(scenes(args.folder, args.split)):
        seed = None if args.camera == "canonical" else place + 1
        photograph, camera = evaluation_photograph(images.read_hdr(path), seed=seed)
        exposures.append(stack_psnr(photograph, camera, model, params))
        makers = ways(photograph, camera, model, params)
        for way in args.ways:
            values = scored(makers[way](), photograph["hdr"], jod)
            rows.append((path.stem, way, *values))
            print(f"{path.stem:32s} {way:9s}" + "".join(f"{x:8.2f}" for x in values), flush=True)
    _report(rows, names, np.stack(exposures))
    if args.csv:
        with args.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("scene", "way", *names), *rows])


def _report(rows: list[tuple], names: list[str], exposures: np.ndarray) -> None:
    """Means over the scenes."""
    print(f"\nmean of {len(exposures)} scenes {'':9s}" + "".join(f"{name:>8s}" for name in names))
    for way in dict.fromkeys(row[1] for row in rows):
        means = np.mean([row[2:] for row in rows if row[1] == way], 0)
        print(f"{'':32s} {way:9s}" + "".join(f"{x:8.2f}" for x in means))
    by_ev = zip(EV_OFFSETS, exposures.mean(0), strict=True)
    print(
        "exposures of the model, PSNR in dB: " + ", ".join(f"{ev:+d} EV {x:.1f}" for ev, x in by_ev)
    )


if __name__ == "__main__":
    main()

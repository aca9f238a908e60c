"""One exposure of a real bracket -> radiance map, beside the merge of the whole bracket.

  PYTHONPATH=. python benchmarks/real_photographs.py FOLDER [--pictures OUT] [--checkpoint RUN]
      [--working-side PIXELS]

FOLDER holds one sub-folder for each bracketed scene, with exposure times in exposures.csv or EXIF.
The photograph is the exposure in the middle of the times; nothing of the others is told to the
model. The truth is the merge of all of them through the recovered response. Q, PU21 and JOD as in
benchmarks/quality.py, of the photograph read as plain sRGB and of the model's map, and the stops
above the photograph's white that both maps hold. `--pictures` writes for every scene the photograph
and the maps (sRGB, model, merge) three and five stops darker than it.
"""

import argparse
import pathlib

import numpy as np
from quality import jod_of, linearised, scored

from hdr_jax import images, weights
from hdr_jax.merge import synthesize
from hdr_jax.reconstruct import WORKING_SIDE, exposure, highlights
from hdr_jax.runs.checkpoints import load_model

DARKER = (-3, -5)  # stops


def on_photographs_scale(radiance: np.ndarray, image: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A map in the unit of another: median ratio where the photograph is well exposed."""
    well = (image > 20) & (image < 230)
    return radiance * np.exp(np.median(np.log(known[well]) - np.log(radiance[well])))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--checkpoint", help="a run's work directory; default the shipped weights")
    parser.add_argument("--pictures", type=pathlib.Path)
    parser.add_argument("--working-side", type=int, default=WORKING_SIDE)
    args = parser.parse_args()
    model, params = load_model(args.checkpoint)[:2] if args.checkpoint else weights.load()
    jod = jod_of()
    print("scene, way, share clipped, stops above white: Q, PU21" + (", JOD" if jod else ""))
    for folder in sorted(path for path in args.folder.iterdir() if path.is_dir()):
        stack, times = images.read_stack(folder)
        image = stack[np.argsort(times)[len(times) // 2]]
        log_radiance = highlights(image, model, params, working_side=args.working_side)
        srgb = linearised(image, images.named_response("srgb")[0])
        bracket = np.asarray(synthesize(stack, np.log(times))[0])
        maps = {"srgb": srgb, "model": np.exp(log_radiance)}
        truth = on_photographs_scale(bracket, image, maps["model"])
        clipped = float((image >= 251).any(-1).mean())
        head = f"{folder.name:24s} {{:6s}} {clipped:6.3f} {{:5.1f}} "
        for way, radiance in maps.items():
            figures = "".join(f"{x:8.2f}" for x in scored(radiance, truth, jod))
            print(head.format(way, np.log2(radiance.max())) + figures)
        print(head.format("merge", np.log2(truth.max())), flush=True)
        if args.pictures:
            args.pictures.mkdir(parents=True, exist_ok=True)
            shown = [np.log(np.maximum(x, 1e-6)) for x in (srgb, maps["model"], truth)]
            rows = [[image / 255, *(exposure(x, ev) for x in shown)] for ev in DARKER]
            sheet = np.concatenate([np.concatenate(row, 1) for row in rows])
            images.write(args.pictures / f"{folder.name}.png", images.reduced(sheet, 2400))


if __name__ == "__main__":
    main()

"""What each part of the method is good for: the same small training with and without it.

  PYTHONPATH=. python benchmarks/ablation.py FOLDER --csv FILE [--seeds 3] [--steps 100]
  PYTHONPATH=. python benchmarks/ablation.py FOLDER --csv FILE --cells base highlights \\
      --cpu-seconds 420

FOLDER holds radiance maps and, in it or beside it, a manifest.csv with columns view and split (as
for benchmarks/quality.py). The maps are reduced to 96 x 72 and photographed by the canonical
camera. A cell is one way to train: for the same number of steps, or for the same CPU time, which is
counted from the second step on, behind the compiler; 4 crops of 32 x 32 a step, Adam at a rate of
2e-3. It is scored on every second view of the split "val", whole, the photograph at EV 0 given.
Every finished (cell, seed, budget) is a line of the csv; a second call does those that are missing,
and prints means and standard deviations over the seeds.

  base           tone="exposure", seven exposures, the HDR loss through the layer on the data set's
                 radiance, g a constant for its gradient; all networks learn from the first step
  image          tone="image", the networks paint every exposure
  no HDR loss    the base, weight 0
  global alone   the base, neither local nor refinement network: phase 1 to the end, no HDR loss
  no memory      the base, the ConvGRUs begin anew at every step
  solve          the base, the gradient through the recovery of g as well
  11 exposures   the base, EV -7..+3
  highlights     one pass that predicts the gain (HighlightModel), L1 of the log gain
  + HDR-VDP-2    the same with HDR-VDP-2 as a loss beside it

psnr_K: the exposure at EV K against the true one, dB. psnr_mu, q (HDR-VDP-2.2) and pu21: of the map
that the layer merges from the generated stack, against the scene's own radiance.
"""

import argparse
import csv
import dataclasses
import functools
import pathlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import jax_utils
from ml_collections import ConfigDict
from quality import scenes

from configs import exposure, highlights
from hdr_jax import data, images, losses, metrics, optim, training
from hdr_jax.cli.compiled import keep_compiled
from hdr_jax.exposure import ev_to_log_times
from hdr_jax.merge import synthesize
from hdr_jax.models import HighlightModel
from hdr_jax.synthetic import Camera, meter

RATE, SIZE, WHOLE, BATCH = 2e-3, 32, (72, 96), 4  # crops, views (height and width), crops of a step
SEVEN, ELEVEN = (tuple(float(ev) for ev in range(low, 4)) for low in (-3, -7))
DEVICE = jax.local_devices()[:1]
COLUMNS = (
    "cell", "seed", "budget", "steps_done", "parameters", "training_cpu_seconds",
    "psnr_mu", "q", "pu21",
    *(f"psnr_{ev:+d}" for ev in range(-3, 4) if ev),
)  # fmt: skip


def _stack_config() -> ConfigDict:
    """Narrow networks, all of which learn from the first step."""
    config = exposure.get_config()
    config.model.update(global_width=8, global_levels=3, local_width=4, local_levels=1)
    config.model.update(refinement_width=4, refinement_levels=1)
    config.refine_from = 0
    return config


def _changed(**fields) -> ConfigDict:
    """The base with fields "room__name" changed."""
    config = _stack_config()
    for name, value in fields.items():
        room, _, field = name.rpartition("__")
        (config[room] if room else config)[field] = value
    return config


def _highlight_config(hdrvdp2: float) -> ConfigDict:
    """One pass, of about as many parameters as one direction of the base."""
    config = highlights.get_config()
    config.model.update(widths=(16, 32, 48), depths=(1, 1, 1))
    config.photographs.update(canonical=1.0, whole=0.0, aspect=1.0)
    weights = dict.fromkeys(config.loss, 0.0) | {"gain_l1": 1.0, "hdrvdp2": hdrvdp2}
    config.loss.update(weights)
    config.update(average=0.0, refine_from=0)
    return config


CELLS: dict[str, Callable[[], ConfigDict]] = {
    "base": _stack_config,
    "image": functools.partial(_changed, model__tone="image"),
    "highlights": functools.partial(_highlight_config, 0.0),
    "no HDR loss": functools.partial(_changed, loss__hdr=0.0),
    "global alone": functools.partial(_changed, loss__hdr=0.0, refine_from=1),
    "no memory": functools.partial(_changed, model__memory=False),
    "solve": functools.partial(_changed, layer__response_gradient=True),
    "11 exposures": functools.partial(
        _changed, model__num_exposures=11, model__ev_offsets=ELEVEN, model__norm_entries=10
    ),
    "+ HDR-VDP-2": functools.partial(_highlight_config, 0.1),
}


@functools.cache
def views(folder: pathlib.Path, split: str, stops: tuple[float, ...]) -> list[dict]:
    """Reduced radiance maps of a split and their photographs, as a source of `hdr_jax.data`."""
    made = []
    for path in scenes(folder, split)[:: 2 if split == "val" else 1]:
        hdr = meter(images.resized(images.read_hdr(path), *WHOLE))
        stack = Camera().photograph(hdr, np.asarray(stops), np.random.default_rng(0))
        ev_offset = np.asarray(stops, np.float32)
        made.append({"stack": stack, "ev_offset": ev_offset, "hdr": hdr, "scene": path.stem})
    return made


class Cell:
    """One way to train; its programs are compiled once for all seeds."""

    def __init__(self, name: str, folder: pathlib.Path):
        config = CELLS[name]()
        config.update(batch_size=BATCH, size=SIZE)
        self.config, setup = config, training.Setup.from_config(config)
        rule = optim.centralized_adam(RATE, b1=config.b1, b2=config.b2, weight_decay=0.0)
        optimizers = dict.fromkeys(setup.optimizers, rule)  # the same for all cells
        self.setup = dataclasses.replace(setup, optimizers=optimizers)
        self.phase = 2 if config.refine_from == 0 else 1
        stops = ELEVEN if name == "11 exposures" else SEVEN
        self.middle = stops.index(0)
        self.source, self.held_out = (views(folder, split, stops) for split in ("train", "val"))
        self.step = jax.pmap(
            functools.partial(training.train_step, self.setup, self.phase),
            axis_name=training.DEVICES,
            in_axes=(0, 0, None),
            devices=DEVICE,
        )
        self.generate = jax.jit(self._generate)

    def _generate(self, params, arrays):
        """The stack [1, n, h, w, 3] of a validation view."""
        if isinstance(self.setup.model, HighlightModel):
            return training.highlight_stack(self.setup, params, arrays)
        image, edges = arrays["stack"][:, self.middle] / 255, arrays["edges"][:, self.middle]
        options: Any = {"refine": self.phase == 2}
        output: Any = self.setup.model.apply({"params": params}, image, edges * 1.0, **options)
        return jnp.clip(output.stack, 0, 1)

    def batches(self, seed: int) -> Iterator[dict]:
        """What it learns from."""
        options: Any = {"batch_size": BATCH, "seed": seed}
        if isinstance(self.setup.model, HighlightModel):
            taker = data.Photographer.from_fields(self.config.photographs.to_dict())
            source, size = data.RadianceMaps(self.source), (SIZE, SIZE)
            return data.photographs(source, size=size, photographer=taker, **options)
        return data.batches(self.source, size=SIZE, **options)

    def run(self, seed: int, steps: int, cpu_seconds: float) -> dict[str, Any]:
        """Trains from scratch, for so many steps or so long, and scores."""
        setup = dataclasses.replace(self.setup, seed=seed)
        state = training.create_state(setup, jax.random.key(seed))
        parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
        # Placed as the step's own results are, else it would be compiled twice.
        place = jax.pmap(lambda x: x, axis_name=training.DEVICES, devices=DEVICE)
        state = place(jax_utils.replicate(state, DEVICE))
        batches: Any = data.to_devices(self.batches(seed), DEVICE)
        done, began, terms = 0, 0.0, {}
        for batch in batches:
            references = training.draw_references(setup, done)
            state, terms = self.step(state, batch, references)
            done += 1
            jax.block_until_ready(terms)
            if done == 1:
                began = time.process_time()
            spent = time.process_time() - began
            if (spent >= cpu_seconds) if cpu_seconds else done >= steps:
                break
        batches.close()
        if not np.isfinite(terms["loss"]).all():
            raise FloatingPointError(f"the loss is {terms['loss']} after {done} steps")
        scores = self.scores(jax_utils.unreplicate(state).params)
        cost = {"steps_done": done, "parameters": parameters, "training_cpu_seconds": spent}
        return {**cost, **scores}

    def scores(self, params) -> dict[str, float]:
        """Means over the validation views."""
        rows = []
        for batch in data.evaluation_batches(self.held_out):
            arrays = {name: jnp.asarray(batch[name]) for name in data.ARRAYS}
            made = self.generate(params, arrays)
            log_times = ev_to_log_times(arrays["ev_offset"][0])
            row = _scores(made[0], arrays["stack"][0], log_times, arrays["hdr"][0], self.middle)
            rows.append(jax.device_get(row))
        return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


@functools.partial(jax.jit, static_argnums=4)
def _scores(stack, true_stack, log_times, true, middle):
    """Of one view."""
    radiance, _ = synthesize(stack, log_times)
    aligned = losses.align_scale(true, radiance) / jnp.max(true)
    shown = metrics.calibrate(radiance, true, protocol="display")
    exposures = {
        f"psnr_{ev:+d}": metrics.psnr(stack[middle + ev], true_stack[middle + ev] / 255)
        for ev in range(-3, 4)
        if ev
    }
    return {
        "psnr_mu": metrics.psnr_mu(aligned, true / jnp.max(true)),
        "q": metrics.hdrvdp2_by_protocol(radiance, true).Q,
        "pu21": metrics.pu21_psnr(*shown),
        **exposures,
    }


def finished(path: pathlib.Path, budget: str) -> list[dict]:
    """The lines of the csv with that budget."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["budget"] == budget]


def write(path: pathlib.Path, row: dict) -> None:
    """Adds a line to the csv."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if new:
            writer.writeheader()
        writer.writerow({k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()})


def report(rows: list[dict]) -> None:
    """A Markdown table: mean and standard deviation over the seeds."""
    names = COLUMNS[COLUMNS.index("psnr_mu") :]
    print("| cell | seeds | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 2) + "|")
    for cell in CELLS:
        lines = [row for row in rows if row["cell"] == cell]
        if lines:
            values = np.array([[float(row[name]) for name in names] for row in lines])
            texts = [f"{mean:.2f}" for mean in values.mean(0)]
            if len(lines) > 1:
                spread = values.std(0, ddof=1)
                texts = [f"{text} ± {sd:.2f}" for text, sd in zip(texts, spread, strict=True)]
            print(f"| {cell} | {len(lines)} | " + " | ".join(texts) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--csv", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--cpu-seconds", type=float, default=0.0, help="in place of the steps")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    args = parser.parse_args()
    keep_compiled()
    budget = f"{args.cpu_seconds:g} s" if args.cpu_seconds else f"{args.steps} steps"
    done = {(row["cell"], int(row["seed"])) for row in finished(args.csv, budget)}
    cells: dict[str, Cell] = {}
    for seed in range(args.seeds):  # all cells once, then again: a stopped run can be read
        for name in args.cells:
            if (name, seed) in done:
                continue
            if name not in cells:
                cells[name] = Cell(name, args.folder)
            found = cells[name].run(seed, args.steps, args.cpu_seconds)
            write(args.csv, {"cell": name, "seed": seed, "budget": budget, **found})
            print(f"{name}, seed {seed}: {found}", flush=True)
    report(finished(args.csv, budget))


if __name__ == "__main__":
    main()

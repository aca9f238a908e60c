"""What each part of the method is good for: the same small training with and without it.

  PYTHONPATH=. python benchmarks/ablation.py FOLDER --csv docs/ablation.csv [--seeds 3] [--steps 120]

FOLDER holds radiance maps and, in it or beside it, a manifest.csv with columns view and split (as
for benchmarks/quality.py). The maps are reduced to 96 x 72 and photographed by the canonical camera.
A cell is one way to train for the same number of steps of 4 crops of 48 x 48; it is scored on every
second view of the split "val", whole, the photograph at EV 0 given. Every finished (cell, seed) is a
line of the csv; a second call does those that are missing, and prints means and deviations.

  base           tone="exposure", seven exposures, the HDR loss through the layer on the data set's
                 radiance, g a constant for its gradient; phase 2 after a third of the steps
  no HDR loss    weight 0
  solve          the gradient through the recovery of g as well
  no memory      the ConvGRUs begin anew at every step
  global alone   phase 1 to the end: neither local nor refinement network, no HDR loss
  image          tone="image", the networks paint every exposure
  11 exposures   EV -7..+3
  highlights     one pass that predicts the gain (HighlightModel), L1 of the log gain
  + HDR-VDP-2    the same with HDR-VDP-2 as a loss after a third of the steps

psnr_K: the exposure at EV K against the true one, dB. psnr_mu, q (HDR-VDP-2.2) and pu21: of the map
that the layer merges from the generated stack, against the scene's own radiance.
"""

import argparse
import csv
import functools
import pathlib
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from flax import jax_utils
from ml_collections import ConfigDict
from quality import scenes

from configs import exposure, highlights
from hdr_jax import data, images, losses, metrics, training
from hdr_jax.cli.compiled import keep_compiled
from hdr_jax.synthetic import Camera, meter

SIZE, WHOLE, BATCH = 48, (72, 96), 4  # crops, views (height and width), crops of a step
SEVEN, ELEVEN = (tuple(float(ev) for ev in range(low, 4)) for low in (-3, -7))
COLUMNS = (
    "cell", "seed", "steps", "parameters", "cpu_seconds", "psnr_mu", "q", "pu21",
    *(f"psnr_{ev:+d}" for ev in range(-3, 4) if ev),
)  # fmt: skip


def _stack_config() -> ConfigDict:
    """Narrow networks; rates of the small configuration."""
    config = exposure.get_config()
    config.model.update(global_width=8, global_levels=3, local_width=4, local_levels=2)
    config.model.update(refinement_width=8, refinement_levels=2)
    config.update(learning_rate=2e-3, refinement_learning_rate=2e-3)
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
    config.update(learning_rate=2e-3, refinement_learning_rate=1e-3, average=0.0)
    return config


CELLS: dict[str, Callable[[], ConfigDict]] = {
    "base": _stack_config,
    "image": functools.partial(
        _changed, model__tone="image", model__ev_offsets=None, model__norm_entries=None
    ),
    "no HDR loss": functools.partial(_changed, loss__hdr=0.0),
    "global alone": functools.partial(_changed, loss__hdr=0.0, refine_from=None),
    "no memory": functools.partial(_changed, model__memory=False),
    "solve": functools.partial(_changed, layer__response_gradient=True),
    "11 exposures": functools.partial(
        _changed, model__num_exposures=11, model__ev_offsets=ELEVEN, model__norm_entries=10
    ),
    "highlights": functools.partial(_highlight_config, 0.0),
    "+ HDR-VDP-2": functools.partial(_highlight_config, 0.1),
}


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

    def __init__(self, name: str, steps: int, folder: pathlib.Path):
        config = CELLS[name]()
        config.update(steps=steps, batch_size=BATCH, size=SIZE)
        config.refine_from = steps if config.refine_from is None else steps // 3
        self.config, self.setup = config, training.Setup.from_config(config)
        self.stops = ELEVEN if name == "11 exposures" else SEVEN
        self.source = _cached(folder, "train", self.stops)
        self.held_out = _cached(folder, "val", self.stops)
        self.steps = {
            phase: jax.pmap(
                functools.partial(training.train_step, self.setup, phase),
                axis_name=training.DEVICES, in_axes=(0, 0, None), devices=jax.local_devices()[:1],
            )
            for phase in (1, 2)
        }  # fmt: skip
        # Without refinement networks the global network's stack is scored.
        refine = config.refine_from < steps
        self.evaluate = jax.jit(functools.partial(training.eval_step, self.setup, refine=refine))

    def batches(self, seed: int) -> Iterator[dict]:
        """What it learns from."""
        options = {"batch_size": BATCH, "seed": seed}
        if "photographs" in self.config:
            taker = data.Photographer.from_fields(self.config.photographs.to_dict())
            source, size = data.RadianceMaps(self.source), (SIZE, SIZE)
            return data.photographs(source, size=size, photographer=taker, **options)
        return data.batches(self.source, size=SIZE, **options)

    def run(self, seed: int) -> dict[str, float]:
        """Trains from scratch and scores."""
        began, config = time.process_time(), self.config
        setup = training.Setup.from_config(ConfigDict({**config.to_dict(), "seed": seed}))
        state = training.create_state(setup, jax.random.key(seed))
        parameters = sum(leaf.size for leaf in jax.tree.leaves(state.params))
        state = jax_utils.replicate(state, jax.local_devices()[:1])
        batches = data.to_devices(self.batches(seed), jax.local_devices()[:1])
        for step, batch in zip(range(config.steps), batches, strict=False):
            phase = 1 if step < config.refine_from else 2
            references = training.draw_references(setup, step)
            state, terms = self.steps[phase](state, batch, references)
        batches.close()
        loss = float(terms["loss"][0])
        if not np.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss} after {config.steps} steps")
        scores = self.scores(jax_utils.unreplicate(state).params)
        return {"parameters": parameters, "cpu_seconds": time.process_time() - began, **scores}

    def scores(self, params) -> dict[str, float]:
        """Means over the validation views."""
        rows = []
        middle = self.stops.index(0)
        for batch in data.evaluation_batches(self.held_out):
            arrays = {name: jnp.asarray(batch[name]) for name in data.ARRAYS}
            made = self.evaluate(params, _middle_seven(arrays, self.setup, middle))
            rows.append(jax.device_get(_scores(made, arrays, middle)))
        mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        return mean


def _middle_seven(arrays, setup, middle):
    """The arrays; a `HighlightModel` finds the photograph in the middle of the stack."""
    del setup, middle
    return arrays


@functools.partial(jax.jit, static_argnums=2)
def _scores(made, arrays, middle):
    """Of one view."""
    radiance, true = made["radiance"][0], arrays["hdr"][0]
    aligned = losses.align_scale(true, radiance) / jnp.max(true)
    shown = metrics.calibrate(radiance, true, protocol="display")
    true_stack = arrays["stack"][0] / 255
    exposures = {
        f"psnr_{ev:+d}": metrics.psnr(made["stack"][0, middle + ev], true_stack[middle + ev])
        for ev in range(-3, 4)
        if ev
    }
    return {
        "psnr_mu": metrics.psnr_mu(aligned, true / jnp.max(true)),
        "q": metrics.hdrvdp2_by_protocol(radiance, true).Q,
        "pu21": metrics.pu21_psnr(*shown),
        **exposures,
    }


_cached = functools.cache(views)


def finished(path: pathlib.Path, steps: int) -> list[dict]:
    """The lines of the csv with so many steps."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if int(row["steps"]) == steps]


def report(rows: list[dict]) -> None:
    """A Markdown table: mean +- standard deviation over the seeds."""
    names = COLUMNS[5:]
    print("| cell | seeds | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 2) + "|")
    for cell in CELLS:
        lines = [row for row in rows if row["cell"] == cell]
        if lines:
            values = np.array([[float(row[name]) for name in names] for row in lines])
            spread = values.std(0, ddof=1) if len(lines) > 1 else np.full(len(names), np.nan)
            texts = [f"{m:.2f} ± {s:.2f}" for m, s in zip(values.mean(0), spread, strict=True)]
            print(f"| {cell} | {len(lines)} | " + " | ".join(texts) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--csv", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS))
    args = parser.parse_args()
    keep_compiled()
    done = {(row["cell"], int(row["seed"])) for row in finished(args.csv, args.steps)}
    cells: dict[str, Cell] = {}
    for seed in range(args.seeds):  # all cells once, then again: a stopped run can be read
        for name in args.cells:
            if (name, seed) in done:
                continue
            if name not in cells:
                cells[name] = Cell(name, args.steps, args.folder)
            row = {"cell": name, "seed": seed, "steps": args.steps, **cells[name].run(seed)}
            new = not args.csv.exists()
            with args.csv.open("a", newline="") as file:
                writer = csv.DictWriter(file, COLUMNS)
                if new:
                    writer.writeheader()
                writer.writerow(
                    {k: f"{v:.4f}" if isinstance(v, float) else v for k, v in row.items()}
                )
            print(row, flush=True)
    report(finished(args.csv, args.steps))


if __name__ == "__main__":
    main()

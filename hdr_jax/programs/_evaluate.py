"""Scores a trained run on one split, with numbers and pictures."""

import functools
import json
import pathlib
from typing import Any

import jax
import numpy as np
import tqdm

import tfds_builders  # noqa: F401 - makes the data sets known
from hdr_jax import data, page, training
from hdr_jax.errors import InputError
from hdr_jax.files import write_text
from hdr_jax.metrics import HDRVDP2_MIN_SIZE
from hdr_jax.models import check_same_architecture
from hdr_jax.programs._starting import CheckedScenes, edges_of
from hdr_jax.runs import figures, scenes, scores
from hdr_jax.runs.checkpoints import load_model, refined
from hdr_jax.training.setup import Fields

SHOWN = ("stack_psnr", "psnr_mu", "srgb_psnr_mu", "psnr_reinhard", "hdrvdp2_q", "dataset_psnr_mu")


def evaluate(config: Fields, workdir: str | pathlib.Path) -> dict:
    """Scores every scene of `config.eval_split` and writes numbers, panels and a page.

    Args:
      config: that of the run; see hdr_jax/configs/paper.py.
      workdir: folder of the run, with a checkpoint.

    Returns:
      What metrics.json holds.

    Raises:
      InputError: when there is no checkpoint, it does not fit, or the data cannot be read.
    """
    setup = training.Setup.from_config(config)
    if config.size < HDRVDP2_MIN_SIZE:
        raise InputError(
            f"got config.size = {config.size}: expected at least {HDRVDP2_MIN_SIZE}, which "
            f"HDR-VDP-2 needs, and a multiple of {setup.model.multiple}"
        )
    workdir = pathlib.Path(workdir).expanduser()
    model, params, step = load_model(workdir)
    check_same_architecture(model, setup.model, f"the checkpoint of {workdir}")
    folders = config.data_dir, config.manual_dir or None
    source = CheckedScenes(setup, data.load_source(config.dataset, config.eval_split, *folders))
    out = workdir / "eval"
    out.mkdir(exist_ok=True)
    refine = refined(workdir, step)
    generate = jax.jit(functools.partial(training.eval_step, setup, refine=refine))
    batches = data.evaluation_batches(source, size=config.size, **edges_of(setup))
    results = scores.evaluated(
        batches, functools.partial(generate, params), jax.jit(scores.all_scores)
    )
    rows, values, before = [], [], _panels(out / "metrics.json")
    shown_scenes = scenes.Collected()
    for result in tqdm.tqdm(results, total=len(source), unit="scene"):
        # Maps [h, w] are for the page.
        values.append({name: value for name, value in result.scores.items() if value.ndim < 2})
        row = {name: _plain(value) for name, value in values[-1].items()}
        shown: Any = {key: row[key] for key in SHOWN if key in row}
        panel = out / f"{_file_name(result.name, rows)}.png"
        figures.panel(
            panel, result.name, result.outputs, result.true_stack, result.ev_offset, shown
        )
        shown_scenes.add(result)
        rows.append({"scene": result.name, "panel": panel.name, **row})
    summary = {
        "dataset": config.dataset,
        "split": config.eval_split,
        "step": step,
        "hdrvdp2_protocol": scores.HDRVDP2_PROTOCOL,
        "references": {f"{name}*": text for name, text in scores.REFERENCES.items()},
        **_summary(values),
        "scenes": rows,
    }
    write_text(out / "metrics.json", json.dumps(summary, indent=1) + "\n")
    title = f"{config.dataset} {config.eval_split}, step {step}"
    means = {name: f"{mean} \u00b1 {sd}" for name, (mean, sd) in _means(summary).items()}
    page.write(out / "index.html", title, shown_scenes.encoded, means, shown_scenes.notes)
    for name in before - {row["panel"] for row in rows}:
        (out / name).unlink(missing_ok=True)
    _report(summary, out)
    return summary


def _summary(values: list[dict[str, np.ndarray]]) -> dict[str, dict]:
    """Mean and standard deviation over the scenes of every score, see `scores.mean`."""
    # Those of each exposure have a mean where all scenes have as many exposures.
    names = [name for name in values[0] if len({np.size(scene[name]) for scene in values}) == 1]
    columns = {name: np.asarray([scene[name] for scene in values], float) for name in names}
    means = {name: scores.mean(column) for name, column in columns.items()}
    with np.errstate(invalid="ignore"):  # inf - inf, where all scenes are perfect
        squares = {name: (column - means[name]) ** 2 for name, column in columns.items()}
    return {
        "mean": {name: _plain(mean) for name, mean in means.items()},
        "sd": {name: _plain(np.sqrt(scores.mean(square))) for name, square in squares.items()},
    }


def _plain(values: np.ndarray) -> float | list[float | None] | None:
    """Numbers for JSON, which knows neither infinity nor NaN: None in place of them."""
    values = np.asarray(values, np.float64)
    return np.where(np.isfinite(values), values, np.array(None)).tolist()


def _panels(metrics: pathlib.Path) -> set[str]:
    """The panels of an earlier evaluation, by its metrics.json; none where that is damaged."""
    try:
        names = {str(row["panel"]) for row in json.loads(metrics.read_text())["scenes"]}
        return {name for name in names if pathlib.Path(name).name == name}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _report(summary: dict, out: pathlib.Path) -> None:
    """Prints mean and standard deviation of the scores that are one number."""
    print(f"{summary['dataset']} {summary['split']}, {len(summary['scenes'])} scenes, step "
          f"{summary['step']}; HDR-VDP-2: {summary['hdrvdp2_protocol']}")  # fmt: skip
    for name, (mean, sd) in _means(summary).items():
        print(f"  {name:20s} {mean:>8s} +- {sd}")
    print(f"pictures: {out / 'index.html'}")


def _means(summary: dict) -> dict[str, tuple[str, str]]:
    """Mean and standard deviation, as texts, of the scores that are one number."""
    return {
        name: (figures.shown(value), figures.shown(summary["sd"][name]))
        for name, value in summary["mean"].items()
        if not isinstance(value, list)
    }


def _file_name(scene: str, rows: list[dict]) -> str:
    """A scene's name with all replaced that a file name may not hold; none that `rows` have."""
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in scene)
    taken = {row["panel"] for row in rows}
    return name if f"{name}.png" not in taken else f"{name}-{len(rows)}"

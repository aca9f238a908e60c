"""What the numbers of a configuration may be."""

import math
from numbers import Integral, Real
from typing import Any

from hdr_jax.errors import InputError
from hdr_jax.metrics import HDRVDP2_MIN_SIZE
from hdr_jax.models import ExposureStackModel, HighlightModel, Model, check_fields

NETWORKS = ("global", "local", "refinement")
SIZES = tuple(f"{name}_{kind}" for name in NETWORKS for kind in ("width", "levels"))
HIGHLIGHTS = "highlights"  # the one network of a `HighlightModel`
COUNTS = (
    "steps", "batch_size", "micro_batches", "log_every", "checkpoint_every", "eval_every",
    "eval_scenes", "keep_checkpoints",
)  # fmt: skip
WHOLE = (*COUNTS, "refine_from", "seed", "size", "max_reference_offset")
COMPARED = ("log_every", "checkpoint_every", "eval_every", "refine_from")  # and no more than that
NAMES = ("dataset", "train_split", "val_split", "eval_split", "init_from")
REAL = (
    "learning_rate", "refinement_learning_rate", "weight_decay", "b1", "b2", "mu",
    "metering_stops", "average", "clip_norm",
)  # fmt: skip

Demand = tuple[str, Any, bool, str]  # field, its value, whether that fits, what would


def check_numbers(config: Any, model: Model) -> None:
    """Refuses numbers that do not fit.

    Args:
      config: see hdr_jax/configs/paper.py.
      model: that it describes.

    Raises:
      InputError: naming the field, what it is and what it may be.
    """
    check_fields(model)
    _refuse(_of_kinds(config, model))  # what is no number cannot be compared
    demands = _of_all(config, model)
    if isinstance(model, HighlightModel):
        demands += _of_highlights(config, model)
    else:
        demands += _of_stacks(config, model)
    _refuse(demands)


def photograph_size(config: Any, multiple: int) -> tuple[int, int]:
    """Height and width of the photographs that a `HighlightModel` is trained on.

    Args:
      config: with `size`, the height, and `photographs.aspect`, 1 where there is none.
      multiple: of which the model takes sizes.

    Returns:
      Pixels; the width is the multiple nearest to what the aspect asks for.
    """
    wanted = config.size * _aspect(config)
    return config.size, multiple * max(1, round(wanted / multiple))


def _aspect(config: Any) -> Any:
    """Width over height of the photographs."""
    return config.get("photographs", {}).get("aspect", 1.0)


def _refuse(demands: list[Demand]) -> None:
    """Raises InputError for the first that is not met."""
    for name, value, fits, expected in demands:
        if not fits:
            raise InputError(f"got config.{name} = {value!r}: expected {expected}")


def _of_kinds(config: Any, model: Model) -> list[Demand]:
    """That numbers are numbers and names are names, where a configuration has them."""
    whole = {name: config[name] for name in WHOLE}
    real = {name: config[name] for name in REAL if name in config}
    real |= {f"loss.{name}": weight for name, weight in config.loss.items()}
    lists, force = {}, config.force_resume
    if isinstance(model, HighlightModel):
        lists = {f"model.{name}": getattr(model, name) for name in ("widths", "depths")}
        lists["ev_offsets"] = config.ev_offsets
    else:
        sizes = (*SIZES, "num_exposures")
        whole |= {f"model.{name}": getattr(model, name) for name in sizes}
    return [
        *((name, x, _is_whole(name, x), "a whole number") for name, x in whole.items()),
        *((name, x, isinstance(x, Real), "a number") for name, x in real.items()),
        *((name, x, isinstance(x, tuple | list), "a list of numbers") for name, x in lists.items()),
        *((name, config[name], isinstance(config[name], str), "a name") for name in NAMES),
        ("force_resume", force, isinstance(force, bool), "True or False"),
    ]


def _is_whole(name: str, value: Any) -> bool:
    """Whether a number is whole; as a float, as 2e3, where it is only compared."""
    is_float = name in COMPARED and isinstance(value, float) and value.is_integer()
    return is_float or isinstance(value, Integral)


def _of_all(config: Any, model: Model) -> list[Demand]:
    """Of any model's configuration."""
    size, target, targets = config.size, config.hdr_target, ("synthesized", "dataset")
    finite = {name: config[name] for name in ("learning_rate", "refinement_learning_rate")}
    finite |= {"weight_decay": config.weight_decay}
    finite |= {f"loss.{name}": weight for name, weight in config.loss.items()}
    below_one = {"b1": config.b1, "b2": config.b2, "average": config.get("average", 0.0)}
    of_size = f"a multiple of {model.multiple} (2^levels of the deepest network)"
    return [
        *((name, config[name], config[name] >= 1, "at least 1") for name in COUNTS),
        *((name, x, 0 <= x < math.inf, "a finite number, 0 or more") for name, x in finite.items()),
        *((name, x, 0 <= x < 1, "0 or more, below 1") for name, x in below_one.items()),
        ("refine_from", config.refine_from, config.refine_from >= 0, "0 or more"),
        ("mu", config.mu, 0 < config.mu < math.inf, "a finite number above 0"),
        ("metering_stops", config.metering_stops, 0 <= config.metering_stops <= 20, "0 to 20"),
        ("seed", config.seed, 0 <= config.seed < 2**32, "0 or more, below 2^32"),
        ("size", size, size > 0 and size % model.multiple == 0, of_size),
        ("hdr_target", target, target in targets, " or ".join(map(repr, targets))),
    ]


def _of_highlights(config: Any, model: HighlightModel) -> list[Demand]:
    """Of a `HighlightModel`'s configuration."""
    widths, depths = tuple(model.widths), tuple(model.depths)
    whole = all(isinstance(size, int) for size in (*widths, *depths))
    fits = len(widths) == len(depths) and whole and min((*widths, *depths), default=0) >= 1
    begin, stops = config.refine_from, tuple(config.ev_offsets)
    finite = all(isinstance(stop, Real) and math.isfinite(stop) for stop in stops)
    learns = any(config.loss.get(name) for name in ("gain_l1", "gradient_l1", "hdr"))
    seen = config.loss.get("hdrvdp2", 0) > 0 and begin < config.steps
    aspect = _aspect(config)
    least = HDRVDP2_MIN_SIZE
    known = isinstance(aspect, int | float) and 0.01 <= aspect <= 100
    size = photograph_size(config, model.multiple) if known else (least, least)
    large = f"at least {least} pixels of photographs for HDR-VDP-2; height, width are {size}"
    alone = "0, as the losses of the steps before it (gain_l1, gradient_l1, hdr) are all 0"
    return [
        ("model.depths", depths, fits, f"as many as widths {widths}, all whole and above 0"),
        ("clip_norm", config.clip_norm, config.clip_norm > 0, "above 0"),
        ("refine_from", begin, learns or begin == 0, alone),
        ("photographs.aspect", aspect, known, "a number from 0.01 to 100"),
        ("size", config.size, not seen or min(size) >= least, large),
        ("ev_offsets", stops, finite and len(set(stops)) > 1, "finite stops, two at least differ"),
    ]


def _of_stacks(config: Any, model: ExposureStackModel) -> list[Demand]:
    """Of an `ExposureStackModel`'s configuration."""
    n, offset = model.num_exposures, config.max_reference_offset
    average = config.get("average", 0.0)
    inside = 0 <= offset <= min(model.middle, n - 1 - model.middle)
    sizes = {f"model.{name}": getattr(model, name) for name in SIZES}
    return [
        *((name, size, size >= 1, "at least 1") for name, size in sizes.items()),
        ("model.num_exposures", n, n >= 2, "at least 2"),
        ("max_reference_offset", offset, inside, "small enough to stay inside the stack"),
        ("average", average, average == 0, "0: of model.tone 'highlights' alone"),
    ]

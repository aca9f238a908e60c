"""A configuration resolved once: everything that the steps need, checked, and nothing else."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hdr_jax import optim
from hdr_jax.errors import InputError
from hdr_jax.merge import synthesize
from hdr_jax.models import HighlightModel, Model, model_from_fields
from hdr_jax.training._demands import HIGHLIGHTS, NETWORKS, check_numbers

Fields = Any  # of a ConfigDict, whose values pyright takes for anything at once


@dataclasses.dataclass(frozen=True)
class Objective:
    """What is minimised: Eq. (4) to (6).

    Attributes:
      weights: the factors l1 to l6 of the paper: global_l1, global_histogram, local_l1,
        refinement_l1, hdr, contextual.
      mu: of the HDR term's mu law.
      hdr_target: "synthesized", the layer's own map of the true stack, or "dataset", the radiance
        map that comes with the data.
      hdr_align: whether the synthesized target is brought to the prediction's scale first; the
        other always is.
      end_to_end: whether the HDR term reaches all networks, or the refinement alone.
      layer: keyword arguments of `hdr_jax.merge.synthesize`.
    """

    weights: Mapping[str, float]
    mu: float
    hdr_target: str
    hdr_align: bool
    end_to_end: bool
    layer: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class HighlightObjective:
    """What is minimised for a `HighlightModel`; see `hdr_jax.training.highlight_terms`.

    Attributes:
      weights: factors of the terms, by the names in HIGHLIGHT_LOSSES.
      mu: of the HDR term's mu law.
      ev_offsets: of the exposures that the HDR term recovers and merges, stops.
      layer: keyword arguments of `hdr_jax.merge.synthesize`.
    """

    weights: Mapping[str, float]
    mu: float
    ev_offsets: tuple[float, ...]
    layer: Mapping[str, Any]


HIGHLIGHT_LOSSES = (
    "gain_l1", "hdr", "chroma_l1", "partial_l1", "gradient_l1", "hdrvdp2", "pu21",
)  # fmt: skip
LOSSES = (
    "global_l1", "global_histogram", "local_l1", "refinement_l1", "hdr", "contextual",
)  # fmt: skip


# What train.py and eval.py themselves read of a configuration.
RUN_FIELDS = (
    "dataset", "data_dir", "manual_dir", "train_split", "val_split", "eval_split", "vgg_path",
    "metering_stops", "keep_checkpoints", "init_from", "force_resume", "hosts",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Setup:
    """What a run is made of.

    Attributes:
      model: the networks, unbound.
      optimizers: one for each kind of network, so that phase 1 can leave one of them alone; a
        `HighlightModel` has a single one, "highlights".
      objective: the losses and the HDR layer.
      seed: of the initial parameters, the references and the batches.
      max_reference_offset: of the recursive part, in exposures from the middle.
      refine_from: step from which the refinement networks learn too.
      edge_weights: name of the channel weights of the edge maps, see `hdr_jax.images.edge_weights`.
      micro_batches: parts in which a device takes its scenes of a batch, one after the other.

    Example: `setup = Setup.from_config(paper.get_config())`
    """

    model: Model
    optimizers: Mapping[str, optax.GradientTransformation]
    objective: Objective | HighlightObjective
    seed: int
    max_reference_offset: int
    refine_from: int
    edge_weights: str
    micro_batches: int = 1

    @classmethod
    def from_config(cls, config: Fields) -> "Setup":
        """Resolves a configuration, and refuses one that could not be run to its end.

        Args:
          config: see hdr_jax/configs/paper.py for the fields.

        Returns:
          The set-up.

        Raises:
          InputError: naming the field, what it is and what it may be.
        """
        try:
            for name in RUN_FIELDS:
                config[name]
            model = model_from_fields(config.model.to_dict())
            highlights = isinstance(model, HighlightModel)
            check_numbers(config, model)
            return cls(
                model=model,
                optimizers=_highlight_optimizer(config) if highlights else _optimizers(config),
                objective=_objective(config, model),
                seed=config.seed,
                max_reference_offset=config.max_reference_offset,
                refine_from=config.refine_from,
                edge_weights=config.edge_weights,
                micro_batches=config.micro_batches,
            )
        except (AttributeError, KeyError) as error:
            raise InputError(
                f"the configuration lacks a field: {error.args[0]}. Expected those of "
                "hdr_jax/configs/paper.py; pass a --config FILE of this version"
            ) from error

    def check_example(self, example: Mapping[str, Any]) -> None:
        """Refuses a scene with another number of exposures, at other stops, or with EV 0 elsewhere.

        Args:
          example: one of a source, see `hdr_jax.data`.

        Raises:
          InputError: naming the field to change.
        """
        if isinstance(self.model, HighlightModel):
            return  # any number will do
        ev_offset, count = np.asarray(example["ev_offset"]), len(example["ev_offset"])
        expected, stops = self.model.num_exposures, self.model.stops
        if count != expected:
            raise InputError(
                f"got config.model.num_exposures = {expected} for {count} exposures: "
                f"expected equal numbers, --config.model.num_exposures={count}"
            )
        at = np.round(ev_offset, 2).tolist()
        if self.model.tone == "exposure" and not np.allclose(ev_offset, stops, atol=0.01):
            raise InputError(
                f"got config.model.ev_offsets = {stops} for exposures at {at} stops: expected "
                "the same"
            )
        middle = self.model.middle
        if np.abs(ev_offset[middle]) > np.abs(ev_offset).min() + 0.01:
            raise InputError(
                f"got exposures at {at} stops: expected EV 0 as number {middle} of them (from 0), "
                "which the networks start from; leave out exposures of the longer side"
            )


def _optimizers(config: Fields) -> dict[str, optax.GradientTransformation]:
    """Centralised Adam for each kind of network, at a constant rate or one that falls to 0."""
    rates = {name: config.learning_rate for name in NETWORKS}
    rates["refinement"] = config.refinement_learning_rate
    if config.cosine_decay:  # over the steps in which a network learns
        steps = {name: config.steps for name in NETWORKS}
        steps["refinement"] = max(config.steps - config.refine_from, 1)
        rates = {name: optax.cosine_decay_schedule(rates[name], steps[name]) for name in NETWORKS}
    options = {"b1": config.b1, "b2": config.b2, "weight_decay": config.weight_decay}
    return {name: optim.centralized_adam(rate, **options) for name, rate in rates.items()}


def _highlight_optimizer(
    config: Fields,
) -> dict[str, optax.GradientTransformation]:
    """AdamW under a bound on the gradient's norm; each phase has a cosine of its own, after a
    rise over a twentieth of it (the gradient's direction is all but noise at first)."""
    first = min(config.refine_from, config.steps)
    lengths = {"learning_rate": first, "refinement_learning_rate": config.steps - first}
    phases = [
        optax.warmup_cosine_decay_schedule(0.0, config[name], length // 20, length)
        for name, length in lengths.items()
        if length > 0
    ]
    rate = optax.join_schedules(phases, [first] if len(phases) == 2 else [])
    options = {"b1": config.b1, "b2": config.b2, "weight_decay": config.weight_decay}
    steps = [optax.clip_by_global_norm(config.clip_norm), optax.adamw(rate, **options)]
    if config.average:
        steps.append(optim.average_parameters(config.average))
    return {HIGHLIGHTS: optax.chain(*steps)}


def _objective(config: Fields, model: Model) -> Objective | HighlightObjective:
    """The losses and the layer's options; names and values are tried out."""
    weights, layer = config.loss.to_dict(), config.layer.to_dict()
    highlights = isinstance(model, HighlightModel)
    names = HIGHLIGHT_LOSSES if highlights else LOSSES
    if set(weights) != set(names):
        raise InputError(f"got config.loss of {sorted(weights)}: expected {sorted(names)}")
    _check_layer(layer, len(config.ev_offsets) if highlights else model.num_exposures)
    if highlights:
        return HighlightObjective(weights, config.mu, tuple(config.ev_offsets), layer)
    return Objective(
        weights=weights,
        mu=config.mu,
        hdr_target=config.hdr_target,
        hdr_align=config.hdr_align,
        end_to_end=config.end_to_end,
        layer=layer,
    )


def _check_layer(layer: Mapping[str, Any], num_exposures: int) -> None:
    """Holds `config.layer` against the signature of `synthesize`, and calls it on shapes alone."""
    parameters = inspect.signature(synthesize).parameters.values()
    known = sorted(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    unknown = sorted(set(layer) - set(known))
    if unknown:
        raise InputError(f"unknown fields {unknown} of config.layer: expected some of {known}")
    shapes = (num_exposures, 32, 32, 3), (num_exposures,)
    arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    try:
        jax.eval_shape(lambda *arrays: synthesize(*arrays, **layer), *arguments)
    except (ValueError, TypeError) as error:
        raise InputError(f"config.layer = {dict(layer)} does not work: {error}") from error

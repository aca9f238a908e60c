"""The losses of one batch: Eq. (4), (5) and (6) through the networks and the HDR layer.

Notation: batch arrays as in `hdr_jax.data`: stack [b, n, h, w, 3] and edges [b, n, h, w, 1] uint8,
ev_offset [b, n]. A step has two parts (Kim, Lee, Kang 2020, as released): A, teacher-forced from a
random reference exposure; B, recursive from a reference near the middle.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from hdr_jax import losses
from hdr_jax.exposure import ev_to_log_times
from hdr_jax.levels import as_unit_float
from hdr_jax.merge import synthesize
from hdr_jax.training.setup import Objective, Setup


def loss_terms(
    setup: Setup,
    params: Any,
    batch: Mapping[str, Array],
    references: tuple[Array, Array],
    phase: int,
    vgg_params: Any = None,
) -> dict[str, Array]:
    """Eq. (4), (5) and (6) as named, weighted terms, each a mean over the batch.

    The gradient of their sum trains every network with its own terms alone, except that the HDR
    term reaches all of them; with `end_to_end=False` it too stays with the refinement.
    The L1 terms of exposures are in the networks' unit, [-1, 1], as in the released program;
    `local_l1` compares edge maps in [0, 1].

    Args:
      setup: its model and objective.
      params: of the model.
      batch: arrays as in `hdr_jax.data`: stack, edges, ev_offset and
        (for `hdr_target="dataset"`) hdr.
      references: indices, scalars from `draw_references`, may be traced.
      phase: 1 or 2, static.
      vgg_params: weights for the perceptual term; None compares RGB patches.

    Returns:
      {name: scalar}: global_l1, global_histogram, local_l1 and, in phase 2, refinement_l1,
      refinement_hdr, refinement_cobi; the last two are left out at weight 0 and cost nothing.

    Differentiable in `params`.
    Source: Kim, Lee, Kang 2020, Eq. 4 to 7.
    """
    model: Any = setup.model
    objective: Any = setup.objective
    stack, edges = as_unit_float(batch["stack"]), batch["edges"].astype(jnp.float32)
    refine = phase == 2

    teacher_forced, recursive = model.apply(
        {"params": params}, stack, edges, references, method="two_walks", refine=refine,
        gradients="routed" if refine and objective.end_to_end else "own",
    )  # fmt: skip
    weights = objective.weights
    terms: dict[str, Any] = dict.fromkeys(("global_l1", "global_histogram", "local_l1"), 0.0)
    if refine:
        terms["refinement_l1"] = 0.0
    for output, reference in zip((teacher_forced, recursive), references, strict=True):
        made = generated(model.num_exposures, reference)
        true, toned = stack[:, made], output.global_stack[:, made]
        terms["global_l1"] += weights["global_l1"] * losses.l1(2 * toned, 2 * true)
        if weights["global_histogram"]:
            histogram = losses.histogram_l1(toned, true)
            terms["global_histogram"] += weights["global_histogram"] * histogram
        edge_error = losses.l1(output.edges[:, made], edges[:, made])
        terms["local_l1"] += weights["local_l1"] * edge_error
        if refine:
            refined = output.stack[:, made]
            terms["refinement_l1"] += weights["refinement_l1"] * losses.l1(2 * refined, 2 * true)
    if refine:
        if weights["hdr"]:
            hdr = hdr_loss(objective, recursive.linked_stack, batch)
            terms["refinement_hdr"] = weights["hdr"] * hdr
        if weights["contextual"]:
            perceived = perceptual_loss(recursive.stack[:, made], stack[:, made], vgg_params)
            terms["refinement_cobi"] = weights["contextual"] * perceived
    return terms


def hdr_loss(objective: Objective, generated_stack: Array, batch: Mapping[str, Array]) -> Array:
    """The second term of Eq. (6) through the synthesis layer, mean over the batch.

    Args:
      objective: its target, scale and layer.
      generated_stack: [b, n, h, w, 3] in [0, 1] units.
      batch: arrays as in `hdr_jax.data`: stack, ev_offset, hdr.

    Returns:
      Scalar.

    Differentiable in `generated_stack`.
    Source: Kim, Lee, Kang 2020, Eq. 6.
    """
    log_times = ev_to_log_times(batch["ev_offset"])
    layer = jax.vmap(lambda stack, times: synthesize(stack, times, **objective.layer)[0])
    prediction = layer(generated_stack, log_times)
    from_data = objective.hdr_target == "dataset"
    target = batch["hdr"] if from_data else layer(as_unit_float(batch["stack"]), log_times)
    if objective.hdr_align or from_data:
        target = jax.vmap(losses.align_scale)(prediction, target)
    return losses.hdr_l1(prediction, jax.lax.stop_gradient(target), objective.mu)


def perceptual_loss(prediction: Array, target: Array, vgg_params: Any = None) -> Array:
    """The contextual bilateral term, Eq. (7), mean over scenes and exposures.

    Args:
      prediction: [b, m, h, w, 3] in [0, 1] units.
      target: the same shape.
      vgg_params: weights of VGG-19; None compares RGB patches.

    Returns:
      Scalar.

    Differentiable in `prediction`.
    Source: Kim, Lee, Kang 2020, Eq. 7.
    """

    def one(images):
        x, y = (losses.features(image, vgg_params) for image in images)
        return losses.contextual_bilateral(x, jax.lax.stop_gradient(y))

    flat = [x.reshape(-1, *x.shape[2:]) for x in (prediction, target)]
    # One picture at a time: the distances of all pairs of features take the memory.
    return jnp.mean(jax.lax.map(jax.checkpoint(one), tuple(flat)))


def generated(num_exposures: int, reference: int | Array) -> Array:
    """Indices of the exposures that the model made: all but the reference.

    Args:
      num_exposures: n.
      reference: index of the exposure that was given, a scalar, may be traced.

    Returns:
      [n - 1] int.

    Example:
      >>> generated(4, 1).tolist()
      [0, 2, 3]
    """
    index = jnp.arange(num_exposures - 1)
    return index + (index >= reference)

"""One training step and one evaluation step as pure functions of a state and a batch.

Notation: batch arrays as in `hdr_jax.data`: stack [b, n, h, w, 3] and edges [b, n, h, w, 1] uint8,
ev_offset [b, n]. A step has two parts (Kim, Lee, Kang 2020, as released): A, teacher-forced from a
random reference exposure; B, recursive from a reference near the middle. `phase` 1 trains the
global
and local networks, phase 2 the refinement networks too; it is static, so that there are two
compiled steps in all. No function here does I/O.
"""

from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
from jax import Array

from hdr_jax import losses, optim
from hdr_jax.exposure import ev_to_log_times
from hdr_jax.merge import synthesize
from hdr_jax.models import ExposureStackModel
from hdr_jax.runs.checkpoints import model_from_fields

NETWORKS = ("global", "local", "refinement")
DEVICES = "devices"  # the axis of pmap


class TrainState(flax.struct.PyTreeNode):
    """Everything that a training step changes.

    Attributes:
      step: int32, number of steps done.
      params: {"up": {network: ...}, "down": {...}}.
      opt_state: {network: optax state} over that network's parameters in both directions.
    """

    step: Array
    params: Any
    opt_state: Any


def create_model(config: ml_collections.ConfigDict) -> ExposureStackModel:
    """The model that `config.model` describes.

    Args:
      config: with `model`, a ConfigDict of `ExposureStackModel` fields; `dtype` by name.

    Returns:
      The unbound module.

    Example:
      >>> create_model(ml_collections.ConfigDict({"model": {"dtype": "float32"}})).global_width
      32
    """
    return model_from_fields(config.model.to_dict())


def create_optimizers(
    config: ml_collections.ConfigDict,
) -> dict[str, optax.GradientTransformation]:
    """One optimiser for each kind of network, so that phase 1 can leave one of them alone.

    Args:
      config: with `learning_rate`, `refinement_learning_rate`, `b1`, `b2`, `weight_decay`, and
        `cosine_decay`: whether the rates fall to 0 over the steps in which a network learns.

    Returns:
      {"global", "local", "refinement"} -> optax transformation.
    """
    rates = {name: config.learning_rate for name in NETWORKS}
    rates["refinement"] = config.refinement_learning_rate
    if config.cosine_decay:
        steps = {name: config.steps for name in NETWORKS}
        steps["refinement"] = max(config.steps - config.refine_from, 1)
        rates = {name: optax.cosine_decay_schedule(rates[name], steps[name]) for name in NETWORKS}
    options = {"b1": config.b1, "b2": config.b2, "weight_decay": config.weight_decay}
    return {name: optim.centralized_adam(rate, **options) for name, rate in rates.items()}


def create_state(config: ml_collections.ConfigDict, key: Array) -> TrainState:
    """Initial state: parameters drawn from `key`, optimisers at rest.

    Args:
      config: as for `create_model` and `create_optimizers`.
      key: random key.

    Returns:
      A `TrainState` at step 0.
    """
    model = create_model(config)
    side = model.multiple
    image, edge_map = jnp.zeros((1, side, side, 3)), jnp.zeros((1, side, side, 1))
    params = model.init(key, image, edge_map, reference_index=model.num_exposures // 2)["params"]
    opt_state = {
        name: optimizer.init(by_network(params)[name])
        for name, optimizer in create_optimizers(config).items()
    }
    return TrainState(jnp.zeros((), jnp.int32), params, opt_state)


def draw_references(config: ml_collections.ConfigDict, step: int) -> tuple[int, int]:
    """Reference exposures of parts A and B at a step; the same for the whole batch on all devices.

    Args:
      config: with `seed`, `model.num_exposures` and `max_reference_offset`.
      step: number of the step, from 0.

    Returns:
      (any index of the stack, an index within `max_reference_offset` of the middle).
    """
    rng = np.random.default_rng((config.seed, step))
    n = config.model.num_exposures
    offset = config.max_reference_offset
    return int(rng.integers(n)), int(n // 2 + rng.integers(-offset, offset + 1))


def loss_terms(
    config: ml_collections.ConfigDict,
    model: ExposureStackModel,
    params: Any,
    batch: Mapping[str, Array],
    references: tuple[Array, Array],
    phase: int,
    vgg_params: Any = None,
) -> dict[str, Array]:
    """Eq. (4), (5) and (6) as named, weighted terms, each a mean over the batch.

    The gradient of their sum trains every network with its own terms alone, except that the HDR
    term reaches all of them; with `config.end_to_end=False` it too stays with the refinement.
    L1 terms are in the networks' unit, [-1, 1], as in the released program.

    Args:
      config: with `loss`, the factors l1 to l6 of the paper by name, `mu` and `layer`.
      model: see `create_model`.
      params: its parameters.
      batch: stack, edges, ev_offset and (for `hdr_target="dataset"`) hdr.
      references: indices from `draw_references`, may be traced.
      phase: 1 or 2, static.
      vgg_params: weights for the perceptual term; None compares RGB patches.

    Returns:
      {name: scalar}: global_l1, global_histogram, local_l1 and, in phase 2, refinement_l1,
      refinement_hdr, refinement_cobi.

    Differentiable in `params`.
    Source: Kim, Lee, Kang 2020, Eq. 4 to 7.
    """
    stack = batch["stack"].astype(jnp.float32) / 255
    edges = batch["edges"].astype(jnp.float32)
    refine = phase == 2
    way = "routed" if refine and config.end_to_end else "own"

    def walk(reference, truth, gradients):
        image, edge_map = stack[:, reference], edges[:, reference]
        return model.apply(
            {"params": params},
            image,
            edge_map,
            reference_index=reference,
            refine=refine,
            gradients=gradients,
            **truth,
        )

    a, b = references
    teacher_forced = walk(a, {"true_stack": stack, "true_edges": edges}, "own")
    recursive = walk(b, {}, way)
    weights = config.loss
    terms = {"global_l1": 0.0, "global_histogram": 0.0, "local_l1": 0.0}
    if refine:
        terms["refinement_l1"] = 0.0
    for output, reference in ((teacher_forced, a), (recursive, b)):
        made = generated(model.num_exposures, reference)
        true, toned = stack[:, made], output.global_stack[:, made]
        terms["global_l1"] += weights.global_l1 * losses.l1(2 * toned, 2 * true)
        terms["global_histogram"] += weights.global_histogram * losses.histogram_l1(toned, true)
        edge_error = losses.l1(output.edges[:, made], edges[:, made])
        terms["local_l1"] += weights.local_l1 * edge_error
        if refine:
            refined = output.stack[:, made]
            terms["refinement_l1"] += weights.refinement_l1 * losses.l1(2 * refined, 2 * true)
    if refine:
        terms["refinement_hdr"] = weights.hdr * hdr_loss(config, recursive.linked_stack, batch)
        made = generated(model.num_exposures, b)
        perceived = perceptual_loss(recursive.stack[:, made], stack[:, made], vgg_params)
        terms["refinement_cobi"] = weights.contextual * perceived
    return terms


def hdr_loss(
    config: ml_collections.ConfigDict, generated_stack: Array, batch: Mapping[str, Array]
) -> Array:
    """The second term of Eq. (6) through the synthesis layer, mean over the batch.

    Args:
      config: with `hdr_target` ("synthesized": the layer's own map of the true stack; "dataset":
        the radiance map that comes with the data), `hdr_align` (whether the synthesized target is
        brought to the prediction's scale first; the other always is), `mu` and `layer`.
      generated_stack: [b, n, h, w, 3] in [0, 1] units.
      batch: stack, ev_offset, hdr.

    Returns:
      Scalar.

    Raises:
      ValueError: for an unknown `hdr_target`.

    Differentiable in `generated_stack`.
    Source: Kim, Lee, Kang 2020, Eq. 6.
    """
    log_times = ev_to_log_times(batch["ev_offset"])
    layer = jax.vmap(lambda stack, times: synthesize(stack, times, **config.layer)[0])
    prediction = layer(generated_stack, log_times)
    if config.hdr_target == "synthesized":
        target = layer(batch["stack"].astype(jnp.float32) / 255, log_times)
    elif config.hdr_target == "dataset":
        target = batch["hdr"]
    else:
        raise ValueError(
            f"got hdr_target {config.hdr_target!r}: expected 'synthesized' or 'dataset'"
        )
    if config.hdr_align or config.hdr_target == "dataset":
        target = jax.vmap(losses.align_scale)(prediction, target)
    return losses.hdr_l1(prediction, jax.lax.stop_gradient(target), config.mu)


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


def train_step(
    config: ml_collections.ConfigDict,
    phase: int,
    state: TrainState,
    batch: Mapping[str, Array],
    references: tuple[Array, Array],
    vgg_params: Any = None,
) -> tuple[TrainState, dict[str, Array]]:
    """One optimiser step on this device's part of the batch; to be run under `pmap`.

    Args:
      config: static.
      phase: 1 or 2, static.
      state: replicated.
      batch: this device's scenes.
      references: indices from `draw_references`.
      vgg_params: see `loss_terms`.

    Returns:
      (next state, {"loss": total, every term}), equal on all devices.
    """
    model = create_model(config)

    def total(params):
        terms = loss_terms(config, model, params, batch, references, phase, vgg_params)
        return sum(terms.values()), terms

    (loss, terms), gradients = jax.value_and_grad(total, has_aux=True)(state.params)
    loss, terms, gradients = jax.lax.pmean((loss, terms, gradients), DEVICES)
    params, opt_state = dict(by_network(state.params)), dict(state.opt_state)
    gradients = by_network(gradients)
    optimizers = create_optimizers(config)
    for name in NETWORKS if phase == 2 else NETWORKS[:2]:
        updates, opt_state[name] = optimizers[name].update(
            gradients[name], opt_state[name], params[name]
        )
        params[name] = optax.apply_updates(params[name], updates)
    state = TrainState(state.step + 1, by_direction(params), opt_state)
    return state, {"loss": loss, **terms}


def eval_step(
    config: ml_collections.ConfigDict,
    params: Any,
    batch: Mapping[str, Array],
    *,
    refine: bool = True,
) -> dict[str, Array]:
    """Generates the stack from the middle exposure and merges it, and the true one alike.

    Args:
      config: static.
      params: of the model.
      batch: stack, edges, ev_offset.
      refine: False in phase 1, when the refinement networks have learnt nothing; static.

    Returns:
      `stack` [b, n, h, w, 3] in [0, 1]; `radiance`, `true_radiance` [b, h, w, 3] and `g`, `true_g`
      [b, 3, num_levels] of the generated and of the true stack.
    """
    model = create_model(config)
    middle = model.num_exposures // 2
    true = batch["stack"].astype(jnp.float32) / 255
    output = model.apply(
        {"params": params},
        true[:, middle],
        batch["edges"][:, middle].astype(jnp.float32),
        reference_index=middle,
        refine=refine,
    )
    stack = jnp.clip(output.stack, 0, 1)
    log_times = ev_to_log_times(batch["ev_offset"])
    layer = jax.vmap(lambda stack, times: synthesize(stack, times, **config.layer))
    radiance, g = layer(stack, log_times)
    true_radiance, true_g = layer(true, log_times)
    return {
        "stack": stack,
        "radiance": radiance,
        "g": g,
        "true_radiance": true_radiance,
        "true_g": true_g,
    }


def generated(num_exposures: int, reference: int | Array) -> Array:
    """Indices of the exposures that the model made: all but the reference.

    Args:
      num_exposures: n.
      reference: index of the exposure that was given, may be traced.

    Returns:
      [n - 1] int.

    Example:
      >>> generated(4, 1).tolist()
      [0, 2, 3]
    """
    index = jnp.arange(num_exposures - 1)
    return index + (index >= reference)


def by_network(params: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """{direction: {network: tree}} -> {network: {direction: tree}}.

    Args:
      params: of `ExposureStackModel`, or gradients.

    Returns:
      The same leaves by network first.

    Example:
      >>> by_network({"up": {"global": 1}, "down": {"global": 2}})
      {'global': {'up': 1, 'down': 2}}
    """
    directions = list(params)
    return {name: {d: params[d][name] for d in directions} for name in params[directions[0]]}


# Swapping the two outer levels undoes itself.
by_direction = by_network


def check_config(config: ml_collections.ConfigDict) -> None:
    """Refuses a configuration that could not be run to its end.

    Args:
      config: see configs/paper.py.

    Raises:
      ValueError: naming the field, what it is and what it may be.
    """
    n = config.model.num_exposures
    devices = jax.device_count()
    multiple = create_model(config).multiple
    counts = ("steps", "batch_size", "log_every", "checkpoint_every", "eval_every", "eval_scenes")
    demands = [(name, config[name], config[name] >= 1, "at least 1") for name in counts]
    demands += [
        ("model.num_exposures", n, n >= 2, "at least 2"),
        (
            "max_reference_offset",
            config.max_reference_offset,
            0 <= config.max_reference_offset <= min(n // 2, (n - 1) - n // 2),
            "small enough to stay inside the stack",
        ),
        (
            "size",
            config.size,
            config.size > 0 and config.size % multiple == 0,
            f"a multiple of {multiple} (2^levels of the deepest network)",
        ),
        (
            "batch_size",
            config.batch_size,
            config.batch_size % devices == 0,
            f"a multiple of the {devices} devices",
        ),
        (
            "hdr_target",
            config.hdr_target,
            config.hdr_target in ("synthesized", "dataset"),
            "'synthesized' or 'dataset'",
        ),
    ]
    for name, value, fits, expected in demands:
        if not fits:
            raise ValueError(f"got config.{name} = {value!r}: expected {expected}")

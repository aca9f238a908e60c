"""How well a generated stack and its radiance map agree with the truth.

Notation as in `hdr_jax.training.eval_step`; every score is an array [b], one value for each scene.
The truth of a radiance map is twofold, see `REFERENCES`. Either way like is compared with like: the
generated map is brought to the scale of the true one by the median log ratio, both divided by the
true maximum.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from hdr_jax import color, data, losses, metrics, tonemap
from hdr_jax.levels import as_unit_float

HDRVDP2_PROTOCOL = "singlehdr"
PU21_PROTOCOL = "display"
REFERENCES = {
    "": "the map merged from the true stack",
    "dataset_": "the radiance map that comes with the data",
}
"""What a radiance map is held against, by the beginning of a score's name."""


class Evaluated(NamedTuple):
    """One scene of an evaluation, without batch axis.

    Attributes:
      name: of the scene.
      outputs: of `eval_step`, NumPy arrays.
      true_stack: [n, h, w, 3] float in [0, 1].
      ev_offset: [n] stops.
      scores: {name: scalar or [n]}.
    """

    name: str
    outputs: dict[str, np.ndarray]
    true_stack: np.ndarray
    ev_offset: np.ndarray
    scores: dict[str, np.ndarray]


def evaluated(
    batches: Iterable[Mapping[str, Any]], generate: Callable, score: Callable
) -> Iterator[Evaluated]:
    """Generates and scores every scene of a data set.

    Args:
      batches: of `hdr_jax.data.evaluation_batches`.
      generate: arrays of a batch -> outputs of `eval_step`.
      score: (outputs, arrays) -> scores, for instance `scores` under `jax.jit`.

    Yields:
      The scenes in order.
    """
    for batch in batches:
        arrays = {name: batch[name] for name in data.ARRAYS if name in batch}
        outputs = generate(arrays)
        outputs, values = jax.device_get((outputs, score(outputs, arrays)))
        for i in np.flatnonzero(batch["mask"]):
            yield Evaluated(
                name=batch["scene"][i],
                outputs={name: value[i] for name, value in outputs.items()},
                true_stack=as_unit_float(batch["stack"][i]),
                ev_offset=batch["ev_offset"][i],
                scores={name: value[i] for name, value in values.items()},
            )


def means(results: Sequence[Evaluated]) -> dict[str, float]:
    """Mean over the scenes of every score that is one number.

    Args:
      results: of `evaluated`, at least one.

    Returns:
      {name: mean}, see `mean`.
    """
    names = [name for name, value in results[0].scores.items() if np.ndim(value) == 0]
    return {name: float(mean([r.scores[name] for r in results])) for name in names}


def mean(values: Any) -> np.ndarray:
    """Mean along the first axis without what is infinite, as the PSNR of equal pictures is.

    One perfect scene would hide all others.

    Args:
      values: [n, ...] numbers.

    Returns:
      [...] float64; +inf where nothing is left, NaN where a value is NaN, which is a defect and has
      to be seen.

    Example:
      >>> mean([[30.0, np.inf, np.nan], [40.0, np.inf, 40.0], [np.inf, np.inf, 40.0]]).tolist()
      [35.0, inf, nan]
    """
    values = np.asarray(values, np.float64)
    kept = values != np.inf
    count = kept.sum(0)
    return np.where(count, np.where(kept, values, 0).sum(0) / np.maximum(count, 1), np.inf)


def scores(outputs: Mapping[str, Array], truth: Mapping[str, Array]) -> dict[str, Array]:
    """Scores of a batch of scenes.

    Args:
      outputs: of `eval_step`.
      truth: `stack` [b, n, h, w, 3] uint8, `hdr` [b, h, w, 3] and, where EV 0 is not in the middle,
        `ev_offset` [b, n].

    Returns:
      stack_psnr and stack_ssim, means over the generated exposures, of the PSNR over those in which
      it is not infinite (infinite where all are made exactly); psnr_mu and psnr_reinhard of
      the radiance map, and the same of the input read as plain sRGB (`srgb_psnr_mu`,
      `srgb_psnr_reinhard`), against both `REFERENCES` (`dataset_psnr_mu`, ...); psnr_exposures,
      ssim_exposures [b, n], infinite and 1 at the reference.
    """
    true_stack = _true_stack(truth)
    score = jax.vmap(_stack_scores)
    result = score(outputs["stack"], true_stack, _reference(truth))
    for prefix, radiance, true in _pairs(outputs, truth):
        for name, value in jax.vmap(_map_scores)(radiance, true).items():
            result[prefix + name] = value
    return result


def all_scores(outputs: Mapping[str, Array], truth: Mapping[str, Array]) -> dict[str, Array]:
    """`scores`, and the slower metrics of absolute light.

    Args:
      outputs: of `eval_step`.
      truth: as `scores`.

    Returns:
      As `scores`, with `hdrvdp2_q` and `pu21_psnr` of the radiance map and of the input read as
      plain sRGB, under the protocols that HDRVDP2_PROTOCOL and PU21_PROTOCOL name; and
      `hdrvdp2_p_map` [b, h, w], the probability of seeing the difference at each pixel.
    """
    result = scores(outputs, truth)
    for prefix, radiance, true in _pairs(outputs, truth):
        for name, value in jax.vmap(_light_scores)(radiance, true).items():
            result[prefix + name] = value
    return result


def _true_stack(truth: Mapping[str, Array]) -> Array:
    """[b, n, h, w, 3] float in [0, 1]."""
    return as_unit_float(jnp.asarray(truth["stack"]))


def _reference(truth: Mapping[str, Array]) -> Array:
    """Indices [b] of the exposures that were given: EV 0."""
    batch, n = truth["stack"].shape[:2]
    if "ev_offset" not in truth:
        return jnp.full(batch, n // 2)
    return jnp.argmin(jnp.abs(jnp.asarray(truth["ev_offset"])), axis=1)


def _pairs(
    outputs: Mapping[str, Array], truth: Mapping[str, Array]
) -> Iterator[tuple[str, Array, Array]]:
    """(beginning of the scores' names, radiance [b, h, w, 3], true radiance)."""
    true_stack = _true_stack(truth)
    given = jax.vmap(lambda stack, index: stack[index])(true_stack, _reference(truth))
    plain = color.srgb_to_linear(given)
    trues = (outputs["true_radiance"], jnp.asarray(truth["hdr"]))
    for reference, true in zip(REFERENCES, trues, strict=True):
        yield reference, outputs["radiance"], true
        yield f"{reference}srgb_", plain, true


def _stack_scores(stack: Array, true_stack: Array, reference: Array) -> dict[str, Array]:
    """Of the exposures of one scene."""
    n = true_stack.shape[0]
    psnr = jax.vmap(metrics.psnr)(stack, true_stack)
    ssim = jax.vmap(metrics.ssim)(stack, true_stack)
    made = jnp.arange(n) != reference
    told = made & (psnr != jnp.inf)  # one exposure made exactly would hide the others; not NaN
    return {
        "stack_psnr": jnp.where(told.any(), jnp.mean(psnr, where=told), jnp.inf),
        "stack_ssim": jnp.mean(ssim, where=made),
        "psnr_exposures": psnr,
        "ssim_exposures": ssim,
    }


def _map_scores(radiance: Array, true: Array) -> dict[str, Array]:
    """Of one radiance map brought to the scale of the true one."""
    aligned = losses.align_scale(true, radiance) / jnp.max(true)
    true = true / jnp.max(true)
    pictures = tonemap.reinhard(aligned), tonemap.reinhard(true)
    return {"psnr_mu": metrics.psnr_mu(aligned, true), "psnr_reinhard": metrics.psnr(*pictures)}


def _light_scores(radiance: Array, true: Array) -> dict[str, Array]:
    """Of one radiance map as absolute light."""
    seen = metrics.hdrvdp2_by_protocol(radiance, true, protocol=HDRVDP2_PROTOCOL)
    calibrated = metrics.calibrate(radiance, true, protocol=PU21_PROTOCOL)
    return {
        "hdrvdp2_q": seen.Q,
        "pu21_psnr": metrics.pu21_psnr(*calibrated),
        "hdrvdp2_p_map": seen.P_map,
    }

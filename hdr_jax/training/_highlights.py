"""The losses of one batch of photographs through `HighlightModel`, and its evaluation.

Notation: batch arrays as `hdr_jax.data.photographs` makes them: image uint8, rim_distance and hdr
float32, all [b, h, w, 3]; hdr is the true radiance, 1 where the photograph clips. `phase` 1 learns
from the radiance of the clipped pixels, phase 2 through the metrics as well.
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
from hdr_jax.models import MAX_GAIN, clip_mask, exposures, gain_of, linearised
from hdr_jax.training.setup import HighlightObjective, Setup

DARKEST = 1e-6  # of the clipping radiance, whose logarithm is still taken


def highlight_terms(
    setup: Setup, params: Any, batch: Mapping[str, Array], phase: int
) -> dict[str, Array]:
    """Named, weighted terms, each a mean over the batch; those of weight 0 are left out.

        gain_l1      masked L1 of the log gain; true gain = clip(ln E - g(255 Z), 0, 8 ln 2)
        hdr          Eq. (6): L1 after the mu law of the map that the HDR layer recovers and merges
                     from the exposures of the prediction, against the true radiance
        gradient_l1  masked L1 of its error's differences down and across
        chroma_l1    masked L1 of the gain's chroma, where all channels clip    (phase 2)
        partial_l1   masked L1 where some channels clip                         (phase 2)
        hdrvdp2      100 - Q of HDR-VDP-2, protocol "singlehdr"                 (phase 2)
        pu21         ln mean squared error of PU21 values                       (phase 2)

    The gradient of the metric does not reach the chroma (`losses.without_chroma_gradient`), nor
    pixels that clip in some channels only: there the others know the luminance, and a gain in one
    is a coloured speck.

    Args:
      setup: its model and objective.
      params: of the model.
      batch: arrays as in `hdr_jax.data`: image, rim_distance, hdr.
      phase: 1 or 2, static.

    Returns:
      {name: scalar}.

    Differentiable in `params`.
    Source: Kim, Lee, Kang 2020, Eq. 6, for `hdr`; the others are this library's own.
    """
    objective: Any = setup.objective
    image, true = as_unit_float(batch["image"]), batch["hdr"]
    output: Any = setup.model.apply({"params": params}, image, batch["rim_distance"])
    known, mask = linearised(image), clip_mask(image)
    log_true = jnp.log(jnp.maximum(true, DARKEST))
    error = output.gain - jnp.clip(log_true - known, 0, MAX_GAIN)

    def guarded():
        """The map whose gradient the metric may have."""
        toned = output.luminance + losses.without_chroma_gradient(output.chroma)
        all_clip = mask.min(-1, keepdims=True) > 0
        toned = jnp.where(all_clip, toned, jax.lax.stop_gradient(toned))
        return jnp.exp(known + mask * gain_of(toned, mask, batch["rim_distance"]))

    # Built when asked for: a term of weight 0 costs nothing.
    terms = {
        "gain_l1": lambda: jax.vmap(losses.masked_l1)(error, mask),
        "gradient_l1": lambda: jax.vmap(losses.gradient_l1)(error, mask),
        "hdr": lambda: _through_layer(objective, output.log_radiance, true),
    }
    if phase == 2:
        terms |= {
            "chroma_l1": lambda: jax.vmap(losses.chroma_l1)(error, mask),
            "partial_l1": lambda: jax.vmap(losses.partial_l1)(error, mask),
            "hdrvdp2": lambda: jax.vmap(losses.hdrvdp2_loss)(guarded(), true),
            "pu21": lambda: jax.vmap(losses.pu21_l2)(jnp.exp(output.log_radiance), true),
        }
    weights = objective.weights
    return {name: weights[name] * term().mean() for name, term in terms.items() if weights[name]}


def _through_layer(objective: HighlightObjective, log_radiance: Array, true: Array) -> Array:
    """The HDR term [b]: exposures of the prediction -> response and merge -> against the truth."""
    log_times = ev_to_log_times(jnp.asarray(objective.ev_offsets, jnp.float32))

    def one(log_radiance, true):
        stack = exposures(log_radiance, objective.ev_offsets)
        prediction = synthesize(stack, log_times, **objective.layer)[0]
        target = losses.align_scale(prediction, true)
        return losses.hdr_l1(prediction, jax.lax.stop_gradient(target), objective.mu)

    return jax.vmap(one)(log_radiance, true)


def highlight_stack(setup: Setup, params: Any, batch: Mapping[str, Array]) -> Array:
    """The generated stack of an evaluation batch, the photograph standing at EV 0.

    Args:
      setup: its model.
      params: of the model.
      batch: arrays stack, ev_offset, image and rim_distance as in
        `hdr_jax.data.evaluation_batches`.

    Returns:
      [b, n, h, w, 3] in [0, 1].
    """
    image = as_unit_float(batch["image"])
    output: Any = setup.model.apply({"params": params}, image, batch["rim_distance"])

    def one(log_radiance, ev_offset, photographs):
        given = jnp.argmin(jnp.abs(ev_offset))
        stack = exposures(log_radiance, ev_offset - ev_offset[given])
        return stack.at[given].set(as_unit_float(photographs[given]))

    return jax.vmap(one)(output.log_radiance, batch["ev_offset"], batch["stack"])

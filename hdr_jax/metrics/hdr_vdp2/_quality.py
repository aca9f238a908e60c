"""Stage 9: one number for the quality, from the error of every plane on a logarithmic scale."""

import math

import jax.numpy as jnp
import numpy as np
from jax import Array

from hdr_jax.metrics.hdr_vdp2 import _sensitivity
from hdr_jax.metrics.hdr_vdp2._resize import resize

EPSILON = 1e-12
# Frequencies in cycles/degree and the weights of the bands there, of releases 2.2.0 and 2.2.1.
WEIGHTS_220 = (
    (15.0, 7.5, 3.75, 1.875, 0.9375, 0.4688, 0.2344),
    (0.2832, 0.2142, 0.2690, 0.0398, 0.0003, 0.0003, 0.0002),
)
WEIGHTS_221 = (
    (60.0, 30.0, 15.0, 7.5, 3.75, 1.875, 0.9375, 0.4688, 0.2344, 0.1172),
    (0.0, 0.2832, 0.2832, 0.2142, 0.2690, 0.0398, 0.0003, 0.0003, 0.0, 0.0),
)


def band_weight(band: int, pixels_per_degree: float, knots=WEIGHTS_221) -> float:
    """Weight of pyramid band b: the knots interpolated linearly in frequency, ends held."""
    frequencies, weights = knots
    frequency = _sensitivity.band_frequency(band, pixels_per_degree)
    return float(np.interp(frequency, frequencies[::-1], weights[::-1]))


def plane_errors(difference: list[Array], mask: Array) -> list[Array]:
    """E = sqrt(sum((D mask)^2)) / pixels, per plane; a list of [o] arrays.

    Args:
      difference: bands of D, each [o, h_b, w_b].
      mask: [h, w], 1 where the pictures differ.
    """
    errors = []
    for d in difference:
        total = ((d * resize(mask, d.shape[-2:])[None]) ** 2).sum((-2, -1))
        # Double where: the root has an infinite slope at 0, where the pictures are equal.
        equal = total == 0  # NaN is not
        root = jnp.where(equal, 0, jnp.sqrt(jnp.where(equal, 1, total)))
        errors.append(root / (d.shape[-2] * d.shape[-1]))
    return errors


def pool(errors: list[Array], pixels_per_degree: float) -> tuple[Array, Array, Array]:
    """Quality from the plane errors: (Q of 2.2.1, Q of 2.2.0, mean opinion score of 2.2.0).

    Q_221 = 100 - sum w (ln(E + eps) - ln eps); Q_220 = sum w ln(E + eps) / planes;
    Q_mos = 100 / (1 + exp(3.455 (Q_220 + 0.8886))).

    Args:
      errors: E per band, [o] each.
      pixels_per_degree: fixes the bands' frequencies.

    Returns:
      Three scalars: Q_221 is 100 for equal pictures and falls, Q_220 rises with the error.

    Differentiable in `errors`.
    Source: Narwaria et al. 2015; releases 2.2.0 and 2.2.1.
    """
    num_planes = sum(e.shape[0] for e in errors)
    # ln(E + eps) - ln(eps) as log1p: exactly 0 for equal pictures, in any float type.
    gains = [jnp.log1p(e / EPSILON) for e in errors]
    weighted = [
        band_weight(b, pixels_per_degree, WEIGHTS_221) * g.sum() for b, g in enumerate(gains)
    ]
    q_221 = 100 - sum(weighted, jnp.zeros_like(weighted[0]))
    logs = [g.sum() + g.shape[0] * math.log(EPSILON) for g in gains]
    weighted = [band_weight(b, pixels_per_degree, WEIGHTS_220) * x for b, x in enumerate(logs)]
    q_220 = sum(weighted, jnp.zeros_like(weighted[0])) / num_planes
    return q_221, q_220, 100 / (1 + jnp.exp(3.455 * (q_220 + 0.8886)))

"""How well a generated stack and its radiance map agree with the truth.

Notation as in `hdr_jax.training.eval_step`; every score is an array [b], one value for each scene.
Radiance maps are compared like with like: the map merged from the generated stack with the map
merged from the true stack, brought to its scale by the median log ratio, both divided by the true
maximum.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import Array

from hdr_jax import color, losses, metrics, tonemap

HDRVDP2_PROTOCOL = "singlehdr"
PU21_PROTOCOL = "display"


def scores(outputs: Mapping[str, Array], true_stack: Array) -> dict[str, Array]:
    """Scores of a batch of scenes.

    Args:
      outputs: of `eval_step`.
      true_stack: [b, n, h, w, 3] float in [0, 1].

    Returns:
      stack_psnr and stack_ssim, means over the generated exposures; psnr_mu and psnr_reinhard of
      the radiance map, and the same of the input read as plain sRGB (`srgb_psnr_mu`,
      `srgb_psnr_reinhard`); psnr_exposures, ssim_exposures [b, n], infinite and 1 at the reference.
    """
    return jax.vmap(_scores)(dict(outputs), true_stack)


def all_scores(outputs: Mapping[str, Array], true_stack: Array) -> dict[str, Array]:
    """`scores`, and the slower metrics of absolute light.

    Args:
      outputs: of `eval_step`.
      true_stack: [b, n, h, w, 3] float in [0, 1].

    Returns:
      As `scores`, with `hdrvdp2_q` and `pu21_psnr` of the radiance map, and the same of the input
      read as plain sRGB, under the protocols that HDRVDP2_PROTOCOL and PU21_PROTOCOL name.
    """
    result = scores(outputs, true_stack)
    n = true_stack.shape[1]
    plain = color.srgb_to_linear(true_stack[:, n // 2])
    true = outputs["true_radiance"]
    for prefix, radiance in (("", outputs["radiance"]), ("srgb_", plain)):
        q = jax.vmap(lambda a, b: metrics.hdrvdp2_by_protocol(a, b, protocol=HDRVDP2_PROTOCOL).Q)
        result[f"{prefix}hdrvdp2_q"] = q(radiance, true)
        calibrated = jax.vmap(lambda a, b: metrics.calibrate(a, b, protocol=PU21_PROTOCOL))
        result[f"{prefix}pu21_psnr"] = jax.vmap(metrics.pu21_psnr)(*calibrated(radiance, true))
    return result


def _scores(outputs: Mapping[str, Array], true_stack: Array) -> dict[str, Array]:
    """`scores` of one scene."""
    n = true_stack.shape[0]
    psnr = jax.vmap(metrics.psnr)(outputs["stack"], true_stack)
    ssim = jax.vmap(metrics.ssim)(outputs["stack"], true_stack)
    made = jnp.arange(n) != n // 2
    true = outputs["true_radiance"]
    plain = color.srgb_to_linear(true_stack[n // 2])
    result = {
        "stack_psnr": jnp.mean(psnr, where=made),
        "stack_ssim": jnp.mean(ssim, where=made),
    }
    for prefix, radiance in (("", outputs["radiance"]), ("srgb_", plain)):
        aligned = losses.align_scale(true, radiance) / jnp.max(true)
        mapped = metrics.psnr_mu(aligned, true / jnp.max(true))
        pictures = (tonemap.reinhard(aligned), tonemap.reinhard(true / jnp.max(true)))
        result[f"{prefix}psnr_mu"] = mapped
        result[f"{prefix}psnr_reinhard"] = metrics.psnr(*pictures)
    return {**result, "psnr_exposures": psnr, "ssim_exposures": ssim}

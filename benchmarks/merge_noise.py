"""How noisy merged radiance is, by the weights of the merge, against many shots of one scene.

  python benchmarks/merge_noise.py [--shots 200]

A ramp of radiance is photographed many times with Poisson and read noise in 8 bits by an sRGB
camera, and every bracket is merged with the true response. Printed is the standard deviation of
ln E over the shots, averaged (as a root mean square) over the radiances whose longest unclipped
exposure is dark (below 5 % of the largest), middle and bright (above 40 %), with the largest bias
of the mean of all shots; "longest" is that exposure alone.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

from hdr_jax import images
from hdr_jax.exposure import expose, srgb
from hdr_jax.merge import merge

CAMERAS = {"good": (0.002, 2e-4), "middling": (0.005, 5e-4), "noisy": (0.01, 2e-3)}
BRACKETS = {"-2 0 2": (-2, 0, 2), "-4 0 4": (-4, 0, 4), "-3 .. 3": tuple(range(-3, 4))}
BRIGHTEST = 0.8  # of the largest exposure, for the longest exposure that does not clip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shots", type=int, default=200)
    args = parser.parse_args()
    g = jnp.asarray(images.named_response("srgb")[0])
    columns = "".join(f"{name:>8s}" for name in ("dark", "middle", "bright", "bias"))
    print(f"{'camera':10s}{'EV':>9s}  {'weights':8s}{columns}")
    for camera, noise in CAMERAS.items():
        for name, ev in BRACKETS.items():
            shots = photographed(np.log(2.0) * np.array(ev), noise, args.shots)
            for weighting in ("longest", "hat", "noise"):
                figures = measure(*shots, g, weighting)
                print(
                    f"{camera:10s}{name:>9s}  {weighting:8s}"
                    + "".join(f"{x:8.4f}" for x in figures)
                )


def photographed(log_times, noise, count) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(stack [n, shots, radiances, 1], radiance, log times); a row for every shot."""
    lowest, highest = 0.01 / np.exp(log_times[-1]), BRIGHTEST / np.exp(log_times[0])
    radiance = np.geomspace(lowest, highest, 400, dtype=np.float32)
    scene = jnp.broadcast_to(radiance[None, :, None], (count, len(radiance), 1))
    shot_noise, read_noise = noise
    options = {"shot_noise": shot_noise, "read_noise": read_noise, "key": jax.random.key(0)}
    stack = expose(scene, log_times, srgb(), num_levels=256, **options)
    return np.asarray(stack), radiance, log_times


def measure(stack, radiance, log_times, g, weighting) -> list[float]:
    """Standard deviation of ln E where it is dark, middle and bright, and the largest bias."""
    exposures = radiance * np.exp(log_times)[:, None]
    longest = np.argmax(np.where(exposures <= BRIGHTEST, exposures, -1), axis=0)
    if weighting == "longest":
        levels = np.rint(255 * np.take_along_axis(stack[..., 0], longest[None, None], 0)[0])
        log_radiance = np.asarray(g - g.max())[levels.astype(int)] - log_times[longest]
    else:
        merged = merge(stack, log_times, g, weighting=weighting, extremes_once=True)
        log_radiance = np.log(np.asarray(merged)[..., 0])
    recorded = np.take_along_axis(exposures, longest[None], 0)[0]
    variance = log_radiance.var(axis=0)
    parts = (recorded < 0.05, (recorded >= 0.05) & (recorded <= 0.4), recorded > 0.4)
    bias = np.abs(log_radiance.mean(axis=0) - np.log(radiance))
    return [float(np.sqrt(variance[part].mean())) for part in parts] + [float(bias.max())]


if __name__ == "__main__":
    main()

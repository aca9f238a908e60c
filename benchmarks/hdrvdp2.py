"""Speed of HDR-VDP-2, and what its gradient is good for.

python benchmarks/hdrvdp2.py speed [--sizes 192x256 256x256 1024x1024] [--batch 8]
    Seconds per pair after compilation, one pair and a vmapped batch, the gradient of Q, and the
    memory of the process at its highest.
python benchmarks/hdrvdp2.py ascent REFERENCE.hdr OUT.png
    Blurs a radiance map, then climbs Q for 200 steps; draws reference, start and end.
"""

import argparse
import resource
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

from hdr_jax import images, metrics, tonemap

PIXELS_PER_DEGREE = 30.0


def score(test, reference):
    """HDR-VDP-2 of a pair as it is timed: three channels, all outputs."""
    return metrics.hdrvdp2(
        test, reference, color_encoding="rgb-bt.709", pixels_per_degree=PIXELS_PER_DEGREE
    )


def noisy_pair(height: int, width: int, seed: int = 0):
    """A 1/f picture between about 1 and 1000 cd/m^2 and a noisy copy, float32 [h, w, 3]."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    lowest = 1 / max(height, width)
    spectrum = np.fft.fft2(rng.standard_normal((height, width))) / np.maximum(frequency, lowest)
    field = np.fft.ifft2(spectrum).real
    light = 30 * np.exp(1.2 * (field - field.mean()) / field.std())
    reference = (light[..., None] * [1.0, 0.9, 0.8]).astype(np.float32)
    noise = 1 + 0.05 * rng.standard_normal(reference.shape)
    return jnp.asarray(reference * noise.clip(0.1), jnp.float32), jnp.asarray(reference)


def seconds(function, *args, repeats: int) -> tuple[float, float, float]:
    """(first call, median, fastest) of the following calls."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        jax.block_until_ready(function(*args))
        times.append(time.perf_counter() - start)
    return times[0], statistics.median(times[1:]), min(times[1:])


def peak_megabytes() -> float:
    """Highest memory of this process so far; it never falls, so read it in order of size."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def speed(sizes: list[str], batch: int, repeats: int) -> None:
    """Prints the table of timings."""
    print(f"device {jax.devices()[0]}, seconds per pair: first call, median, fastest of {repeats}")
    print(f"before any work: {peak_megabytes():.0f} MB")
    for size in sizes:
        sides = [int(side) for side in size.split("x")]
        pair = noisy_pair(sides[0], sides[-1])
        report(size, seconds(score, *pair, repeats=repeats), 1)
        if batch > 1:
            batched = [jnp.broadcast_to(image, (batch, *image.shape)) for image in pair]
            report(
                f"  vmapped over {batch}",
                seconds(jax.jit(jax.vmap(score)), *batched, repeats=max(repeats // 4, 2)),
                batch,
            )
        gradient = jax.jit(jax.grad(lambda t, r: score(t, r).Q))
        report("  gradient of Q", seconds(gradient, *pair, repeats=max(repeats // 2, 2)), 1)


def report(name: str, times: tuple[float, float, float], pairs: int) -> None:
    """One line of the table."""
    first, median, fastest = times
    print(
        f"{name:<20} first {first:7.2f}   median {median / pairs:7.4f}   "
        f"fastest {fastest / pairs:7.4f}   {peak_megabytes():6.0f} MB",
        flush=True,
    )


def ascent(reference_path: str, picture_path: str, size: int, steps: int) -> None:
    """Climbs Q from a blurred picture by Adam on log light; writes a panel of three pictures."""
    reference = metrics.calibrate(*(images.read_hdr(reference_path),) * 2, protocol="singlehdr")[1]
    top, left = ((n - size) // 2 for n in reference.shape[:2])
    reference = jnp.maximum(reference[top : top + size, left : left + size], 0.5)
    kernel = jnp.exp(-0.5 * (jnp.arange(-6, 7) / 2.0) ** 2)
    start = jnp.log(reference)
    for axis in (0, 1):
        blur = jnp.pad(start, [(6, 6) if a == axis else (0, 0) for a in range(3)], mode="edge")
        start = (
            sum(
                k * jax.lax.slice_in_dim(blur, i, i + size, axis=axis) for i, k in enumerate(kernel)
            )
            / kernel.sum()
        )
    optimiser = optax.adam(0.02)

    @jax.jit
    def climb(log_light, state):
        value, slope = jax.value_and_grad(lambda x: -score(jnp.exp(x), reference).Q)(log_light)
        update, state = optimiser.update(slope, state)
        return log_light + update, state, -value

    log_light, state, qualities = start, optimiser.init(start), []
    for step in range(steps):
        log_light, state, quality = climb(log_light, state)
        qualities.append(float(quality))
        if step % 20 == 0:
            print(f"step {step:3d}  Q {qualities[-1]:.2f}", flush=True)
    final = float(score(jnp.exp(log_light), reference).Q)
    print(f"step {steps:3d}  Q {final:.2f}   from {qualities[0]:.2f}")
    error = [float(jnp.abs(x - jnp.log(reference)).mean()) for x in (start, log_light)]
    print(f"mean |log error| {error[0]:.3f} -> {error[1]:.3f}")
    panel = [tonemap.reinhard(jnp.exp(x)) for x in (jnp.log(reference), start, log_light)]
    gap = jnp.ones((size, 8, 3))
    images.write(picture_path, np.concatenate([panel[0], gap, panel[1], gap, panel[2]], 1))


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    timing = commands.add_parser("speed", help="seconds per pair")
    timing.add_argument(
        "--sizes", nargs="+", default=["192x256", "256x256", "1024x1024"], metavar="HxW"
    )
    timing.add_argument("--batch", type=int, default=8, help="1 leaves the batch out")
    timing.add_argument("--repeats", type=int, default=20)
    climbing = commands.add_parser("ascent", help="gradient ascent on Q")
    climbing.add_argument("reference")
    climbing.add_argument("picture")
    climbing.add_argument("--size", type=int, default=192)
    climbing.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    if args.command == "speed":
        speed(args.sizes, args.batch, args.repeats)
    else:
        ascent(args.reference, args.picture, args.size, args.steps)


if __name__ == "__main__":
    main()

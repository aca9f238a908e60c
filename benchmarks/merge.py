"""How fast exposures are merged, beside OpenCV and the memory's own speed.

  PYTHONPATH=. python benchmarks/merge.py [--sides 1024 3464] [--repeats 7]

Seven 8-bit exposures of noise-free radiance, EV -3..+3, a known response. Both sides take turns in
one process; printed are medians in milliseconds and OpenCV's time over ours. "extremes" is what
`hdr-jax merge` does (extremes_once). The floor is the time in which the machine copies as many
bytes as a merge must read and write. Gradient: of a sum of the map with respect to a float stack.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from hdr_jax.merge import merge, synthesize
from hdr_jax.synthetic import Camera, meter

EV = np.arange(-3, 4)


def bracket(side: int) -> np.ndarray:
    """Seven exposures uint8 [7, side, side, 3] of smooth random light over some 12 stops."""
    rng = np.random.default_rng(0)
    coarse = rng.normal(0, 2, (32, 32, 3)).astype(np.float32)
    scene = np.exp(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))
    return Camera().photograph(meter(scene), EV, rng)


def alternating(functions: dict[str, Callable], repeats: int) -> dict[str, float]:
    """Median milliseconds of each function, which take turns; the first round is not counted."""
    taken = {name: [] for name in functions}
    for round_ in range(repeats + 1):
        for name, function in functions.items():
            start = time.perf_counter()
            jax.block_until_ready(function())
            if round_:
                taken[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", type=int, nargs="+", default=[1024, 3464])
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    times = np.exp2(EV).astype(np.float32)
    log_times, g = np.log(times), np.tile(Camera().log_inverse_response(), (3, 1))
    response = np.ascontiguousarray(np.exp(g).T[:, None])
    theirs = cv2.createMergeDebevec()
    for side in args.sides:
        stack = bracket(side)
        pictures, device = list(stack), jnp.asarray(stack)
        spare = np.empty(stack.nbytes + 4 * side * side * 3, np.uint8)
        source = np.ones_like(spare[: len(spare) // 2])
        functions = {
            "floor": lambda source=source, spare=spare: np.copyto(spare[: len(source)], source),
            "OpenCV": lambda pictures=pictures: theirs.process(pictures, times, response),
            "merge": lambda device=device: merge(device, log_times, g),
            "extremes": lambda device=device: merge(device, log_times, g, extremes_once=True),
        }
        report(f"7 x {side} x {side} x 3 uint8", alternating(functions, args.repeats))
    layers(np.asarray(bracket(args.sides[0]), np.float32) / 255, log_times, g, args.repeats)


def layers(stack: np.ndarray, log_times: np.ndarray, g: np.ndarray, repeats: int) -> None:
    """The differentiable side: forward and gradient, and the whole layer on 256 x 256."""
    real, curves = jnp.asarray(stack), jnp.asarray(g)
    forward = jax.jit(lambda s: merge(s, log_times, curves))
    gradient = jax.jit(jax.grad(lambda s: merge(s, log_times, curves).sum()))
    report(
        f"7 x {stack.shape[1]} x {stack.shape[2]} x 3 float32",
        alternating({"merge": lambda: forward(real), "gradient": lambda: gradient(real)}, repeats),
    )
    small = np.rint(255 * stack[:, :256, :256]).astype(np.uint8)
    many = jnp.asarray(np.stack([np.roll(small, 16 * k, axis=2) for k in range(16)]))
    one = jax.jit(lambda s: synthesize(s, log_times)[0])
    batch = jax.jit(jax.vmap(lambda s: synthesize(s, log_times)[0]))

    def theirs():
        pictures, times = list(small), np.exp(log_times)
        response = cv2.createCalibrateDebevec(256, 20).process(pictures, times)
        return cv2.createMergeDebevec().process(pictures, times, response)

    functions = {"OpenCV": theirs, "layer": lambda: one(many[0]), "16 layers": lambda: batch(many)}
    report("response and merge, 7 x 256 x 256 x 3 uint8", alternating(functions, repeats))


def report(title: str, taken: dict[str, float]) -> None:
    """One table."""
    print(f"\n{title}")
    for name, value in taken.items():
        ratio = f"{taken['OpenCV'] / value:8.2f}x OpenCV's speed" if "OpenCV" in taken else ""
        print(f"  {name:10s}{value:10.2f} ms{ratio}")


if __name__ == "__main__":
    main()

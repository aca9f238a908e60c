"""How near recovered responses are to known ones: hdr_jax, OpenCV and colour-hdri.

  pip install colour-hdri      # not needed by anything else; without it its rows are missing
  python benchmarks/crf_accuracy.py [--stacks 50] [--size 256] [--pictures clean frame ...]

Every stack is a procedural scene (`hdr_jax.synthetic`), metered, photographed at EV -3..+3 in 8
bits by a camera with a random response and random noise. The pictures are then taken as they are
(clean) or made worse: frame, square, motion, shift, jpeg (see the functions of these names). All
methods get the same pictures. Printed is the RMS difference of ln f^-1 from the truth over levels
5..250 and the three channels, after the mean difference of each channel, which no method can know,
is taken away; and for the first stacks, as they are, the spread: the standard deviation of g, RMS
over the levels, when the samples are redrawn by cropping the pictures at random to 3/4 of their
sides.
"""

import argparse
import time
from collections.abc import Callable

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import tqdm

from hdr_jax import crf, exposure, synthetic

EV_OFFSET = np.arange(-3, 4)
LEVELS = slice(5, 251)


def random_response(rng: np.random.Generator) -> exposure.Response:
    """A camera's curve: HDRCNN's sigmoid (two in three), a gamma curve or sRGB."""
    kind = rng.choice(["sigmoid"] * 4 + ["gamma", "srgb"])
    if kind == "sigmoid":
        n, s = np.clip(rng.normal((0.9, 0.6), 0.1), (0.6, 0.2), (1.3, 1.2))
        return exposure.sigmoid(float(n), float(s))
    return exposure.gamma(float(rng.uniform(1.8, 2.6))) if kind == "gamma" else exposure.srgb()


def photograph(number: int, size: int) -> tuple[np.ndarray, exposure.Response]:
    """Stack uint8 [7, h, w, 3] of scene `number` and the response that it was taken with."""
    rng = np.random.default_rng(number)
    response = random_response(rng)
    radiance = synthetic.render_scene(number, size, size * 4 // 3)
    metered = synthetic.meter(radiance, rng.uniform(-0.5, 0.5))
    stack = exposure.expose(
        jnp.asarray(metered),
        exposure.ev_to_log_times(EV_OFFSET),
        response,
        key=jax.random.key(number),
        read_noise=10 ** rng.uniform(-3.7, -2.7),
        shot_noise=10 ** rng.uniform(-2.7, -2.0),
    )
    return np.round(np.asarray(stack) * 255).astype(np.uint8), response


def clean(stack: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The pictures as they are."""
    del rng
    return stack


def frame(stack: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A frame of a random colour over 5 % of the pixels, the same in all exposures."""
    n, h, w, _ = stack.shape
    wide = round((h + w - np.sqrt((h + w) ** 2 - 4 * 0.05 * h * w)) / 4)
    framed = np.empty_like(stack)
    framed[:] = rng.integers(0, 256, 3)
    framed[:, wide : h - wide, wide : w - wide] = stack[:, wide : h - wide, wide : w - wide]
    return framed


def square(stack: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A square of level 235 over 10 % of each exposure, at another random place in each."""
    side, moved = _side(stack), stack.copy()
    for picture in moved:
        y, x = (int(rng.integers(length - side)) for length in picture.shape[:2])
        picture[y : y + side, x : x + side] = 235
    return moved


def motion(stack: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random square of the scene, 10 % of it, that crosses the middle from left to right."""
    side, moved = _side(stack), stack.copy()
    n, h, w, _ = stack.shape
    top, left = int(rng.integers(h - side)), int(rng.integers(w - side))
    y = (h - side) // 2
    for j in range(n):
        x = j * (w - side) // (n - 1)
        moved[j, y : y + side, x : x + side] = stack[j, top : top + side, left : left + side]
    return moved


def shift(stack: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One random exposure moved by 3 pixels to the right, its rim repeated."""
    moved, j = stack.copy(), int(rng.integers(len(stack)))
    moved[j, :, 3:] = stack[j, :, :-3]
    return moved


def jpeg(stack: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Coded as JPEG of quality 80, colours at half the resolution."""
    del rng
    options = [cv2.IMWRITE_JPEG_QUALITY, 80]
    coded = [cv2.imencode(".jpg", picture[..., ::-1], options)[1] for picture in stack]
    return np.stack([cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1] for code in coded])


PICTURES = {function.__name__: function for function in (clean, frame, square, motion, shift, jpeg)}


def _side(stack: np.ndarray) -> int:
    """Side of a square that is 10 % of the picture."""
    return int(np.sqrt(0.1 * stack.shape[1] * stack.shape[2]))


def true_curve(response: exposure.Response) -> np.ndarray:
    """ln f^-1 [256], by reading the response backwards."""
    with jax.enable_x64(True):
        exposures = np.geomspace(1e-7, 1, 400_001)
        values = np.asarray(response(jnp.asarray(exposures)))
    return np.log(np.interp(np.arange(256) / 255, values, exposures))


def hdr_jax(stack: np.ndarray, times: np.ndarray) -> np.ndarray:
    """g [3, 256] by this library, as it comes."""
    return np.asarray(crf.recover(stack, np.log(times)))


def quantiles(stack: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The same from samples that follow no pixel."""
    return np.asarray(crf.recover(stack, np.log(times), sampling="quantiles"))


def opencv(stack: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The same by OpenCV with as many samples and the same smoothness."""
    response = cv2.createCalibrateDebevec(256, 20).process(list(stack), times.astype(np.float32))
    return np.log(response[:, 0].T)


def colour_hdri(stack: np.ndarray, times: np.ndarray) -> np.ndarray:
    """The same by colour-hdri with 256 Grossberg-Nayar samples and its own smoothness, 30.

    (Its default of 1000 samples takes half a minute for each curve.)
    """
    from colour_hdri import Image, ImageStack, Metadata, camera_response_functions_Debevec1997

    pictures = ImageStack()
    for picture, seconds in zip(stack, times, strict=True):
        metadata = Metadata(f_number=1, exposure_time=seconds, iso=100)
        pictures.append(Image(data=picture / 255, metadata=metadata))
    response = camera_response_functions_Debevec1997(
        pictures, sampling_function_kwargs={"samples": 256}, normalise=False
    )
    return np.log(response.T)


def methods() -> dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    """The methods at hand by name."""
    found = {"hdr_jax": hdr_jax, "quantiles": quantiles, "OpenCV": opencv}
    try:
        import colour_hdri as _  # noqa: F401
    except ImportError:
        print("colour-hdri is not installed: pip install colour-hdri")
        return found
    return found | {"colour-hdri": colour_hdri}


def error(g: np.ndarray, truth: np.ndarray) -> float:
    """RMS difference over LEVELS without each channel's mean difference."""
    difference = (g - truth)[:, LEVELS]
    return float(np.sqrt(np.mean((difference - difference.mean(1, keepdims=True)) ** 2)))


def spread(method: Callable, stack: np.ndarray, times: np.ndarray, crops: list) -> float:
    """Standard deviation of g over crops of one stack, RMS over LEVELS and channels."""
    h, w = (side * 3 // 4 for side in stack.shape[1:3])
    curves = []
    for top, left in crops:
        cropped = np.ascontiguousarray(stack[:, top : top + h, left : left + w])
        g = method(cropped, times)[:, LEVELS]
        curves.append(g - g.mean(1, keepdims=True))
    return float(np.sqrt(np.var(curves, axis=0).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stacks", type=int, default=50)
    parser.add_argument("--size", type=int, default=256, help="height of the pictures")
    parser.add_argument("--spread-stacks", type=int, default=10)
    parser.add_argument("--pictures", nargs="+", choices=PICTURES, default=list(PICTURES))
    args = parser.parse_args()
    found = methods()
    results = {kind: {name: [] for name in found} for kind in args.pictures}
    spreads = {name: [] for name in found}
    seconds = dict.fromkeys(found, 0.0)
    times = np.exp2(EV_OFFSET.astype(np.float64))
    for number in tqdm.trange(args.stacks):
        pictures, response = photograph(number, args.size)
        truth = true_curve(response)
        for kind, errors in results.items():
            stack = PICTURES[kind](pictures, np.random.default_rng([2, number]))
            for name, method in found.items():
                start = time.perf_counter()
                errors[name].append(error(method(stack, times), truth))
                seconds[name] += time.perf_counter() - start
        if number < args.spread_stacks:
            rng = np.random.default_rng([1, number])
            crops = [
                [int(rng.integers(side // 4)) for side in pictures.shape[1:3]] for _ in range(4)
            ]
            for name, method in found.items():
                spreads[name].append(spread(method, pictures, times, crops))
    for kind, errors in results.items():
        print(f"\n{kind}: {PICTURES[kind].__doc__}")
        report(errors)
    print("\nspread of the curve, seconds a stack")
    for name in found:
        each = seconds[name] / (args.stacks * len(results))
        print(f"{name:12s}{np.mean(spreads[name]):8.4f}{each:8.2f}")


def report(errors: dict[str, list[float]]) -> None:
    """The table of one kind of pictures, a row for each method."""
    ours = np.asarray(errors["hdr_jax"])
    print(f"{'':12s}{'mean':>8s}{'median':>8s}{'worst':>8s}{'ours lower':>12s}")
    for name, values in errors.items():
        lower = f"{np.sum(ours < values)}/{len(ours)}" if name != "hdr_jax" else ""
        print(
            f"{name:12s}{np.mean(values):8.4f}{np.median(values):8.4f}{np.max(values):8.4f}"
            f"{lower:>12s}"
        )


if __name__ == "__main__":
    main()

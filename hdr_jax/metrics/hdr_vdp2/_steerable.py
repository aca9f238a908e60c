"""Stage 5: the steerable pyramid; frequency bands of four orientations, and back.

A pyramid is a list of bands b = 0 .. levels + 1, finest first: `[n, 1, h, w]` residual high-pass,
then per level `[n, 4, h_b, w_b]` oriented planes (b = 1 at full size, each further one half of it),
then `[n, 1, h', w']`, the base band. The picture is extended by mirroring about its edge pixels,
which are not repeated.

The kernels in `sp3_filters.npz` are Simoncelli's "sp3" set (hi0 15 x 15, lo0 9 x 9, lo 17 x 17
with gain 2, bands 4 x 9 x 9) as distributed in pyrtools under the MIT licence, which stands in
`sp3_filters.LICENSE.txt`.
"""

import pathlib
from functools import lru_cache

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from hdr_jax.metrics._filtering import correlate

MIN_SIZE = 17  # the largest kernel


@lru_cache(maxsize=1)
def kernels() -> dict[str, np.ndarray]:
    """Kernels as correlation weights [outputs, inputs, height, width]: hi0, lo0, lo, bands."""
    with np.load(pathlib.Path(__file__).with_name("sp3_filters.npz")) as file:
        loaded = {name: np.ascontiguousarray(file[name], np.float64) for name in file.files}
    single = {name: loaded[name][None, None] for name in ("hi0", "lo0", "lo")}
    return single | {"bands": loaded["bands"][:, None]}


def num_levels(height: int, width: int) -> int:
    """Levels of oriented bands: how often both sides can be halved while at least 17 pixels."""
    levels = 0
    while min(height, width) >= MIN_SIZE:
        levels, height, width = levels + 1, height // 2, width // 2
    return levels


def _mirror(planes: Array, kernel: np.ndarray) -> Array:
    """Extend by half a kernel on every side."""
    rows, columns = kernel.shape[-2] // 2, kernel.shape[-1] // 2
    return jnp.pad(planes, ((0, 0), (0, 0), (rows, rows), (columns, columns)), mode="reflect")


def analyse_with(planes: Array, kernel: np.ndarray, step: int = 1) -> Array:
    """Correlate [n, c, h, w] with `kernel`, then keep every `step`-th row and column."""
    return correlate(_mirror(planes, kernel), kernel, stride=step)


def synthesise_with(planes: Array, kernel: np.ndarray, shape: tuple[int, ...], step: int = 1):
    """Put [n, c, ...] on the grid 0, step, 2 step, ... of `shape`; convolve; sum over c."""
    if step > 1:
        spread = [
            (0, size - (step * (n - 1) + 1), step - 1)
            for size, n in zip(shape, planes.shape[-2:], strict=True)
        ]
        zero = jnp.zeros((), planes.dtype)
        planes = lax.pad(planes, zero, [(0, 0, 0), (0, 0, 0), *spread])
    flipped = np.ascontiguousarray(kernel.swapaxes(0, 1)[..., ::-1, ::-1])
    return correlate(_mirror(planes, flipped), flipped)


def analyse(images: Array) -> list[Array]:
    """Pyramid of a batch of images.

    Args:
      images: [n, h, w], both sides at least 17.

    Returns:
      List of bands as in the module's head.

    Differentiable in `images`; linear.
    Source: Simoncelli and Freeman 1995.
    """
    k = kernels()
    planes = images[:, None]
    bands = [analyse_with(planes, k["hi0"])]
    low = analyse_with(planes, k["lo0"])
    for _ in range(num_levels(*images.shape[-2:])):
        bands.append(analyse_with(low, k["bands"]))
        low = analyse_with(low, k["lo"], step=2)
    return [*bands, low]


def synthesise(bands: list[Array]) -> Array:
    """Image of a pyramid: the sum of what every band contributes.

    Args:
      bands: as `analyse` returns.

    Returns:
      [n, h, w].

    Differentiable in `bands`; linear.
    Source: Simoncelli and Freeman 1995.
    """
    k = kernels()
    high, *oriented, low = bands
    for planes in reversed(oriented):
        shape = planes.shape[-2:]
        low = synthesise_with(low, k["lo"], shape, step=2) + synthesise_with(
            planes, k["bands"], shape
        )
    shape = high.shape[-2:]
    image = synthesise_with(low, k["lo0"], shape) + synthesise_with(high, k["hi0"], shape)
    return image[:, 0]

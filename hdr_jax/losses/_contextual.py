"""Contextual bilateral loss (CoBi): compares features without asking them to be aligned.

Notation: p_j feature j of the prediction [m, d], q_k feature k of the target [k, d], positions
a_j, b_k of both in [0, 1]^2. Import `contextual_bilateral` from `hdr_jax.losses`.
"""

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from jax import Array
from jax.core import Tracer

from hdr_jax.errors import InputError

# Features whose distance from the mean is below this share of the features' own size are noise.
_NOISE_FLOOR = 1e-3


def contextual_bilateral(
    x_features: Array | Mapping[str, Array],
    y_features: Array | Mapping[str, Array],
    *,
    spatial_weight: float = 0.1,
    pairs_per_block: int = 2**20,
) -> Array:
    """Mean distance of each predicted feature to its best match in the target.

    1/M sum_j min_k (D(p_j, q_k) + spatial_weight D'(p_j, q_k)), with D = 1 - cos(p_j - m, q_k - m),
    m the mean feature of the target, and D' = |a_j - b_k|^2 on grids that span [0, 1] in height
    and in width.

    D is computed as |u_j - v_k|^2 / 2 of the unit vectors u, v, the same thing, which also stands
    when there is no direction: features nearer to m than a thousandth of the features' size count
    as short or zero vectors, so that a flat picture is at distance 0 from itself and 1/2 from
    anything with structure.

    Memory: the search runs over blocks of `pairs_per_block` distances and keeps only the index of
    each match; the value and its gradient are computed on the M matched pairs. (The minimum's
    derivative is the derivative at the minimiser, hence nothing of the search is kept.)

    Args:
      x_features: [h, w, d] features of the prediction (VGG-19 maps or `rgb_patches`, see
        `hdr_jax.losses`), or a dict of such maps, whose terms are added.
      y_features: [h', w', d] features of the target, or a dict with the same keys.
      spatial_weight: w_s, >= 0.
      pairs_per_block: distances held at a time; 2^20 take 4 MB. Per image under `jax.vmap`.

    Returns:
      Scalar in [0, 2 + 2 spatial_weight]; 0 for identical inputs (to 1e-6).

    Raises:
      InputError: when shapes or keys do not fit, or `spatial_weight` is negative.

    Differentiable in both, except where two matches are equally good: there the first one counts.
    Source: Kim, Lee, Kang 2020, Eq. 7; Zhang, Chen, Ng, Koltun, "Zoom to Learn", 2019.
    Example:
      >>> x = jax.random.normal(jax.random.key(0), (4, 4, 8))
      >>> bool(contextual_bilateral(x, x) < 1e-6), bool(contextual_bilateral(x, x[::-1]) > 0.05)
      (True, True)
    """
    if not (isinstance(spatial_weight, Tracer) or spatial_weight >= 0):
        raise InputError(f"got spatial_weight {spatial_weight}: expected a number >= 0")
    if isinstance(x_features, Mapping) or isinstance(y_features, Mapping):
        _check_keys(x_features, y_features)
        terms = [
            contextual_bilateral(
                x_features[name],
                y_features[name],
                spatial_weight=spatial_weight,
                pairs_per_block=pairs_per_block,
            )
            for name in sorted(x_features)
        ]
        return sum(terms[1:], start=terms[0])
    x_features, y_features = jnp.asarray(x_features), jnp.asarray(y_features)
    _check_shapes(x_features, y_features)
    p, a = _flatten(x_features)
    q, b = _flatten(y_features)
    mean = jnp.mean(q, axis=0, keepdims=True)
    size = jnp.sqrt(1 + jnp.mean(jnp.sum(jnp.square(q), axis=-1)))
    floor = jax.lax.stop_gradient(_NOISE_FLOOR * size)
    u, v = _unit(p - mean, floor), _unit(q - mean, floor)
    rows = max(1, min(pairs_per_block // v.shape[0], u.shape[0]))
    match = _nearest(*jax.lax.stop_gradient((u, a, v, b)), spatial_weight, rows)
    appearance = jnp.sum(jnp.square(u - v[match]), axis=-1) / 2
    position = jnp.sum(jnp.square(a - b[match]), axis=-1)
    return jnp.mean(appearance + spatial_weight * position)


@functools.partial(jax.jit, static_argnums=5)
def _nearest(u: Array, a: Array, v: Array, b: Array, spatial_weight: float, rows: int) -> Array:
    """Index of the best match in (v, b) for every (u, a), `rows` of them at a time."""
    # |u - v|^2 / 2 + w |a - b|^2 less what is the same for all k, as one product.
    left = jnp.concatenate([u, 2 * spatial_weight * a, jnp.ones_like(a[:, :1])], axis=-1)
    own = jnp.sum(jnp.square(v), -1) / 2 + spatial_weight * jnp.sum(jnp.square(b), -1)
    right = jnp.concatenate([-v, -b, own[:, None]], axis=-1)
    num_targets, num_features = right.shape[0], left.shape[0]

    def search(block: Array) -> Array:
        # The full precision matters: TensorFloat-32 on a GPU is coarser than what is compared.
        distance = jnp.dot(block, right.T, precision=jax.lax.Precision.HIGHEST)
        # First index of the minimum. XLA turns jnp.argmin into scalar code on a CPU: 3 x the time.
        smallest = jnp.min(distance, axis=-1, keepdims=True)
        index = jax.lax.broadcasted_iota(jnp.int32, distance.shape, 1)
        return jnp.min(jnp.where(distance == smallest, index, num_targets), axis=-1)

    left = jnp.pad(left, ((0, -num_features % rows), (0, 0)))
    match = jax.lax.map(search, left.reshape(-1, rows, left.shape[-1]))
    return match.ravel()[:num_features]


def _flatten(features: Array) -> tuple[Array, Array]:
    """Features [h, w, d] -> [h w, d], at least float32, and their positions [h w, 2] in [0, 1]."""
    height, width, depth = features.shape
    features = features.astype(jnp.promote_types(features.dtype, jnp.float32))
    rows = jnp.linspace(0, 1, height, dtype=features.dtype)
    columns = jnp.linspace(0, 1, width, dtype=features.dtype)
    positions = jnp.stack(jnp.meshgrid(rows, columns, indexing="ij"), axis=-1)
    return features.reshape(-1, depth), positions.reshape(-1, 2)


def _unit(vectors: Array, floor: Array) -> Array:
    """Vectors divided by their length, or by `floor` where they are shorter than that."""
    squared = jnp.sum(jnp.square(vectors), axis=-1, keepdims=True)
    return vectors * jax.lax.rsqrt(jnp.maximum(squared, jnp.square(floor)))


def _check_shapes(x_features: Array, y_features: Array) -> None:
    """Both [h, w, d] with one d."""
    shapes = jnp.shape(x_features), jnp.shape(y_features)
    if any(len(shape) != 3 or 0 in shape for shape in shapes) or shapes[0][-1] != shapes[1][-1]:
        raise InputError(
            f"expected features [h, w, d] of one depth, got {shapes[0]} and {shapes[1]}; "
            "use jax.vmap for batches"
        )


def _check_keys(x_features: Mapping | Array, y_features: Mapping | Array) -> None:
    """The same feature maps, at least one, in both."""
    names = [
        sorted(features) if isinstance(features, Mapping) else "one array"
        for features in (x_features, y_features)
    ]
    if names[0] != names[1] or not names[0]:
        raise InputError(f"expected the same feature maps, got {names[0]} and {names[1]}")

"""The networks' parts against independent computations: float64 loops, JAX's own, Flax's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax.errors import ScopeParamShapeError
from flax.traverse_util import flatten_dict

from hdr_jax.models import ConvGRUCell, _blocks, _convolution
from hdr_jax.models._convolution import choose, matmul_convolution
from hdr_jax.models._networks import GlobalNetwork, LocalNetwork, RefinementNetwork


def random(*shape, seed=0):
    """Standard normal float32."""
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def convolve(x, kernel, bias):
    """3 x 3 convolution with zero padding, float64 loops over the taps."""
    x, kernel = np.asarray(x, np.float64), np.asarray(kernel, np.float64)
    h, w = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    taps = [padded[:, i : i + h, j : j + w] @ kernel[i, j] for i in range(3) for j in range(3)]
    return sum(taps) + np.asarray(bias, np.float64)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_gru_against_float64():
    cell, x, carry = ConvGRUCell(5), random(2, 4, 3, 6), random(2, 4, 3, 5, seed=1)
    params = cell.init(jax.random.key(0), carry, x)["params"]
    got, output = cell.apply({"params": params}, carry, x)

    def gate(name, state):
        both = np.concatenate([x, state], -1)
        return convolve(both, params[name]["kernel"], params[name]["bias"])

    update, reset = sigmoid(gate("update", carry)), sigmoid(gate("reset", carry))
    candidate = np.tanh(gate("candidate", reset * np.asarray(carry)))
    expected = (1 - update) * carry + update * candidate
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)
    np.testing.assert_array_equal(output, got)


def test_gru_follows_flax_cell_contract():
    cell, sequence = ConvGRUCell(5, dtype=jnp.bfloat16), random(2, 3, 4, 4, 6)
    rnn = nn.RNN(cell, return_carry=True)
    (carry, outputs), variables = rnn.init_with_output(jax.random.key(0), sequence)
    assert outputs.shape == (2, 3, 4, 4, 5)
    assert carry.dtype == jnp.float32
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    assert not cell.initialize_carry(jax.random.key(0), (2, 4, 4, 6)).any()
    assert cell.num_feature_axes == 3


@pytest.mark.parametrize("entries", [None, 4])
def test_instance_norm_against_float64(entries):
    x = 30 + random(2, 7, 5, 3)  # a large mean: a one-pass variance would lose digits
    norm = _blocks.InstanceNorm(entries)
    shape = (3,) if entries is None else (entries, 3)
    params = {"scale": random(*shape, seed=1), "bias": random(*shape, seed=2)}
    got = norm.apply({"params": params}, x, 2)
    scale, bias = (np.asarray(p if entries is None else p[2], np.float64) for p in params.values())
    exact = np.asarray(x, np.float64)
    mean, var = exact.mean((1, 2), keepdims=True), exact.var((1, 2), keepdims=True)
    expected = (exact - mean) / np.sqrt(var + 1e-5) * scale + bias
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)
    low = norm.apply({"params": params}, x.astype(jnp.bfloat16), 2)
    assert low.dtype == jnp.bfloat16


def test_bilinear_doubling_is_image_resize():
    x = random(2, 3, 5, 4)
    expected = jax.image.resize(x, (2, 6, 10, 4), "bilinear")
    np.testing.assert_allclose(_blocks.double_bilinear(x), expected, rtol=0, atol=1e-6)
    one = random(1, 1, 1, 2)
    np.testing.assert_array_equal(_blocks.double_bilinear(one), jnp.broadcast_to(one, (1, 2, 2, 2)))


def test_nearest_doubling_and_pooling_against_loops():
    x = np.asarray(random(2, 4, 6, 3))
    blocks_of_4 = [x[:, i::2, j::2] for i in range(2) for j in range(2)]
    np.testing.assert_allclose(_blocks.pool_mean(x), np.mean(blocks_of_4, 0), rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(_blocks.pool_max(jnp.asarray(x)), np.max(blocks_of_4, 0))
    doubled = np.asarray(_blocks.double_nearest(x))
    for i in range(2):
        for j in range(2):
            np.testing.assert_array_equal(doubled[:, i::2, j::2], x)


def test_max_pooling_gradient_reaches_one_entry_of_each_block():
    x = jnp.round(2 * random(1, 8, 8, 3))  # many ties
    gradient = np.asarray(jax.grad(lambda x: _blocks.pool_max(x).sum())(x))
    assert set(np.unique(gradient)) == {0, 1}
    np.testing.assert_array_equal(_blocks.pool_mean(gradient) * 4, np.ones((1, 4, 4, 3)))
    taken = np.asarray(_blocks.pool_max(jnp.where(gradient == 1, x, -jnp.inf)))
    np.testing.assert_array_equal(taken, _blocks.pool_max(x))


@pytest.mark.parametrize("double", [_blocks.double_bilinear, _blocks.double_nearest])
def test_pointwise_convolution_commutes_with_doubling(double):
    conv, x = _blocks.Conv(4, 1), random(1, 5, 3, 6)
    params = conv.init(jax.random.key(0), x)
    late, early = conv.apply(params, double(x)), double(conv.apply(params, x))
    np.testing.assert_allclose(early, late, rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("shape", "features", "size"),
    [
        ((2, 7, 5, 3), 4, (3, 3)),
        ((1, 6, 9, 20), 20, (3, 3)),
        ((2, 5, 8, 6), 3, (1, 1)),
        ((1, 1, 1, 2), 2, (3, 3)),
        ((2, 4, 7, 3), 2, (5, 3)),
        ((2, 3, 2, 20), 5, (3, 3)),
        ((1, 2, 3, 4), 30, (5, 3)),
        ((1, 2, 3, 9), 2, (1, 1)),
        ((2, 7, 5, 8), 3, (3, 3)),
        ((1, 6, 9, 2), 12, (5, 3)),
    ],
)
@pytest.mark.parametrize("strip", [None, 1, 20])
def test_matmul_convolution_is_xlas(shape, features, size, strip, monkeypatch):
    if strip:  # as if no moved map fitted into the cache
        monkeypatch.setattr(_convolution, "_CACHE", 0)
        monkeypatch.setattr(_convolution, "_STRIP", strip)
    x, kernel = random(*shape), random(*size, shape[-1], features, seed=1)
    weight = random(*shape[:-1], features, seed=2)
    pad = tuple((side // 2, side // 2) for side in size)

    def value_and_gradients(convolve):
        def loss(x, kernel):
            y = convolve(x, kernel, (1, 1), pad, dimension_numbers=("NHWC", "HWIO", "NHWC"))
            return jnp.sum(jnp.sin(y) * weight), y

        return jax.value_and_grad(loss, (0, 1), has_aux=True)(x, kernel)

    got, expected = (value_and_gradients(choose(name)) for name in ("matmul", "xla"))
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=3e-6 * (1 + float(jnp.abs(b).max())))


def test_matmul_convolution_hides_no_nan():
    x, kernel = random(1, 4, 4, 2), random(3, 3, 2, 3, seed=1)
    options = dict(dimension_numbers=("NHWC", "HWIO", "NHWC"))
    value, pull = jax.vjp(lambda *a: matmul_convolution(*a, (1, 1), "SAME", **options), x, kernel)
    for place in ((0, 0, 0, 0), (0, 2, 1, 2)):
        for gradient in pull(jnp.ones_like(value).at[place].set(jnp.nan)):
            assert jnp.isnan(gradient).any()


@pytest.mark.parametrize("shape", [(2, 6, 6, 8), (1, 2, 3, 8)])
def test_matmul_convolution_in_bfloat16(shape):
    x, kernel = random(*shape), random(3, 3, 8, 4, seed=1)

    def gradients(x, kernel, convolve):
        def loss(x, kernel):
            y = convolve(x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))
            return jnp.sum(y.astype(jnp.float32) ** 2)

        return jax.grad(loss, (0, 1))(x, kernel)

    low = gradients(x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16), matmul_convolution)
    exact = gradients(x, kernel, jax.lax.conv_general_dilated)
    for a, b in zip(low, exact, strict=True):
        assert a.dtype == jnp.bfloat16
        np.testing.assert_allclose(
            a.astype(jnp.float32), b, rtol=0, atol=0.02 * float(jnp.abs(b).max())
        )


@pytest.mark.parametrize(
    "changed",
    [
        dict(window_strides=(2, 2)),
        dict(padding="VALID"),
        dict(rhs_dilation=(2, 2)),
        dict(feature_group_count=2),
        dict(rhs=jnp.ones((2, 2, 4, 4))),
        dict(dimension_numbers=("NCHW", "OIHW", "NCHW")),
    ],
)
def test_matmul_convolution_refuses_other_convolutions(changed):
    options = dict(lhs=jnp.ones((1, 4, 4, 4)), rhs=jnp.ones((3, 3, 4, 4)), window_strides=(1, 1))
    options |= dict(padding="SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")) | changed
    with pytest.raises(ValueError, match="convolution='xla'"):
        matmul_convolution(options.pop("lhs"), options.pop("rhs"), **options)


@pytest.mark.parametrize("kind", [GlobalNetwork, LocalNetwork, RefinementNetwork])
def test_initial_values_have_the_layers_own_distribution(kind):
    network = kind(8, 1)
    size, channels = 2, kind.channels
    inputs = tuple(random(1, size, size, c) for c in channels)
    state = network.initial_state(1, size, size)
    init = jax.jit(network.init, compiler_options={"xla_backend_optimization_level": "0"})
    own = flatten_dict(init(jax.random.key(0), state, inputs, (0, 0))["params"])
    bulk = flatten_dict(_blocks.initial_values(jax.random.key(1), network.parameter_shapes()))
    assert bulk.keys() == own.keys()
    for path, value in bulk.items():
        assert value.shape == own[path].shape
        kernel = own.get((*path[:-1], "kernel"))
        if kernel is None:
            np.testing.assert_array_equal(value, own[path])
            continue
        bound = np.prod(kernel.shape[:-1]) ** -0.5
        for drawn in (value, own[path]):
            assert float(jnp.abs(drawn).max()) <= bound
            if drawn.size > 500:
                assert float(drawn.std()) == pytest.approx(bound / np.sqrt(3), rel=0.1)
                assert float(jnp.abs(drawn).max()) > 0.95 * bound


def test_parameters_of_another_shape_are_refused():
    """Else the norm would read its last entry for all that it does not have."""
    x = random(1, 4, 4, 3)
    params = _blocks.InstanceNorm(6).init(jax.random.key(0), x)["params"]
    with pytest.raises(ScopeParamShapeError, match="scale"):
        _blocks.InstanceNorm(8).apply({"params": params}, x, 7)
    kernel = _blocks.Conv(5).init(jax.random.key(0), x)["params"]
    with pytest.raises(ScopeParamShapeError, match="kernel"):
        _blocks.Conv(5).apply({"params": kernel}, random(1, 4, 4, 2))

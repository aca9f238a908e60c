"""Every differentiable function of pixels: finite values and slopes, and the type of its input.

A line of CASES is a function and the shapes of its arguments. Shapes are small and odd; values are
random, black, white, tied, and alternating between the ends.
"""

import dataclasses
import functools
from collections.abc import Callable

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from pixels import HALVES, KINDS, examples, pixels

from hdr_jax import crf, exposure, losses, merge, metrics, optim, tonemap, weighting
from hdr_jax.levels import widened

EXAMPLES = 12
PHOTO, MAP = (5, 7, 3), (24, 18, 3)
G = np.linspace(-4, 1, 64, dtype=np.float32)
TIMES = np.array([-0.7, 0.0, 0.7], np.float32)


@dataclasses.dataclass(frozen=True)
class Case:
    """A function of arrays.

    Attributes:
      call: the function.
      shapes: of its arguments, pixels in [0, 1] times `scale`.
      widens: whether half precision gives float32.
      slope: whether it has one.
      scale: of the arguments.
    """

    call: Callable
    shapes: tuple
    widens: bool = True
    slope: bool = True
    scale: float = 1.0


def by_pair(call, shape=PHOTO, **fields):
    """A function of two arrays of one shape."""
    return Case(call, (shape, shape), **fields)


def stacks(call, shape=(3, 5, 7, 3), **fields):
    """A function of an exposure stack at TIMES."""
    return Case(lambda stack: call(stack, TIMES), (shape,), **fields)


def with_curve(call, shape, **fields):
    """A function of pixels and a curve around G."""
    return Case(lambda x, bend: call(x, jnp.cumsum(0.05 + bend) - 3), (shape, (64,)), **fields)


CASES = {
    "weighting.hat": Case(lambda x: weighting.hat(63 * x, 64), (PHOTO,), widens=False),
    "weighting.noise": Case(lambda x: weighting.noise(-4 * x), ((64,),)),
    "weighting.noise steep": Case(  # up to 70 nepers
        lambda x: weighting.noise(jnp.cumsum(0.1 + widened(x)) - 3), ((64,),)
    ),
    "exposure.gamma": Case(exposure.gamma(), (PHOTO,), widens=False),
    "exposure.srgb": Case(exposure.srgb(), (PHOTO,), widens=False),
    "exposure.sigmoid": Case(exposure.sigmoid(), (PHOTO,), widens=False),
    "exposure.expose": Case(lambda x: exposure.expose(x, TIMES, exposure.gamma()), (PHOTO,)),
    "exposure.expose_by_table": Case(lambda x: exposure.expose(x, TIMES, jnp.asarray(G)), (PHOTO,)),
    "exposure.ev": Case(exposure.ev_to_log_times, ((5,),)),
    "exposure.log_times": Case(exposure.log_times_to_ev, ((5,),)),
    "crf.lookup": Case(crf.lookup, (PHOTO, (64,)), scale=63),
    "crf.respond": Case(lambda x, g: crf.respond(x, jnp.sort(g)), (PHOTO, (64,)), scale=63),
    "crf.monotone": Case(crf.monotone, ((3, 64),), widens=False),
    "tonemap.mu_law": Case(tonemap.mu_law, (PHOTO,), widens=False),
    "tonemap.reinhard": Case(tonemap.reinhard, (PHOTO,)),
    "losses.l1": by_pair(losses.l1),
    "losses.soft_histogram": Case(losses.soft_histogram, (PHOTO,)),
    "losses.histogram_l1": by_pair(losses.histogram_l1),
    "losses.hdr_l1": by_pair(losses.hdr_l1, scale=30),
    "losses.align_scale": by_pair(losses.align_scale, widens=False),
    "losses.masked_l1": by_pair(losses.masked_l1),
    "losses.chroma_l1": by_pair(losses.chroma_l1),
    "losses.partial_l1": by_pair(losses.partial_l1),
    "losses.gradient_l1": by_pair(losses.gradient_l1),
    "losses.without_chroma_gradient": Case(losses.without_chroma_gradient, (PHOTO,), widens=False),
    "losses.pu21_l2": by_pair(losses.pu21_l2),
    "losses.contextual_bilateral": by_pair(losses.contextual_bilateral),
    "losses.rgb_patches": Case(losses.rgb_patches, ((9, 17, 3),), widens=False),
    "metrics.psnr": by_pair(metrics.psnr),
    "metrics.psnr_mu": by_pair(metrics.psnr_mu),
    "metrics.ssim": by_pair(metrics.ssim, (12, 13, 3)),
    "metrics.pu21_psnr": by_pair(metrics.pu21_psnr, scale=200),
    "metrics.pu21_ssim": by_pair(metrics.pu21_ssim, (12, 13, 3), scale=200),
    "metrics.correct_response": by_pair(metrics.correct_response, scale=200),
    "metrics.visibility_picture": by_pair(metrics.visibility_picture, (5, 7)),
}
for _protocol in metrics.PROTOCOLS:
    CASES[f"metrics.calibrate {_protocol}"] = by_pair(
        lambda a, b, p=_protocol: metrics.calibrate(a, b, protocol=p)
    )
# Programs that take seconds to compile.
HEAVY = {
    "merge.merge": with_curve(lambda x, g: merge.merge(x, TIMES, g), (3, 5, 7, 3)),
    "merge.merge 16": Case(
        lambda x: merge.merge(x, 0.5 * np.arange(16), G, extremes_once=True), ((16, 1, 1, 1),)
    ),
    "merge.synthesize": stacks(functools.partial(merge.synthesize, num_samples=50, num_levels=64)),
    "merge.synthesize whole": stacks(
        functools.partial(
            merge.synthesize,
            num_samples=50,
            num_levels=64,
            response_gradient=True,
            weight_gradient=True,
        ),
        (3, 9, 8, 1),
    ),
    "crf.recover": stacks(functools.partial(crf.recover, num_samples=50, num_levels=64)),
    "crf.recover quantiles": stacks(
        functools.partial(crf.recover, num_samples=50, num_levels=64, sampling="quantiles"),
        (3, 1, 1, 1),
    ),
    "crf.recover polynomial": stacks(
        functools.partial(crf.recover, num_samples=50, num_levels=64, method="mitsunaga_nayar")
    ),
    "crf.debevec": stacks(
        lambda z, t: crf.debevec(63 * z, t, num_levels=64), (50, 3)
    ),
    "crf.mitsunaga_nayar": stacks(
        lambda z, t: crf.mitsunaga_nayar(63 * z, t, num_levels=64), (50, 3)
    ),
    "metrics.ms_ssim": by_pair(metrics.ms_ssim, (161, 163, 1)),
    "metrics.hdrvdp2": by_pair(
        lambda a, b: metrics.hdrvdp2_by_protocol(a, b, protocol="display"), MAP
    ),
    "losses.hdrvdp2_loss": by_pair(losses.hdrvdp2_loss, MAP),
}  # fmt: skip
SOME = ("weighting.hat", "crf.lookup", "losses.hdr_l1", "losses.masked_l1", "losses.soft_histogram")


@functools.cache
def compiled(name):
    """The case, its program, and that of the slopes of the sum of what is finite."""
    case = CASES.get(name) or HEAVY[name]

    def total(*arguments):
        leaves = jax.tree.leaves(case.call(*arguments))
        finite = [jnp.where(jnp.isfinite(x), x, 0).sum() for x in leaves]
        return sum(x.astype(jnp.float32) for x in finite)

    slopes = jax.grad(total, argnums=tuple(range(len(case.shapes))))
    return case, jax.jit(case.call), jax.jit(slopes)


def arguments_of(case, kind, seed, equal):
    """Arguments of a case; with `equal` all of one shape are the same."""
    shift = 0 if equal else 1
    return [
        case.scale * pixels(shape, kind, seed + shift * k) for k, shape in enumerate(case.shapes)
    ]


def check_finite(name, example, equal):
    """Values are no NaN, nor infinite but for a perfect score; slopes are finite."""
    case, value, slopes = compiled(name)
    arguments = arguments_of(case, *example, equal)
    for leaf in jax.tree.leaves(value(*arguments)):
        assert leaf.dtype in (jnp.float32, jnp.int32)
        perfect = "psnr" in name and all(np.array_equal(x, arguments[0]) for x in arguments)
        assert np.isfinite(leaf).all() or (perfect and np.isposinf(leaf).all())
    if case.slope:
        for slope, argument in zip(slopes(*arguments), arguments, strict=True):
            assert slope.shape == argument.shape and np.isfinite(slope).all()


@pytest.mark.parametrize("name", SOME)
@hypothesis.given(example=examples(), equal=hypothesis.strategies.booleans())
@hypothesis.settings(max_examples=EXAMPLES)
def test_some_values_and_slopes_are_finite(name, example, equal):
    check_finite(name, example, equal)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*CASES, *HEAVY} - {*SOME}))
@hypothesis.given(example=examples(), equal=hypothesis.strategies.booleans())
@hypothesis.settings(max_examples=EXAMPLES)
def test_values_and_slopes_are_finite(name, example, equal):
    check_finite(name, example, equal)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_half_precision(name):
    """Half precision is read, and gives what float32 gives of the same numbers."""
    case, _, _ = compiled(name)
    for dtype in HALVES:
        for kind in KINDS:
            half = [jnp.asarray(x, dtype) for x in arguments_of(case, kind, 1, False)]
            found = jax.tree.leaves(case.call(*half))
            exact = jax.tree.leaves(case.call(*(x.astype(jnp.float32) for x in half)))
            for leaf, expected in zip(found, exact, strict=True):
                assert (
                    leaf.dtype == (jnp.float32 if case.widens else dtype) or leaf.dtype == "int32"
                )
                near = 1e-4 if case.widens else 0.05
                leaf, expected = np.asarray(leaf, np.float32), np.asarray(expected)
                np.testing.assert_allclose(leaf, expected, rtol=near, atol=near * case.scale)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_double_precision(name):
    """float64 stays float64, and float32 was near."""
    case, value, _ = compiled(name)
    arguments = arguments_of(case, "random", 1, False)
    single = jax.tree.leaves(value(*arguments))
    with jax.enable_x64(True):
        double = jax.tree.leaves(case.call(*(jnp.asarray(x, jnp.float64) for x in arguments)))
        for one, two in zip(single, double, strict=True):
            assert two.dtype == jnp.float64
            np.testing.assert_allclose(one, two, rtol=2e-3, atol=2e-3 * case.scale)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_an_optimiser_step(dtype):
    """Parameters keep their type; no gradient moves nothing; states do not change theirs."""
    params = {"kernel": jnp.ones((3, 3, 2, 4), dtype), "bias": jnp.zeros(4, dtype)}
    optimizer = optax.chain(optim.centralized_adam(1e-2), optim.average_parameters(0.9))
    state, update = optimizer.init(params), jax.jit(optimizer.update)
    zero = jax.tree.map(jnp.zeros_like, params)
    for gradient in (zero, jax.tree.map(jnp.ones_like, params)):
        updates, new = update(gradient, state, params)
        moved = optax.apply_updates(params, updates)
        types = [jax.tree.map(jnp.result_type, tree) for tree in (params, moved)]
        assert types[0] == types[1]
        assert jax.tree.map(jnp.result_type, state) == jax.tree.map(jnp.result_type, new)
        assert all(np.isfinite(np.asarray(x, np.float32)).all() for x in jax.tree.leaves(moved))
        if gradient is zero:
            for before, after in zip(*map(jax.tree.leaves, (params, moved)), strict=True):
                np.testing.assert_array_equal(before, after)

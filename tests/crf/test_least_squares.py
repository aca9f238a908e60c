"""Ridge regression: against NumPy, in batches, and how a batch is compiled."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from hdr_jax.crf import _least_squares, debevec, mitsunaga_nayar


@pytest.mark.parametrize("solver", ["cholesky", pytest.param("lstsq", marks=pytest.mark.slow)])
def test_ridge_and_its_gradient(solver):
    rng = np.random.default_rng(4)
    with jax.enable_x64(True):
        matrix, target = jnp.asarray(rng.normal(size=(9, 4))), jnp.asarray(rng.normal(size=9))
        rows, zeros = np.concatenate([matrix, np.eye(4)]), np.zeros(4)
        expected = np.linalg.lstsq(rows, np.concatenate([target, zeros]), rcond=None)[0]
        solve = functools.partial(_least_squares.ridge, solver=solver)
        np.testing.assert_allclose(solve(matrix, target), expected, rtol=1e-10)
        check_grads(solve, (matrix, target), order=2)


@pytest.mark.parametrize("platform", ["cpu", "tpu"])
def test_channels_are_factorised_one_by_one_on_a_cpu_alone(platform):
    """The dead-lock of batched LAPACK is a CPU's; accelerators have batched kernels."""
    solve = jax.jit(jax.vmap(_least_squares.ridge))
    traced = solve.trace(jnp.zeros((3, 9, 4)), jnp.zeros((3, 9)))
    program = traced.lower(lowering_platforms=(platform,)).as_text()
    assert ("stablehlo.while" in program) == (platform == "cpu")


def test_batches_of_batches_are_solved():
    rng = np.random.default_rng(10)
    matrix, target = (jnp.asarray(rng.normal(size=s), jnp.float32) for s in ((2, 3, 9, 4), (3, 9)))
    both = jax.vmap(jax.vmap(_least_squares.ridge), (0, None))(matrix, target)
    for i, j in np.ndindex(2, 3):
        one = _least_squares.ridge(matrix[i, j], target[j])
        np.testing.assert_allclose(both[i, j], one, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("solve", [debevec, mitsunaga_nayar])
def test_responses_have_second_derivatives_in_a_batch(solve):
    """Forward and reverse over reverse, against differences of the gradient."""
    with jax.enable_x64(True):
        levels = jnp.asarray(np.random.default_rng(5).uniform(2, 13, (2, 20, 3)))
        times = jnp.array([-0.7, 0.0, 0.9])

        def total(times):
            solved = jax.vmap(lambda z: solve(z, times, num_levels=16))(levels)
            return jnp.sum(jnp.sin(solved))

        check_grads(jax.jit(jax.grad(total)), (times,), order=1, rtol=1e-4)


def test_few_levels_and_many_coefficients():
    """Nothing determines the polynomial in between: it is finite, and so are its slopes."""
    rng = np.random.default_rng(1)
    levels = rng.choice(np.array([0, 21, 32, 63], np.float32), (50, 16))
    times = jnp.asarray(0.7 * np.arange(16, dtype=np.float32))
    solve = jax.jit(lambda z: mitsunaga_nayar(z, times, num_levels=64))
    assert np.isfinite(solve(levels)).all()
    assert np.isfinite(jax.jit(jax.grad(lambda z: solve(z).sum()))(levels)).all()

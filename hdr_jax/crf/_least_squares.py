"""Dense ridge regression, differentiated implicitly."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

SOLVERS = ("cholesky", "lstsq")
# Smallest entry on the diagonal of a factor of the normal equations, of columns of unit length, by
# which float32 still solves them to 2e-6. Debevec's system has 0.02 at a smoothness of 20, 0.006 at
# 5 (error 7e-6), 0.002 at 1 (1e-3; the slope is then off by 14 %), where QR's error is 5e-7.
LEAST_PIVOT = 0.01


def ridge(matrix: Array, target: Array, solver: str = "cholesky") -> Array:
    """x = argmin |matrix x - target|^2 + |x|^2.

    Both solvers scale the columns to unit length and take one step of refinement. "cholesky", of
    matrix^T matrix + 1, is matrix products and a small factorisation, where that is too coarse (see
    LEAST_PIVOT) the triangle of a QR factorisation; "lstsq" is an SVD of the rows,
    `jnp.linalg.lstsq`.

    Args:
      matrix: [m, n].
      target: [m].
      solver: one of `SOLVERS`.

    Returns:
      x [n]; 0 where `matrix` is 0.

    Differentiable in both arguments, in both modes and any order (by the same triangle with either
    solver).
    Example:
      >>> ridge(jnp.array([[1.0], [1.0]]), jnp.array([1.0, 5.0])).round(4).tolist()
      [2.0]
    """
    return _solved(matrix, target, solver)[0]


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _solved(matrix, target, solver):
    """`ridge`, and the factor and scale of its matrix M that `_apply_inverse` takes."""
    ones = jnp.eye(matrix.shape[1], dtype=matrix.dtype)
    gram = matrix.T @ matrix + ones
    scale = jax.lax.rsqrt(jnp.diag(gram))
    factor = _triangle(gram * scale[:, None] * scale[None], matrix, scale)
    if solver == "cholesky":
        x = _apply_inverse(factor, scale, matrix.T @ target)
        x += _apply_inverse(factor, scale, matrix.T @ (target - matrix @ x) - x)
    else:
        rows = jnp.concatenate([matrix, ones]) * scale[None]
        x = scale * _lstsq(rows, jnp.pad(target, (0, len(ones))))
    return x, factor, scale


# With A = matrix, b = target, r = b - A x and x = M^-1 A^T b, M = A^T A + 1:
#   dx = M^-1 (dA^T r - A^T (dA x - db)).
# Of M^-1 JAX is told that it inverts M, so the factor is a constant to all derivatives.
@_solved.defjvp
def _solved_jvp(solver, primals, tangents):
    (matrix, target), (d_matrix, d_target) = primals, tangents
    x, factor, scale = _solved(matrix, target, solver)

    def inverse(product, v):
        y = _apply_inverse(factor, scale, v)
        return y + _apply_inverse(factor, scale, v - product(y))

    d_x = jax.lax.custom_linear_solve(
        lambda v: matrix.T @ (matrix @ v) + v,
        d_matrix.T @ (target - matrix @ x) - matrix.T @ (d_matrix @ x - d_target),
        inverse,
        symmetric=True,
    )
    return (x, factor, scale), (d_x, jnp.zeros_like(factor), jnp.zeros_like(scale))


def _apply_inverse(factor: Array, scale: Array, vector: Array) -> Array:
    """M^-1 vector, with M = D^-1 L L^T D^-1, L = factor and D = diag(scale)."""
    return scale * _cho_solve(factor, scale * vector)


def _one_by_one_on_cpu(function: Callable[..., Array]) -> Callable[..., Array]:
    """`function` with a `vmap` that goes through a batch one by one on a CPU.

    The batched CPU kernels of LAPACK block a thread of XLA's pool until other threads of it have
    done the work: two such calls at the same time in one program (the maps of a generated and of a
    true stack, say) stop for ever on two cores. Accelerators have batched kernels of their own.
    """
    one = jax.custom_batching.custom_vmap(function)

    @one.def_vmap
    def batch(size, batched, *arguments):
        arguments = [
            x if is_batched else jnp.broadcast_to(x, (size, *x.shape))
            for x, is_batched in zip(arguments, batched, strict=True)
        ]
        result = jax.lax.platform_dependent(
            *arguments,
            cpu=lambda *xs: jax.lax.map(lambda x: one(*x), xs),
            default=jax.vmap(function),
        )
        return result, True

    return one


@_one_by_one_on_cpu
def _triangle(gram: Array, matrix: Array, scale: Array) -> Array:
    """Lower triangle L with L L^T = gram = rows^T rows, of rows [matrix; 1] diag(scale) whose
    columns have unit length.

    By QR its diagonal is as large as rounding at least: the columns may depend on each other but
    for the last digits, as of a polynomial through fewer levels than it has coefficients.
    """
    factor = jnp.linalg.cholesky(gram)

    def of_rows():
        ones = jnp.eye(len(gram), dtype=gram.dtype)
        rows = jnp.concatenate([matrix, ones]) * scale[None]
        upper = jnp.linalg.qr(rows, mode="r")
        pivots = jnp.diag(upper)
        least = len(upper) * jnp.finfo(rows.dtype).eps
        raised = jnp.where(pivots < 0, -1, 1) * jnp.maximum(jnp.abs(pivots), least)
        return (upper + jnp.diag(raised - pivots)).T

    sound = jnp.diag(factor).min() > LEAST_PIVOT  # not so where it is NaN
    return jax.lax.cond(sound, lambda: factor, of_rows)


@_one_by_one_on_cpu
def _cho_solve(factor: Array, vector: Array) -> Array:
    """(L L^T)^-1 vector."""
    return jax.scipy.linalg.cho_solve((factor, True), vector)


@_one_by_one_on_cpu
def _lstsq(rows: Array, target: Array) -> Array:
    """argmin |rows x - target|^2 with one step of refinement, which the same SVD serves."""
    # No cut-off: the rank is full, and the smallest singular values belong to it.
    x = jnp.linalg.lstsq(rows, target, rcond=0.0)[0]
    return x + jnp.linalg.lstsq(rows, target - rows @ x, rcond=0.0)[0]

"""Dense linear least squares by QR, differentiated implicitly."""

import jax
import jax.numpy as jnp
from jax import Array


@jax.custom_vjp
def solve(matrix: Array, target: Array) -> Array:
    """x = argmin |matrix x - target|^2 for a matrix of full column rank.

    R is taken from the QR factors of [matrix, target], so that Q is never formed:
    x = R[:n, :n]^-1 R[:n, n].

    Args:
      matrix: [m, n], m >= n, full column rank.
      target: [m].

    Returns:
      x [n].

    Differentiable in both arguments (reverse mode).
    Example:
      >>> solve(jnp.array([[1.0], [1.0]]), jnp.array([1.0, 3.0])).round(4).tolist()
      [2.0]
    """
    return _solve_fwd(matrix, target)[0]


# With A = matrix, b = target, r = b - A x and A^T r = 0:
#   dx = (A^T A)^-1 (dA^T r - A^T dA x + A^T db),
# so for u = (A^T A)^-1 x_bar:  A_bar = r u^T - (A u) x^T  and  b_bar = A u.
def _solve_fwd(matrix, target):
    n = matrix.shape[1]
    # One zero row makes room for the residual's entry of R when m == n.
    augmented = jnp.pad(jnp.column_stack([matrix, target]), ((0, 1), (0, 0)))
    r = jnp.linalg.qr(augmented, mode="r")
    factor = r[:n, :n]
    x = jax.scipy.linalg.solve_triangular(factor, r[:n, n])
    return x, (matrix, target, factor, x)


def _solve_bwd(residuals, x_bar):
    matrix, target, factor, x = residuals
    half = jax.scipy.linalg.solve_triangular(factor, x_bar, trans="T")
    u = jax.scipy.linalg.solve_triangular(factor, half)
    target_bar = matrix @ u
    matrix_bar = jnp.outer(target - matrix @ x, u) - jnp.outer(target_bar, x)
    return matrix_bar, target_bar


solve.defvjp(_solve_fwd, _solve_bwd)

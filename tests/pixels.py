"""Arrays for property tests: random ones, and those at which formulas break.

Few shapes and types, so that compiled programs serve many examples.
"""

import hypothesis.strategies as st
import numpy as np

KINDS = ("random", "black", "white", "ties", "extremes")
HALVES = ("float16", "bfloat16")


def pixels(shape, kind: str, seed: int) -> np.ndarray:
    """float32 in [0, 1]: of an even distribution, all 0, all 1, of four levels, or 0 and 1."""
    rng = np.random.default_rng(seed)
    if kind in ("black", "white"):
        return np.full(shape, float(kind == "white"), np.float32)
    if kind == "ties":
        return rng.choice(np.array([0, 85, 128, 255]) / 255, shape).astype(np.float32)
    if kind == "extremes":
        return rng.integers(0, 2, shape).astype(np.float32)
    return rng.random(shape, np.float32)


def examples(*kinds: str):
    """Strategy of (kind, seed)."""
    return st.tuples(st.sampled_from(kinds or KINDS), st.integers(0, 2**16))


def bracket(shape, kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A stack [n, h, w, c] of a gamma camera, or of `pixels`, and its log times in random order."""
    rng = np.random.default_rng(seed)
    n = shape[0]
    log_times = rng.permutation(np.arange(n) - n // 2).astype(np.float32) * 0.7
    if kind != "random":
        return pixels(shape, kind, seed), log_times
    light = np.exp(rng.normal(-1.5, 1.5, shape[1:]))
    exposure = light[None] * np.exp(log_times)[:, None, None, None]
    return (np.clip(exposure, 0, 1) ** (1 / 2.2)).astype(np.float32), log_times

"""The primitives with and without `jit`, and on a device: the same numbers, traced once."""

import chex
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax import crf, exposure, tonemap
from hdr_jax.merge import merge, synthesize

LOG_TIMES = np.log([0.5, 1.0, 2.0]).astype(np.float32)
G = np.log(np.arange(1, 65) / 64).astype(np.float32)
RADIANCE = np.random.default_rng(0).uniform(0.02, 1, (6, 7, 3)).astype(np.float32)
STACK = np.asarray(exposure.expose(jnp.asarray(RADIANCE), LOG_TIMES, exposure.srgb()))

# name -> (function, arguments)
PRIMITIVES = {
    "lookup": (crf.lookup, (STACK * 63, G)),
    "respond": (crf.respond, (np.log(RADIANCE), G)),
    "monotone": (crf.monotone, (G[::-1] + G,)),
    "debevec": (
        lambda levels, log_times: crf.debevec(levels, log_times, num_levels=64),
        (np.round(STACK[:, ..., 0].reshape(3, -1).T * 63).astype(np.int32), LOG_TIMES),
    ),
    "expose": (
        lambda radiance, log_times: exposure.expose(radiance, log_times, exposure.srgb()),
        (RADIANCE, LOG_TIMES),
    ),
    "merge": (merge, (STACK, LOG_TIMES, G)),
    "synthesize": (
        lambda stack, log_times: synthesize(stack, log_times, num_samples=40, num_levels=64),
        (STACK, LOG_TIMES),
    ),
    "reinhard": (tonemap.reinhard, (RADIANCE,)),
}


@pytest.mark.slow
class Variants(chex.TestCase):
    """What a caller may do with a function does not change what it returns."""

    @chex.variants(with_jit=True, without_jit=True, with_device=True)
    def test_primitives(self):
        check(self)


def check(case):
    for name, (function, arguments) in PRIMITIVES.items():
        with case.subTest(name):
            chex.clear_trace_counter()
            counted = chex.assert_max_traces(lambda *xs, call=function: call(*xs), n=1)
            varied = case.variant(counted)
            expected = function(*map(jnp.asarray, arguments))
            for _ in range(2):
                chex.assert_trees_all_close(varied(*arguments), expected, rtol=1e-4, atol=1e-5)
            chex.assert_tree_all_finite(expected)

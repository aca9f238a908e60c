"""Inside of `jax.shard_map`, with its checks, values and gradients are those of one device.

Run as a program, on several devices, this file checks, or traces alone, the cases of the rooms that
it is given.
"""

import functools
import operator
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec

import hdr_jax
from hdr_jax import crf, metrics
from hdr_jax.exposure import expose, srgb
from hdr_jax.merge import merge, synthesize

DEVICES = 2
TIMES = jnp.log(jnp.array([0.25, 0.5, 1.0]))
CURVE = jnp.log((jnp.arange(256) + 0.5) / 255.5)[None] * jnp.array([[0.9], [1.0], [1.1]])
TRUST = jnp.linspace(0, 1, 3 * 20 * 24).reshape(3, 20, 24)


@functools.cache
def stacks():
    """Exposures of one scene for each device, [devices, n, h, w, c]."""
    log_radiance = jax.random.uniform(jax.random.key(0), (DEVICES, 20, 24, 3), minval=-5)
    return jnp.stack([expose(jnp.exp(x), TIMES, srgb()) for x in log_radiance])


def of_stack(function, **options):
    """A case: what `function` makes of a stack; the times are the same on all devices."""
    return lambda: (lambda times, stack: function(stack, times, **options), TIMES, stacks())


def of_curve(function, **options):
    """A case: what `function` makes of a stack and a curve that is the same on all devices."""
    return lambda: (lambda g, stack: function(stack, g, **options), CURVE, stacks())


def of_merge(**options):
    def case():
        def merged(both, stack):
            return merge(stack, *both, **options)

        return merged, (TIMES, CURVE), stacks()

    return case


def of_map(function):
    """A case: a comparison of a map with one that is the same on all devices."""
    return lambda: (lambda one, stack: function(stack[2], one), stacks()[0, 1], stacks())


def of_loss(name):
    def case():
        from hdr_jax import losses

        return of_map(getattr(losses, name))()

    return case


def contextual():
    from hdr_jax import losses

    def loss(picture, other):
        return losses.contextual_bilateral(losses.features(picture), losses.features(other))

    return of_map(loss)()


def of_model(name, sizes, *arguments, **options):
    """A case: a model's parameters on all devices, pictures and their edges on each."""

    def case():
        from hdr_jax import models

        model = getattr(models, name)(*sizes)
        pictures = stacks()[:, 1:2], stacks()[:, 2:, ..., : 3 if name == "HighlightModel" else 1]
        made = jax.jit(lambda: model.init(jax.random.key(0), *(x[0] for x in pictures)))()
        made = jax.tree.map(lambda x: x + 0.1 * jnp.cos(jnp.arange(x.size)).reshape(x.shape), made)
        return (
            lambda params, pictures: model.apply(params, *pictures, *arguments, **options),
            made,
            pictures,
        )

    return case


CASES = {
    "curve": {
        "lookup": of_curve(lambda stack, g: crf.lookup(255 * stack, g)),
        "respond": of_curve(lambda stack, g: crf.respond(jnp.log(stack + 0.01), g)),
        "monotone": of_curve(lambda stack, g: crf.monotone(stack[0, 0].T + g[:, :1])),
    },
    "more of curve": {
        "one table": of_curve(lambda stack, g: crf.lookup(255 * stack, g[0], rounding=True)),
        "falling": of_curve(lambda stack, g: crf.monotone(stack.mean() - g)),
    },
    "merge": {
        "merge": of_merge(),
        "extremes once": of_merge(extremes_once=True, confidence=TRUST),
    },
    "more of merge": {
        "confidence": of_merge(confidence=TRUST),
        "noise": of_merge(weighting="noise", rounding=True),
        "weight gradient": of_merge(weight_gradient=True),
    },
    "recover": {
        "auto": of_stack(crf.recover),
        "quantiles": of_stack(crf.recover, sampling="quantiles"),
    },
    "more of recover": {
        "valid": of_stack(crf.recover, valid=TRUST > 0.1),
        "grossberg_nayar": of_stack(crf.recover, sampling="grossberg_nayar"),
        "1024 levels": of_stack(crf.recover, num_levels=1024),
        "lstsq": of_stack(crf.recover, solver="lstsq"),
    },
    # Rounding alone moves its gradients by more than the others differ.
    "polynomial": {"mitsunaga_nayar": of_stack(crf.recover, method="mitsunaga_nayar")},
    "synthesize": {
        "synthesize": of_stack(synthesize),
        "all gradients": of_stack(synthesize, response_gradient=True, weight_gradient=True),
    },
    "losses": {
        "psnr": of_map(metrics.psnr),
        "ssim": of_map(metrics.ssim),
        **{
            name: of_loss(name)
            for name in (
                "l1", "histogram_l1", "hdr_l1", "align_scale", "masked_l1", "chroma_l1",
                "partial_l1", "gradient_l1", "pu21_l2", "hdrvdp2_loss",
            )
        },
        "contextual_bilateral": contextual,
    },
    "models": {
        "highlights": of_model("HighlightModel", [(8, 16), (1, 1)]),
        "stack": of_model("ExposureStackModel", [4, 4, 1, 4, 1, 4, 1], reference_index=1),
        "routed": of_model(
            "ExposureStackModel", [4, 4, 1, 4, 1, 4, 1], reference_index=1, gradients="routed"
        ),
    },
}  # fmt: skip


def sharded(loss):
    """The mean of a loss over the devices, with its gradients towards both arguments."""

    def mean(same, each):
        return jax.lax.pmean(loss(same, each), "device")

    everywhere, split = PartitionSpec(), PartitionSpec("device")
    return jax.shard_map(
        jax.value_and_grad(mean, (0, 1)),
        mesh=Mesh(np.array(jax.devices()), "device"),
        in_specs=(everywhere, split),
        out_specs=(everywhere, (everywhere, split)),
    )


def check(function, same, each, traced_alone):
    """A value with its gradients towards what is the same on all devices, and what is on each."""

    def loss(same, each):
        made = jax.tree.leaves(jax.vmap(functools.partial(function, same))(each))
        probed = [x * jnp.cos(jnp.arange(x.size)).reshape(x.shape) for x in made]
        return functools.reduce(jnp.add, map(jnp.mean, probed))

    if traced_alone:  # where kinds of values do not fit, JAX says so
        jax.eval_shape(sharded(loss), same, each)
        return
    found = jax.jit(sharded(loss))(same, each)
    alone = jax.jit(jax.value_and_grad(loss, (0, 1)))
    parts = [
        alone(same, jax.tree.map(operator.itemgetter(slice(i, i + 1)), each))
        for i in range(DEVICES)
    ]
    values, gradients = zip(*parts, strict=True)
    of_same, of_each = zip(*gradients, strict=True)
    sums = jax.tree.map(lambda *x: sum(x), *of_same)
    rows = jax.tree.map(lambda *x: jnp.concatenate(x), *of_each)
    for one, right in zip(
        jax.tree.leaves(found), jax.tree.leaves((sum(values), (sums, rows))), strict=True
    ):
        one, right = np.asarray(one), np.asarray(right) / DEVICES
        np.testing.assert_allclose(one, right, rtol=0, atol=1e-5 * np.abs(right).max())


@pytest.mark.parametrize(
    "act, rooms",
    [
        ("check", "curve,merge"),
        pytest.param("trace", "recover,polynomial,synthesize", marks=pytest.mark.slow),
        *(
            pytest.param("check", rooms, marks=pytest.mark.slow)
            for rooms in (
                "more of curve,more of merge",
                "recover",
                "synthesize",
                "losses",
            )
        ),
        *(
            pytest.param("check", rooms, marks=[pytest.mark.slow, pytest.mark.long])
            for rooms in ("more of recover", "models")
        ),
    ],
)
def test_devices_together_equal_each_alone(act, rooms):
    environment = os.environ | {
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={DEVICES}",
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "true",  # compiling is what takes the time
        "PYTHONPATH": str(pathlib.Path(hdr_jax.__file__).parents[1]),
    }
    command = [sys.executable, __file__, act, *rooms.split(",")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr[-3000:]


if __name__ == "__main__":
    for room in sys.argv[2:]:
        for name, case in CASES[room].items():
            print(room, name, flush=True)
            check(*case(), traced_alone=sys.argv[1] == "trace")

"""The networks and their recursion: sizes, parity with the released program, gradient routing."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax.models import ConvGRUCell, ExposureStackModel, blocks, routing
from hdr_jax.models.networks import GlobalNetwork, LocalNetwork, RefinementNetwork

NETWORKS = ("global", "local", "refinement")


def small(**fields):
    """A model that compiles in seconds: four exposures, widths of 4, two levels."""
    sizes = dict(
        num_exposures=4,
        global_width=4,
        global_levels=2,
        local_width=4,
        local_levels=1,
        refinement_width=4,
        refinement_levels=2,
    )
    return ExposureStackModel(**{**sizes, **fields})


def scene(b=2, h=8, w=12, n=4, seed=0):
    """Random reference, edges, true stack and true edges."""
    keys = jax.random.split(jax.random.key(seed), 4)
    shapes = ((b, h, w, 3), (b, h, w, 1), (b, n, h, w, 3), (b, n, h, w, 1))
    return [jax.random.uniform(k, shape) for k, shape in zip(keys, shapes, strict=True)]


@pytest.fixture(scope="module")
def variables():
    """Parameters of `small()`, norms moved off their initial 1 and 0."""
    image, edge_map, *_ = scene()
    made = jax.jit(small().init)(jax.random.key(7), image, edge_map)
    leaves, tree = jax.tree.flatten(made)
    keys = jax.random.split(jax.random.key(8), len(leaves))
    moved = [x + 0.2 * jax.random.normal(k, x.shape) for k, x in zip(keys, leaves, strict=True)]
    return tree.unflatten(moved)


def unrolled(model, params, image, edge_map, reference_index, truth=None, refine=True):
    """The recursion as plain Python loops over the networks: the independent reference."""
    n = model.num_exposures
    stack, tone, edges = {}, {}, {}
    x0 = 2 * image - 1
    for direction, targets in (
        ("up", range(reference_index + 1, n)),
        ("down", range(reference_index - 1, -1, -1)),
    ):
        nets = model.networks(direction)
        state = {k: nets[k].initial_state(*image.shape[:3]) for k in ("global", "local")}
        x, e = x0, edge_map
        for t in targets:
            entry = t - 1 if direction == "up" else t
            if truth is not None:
                source = t - 1 if direction == "up" else t + 1
                x, e = 2 * truth[0][:, source] - 1, truth[1][:, source]
                state = jax.lax.stop_gradient(state)

            def run(name, s, inputs, nets=nets, direction=direction, entry=entry):
                return nets[name].apply({"params": params[direction][name]}, s, inputs, entry)

            state["global"], tone[t] = run("global", state["global"], (x,))
            state["local"], edges[t] = run("local", state["local"], (x, e))
            stack[t] = tone[t]
            if refine:
                _, stack[t] = run("refinement", None, (x, tone[t], edges[t]))
            x, e = stack[t], edges[t]
    stack[reference_index] = tone[reference_index] = x0
    edges[reference_index] = edge_map
    order = [jnp.stack([d[t] for t in range(n)], 1) for d in (stack, tone, edges)]
    return (order[0] + 1) / 2, (order[1] + 1) / 2, order[2]


def close(a, b, scale):
    """Equal to float32 rounding, `scale` being the largest entry."""
    np.testing.assert_allclose(a, b, rtol=0, atol=3e-5 * scale + 1e-7)


def assert_trees_close(a, b):
    """Leaf by leaf, relative to each leaf's largest entry."""
    for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(a), jax.tree.leaves(b), strict=True):
        scale = float(jnp.abs(y).max())
        np.testing.assert_allclose(x, y, rtol=0, atol=5e-5 * scale + 1e-8, err_msg=str(path))


def probe(shape, seed=3):
    """A fixed random linear functional, so that no gradient cancels by symmetry."""
    return jax.random.normal(jax.random.key(seed), shape)


@pytest.mark.parametrize("truth", [False, True])
@pytest.mark.parametrize("refine", [False, True])
def test_routed_gradient_is_the_full_one(variables, truth, refine):
    image, edge_map, true_stack, true_edges = scene()
    given = dict(true_stack=true_stack, true_edges=true_edges) if truth else {}

    def loss(variables, image, edge_map, way):
        out = small().apply(
            variables, image, edge_map, reference_index=1, refine=refine, gradients=way, **given
        )
        return jnp.sum(probe(out.stack.shape) * out.linked_stack**2)

    grad = jax.jit(jax.value_and_grad(loss, (0, 1, 2)), static_argnums=3)
    value, routed = grad(variables, image, edge_map, "routed")
    expected, full = grad(variables, image, edge_map, "full")
    assert value == pytest.approx(float(expected), rel=1e-6)
    assert_trees_close(routed, full)
    if refine:
        assert all(jnp.abs(x).max() > 0 for x in jax.tree.leaves(full[0]["params"]["up"]["global"]))

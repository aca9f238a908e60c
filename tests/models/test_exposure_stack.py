"""The exposure stack's recursion: sizes, order of steps, gradients and where they go."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from hdr_jax.models import ExposureStackModel

SIZES = dict(
    num_exposures=4,
    global_width=4,
    global_levels=1,
    local_width=4,
    local_levels=1,
    refinement_width=4,
    refinement_levels=1,
)


# Compiling is what takes the time here, and unoptimised code takes half of it.
quick_jit = partial(jax.jit, compiler_options={"xla_backend_optimization_level": "0"})


def small(**fields):
    """Four exposures, widths of 4, one level: compiles in seconds."""
    return ExposureStackModel(**{**SIZES, **fields})


@pytest.fixture(scope="module")
def scene():
    """Reference, its edges, true stack, true edges."""
    rng = np.random.default_rng(0)
    b, n, h, w = 2, 4, 4, 6
    shapes = ((b, h, w, 3), (b, h, w, 1), (b, n, h, w, 3), (b, n, h, w, 1))
    return [jnp.asarray(rng.random(shape, np.float32)) for shape in shapes]


@pytest.fixture(scope="module")
def params(scene):
    """Parameters of `small()`, moved at random so that no norm sits at 1 and 0."""
    rng = np.random.default_rng(1)
    made = jax.jit(small().init)(jax.random.key(7), *scene[:2])["params"]
    return jax.tree.map(
        lambda x: x + jnp.asarray(0.2 * rng.standard_normal(x.shape), jnp.float32), made
    )


def probe(shape):
    """A fixed random functional, so that nothing cancels by symmetry."""
    return jnp.asarray(np.random.default_rng(3).standard_normal(shape), jnp.float32)


NETWORKS = {
    name: jax.jit(lambda p, s, x, e, net=net: net.apply({"params": p}, s, x, e))
    for name, net in small().networks().items()
}


def unrolled(params, scene, r, *, truth=False, refine=True, cut=False):
    """The recursion as Python loops over the networks; `cut` blocks gradients at every seam.

    Written independently of the scan: returns (stack, global stack, edges) as the model does.
    """
    image, edge_map, true_stack, true_edges = scene
    n, nets = 4, small().networks()
    seam = jax.lax.stop_gradient if cut else lambda x: x
    stack, tone, edges = ({r: image}, {r: image}, {r: edge_map})
    for direction, targets in (("up", range(r + 1, n)), ("down", range(r - 1, -1, -1))):
        p = params[direction]
        states = {k: nets[k].initial_state(*image.shape[:3]) for k in ("global", "local")}
        x, e = 2 * image - 1, edge_map
        for t in targets:
            entry = t - 1 if direction == "up" else t
            entries = (entry, 0 if direction == "up" else entry)
            if truth:
                source = t - 1 if direction == "up" else t + 1
                x, e = 2 * true_stack[:, source] - 1, true_edges[:, source]
                states = jax.lax.stop_gradient(states)
            x, e = seam(x), seam(e)
            states["global"], made = NETWORKS["global"](
                p["global"], states["global"], (x,), entries
            )
            states["local"], edges[t] = NETWORKS["local"](
                p["local"], states["local"], (x, e), entries
            )
            fine = made
            if refine:
                inputs = (x, seam(made), seam(edges[t]))
                _, fine = NETWORKS["refinement"](p["refinement"], None, inputs, entries)
            tone[t], stack[t] = (made + 1) / 2, (fine + 1) / 2
            x, e = fine, edges[t]
    return [jnp.stack([rows[t] for t in range(n)], 1) for rows in (stack, tone, edges)]


def assert_gradients_equal(got, expected):
    """To float32 rounding, relative to the largest entry of the layer.

    Of the layer, not the leaf: the gradient of a bias before a norm is zero but for rounding.
    """
    got, expected = (dict(jax.tree_util.tree_leaves_with_path(tree)) for tree in (got, expected))
    assert got.keys() == expected.keys()
    for path, value in expected.items():
        layer = [y for other, y in expected.items() if other[:-1] == path[:-1]]
        np.testing.assert_allclose(
            got[path], value, rtol=0, atol=3e-5 * largest(layer) + 1e-9, err_msg=str(path)
        )


def largest(tree):
    """Largest absolute entry."""
    return max(float(jnp.abs(x).max()) for x in jax.tree.leaves(tree))


def test_parameter_counts():
    image, edge_map = jnp.zeros((1, 32, 32, 3)), jnp.zeros((1, 32, 32, 1))
    shapes = jax.eval_shape(ExposureStackModel().init, jax.random.key(0), image, edge_map)
    for direction in ("up", "down"):
        counts = {
            name: sum(leaf.size for leaf in jax.tree.leaves(tree))
            for name, tree in shapes["params"][direction].items()
        }
        assert counts == {"global": 98918403, "local": 6188815, "refinement": 11007971}


@pytest.mark.parametrize(("truth", "refine"), [(False, True), (True, True), (False, False)])
def test_every_reference_with_one_program(params, scene, truth, refine):
    given = dict(true_stack=scene[2], true_edges=scene[3]) if truth else {}

    chex.clear_trace_counter()

    @quick_jit
    @chex.assert_max_traces(n=1)
    def run(params, r):
        return small().apply(
            {"params": params}, *scene[:2], reference_index=r, refine=refine, **given
        )

    for r in range(4):
        got = run(params, r)
        expected = unrolled(params, scene, r, truth=truth, refine=refine)
        for name, a, b in zip(got._fields, got, [*expected, expected[0]], strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5, err_msg=f"{name}, reference {r}")
        np.testing.assert_array_equal(got.stack[:, r], scene[0])
        np.testing.assert_array_equal(got.edges[:, r], scene[1])
        np.testing.assert_array_equal(got.linked_stack, got.stack)
        assert refine or np.array_equal(got.stack, got.global_stack)


def test_levels_are_read_as_their_floats(params, scene):
    levels = [jnp.rint(255 * scene[k]).astype(jnp.uint8) for k in (0, 2)]
    model = quick_jit(
        lambda image, stack: small().apply(
            {"params": params}, image, scene[1], true_stack=stack, true_edges=scene[3]
        )
    )
    found, expected = model(*levels), model(*(x / 255 for x in levels))
    np.testing.assert_allclose(found.stack, expected.stack, atol=1e-5)


@pytest.mark.parametrize(
    ("refine", "gradient"),
    [
        (True, False),
        pytest.param(True, True, marks=pytest.mark.slow),
        pytest.param(False, True, marks=pytest.mark.slow),
    ],
)
def test_two_walks_are_two_calls(params, scene, refine, gradient):
    image, edge_map, true_stack, true_edges = scene
    options = dict(refine=refine, gradients="routed" if refine else "own")

    def at_once(params, forced, free):
        given = {"params": params}, true_stack, true_edges, (forced, free)
        return small().apply(*given, method="two_walks", **options)

    def by_calls(params, forced, free):
        call = partial(small().apply, {"params": params})
        truth = dict(true_stack=true_stack, true_edges=true_edges)
        given = ((true_stack[:, r], true_edges[:, r]) for r in (forced, free))
        first = call(*next(given), reference_index=forced, gradients="own", refine=refine, **truth)
        return first, call(*next(given), reference_index=free, **options)

    def with_gradient(walks):
        def loss(params, forced, free):
            first, second = walks(params, forced, free)
            parts = [*first[:3], *second[: 4 if refine else 3]]
            return sum(jnp.sum((k + probe(x.shape)) * x**2) for k, x in enumerate(parts))

        slope = jax.grad(loss) if gradient else lambda *_: {}
        return quick_jit(lambda *arguments: (walks(*arguments), slope(*arguments)))

    ours, theirs = with_gradient(at_once), with_gradient(by_calls)
    for references in ((0, 2), (3, 1)):
        (got, slope), (expected, expected_slope) = (f(params, *references) for f in (ours, theirs))
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
        assert_gradients_equal(slope, expected_slope)


def linked_gradient(way, params, scene, *, truth=False, refine=True, **fields):
    """Gradient of a functional of `linked_stack` with respect to parameters, image and edges."""

    def loss(params, image, edge_map):
        given = dict(true_stack=scene[2], true_edges=scene[3]) if truth else {}
        out = small(**fields).apply(
            {"params": params}, image, edge_map, reference_index=1, refine=refine,
            gradients=way, **given,
        )  # fmt: skip
        return jnp.sum(probe(out.stack.shape) * out.linked_stack**2)

    return quick_jit(jax.grad(loss, (0, 1, 2)))(params, *scene[:2])


def unrolled_gradient(params, scene, **options):
    """The same functional through the loops, differentiated by JAX alone."""

    def loss(params, image, edge_map):
        stack = unrolled(params, [image, edge_map, *scene[2:]], 1, **options)[0]
        return jnp.sum(probe(stack.shape) * stack**2)

    return quick_jit(jax.grad(loss, (0, 1, 2)))(params, *scene[:2])


@pytest.fixture(scope="module")
def full_gradient(params, scene):
    """What `linked_gradient` must give in the recursive walk."""
    return unrolled_gradient(params, scene)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["full", "routed"])
def test_gradient_of_linked_stack_is_the_full_one(params, scene, full_gradient, way):
    assert_gradients_equal(linked_gradient(way, params, scene), full_gradient)
    for direction in ("up", "down"):
        for name in ("global", "local", "refinement"):
            assert largest(full_gradient[0][direction][name]) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("options", [dict(truth=True), dict(refine=False)])
def test_gradient_fed_with_the_truth_or_without_refinement(params, scene, options):
    expected = unrolled_gradient(params, scene, **options)
    assert_gradients_equal(linked_gradient("routed", params, scene, **options), expected)
    assert largest(expected[0]["up"]["global"]) > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("way", ["own", "routed"])
def test_own_losses_train_their_own_network(params, scene, way):
    weight = probe((2, 4, 4, 6, 3))

    def losses(out):
        """One loss per network, in the order refinement, global, local."""
        return [jnp.sum(weight[..., : x.shape[-1]] * x**2) for x in out]

    @quick_jit
    def gradients(params):
        def run(params):
            out = small().apply({"params": params}, *scene[:2], reference_index=2, gradients=way)
            return losses(out[:3])

        return jax.jacrev(run)(params)

    @quick_jit
    def reference(params):
        return jax.jacrev(lambda p: losses(unrolled(p, scene, 2, cut=True)))(params)

    names = ("refinement", "global", "local")
    for name, got, expected in zip(names, gradients(params), reference(params), strict=True):
        assert_gradients_equal(got, expected)
        for direction in ("up", "down"):
            assert largest(got[direction].pop(name)) > 0.1
        assert largest(got) == 0


@pytest.mark.slow
def test_losses_together_give_the_sum_of_their_gradients(params, scene):
    """One backward pass under "routed": own losses on their networks, the joint one everywhere."""
    weight = probe((2, 4, 4, 6, 3))

    def own(stack, tone, edges):
        terms = zip((stack, tone, edges), (1.0, 2.0, 3.0), strict=True)
        return sum(k * jnp.sum(weight[..., : x.shape[-1]] * x**2) for x, k in terms)

    def joint(stack):
        return jnp.sum(jnp.sin(stack) * weight)

    @quick_jit
    @jax.grad
    def together(params):
        out = small().apply({"params": params}, *scene[:2], reference_index=1, gradients="routed")
        return own(*out[:3]) + joint(out.linked_stack)

    @quick_jit
    @jax.grad
    def separately(params):
        return own(*unrolled(params, scene, 1, cut=True)) + joint(unrolled(params, scene, 1)[0])

    assert_gradients_equal(together(params), separately(params))


@pytest.mark.slow
def test_rematerialised_gradient_is_the_same(params, scene, full_gradient):
    got = linked_gradient("routed", params, scene, remat=True)
    assert_gradients_equal(got, full_gradient)


@pytest.mark.slow
def test_bfloat16(params, scene, full_gradient):
    exact, rough = (
        quick_jit(small(dtype=dtype).apply)({"params": params}, *scene[:2], reference_index=1)
        for dtype in (jnp.float32, jnp.bfloat16)
    )
    made = jax.eval_shape(small(dtype=jnp.bfloat16).init, jax.random.key(0), *scene[:2])
    assert {leaf.dtype for leaf in jax.tree.leaves(made)} == {jnp.dtype("float32")}
    for a, b in zip(rough, exact, strict=True):
        assert a.dtype == jnp.float32
        assert bool(jnp.isfinite(a).all())
        assert 0 < float(jnp.abs(a - b).max()) < 0.1
    gradients = linked_gradient("routed", params, scene, dtype=jnp.bfloat16)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(gradients))
    a, b = (
        jnp.concatenate([x.ravel() for x in jax.tree.leaves(g)]) for g in (gradients, full_gradient)
    )
    assert float(a @ b / jnp.linalg.norm(a) / jnp.linalg.norm(b)) > 0.99


@pytest.mark.parametrize(
    ("shape", "edge_shape", "options", "message"),
    [
        ((1, 30, 64, 3), (1, 30, 64, 1), {}, "multiples of 32"),
        ((1, 0, 64, 3), (1, 0, 64, 1), {}, "multiples of 32"),
        ((32, 64, 3), (32, 64, 1), {}, r"expected \[b, h, w, 3\]"),
        ((1, 32, 64, 1), (1, 32, 64, 1), {}, r"expected \[b, h, w, 3\]"),
        ((1, 32, 64, 3), (1, 32, 32, 1), {}, "edge_map"),
        ((1, 32, 64, 3), (1, 32, 64, 1), {"reference_index": 7}, "from 0 to 6"),
        ((1, 32, 64, 3), (1, 32, 64, 1), {"reference_index": -1}, "from 0 to 6"),
        ((1, 32, 64, 3), (1, 32, 64, 1), {"reference_index": jnp.asarray(7)}, "from 0 to 6"),
        ((1, 32, 64, 3), (1, 32, 64, 1), {"gradients": "none"}, "'none' is unknown"),
        ((1, 32, 64, 3), (1, 32, 64, 1), {"true_stack": np.zeros((1, 7, 32, 64, 3))}, "together"),
    ],
)
def test_bad_input_is_refused(shape, edge_shape, options, message):
    with pytest.raises(ValueError, match=message):
        ExposureStackModel().apply({}, jnp.zeros(shape), jnp.zeros(edge_shape), **options)


def test_true_stack_of_another_shape_is_refused():
    image, edge_map = jnp.zeros((1, 32, 32, 3)), jnp.zeros((1, 32, 32, 1))
    truth = dict(true_stack=jnp.zeros((1, 5, 32, 32, 3)), true_edges=jnp.zeros((1, 5, 32, 32, 1)))
    with pytest.raises(ValueError, match="true_stack"):
        ExposureStackModel().apply({}, image, edge_map, **truth)
    with pytest.raises(ValueError, match="'fast' is unknown"):
        ExposureStackModel(convolution="fast").networks()

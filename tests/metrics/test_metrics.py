"""Metrics of the field against loops in float64, scikit-image and their formulas."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.signal import correlate as scipy_correlate
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from hdr_jax import color, images, metrics
from hdr_jax.cli import parsers, score
from hdr_jax.errors import InputError
from hdr_jax.metrics import _protocols, _structure, hdrvdp2
from hdr_jax.metrics._filtering import correlate, separable
from hdr_jax.metrics._order_statistics import order_statistics

pytestmark = pytest.mark.usefixtures("compiled_quickly")

RNG = np.random.default_rng(7)


def pair(h=64, w=48, c=3, noise=0.05, seed=0):
    """A smooth picture in [0, 1] and a noisy one."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w] / 9
    reference = 0.5 + 0.3 * np.stack([np.sin(x + k) * np.cos(y * (k + 1)) for k in range(c)], -1)
    test = np.clip(reference + noise * rng.standard_normal(reference.shape), 0, 1)
    return test, reference


def ssim_maps_loop(x, y, data_range):
    """l and cs of one channel, window by window."""
    offsets = np.arange(11) - 5
    g = np.exp(-(offsets**2) / (2 * 1.5**2))
    weight = np.outer(g, g) / g.sum() ** 2
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    luminance = np.empty((x.shape[0] - 10, x.shape[1] - 10))
    contrast = np.empty_like(luminance)
    for i, j in np.ndindex(luminance.shape):
        a, b = x[i : i + 11, j : j + 11], y[i : i + 11, j : j + 11]
        ma, mb = (weight * a).sum(), (weight * b).sum()
        va, vb = (weight * (a - ma) ** 2).sum(), (weight * (b - mb) ** 2).sum()
        covariance = (weight * (a - ma) * (b - mb)).sum()
        luminance[i, j] = (2 * ma * mb + c1) / (ma**2 + mb**2 + c1)
        contrast[i, j] = (2 * covariance + c2) / (va + vb + c2)
    return luminance, contrast


def ms_ssim_loop(x, y, data_range):
    """Five scales of one channel."""
    product = 1.0
    for scale, weight in enumerate((0.0448, 0.2856, 0.3001, 0.2363, 0.1333)):
        luminance, contrast = ssim_maps_loop(x, y, data_range)
        product *= ((luminance if scale == 4 else 1) * contrast).mean() ** weight
        x, y = (np.pad(a, [(0, n % 2) for n in a.shape], mode="edge") for a in (x, y))
        x, y = ((a[::2, ::2] + a[1::2, ::2] + a[::2, 1::2] + a[1::2, 1::2]) / 4 for a in (x, y))
    return product


@pytest.mark.parametrize("shape", [(64, 48, 3), (33, 47, 1), (21, 30)])
@pytest.mark.parametrize("data_range", [1.0, 256.0])
def test_psnr_and_ssim_against_skimage(shape, data_range):
    test, reference = (image * data_range for image in pair(*shape[:2], 3))
    if len(shape) == 2:
        test, reference = test[..., 0], reference[..., 0]
    else:
        test, reference = test[..., : shape[2]], reference[..., : shape[2]]
    expected_psnr = peak_signal_noise_ratio(reference, test, data_range=data_range)
    expected_ssim = structural_similarity(
        reference,
        test,
        data_range=data_range,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1 if len(shape) == 3 else None,
    )
    for x64, tolerance in ((True, 1e-12), (False, 2e-6)):
        with jax.enable_x64(x64):
            dtype = jnp.float64 if x64 else jnp.float32
            a, b = jnp.asarray(test, dtype), jnp.asarray(reference, dtype)
            assert float(metrics.ssim(a, b, data_range=data_range)) == pytest.approx(
                expected_ssim, abs=tolerance
            )
            assert float(metrics.psnr(a, b, data_range=data_range)) == pytest.approx(
                expected_psnr, abs=tolerance * 30
            )


@pytest.mark.parametrize(
    ("metric", "size"), [(metrics.psnr, 20), (metrics.ssim, 20), (metrics.ms_ssim, 161)]
)
def test_the_data_range_may_be_traced(metric, size, caplog):
    """An array or a picture's own, and no reason to compile anew."""
    test, reference = (jnp.asarray(x, jnp.float32) for x in pair(size, size, 1))
    expected = metric(test, reference)
    for data_range in (2, 2.0, np.float32(2), jnp.float32(2)):
        value = metric(2 * test, 2 * reference, data_range=data_range)
        np.testing.assert_allclose(value, expected, rtol=1e-5)
    with jax.log_compiles(True), caplog.at_level("WARNING"):
        metric(test, reference, data_range=3.0)
    assert not [record for record in caplog.records if "Compiling" in record.message]
    own = jax.jit(lambda a, b: metric(a, b, data_range=b.max()))(test, reference)
    by_number = metric(test, reference, data_range=float(reference.max()))
    np.testing.assert_allclose(own, by_number, rtol=1e-5)
    with pytest.raises(ValueError, match="data_range = "):
        metric(test, reference, data_range=jnp.ones(3))


def test_ssim_against_loop():
    test, reference = pair(20, 25, 1)
    luminance, contrast = ssim_maps_loop(test[..., 0], reference[..., 0], 1.0)
    with jax.enable_x64(True):
        value = metrics.ssim(jnp.asarray(test), jnp.asarray(reference))
        assert float(value) == pytest.approx((luminance * contrast).mean(), abs=1e-13)


@pytest.mark.parametrize("size", [(176, 161), pytest.param((161, 170), marks=pytest.mark.slow)])
def test_ms_ssim_against_loop(size):
    test, reference = pair(*size, 1, noise=0.2)
    expected = ms_ssim_loop(test[..., 0], reference[..., 0], 1.0)
    with jax.enable_x64(True):
        value = metrics.ms_ssim(jnp.asarray(test), jnp.asarray(reference))
        assert float(value) == pytest.approx(expected, abs=1e-12)
    value = metrics.ms_ssim(test.astype(np.float32), reference.astype(np.float32))
    assert float(value) == pytest.approx(expected, abs=2e-6)


def test_ms_ssim_of_opposite_pictures_is_zero_with_finite_gradient():
    _, reference = pair(161, 161, 1)
    reference = jnp.asarray(reference, jnp.float32)
    value, gradient = jax.value_and_grad(metrics.ms_ssim)(1 - reference, reference)
    assert float(value) == 0
    assert bool(jnp.isfinite(gradient).all())


def test_halving_repeats_an_odd_edge():
    planes = jnp.arange(15.0).reshape(1, 3, 5)
    expected = [[3.0, 5.0, 6.5], [10.5, 12.5, 14.0]]
    assert _structure._halve(planes)[0].tolist() == expected


def test_psnr_mu_has_its_full_slope_at_black():
    black, gray = jnp.zeros((4, 4)), jnp.full((4, 4), 0.1)
    slope = jax.grad(metrics.psnr_mu)(black, gray)[0, 0]
    step = metrics.psnr_mu(black.at[0, 0].set(1e-5), gray) - metrics.psnr_mu(black, gray)
    assert slope == pytest.approx(float(step) / 1e-5, rel=0.05)


def test_psnr_mu_formula():
    test, reference = pair()
    curve = [np.log(1 + 5000 * image) / np.log(5001) for image in (test, reference)]
    expected = -10 * np.log10(np.mean((curve[0] - curve[1]) ** 2))
    value = metrics.psnr_mu(test.astype(np.float32), reference.astype(np.float32))
    assert float(value) == pytest.approx(expected, abs=1e-4)
    # Negative radiance counts as black.
    assert float(metrics.psnr_mu(jnp.full((2, 2), -3.0), jnp.zeros((2, 2)))) == np.inf


def test_pu21_metrics_formula():
    test, reference = (1000 * image**3 for image in pair())
    encoded = [np.asarray(color.pu21_encode(jnp.float32(image))) for image in (test, reference)]
    expected = 10 * np.log10(256**2 / np.mean((encoded[0] - encoded[1]) ** 2))
    a, b = test.astype(np.float32), reference.astype(np.float32)
    assert float(metrics.pu21_psnr(a, b)) == pytest.approx(expected, abs=1e-3)
    luminance = [
        np.asarray(color.pu21_encode(jnp.float32(image @ [0.2126, 0.7152, 0.0722])))
        for image in (test, reference)
    ]
    expected = structural_similarity(
        luminance[1].astype(np.float64),
        luminance[0].astype(np.float64),
        data_range=256,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert float(metrics.pu21_ssim(a, b)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "metric", [metrics.psnr, metrics.ssim, metrics.psnr_mu, metrics.pu21_psnr, metrics.pu21_ssim]
)
def test_gradient_is_finite_at_identity_and_black(metric):
    _, reference = pair(24, 24)
    reference = jnp.asarray(reference, jnp.float32)
    cases = [(reference, reference), (0 * reference, 0 * reference), (0 * reference, reference)]
    for a, b in cases:
        assert bool(jnp.isfinite(jax.grad(metric)(a, b)).all())
        assert bool(jnp.isfinite(jax.grad(metric, 1)(a, b)).all())


def test_identity_values():
    _, reference = pair(161, 161)
    reference = jnp.asarray(reference, jnp.float32)
    assert float(metrics.psnr(reference, reference)) == np.inf
    assert float(metrics.pu21_psnr(reference, reference)) == np.inf
    assert float(metrics.ssim(reference, reference)) == pytest.approx(1, abs=1e-7)
    assert float(metrics.ms_ssim(reference, reference)) == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("name", ["psnr", "ssim", "psnr_mu", "pu21_psnr", "pu21_ssim"])
def test_vmap_equals_loop(name):
    metric = getattr(metrics, name)
    pairs = [pair(24, 24, seed=k) for k in range(3)]
    tests, references = (
        jnp.asarray(np.stack(side), jnp.float32) for side in zip(*pairs, strict=True)
    )
    looped = [float(metric(a, b)) for a, b in zip(tests, references, strict=True)]
    np.testing.assert_allclose(jax.vmap(metric)(tests, references), looped, rtol=1e-5)


@pytest.mark.parametrize(
    ("metric", "scale"),
    [
        (metrics.psnr, 1),
        (metrics.ssim, 1),
        (metrics.psnr_mu, 1),
        (metrics.pu21_psnr, 100),
        (metrics.pu21_ssim, 100),
        (metrics.correct_response, 100),
    ],
)
def test_gradients_against_finite_differences(metric, scale):
    with jax.enable_x64(True):
        a, b = (jnp.asarray(scale * image + 0.01 * scale) for image in pair(14, 13, 3))
        check_grads(metric, (a, b), order=1, modes=("rev",), rtol=1e-5)


def test_correct_response_equals_polyfit():
    test, reference = (1000 * image**2 + 1 for image in pair())
    y, y_reference = (image @ [0.2126, 0.7152, 0.0722] for image in (test, reference))
    fit = np.polynomial.Polynomial.fit(np.log(y).ravel(), np.log(y_reference).ravel(), 3)
    expected = test * (np.exp(fit(np.log(y))) / y)[..., None]
    with jax.enable_x64(True):
        corrected = metrics.correct_response(jnp.asarray(test), jnp.asarray(reference))
        np.testing.assert_allclose(corrected, expected, rtol=1e-9)
    corrected = metrics.correct_response(test.astype(np.float32), reference.astype(np.float32))
    np.testing.assert_allclose(corrected, expected, rtol=1e-4)


def test_correct_response_raises_the_score_of_a_wrong_tone_curve():
    _, reference = pair(c=1)
    reference = jnp.asarray(500 * reference + 1, jnp.float32)
    test = 3 * reference**0.7
    plain = float(metrics.pu21_psnr(test, reference))
    corrected = float(metrics.pu21_psnr(test, reference, correct_crf=True))
    assert corrected > plain + 20


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_correct_response_of_few_levels_is_finite(levels):
    y = jnp.asarray(np.resize(np.arange(1.0, levels + 1), (8, 8)), jnp.float32)
    target = y * 2 + 1
    corrected = metrics.correct_response(y, target)
    gradient = jax.grad(lambda y: metrics.correct_response(y, target).sum())(y)
    np.testing.assert_allclose(corrected, target, rtol=1e-4)
    assert bool(jnp.isfinite(gradient).all())


def test_correct_response_has_no_jump_at_black():
    """What is darker than the fit can see fades to the gray that black becomes."""
    dark = jnp.array([0.0, 1e-12, 1e-4, 0.004999, 0.005001])
    test = jnp.full((5, 8, 3), 9.0).at[:, 0].set(dark[:, None]).at[:, 1].set(40.0)
    target = jnp.full((5, 8, 3), 20.0).at[:, 0].set(3.0).at[:, 1].set(70.0)
    corrected = metrics.correct_response(test, target)
    np.testing.assert_allclose(corrected[:, 0], 3.0, rtol=1e-3)
    slope = jax.grad(lambda x: metrics.correct_response(x, target).sum())(test)
    assert bool(jnp.isfinite(slope).all())
    # A colour fades.
    red = metrics.correct_response(test.at[:, 0, 1:].set(0), target)[:, 0]
    np.testing.assert_allclose(red[:2], 3.0, rtol=1e-3)
    assert float(jnp.ptp(red[0])) == 0 and float(red[4, 0]) > float(red[4, 1]) > 2
    just = [
        metrics.correct_response(jnp.array([[[y, 0, 0], [9, 9, 9]]]), target[:1, :2])
        for y in (0.02351, 0.02353)
    ]  # luminance 0.005
    np.testing.assert_allclose(*just, rtol=2e-3, atol=3e-3)


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_order_statistics_equal_sort(size):
    values = RNG.standard_normal(size) * 10.0 ** RNG.integers(-30, 30, size)
    values[::3] = -values[0]  # ties
    with jax.enable_x64(True):
        for dtype in (np.float32, np.float64):
            ordered = np.sort(values.astype(dtype))
            ranks = tuple({1, (size + 1) // 2, size})
            found = order_statistics(jnp.asarray(values, dtype), ranks)
            assert found.dtype == dtype
            assert found.tolist() == [float(ordered[k - 1]) for k in ranks]


def test_order_statistics_may_be_infinite():
    values = jnp.array([jnp.inf, 1.0, -jnp.inf, 2.0])
    np.testing.assert_array_equal(order_statistics(values, (1, 2, 4)), [-jnp.inf, 1.0, jnp.inf])
    assert np.isfinite(jax.grad(lambda v: order_statistics(v, (2,))[0])(values)).all()


def test_order_statistics_gradient_goes_to_the_value():
    gradient = jax.grad(lambda v: order_statistics(v, (2,))[0])
    assert gradient(jnp.array([5.0, -1.0, 3.0])).tolist() == [0.0, 0.0, 1.0]
    assert gradient(jnp.array([3.0, -1.0, 3.0])).tolist() == [0.5, 0.0, 0.5]
    with pytest.raises(ValueError, match="ranks"):
        order_statistics(jnp.ones(3), (4,))


def test_singlehdr_against_numpy():
    image = np.exp(2 * RNG.standard_normal((40, 50, 3))).astype(np.float32)
    k = int(1e-3 * 40 * 50 * 3)
    ordered = np.sort(image.astype(np.float64).ravel())
    low, high = ordered[k - 1], ordered[-k]
    expected = np.maximum((image - low) * 998 / (high - low + 1e-8) + 1, 0)
    np.testing.assert_allclose(_protocols.singlehdr(image), expected, rtol=2e-5, atol=1e-3)
    assert (expected == 0).sum() < k  # the protocol does clip some


def test_display_protocol_ignores_scale_and_respects_peak():
    image = np.exp(RNG.standard_normal((20, 20, 3))).astype(np.float32)
    test, reference = metrics.calibrate(image * 17, image, protocol="display", peak=300.0)
    np.testing.assert_allclose(test, reference, rtol=1e-5)
    assert float(reference.max()) == pytest.approx(300, rel=1e-6)
    black = metrics.calibrate(0 * image, 0 * image, protocol="display")
    assert float(black[0].max()) == pytest.approx(0.005)


@pytest.mark.parametrize("protocol", _protocols.PROTOCOLS)
@pytest.mark.parametrize("value", [np.inf, np.nan])
@pytest.mark.parametrize("side", [0, 1])
def test_maps_that_are_not_finite_have_no_score(protocol, value, side):
    maps = [jnp.asarray(100 * image, jnp.float32) for image in pair(20, 20)]
    maps[side] = maps[side].at[3, 4, 0].set(value)
    result = metrics.hdrvdp2_by_protocol(*maps, protocol=protocol)
    known = protocol == "absolute" and np.isnan(value)  # NaN is darkness to the metric itself
    assert all(np.isfinite(x).all() == known for x in jax.tree.leaves(result))
    light = metrics.calibrate(*maps, protocol=protocol)
    assert protocol == "absolute" or bool(jnp.isnan(light[side]).all())


def test_protocol_names_stand_in_the_result():
    image = jnp.ones((20, 20, 3)).at[5:].set(4.0)
    result = metrics.hdrvdp2_by_protocol(image, image, protocol="display", peak=150.0)
    assert result.version == "HDR-VDP-2.2.1"
    assert result.protocol.startswith("display: ")
    assert "150 cd/m^2" in result.protocol
    assert "rgb-bt.709, 30 pixels per degree" in result.protocol


def test_visibility_picture_colours():
    luminance = jnp.asarray(np.geomspace(1, 100, 60).reshape(6, 10), jnp.float32)
    nothing = metrics.visibility_picture(jnp.zeros((6, 10)), luminance)
    assert float(jnp.ptp(nothing, axis=-1).max()) == 0  # gray
    assert float(nothing.min()) >= 0 and float(nothing.max()) <= 1
    for p, strongest in [(0.25, 2), (0.5, 1), (1.0, 0)]:
        picture = metrics.visibility_picture(jnp.full((6, 10), p), luminance)
        assert bool((picture.argmax(-1) == strongest).all())
    dark = metrics.visibility_picture(jnp.ones((6, 10)), 0 * luminance)
    assert bool(jnp.isfinite(dark).all())
    with pytest.raises(ValueError, match=r"\(6, 9\)"):
        metrics.visibility_picture(jnp.ones((6, 9)), luminance)


def run_score(*arguments):
    return score.run(parsers.parser().parse_args(["score", *map(str, arguments)]))


def test_score_prints_metrics_and_writes_the_map(tmp_path, capsys):
    test, reference = (np.float32(image) for image in pair(32, 40))
    images.write(tmp_path / "test.hdr", test)
    images.write(tmp_path / "reference.exr", reference)
    options = ("--protocol", "display", "--peak", 200, "--map", tmp_path / "map.png", "--json")
    assert run_score(tmp_path / "test.hdr", tmp_path / "reference.exr", *options) == 0
    values = json.loads(capsys.readouterr().out)
    light = metrics.calibrate(
        images.read_hdr(tmp_path / "test.hdr"), reference, protocol="display", peak=200.0
    )
    result = hdrvdp2(*light, color_encoding="rgb-bt.709", pixels_per_degree=30)
    assert values["hdrvdp2_Q"] == pytest.approx(float(result.Q), abs=1e-3)
    assert values["pu21_psnr"] == pytest.approx(float(metrics.pu21_psnr(*light)), abs=1e-4)
    assert values["version"] == "HDR-VDP-2.2.1" and "200 cd/m^2" in values["protocol"]
    assert values["ms_ssim_reinhard"] is None  # too small
    assert images.read_photo(tmp_path / "map.png").shape == (32, 40, 3)
    same = (tmp_path / "test.hdr", tmp_path / "test.hdr", "--protocol", "display", "--no-map")
    assert run_score(*same) == 0
    table = capsys.readouterr().out
    assert "100  HDR-VDP-2 quality" in table and "inf  dB, of perceptually" in table


def test_score_says_what_spoils_a_map(tmp_path):
    dark = np.zeros((20, 20, 3), np.float32)
    images.write(tmp_path / "dark.exr", dark)
    images.write(tmp_path / "good.exr", dark + np.linspace(1, 2, 20, dtype=np.float32)[:, None])
    with pytest.raises(ValueError, match="dark.exr has no positive radiance"):
        run_score(tmp_path / "good.exr", tmp_path / "dark.exr", "--no-map")
    images.write(tmp_path / "faint.exr", images.read_hdr(tmp_path / "good.exr") * 1e-7)
    with pytest.warns(UserWarning, match="faint.exr holds at most 2e-07"):
        score.read_map(str(tmp_path / "faint.exr"), "singlehdr")
    below = images.read_hdr(tmp_path / "good.exr")
    below[:5] = -1
    images.write(tmp_path / "below.exr", below)
    with pytest.warns(UserWarning, match=r"below.exr: 25.00% of the pixels have negative"):
        score.read_map(str(tmp_path / "below.exr"), "display")


def test_score_refuses_bad_input(tmp_path):
    for name, shape in [("a", (20, 20, 3)), ("b", (20, 21, 3)), ("small", (9, 9, 3))]:
        images.write(tmp_path / f"{name}.hdr", np.ones(shape, np.float32))
    path = {name: tmp_path / f"{name}.hdr" for name in ("a", "b", "small")}
    for arguments, message in [
        ((path["a"], path["b"]), "equal shapes"),
        ((path["small"], path["small"]), "at least 17"),
        ((path["a"], path["a"], "--protocol", "x"), "singlehdr, display, absolute"),
        ((path["a"], path["a"], "--pixels-per-degree", "0"), "positive"),
        ((path["a"], tmp_path / "missing.hdr"), "missing.hdr"),
    ]:
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            run_score(*arguments, "--map", tmp_path / "map.png")
    assert not (tmp_path / "map.png").exists()


@pytest.mark.parametrize(
    ("o", "c", "kernel", "stride", "block", "shape"),
    [
        (1, 1, (15, 15), 1, (1, 16), (31, 37)),
        (4, 1, (9, 9), 1, (4, 8), (9, 40)),
        (1, 4, (9, 9), 1, (4, 8), (25, 9)),
        (1, 1, (17, 17), 2, (4, 8), (50, 49)),
        (2, 3, (3, 5), 3, (5, 2), (20, 23)),
        (1, 1, (1, 11), 1, (1, 16), (3, 11)),
    ],
)
def test_correlate_against_scipy(o, c, kernel, stride, block, shape):
    weights = RNG.standard_normal((o, c, *kernel))
    planes = RNG.standard_normal((2, c, *shape))
    expected = np.array(
        [
            [
                sum(scipy_correlate(x[i], weights[k, i], "valid", "direct") for i in range(c))
                for k in range(o)
            ]
            for x in planes
        ]
    )[..., ::stride, ::stride]
    with jax.enable_x64(True):
        result = correlate(jnp.asarray(planes), weights, stride=stride, block=block)
        np.testing.assert_allclose(result, expected, atol=1e-12)
        check_grads(
            lambda x: correlate(x, weights, stride=stride, block=block),
            (jnp.asarray(planes),),
            order=1,
            modes=("rev",),
            rtol=1e-6,
        )


def test_separable_against_scipy():
    taps = RNG.random(11)
    planes = RNG.random((2, 30, 41))
    expected = [scipy_correlate(x, np.outer(taps, taps), "valid", "direct") for x in planes]
    with jax.enable_x64(True):
        np.testing.assert_allclose(separable(jnp.asarray(planes), taps), expected, rtol=1e-12)


def test_float32_stays_float32_beside_float64():
    with jax.enable_x64(True):
        image = jnp.asarray(pair(24, 24)[0], jnp.float32)
        for metric in (metrics.psnr, metrics.ssim, metrics.psnr_mu, metrics.pu21_ssim):
            assert metric(image, image).dtype == jnp.float32


@pytest.mark.parametrize("name", ["psnr", "ssim", "ms_ssim", "psnr_mu", "pu21_psnr", "pu21_ssim"])
def test_bad_input_is_named(name):
    metric = getattr(metrics, name)
    image = np.ones((20, 20, 3), np.float32)
    with pytest.raises(ValueError, match=r"\(20, 19, 3\)"):
        metric(image[:, :19], image)
    with pytest.raises(ValueError, match="uint8"):
        metric(image.astype(np.uint8), image.astype(np.uint8))
    with pytest.raises(ValueError, match="vmap"):
        metric(image[None], image[None])


@pytest.mark.parametrize("metric", [metrics.pu21_psnr, metrics.correct_response])
def test_lists_are_images(metric):
    test, reference = (100 * image.astype(np.float32) for image in pair(8, 9))
    expected = metric(test, reference)
    np.testing.assert_allclose(metric(test.tolist(), reference.tolist()), expected, rtol=1e-5)


def test_other_errors():
    image = np.ones((10, 30, 3), np.float32)
    with pytest.raises(ValueError, match="at least 11"):
        metrics.ssim(image, image)
    with pytest.raises(ValueError, match="at least 161"):
        metrics.ms_ssim(np.ones((160, 200)), np.ones((160, 200)))
    with pytest.raises(ValueError, match="data_range = 0"):
        metrics.psnr(image, image, data_range=0)
    with pytest.raises(ValueError, match="2 channel"):
        metrics.pu21_psnr(image[..., :2], image[..., :2])
    with pytest.raises(ValueError, match="singlehdr, display, absolute"):
        metrics.calibrate(image, image, protocol="mine")
    for wrong in (image[..., 0], image[..., :1]):
        with pytest.raises(ValueError, match="got 1 channel.*expected 3"):
            metrics.calibrate(wrong, wrong, protocol="display")
    for peak in (0.0, np.nan, np.inf, 10001.0):
        with pytest.raises(InputError, match=r"0\.005 and up to 10000"):
            metrics.calibrate(image, image, protocol="display", peak=peak)
    with pytest.raises(InputError, match="cannot be traced"):
        jax.jit(lambda peak: _protocols.display(image, image, peak=peak))(100.0)
    with pytest.raises(ValueError, match="degree 0"):
        metrics.correct_response(image, image, degree=0)


@pytest.mark.parametrize(
    "metric",
    [
        metrics.psnr,
        metrics.psnr_mu,
        metrics.ssim,
        metrics.ms_ssim,
        metrics.pu21_psnr,
        metrics.pu21_ssim,
        lambda a, b: metrics.pu21_psnr(a, b, correct_crf=True),
    ],
)
def test_what_holds_nan_is_not_perfect(metric):
    image = np.random.default_rng(0).random((165, 170, 3)).astype(np.float32)
    broken = 0.5 * image
    broken[3, 4, 1] = np.nan
    assert np.isfinite(metric(0.5 * image, image))
    assert np.isnan(metric(broken, image)) and np.isnan(metric(image, broken))


def test_light_beyond_all_numbers_is_not_perfect():
    image = np.random.default_rng(0).random((32, 33, 3)).astype(np.float32)
    broken = 0.5 * image
    broken[3, 4, 1] = np.inf  # as of a map in half precision
    assert not metrics.hdrvdp2_by_protocol(broken, image, protocol="absolute").Q > 50
    assert not metrics.hdrvdp2_by_protocol(broken, image).Q > 50


def test_response_correction_clips_what_it_says():
    reference = np.geomspace(0.02, 500, 1600).reshape(40, 40).astype(np.float32)
    test = np.where(reference < 0.1, 0, reference).astype(np.float32)
    clipped = np.clip(test, 0.005, 1e4)
    np.testing.assert_allclose(
        metrics.correct_response(test, reference), metrics.correct_response(clipped, reference)
    )
    mean = np.exp(np.log(reference[:8, :8]).mean())
    for constant in (0, 3, 1e5):
        flat = np.full((8, 8), constant, np.float32)
        np.testing.assert_allclose(
            metrics.correct_response(flat, reference[:8, :8]), mean, rtol=1e-5
        )
    slope = jax.grad(lambda x: metrics.correct_response(x, reference).sum())(jnp.asarray(test))
    assert np.isfinite(slope).all()


def test_equal_pictures_stay_equal_in_the_dark():
    colours = np.array([[0.012, 0.002, 0.0005], [0, 0, 0], [3, 1, 0.2], [90, 200, 50]], np.float32)
    picture = np.repeat(np.repeat(colours[None], 8, 0), 4, 1)
    assert metrics.pu21_psnr(picture, picture, correct_crf=True) > 100


def test_kernels_of_integers_are_numbers():
    ones = jnp.ones((1, 1, 5, 4))
    assert (correlate(ones, np.ones((1, 1, 3, 3), int)) == 9).all()

"""HDR-VDP-2 against values of the original program, stage by stage and as a whole."""

import csv
import functools
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from hdr_jax import color, metrics
from hdr_jax.errors import InputError
from hdr_jax.metrics import hdrvdp2
from hdr_jax.metrics.hdr_vdp2 import (
    _encoding,
    _masking,
    _metric,
    _optics,
    _photoreceptor,
    _quality,
    _sensitivity,
    _spectral,
    _steerable,
    _tables,
)
from hdr_jax.metrics.hdr_vdp2._resize import resize

pytestmark = pytest.mark.usefixtures("compiled_quickly")

PPD = 30.0
PAIRS = ("01", "07", "09", "10", "12", "17", "18")
# Every size and configuration is compiled anew: the fast tests take one of the pairs in both.
QUICK = {("07", "c"), ("01", "b")}
ROWS = [
    pytest.param(name, config, marks=() if (name, config) in QUICK else pytest.mark.slow)
    for name in PAIRS
    for config in "abc"
]
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "fixtures" / "hdrvdp2"


@pytest.fixture(scope="module")
def known(folder):
    return json.loads((folder / "intermediates.json").read_text())


@pytest.fixture(scope="module")
def arrays(folder):
    return np.load(folder / "intermediates_arrays.npz")


@pytest.fixture(scope="module")
def rows(folder):
    with (folder / "reference.csv").open() as file:
        return {(row["id"], row["config"]): row for row in csv.DictReader(file)}


def load(folder, name, encoding_name="rgb-bt.709"):
    """(test, reference) in float64."""
    pair = [np.load(folder / f"{name}_{kind}.npy").astype(float) for kind in ("test", "ref")]
    return [image @ LUMINANCE for image in pair] if encoding_name == "luminance" else pair


def score(test, reference, dtype, row, **options):
    """The metric in a float type, as in a row of the table; NumPy arrays."""
    result = hdrvdp2(
        jnp.asarray(test, dtype),
        jnp.asarray(reference, dtype),
        color_encoding=row["encoding"],
        pixels_per_degree=float(row["ppd"]),
        **options,
    )
    return jax.tree.map(np.asarray, result)


def picture(size=32, seed=0):
    """A picture with edges, texture and shade, 1 to 400 cd/m^2, float32."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    image = 20 + 60 * (x > 0.5) + 100 * ((y - 0.4) ** 2 + (x - 0.3) ** 2 < 0.05)
    texture = ndimage.gaussian_filter(rng.standard_normal((size, size)), 1)
    image = image * np.exp(0.8 * texture) * (0.3 + y)
    return (image[..., None] * [1.0, 0.9, 0.7]).clip(1, 400).astype(np.float32)


# --- the whole metric -----------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "config"), ROWS)
def test_float64_equals_the_original(folder, rows, name, config):
    row = rows[name, config]
    with jax.enable_x64(True):
        pair = load(folder, name, row["encoding"])
        pooled = score(*pair, jnp.float64, row)
        plain = score(*pair, jnp.float64, row, spatial_pooling=False)
        assert pooled.Q.dtype == jnp.float64
    for value, column in [
        (pooled.Q, "Q_221"),
        (pooled.Q_220, "Q_220"),
        (pooled.Q_mos, "Q_MOS_220"),
    ]:
        assert float(value) == pytest.approx(float(row[column]), abs=1e-9), column
    for value, column in [
        (pooled.P_det, "P_det"),
        (pooled.C_max, "C_max"),
        (pooled.P_map.mean(), "Pmap_mean"),
        (pooled.P_map.max(), "Pmap_max"),
        (plain.P_det, "P_det_nopool"),
        (plain.C_max, "C_max_nopool"),
        (plain.P_map.mean(), "Pmap_nopool_mean"),
        (plain.C_map.mean(), "Cmap_nopool_mean"),
    ]:
        assert float(value) == pytest.approx(float(row[column]), rel=1e-9, abs=1e-300), column


FLOAT32_ROWS = [
    pytest.param(name, config, marks=() if config == "b" else pytest.mark.slow)
    for name in PAIRS
    for config in "abc"
]


@pytest.mark.parametrize(("name", "config"), FLOAT32_ROWS)
def test_float32_is_close_to_the_original(folder, rows, name, config):
    row = rows[name, config]
    result = score(*load(folder, name, row["encoding"]), jnp.float32, row)
    assert result.Q.dtype == jnp.float32
    assert float(result.Q) == pytest.approx(float(row["Q_221"]), abs=2e-3)
    assert float(result.Q_220) == pytest.approx(float(row["Q_220"]), abs=2e-4)
    assert float(result.C_max) == pytest.approx(float(row["C_max"]), rel=2e-4)


def test_maps_equal_the_original(folder, rows):
    row = rows["18", "b"]
    with jax.enable_x64(True):
        pair = load(folder, "18")
        pooled = score(*pair, jnp.float64, row)
        plain = score(*pair, jnp.float64, row, spatial_pooling=False)
    for value, name in [
        (pooled.P_map, "18_b_P_map"),
        (plain.P_map, "18_b_P_map_nopool"),
        (plain.C_map, "18_b_C_map_nopool"),
    ]:
        np.testing.assert_allclose(value, np.load(folder / f"{name}.npy"), atol=1e-12)


# --- tables and constants -------------------------------------------------------------------------


def test_spectral_matrices(known):
    names = {"ccfl-lcd": "rgb_ccfl-lcd (default)", "crt": "rgb_crt", "led-lcd": "rgb_led-lcd"}
    for display, name in names.items():
        expected = np.delete(known["spectral_matrix"][name], 2, axis=1)  # no S cones
        np.testing.assert_allclose(_spectral.DISPLAYS[display], expected, rtol=1e-14)
    expected = np.delete(known["spectral_matrix"]["luminance_d65"], 2)
    np.testing.assert_allclose(_spectral.D65[0], expected, rtol=1e-14)


def test_photoreceptor_tables(known, arrays):
    intensity = 10 ** _tables.axis(_photoreceptor.NUM_POINTS)
    for function, name in [
        (_photoreceptor.joint_sensitivity, "s_A"),
        (_photoreceptor.rod_sensitivity, "s_R"),
        (_photoreceptor.cone_sensitivity, "s_C"),
    ]:
        np.testing.assert_allclose(function(intensity), arrays[name], rtol=1e-11, atol=1e-90)
    cone, rod = _photoreceptor.response_tables(2.4)
    np.testing.assert_allclose(cone, arrays["jnd_cone"], rtol=1e-11)
    np.testing.assert_allclose(rod, arrays["jnd_rod"], rtol=1e-11)
    index = known["photoreceptor"]["idx"]
    np.testing.assert_allclose(
        cone[index], known["photoreceptor"]["jnd_cone (after sensitivity_correction)"], rtol=1e-11
    )


def test_look_up_equals_interp():
    table = np.cumsum(np.random.default_rng(0).random(37))
    x = np.r_[np.linspace(-6, 6, 200), _tables.axis(37), -5.0, 5.0]
    expected = np.interp(x, _tables.axis(37), table)
    with jax.enable_x64(True):
        np.testing.assert_allclose(_tables.look_up(jnp.asarray(x), table), expected, rtol=1e-12)
    result = _tables.look_up(jnp.asarray(x, jnp.float32), table)
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_neural_csf(known):
    frequency = np.array(known["ncsf"]["freq_cpd"])
    luminance = np.array(known["ncsf"]["lum_cd_m2"])
    expected = np.array(known["ncsf"]["S[lum][freq]"])
    with jax.enable_x64(True):
        values = _sensitivity.neural_csf(frequency, jnp.asarray(luminance)[:, None])
        np.testing.assert_allclose(values, expected, rtol=1e-12)
        assert float(_sensitivity.neural_csf(np.array(0.0), jnp.asarray(1.0))) == 0
    values = _sensitivity.neural_csf(frequency, jnp.asarray(luminance, jnp.float32)[:, None])
    np.testing.assert_allclose(values, expected, rtol=2e-5)


def test_sensitivity_table_equals_csf():
    with jax.enable_x64(True):
        luminance = 10 ** jnp.asarray(_tables.axis(_sensitivity.NUM_POINTS))
        expected = _sensitivity.neural_csf(np.array(3.75), luminance)
        np.testing.assert_allclose(_sensitivity.sensitivity_table(3.75), expected, rtol=1e-12)


def test_optical_transfer_and_frequencies(known):
    np.testing.assert_allclose(
        _optics.modulation_transfer(np.array(known["mtf"]["freq_cpd"])), known["mtf"]["mtf"], 1e-12
    )
    expected = np.array(known["freq_grid"]["size_4x6_ppd30"])
    np.testing.assert_allclose(_optics.frequency_grid(4, 6, 30.0), expected[:, :4], rtol=1e-14)


def test_resize_vectors(known):
    source = np.array(known["resize"]["input_8x8"])
    for name in ("4x4", "16x16", "3x5", "2x2"):
        expected = np.array(known["resize"][f"to_{name}"])
        with jax.enable_x64(True):
            np.testing.assert_allclose(
                resize(jnp.asarray(source), expected.shape), expected, atol=1e-13
            )
    assert resize(source, (8, 8)) is source


def test_pyramid_geometry(known):
    for name, expected in known["pyramid"].items():
        h, w = map(int, name.split("x"))
        levels = expected["levels"]
        assert _steerable.num_levels(h, w) == levels
        frequencies = [_sensitivity.band_frequency(b, PPD) for b in range(levels + 2)]
        assert frequencies == expected["band_freq_at_30ppd"]
        bands = jax.eval_shape(_steerable.analyse, jax.ShapeDtypeStruct((1, h, w), jnp.float32))
        sizes = [list(band.shape[2:]) for band in bands for _ in range(band.shape[1])]
        assert sizes == expected["plane_sizes"]


def test_quality_weights(known):
    for name, expected in known["quality_weights"].items():
        if name.startswith("weights_at_ppd_"):
            ppd = 2 * expected["band_freq"][0]  # the name is rounded
            for knots, release in [
                (_quality.WEIGHTS_220, "2.2.0"),
                (_quality.WEIGHTS_221, "2.2.1"),
            ]:
                weights = [_quality.band_weight(b, ppd, knots) for b in range(8)]
                np.testing.assert_allclose(weights, expected[f"w_{release}"], atol=1e-15)


def test_pixels_per_degree(known):
    value = metrics.pixels_per_degree(24, (1920, 1080), 0.5)
    assert value == pytest.approx(known["pix_per_deg(24in,1920x1080,0.5m)"], rel=1e-14)


# --- stages on pictures ---------------------------------------------------------------------------


@functools.cache
def stages(folder, name):
    """Every intermediate of a pair in float64."""
    with jax.enable_x64(True):
        test, reference = (jnp.asarray(image) for image in load(folder, name))
        return jax.tree.map(np.asarray, jax.jit(run_stages)(test, reference))


def run_stages(test, reference):
    light = _encoding.to_light(jnp.stack([test, reference]), "rgb-bt.709")
    mask = _encoding.difference_mask(light[0], light[1])
    light = jnp.moveaxis(light, -1, 1)
    retinal = _optics.scatter(light, _metric.surround_light((1e-5,) * 3, light[1]), PPD)
    absorbed = _spectral.absorb(retinal, "ccfl-lcd")
    receptors = jnp.moveaxis(absorbed, -3, 0)
    j_cone, j_rod = _photoreceptor.response_tables(2.4)
    responses = [
        _tables.look_up(_tables.log10_luminance(r), j)
        for r, j in zip(receptors, (j_cone, j_cone, j_rod), strict=True)
    ]
    response = _photoreceptor.respond(absorbed, 2.4)
    unfiltered = _steerable.analyse(response)
    adapting = receptors[0] + receptors[1]
    bands = _metric.filtered_base(unfiltered, adapting, unfiltered[-1][1].mean(), PPD)
    s = _metric.band_sensitivity(adapting.mean(0), bands, PPD)
    pair = [band[0] for band in bands], [band[1] for band in bands]
    maskers = _masking.mutual_masker(*pair)
    difference = _masking.differences(*pair, s)
    rho = _optics.frequency_grid(
        *(2 * n for n in bands[-1].shape[-2:]),
        2 * np.sqrt(2) * _sensitivity.band_frequency(len(bands) - 1, PPD),
    )
    base_gain = _sensitivity.neural_csf(rho, adapting.mean((-2, -1))[:, None, None])
    return {
        "mask": mask,
        "retinal": retinal,
        "receptors": receptors,
        "responses": responses,
        "response": response,
        "base": unfiltered[-1][:, 0],
        "base_gain": base_gain,
        "adapting": adapting,
        "bands": bands,
        "sensitivity": s,
        "maskers": maskers,
        "others": _masking.other_orientations(maskers),
        "neighbours": _masking.neighbouring_bands(maskers),
        "noise": _masking.masking_noise(maskers, s),
        "difference": difference,
        "errors": _quality.plane_errors(difference, mask),
        "masks": [resize(mask, band.shape[-2:]) for band in bands],
        "map": _masking.detection_map(difference),
        "quality": _quality.pool(_quality.plane_errors(difference, mask), PPD),
    }


def check_statistics(array, expected, tolerance=1e-9):
    """Mean, deviation and extremes against the recorded ones, relative to the extremes."""
    array = np.asarray(array)
    scale = max(abs(expected["min"]), abs(expected["max"]))
    for key, value in {
        "mean": array.mean(),
        "min": array.min(),
        "max": array.max(),
        "std": array.std(),
    }.items():
        if key in expected:
            assert value == pytest.approx(expected[key], abs=tolerance * scale), key
    assert np.abs(array).sum() == pytest.approx(expected["abs_sum"], rel=tolerance)


@pytest.mark.parametrize("name", ["01", pytest.param("18", marks=pytest.mark.slow)])
@pytest.mark.parametrize("side", ["test", "reference"])
def test_stages_per_picture(folder, known, name, side):
    expected, found = known[f"pair_{name}"][side], stages(folder, name)
    i = ("test", "reference").index(side)
    row, column = np.array(known[f"pair_{name}"]["sample_pixels_rc"]).T
    retinal = np.asarray(found["retinal"][i])
    check_statistics(retinal, expected["after_otf L_O"])
    np.testing.assert_allclose(
        retinal[:, row, column].T, expected["after_otf L_O"]["at"], rtol=1e-10
    )
    receptors = np.stack([np.asarray(r)[i, row, column] for r in found["receptors"]], -1)
    np.testing.assert_allclose(
        receptors, np.delete(expected["R_LMSR"]["at"], 2, axis=1), rtol=1e-10
    )
    responses = np.stack([np.asarray(r)[i, row, column] for r in found["responses"]], -1)
    np.testing.assert_allclose(responses, expected["P_L,P_M,P_R"]["at"], rtol=1e-10)
    response = np.asarray(found["response"][i])
    check_statistics(response, expected["P"])
    np.testing.assert_allclose(response[row, column], expected["P"]["at"], rtol=1e-9)
    assert float(found["adapting"][i].mean()) == pytest.approx(expected["L_mean"], rel=1e-12)
    check_statistics(found["base"][i], expected["baseband_before_csf"])
    np.testing.assert_allclose(
        found["base_gain"][i, 0, :6], expected["csf_bb_row0"], rtol=1e-10, atol=1e-15
    )
    planes = [plane for band in found["bands"] for plane in np.asarray(band[i])]
    for plane, statistics in zip(planes, expected["planes(base band after csf)"], strict=True):
        assert list(plane.shape) == statistics["size"]
        check_statistics(plane, statistics)
        assert plane[0, 0] == pytest.approx(statistics["corner00"], abs=1e-9)


@pytest.mark.parametrize("name", ["01", "18"])
def test_stages_of_the_pair(folder, known, name):
    expected, found = known[f"pair_{name}"], stages(folder, name)
    assert float(found["base"][1].mean()) == pytest.approx(expected["bb_padvalue"], rel=1e-11)
    check_statistics(found["adapting"].mean(0), expected["L_adapt_mean_of_pair"])
    assert float(found["mask"].mean()) == pytest.approx(expected["diff_mask_fraction"], rel=1e-14)
    check_statistics(found["map"], expected["S_map_after_pooling"])
    assert float(found["quality"][1]) == pytest.approx(expected["Q_220"], abs=1e-11)
    for plane in expected["per_plane"]:
        b, o = plane["b"], plane["o"]
        check_statistics(found["difference"][b][o], plane["D"])
        assert _quality.band_weight(b, PPD, _quality.WEIGHTS_220) == plane["w_f_2.2.0"]
        for value, key in [
            (found["errors"][b][o], "msre"),
            (found["maskers"][b][o].mean(), "self_mask_mean"),
            (found["others"][b][o].mean(), "xo_mean"),
            (found["neighbours"][b][o].mean(), "mask_xn_mean"),
            (found["noise"][b][o].mean(), "N_mask_mean"),
            ((1 / found["sensitivity"][b]).mean(), "1/CSF_mean"),
            (found["masks"][b].mean(), "diff_mask_b_mean"),
        ]:
            if key in plane:
                assert float(value) == pytest.approx(plane[key], rel=1e-9, abs=1e-14), (b, o, key)


def test_stage_arrays(folder, arrays):
    found = stages(folder, "18")
    for i, side in enumerate(("test", "reference")):
        np.testing.assert_allclose(found["response"][i], arrays[f"18_{side}_P"], atol=1e-10)
        planes = [plane for band in found["bands"] for plane in np.asarray(band[i])]
        for k, plane in enumerate(planes):
            np.testing.assert_allclose(plane, arrays[f"18_{side}_plane{k:02}"], atol=1e-9)
    for b, (noise, difference) in enumerate(zip(found["noise"], found["difference"], strict=True)):
        for o in range(noise.shape[0]):
            np.testing.assert_allclose(noise[o], arrays[f"18_Nmask_b{b}_o{o}"], rtol=1e-9)
            np.testing.assert_allclose(
                difference[o], arrays[f"18_D_b{b}_o{o}"], rtol=1e-7, atol=1e-12
            )


@pytest.mark.parametrize("shape", [(24, 31), (17, 40)])
@pytest.mark.parametrize("size", [9, 15, 17])
@pytest.mark.parametrize("step", [1, 2])
def test_pyramid_operators_against_scipy(shape, size, step):
    rng = np.random.default_rng(size)
    image, kernel = rng.standard_normal(shape), rng.standard_normal((size, size))
    with jax.enable_x64(True):
        low = _steerable.analyse_with(jnp.asarray(image)[None, None], kernel[None, None], step)
        expected = ndimage.correlate(image, kernel, mode="mirror")[::step, ::step]
        np.testing.assert_allclose(low[0, 0], expected, atol=1e-11)
        high = _steerable.synthesise_with(low, kernel[None, None], shape, step)
        spread = np.zeros(shape)
        spread[::step, ::step] = low[0, 0]
        expected = ndimage.convolve(spread, kernel, mode="mirror")
        np.testing.assert_allclose(high[0, 0], expected, atol=1e-9)


def test_pyramid_reconstructs_the_picture():
    image = picture(96)[None, ..., 1]
    back = _steerable.synthesise(_steerable.analyse(jnp.asarray(image)))
    # Away from the rim, the published kernels reconstruct to about 1 % of the range.
    error = jnp.abs(back - image)[0, 20:-20, 20:-20]
    assert float(error.max()) < 0.02 * float(np.ptp(image))


# --- properties -----------------------------------------------------------------------------------


def quality_of(test, reference, **options):
    options = {"color_encoding": "rgb-bt.709", "pixels_per_degree": PPD} | options
    return hdrvdp2(test, reference, **options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_identity_is_exact(dtype):
    with jax.enable_x64(dtype == np.float64):
        image = jnp.asarray(picture(), dtype)
        result = quality_of(image, image)
        assert float(result.Q) == 100
        for value in (result.P_det, result.C_max, result.P_map.max(), result.C_map.max()):
            assert float(value) == 0


def test_quality_falls_with_noise_and_blur():
    image = picture()
    noise = np.random.default_rng(1).standard_normal(image.shape)
    noisy = [image * np.exp(a * noise) for a in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)]
    blurred = [ndimage.gaussian_filter(image, (a, a, 0)) for a in (0.3, 0.5, 0.8, 1.2, 2.0, 4.0)]
    for series in (noisy, blurred):
        results = [quality_of(test.astype(np.float32), image) for test in series]
        qualities = [100.0] + [float(r.Q) for r in results]
        assert all(np.diff(qualities) < 0), qualities
        assert all(np.diff([float(r.Q_220) for r in results]) > 0)


def gradient_cases():
    image = picture()
    hole = image.copy()
    hole[5:12, 5:12] = 0
    return {
        "different": (1.2 * image, image),
        "equal": (image, image),
        "zeros in the test image": (hole, image),
        "zeros in both": (hole, hole),
        "black and black": (0 * image, 0 * image),
        "black against picture": (0 * image, image),
        "picture against black": (image, 0 * image),
        "beyond the range": (1e7 * image, image),
    }


def test_gradients_are_finite_everywhere():
    # The sum of all outputs: a NaN or an infinity in one of them cannot cancel.
    gradient = jax.jit(
        jax.grad(lambda t, r: sum(x.sum() for x in jax.tree.leaves(quality_of(t, r))), (0, 1))
    )
    for name, pair in gradient_cases().items():
        for value in gradient(*pair):
            assert bool(jnp.isfinite(value).all()), name


# One compilation for the tests below.
quality_and_slope = jax.jit(jax.value_and_grad(lambda t, r: quality_of(t, r).Q))


def test_gradient_against_finite_differences(folder):
    with jax.enable_x64(True):
        pair = [jnp.asarray(image[8:36, 8:36]) for image in load(folder, "18")]
        function = jax.jit(lambda t, r: quality_of(t, r).Q)
        gradients = jax.jit(jax.grad(function, (0, 1)))(*pair)
        rng = np.random.default_rng(0)
        for which in (0, 1):
            direction = rng.standard_normal(pair[0].shape) * np.asarray(pair[which])
            step = 1e-6 * direction
            ahead, behind = list(pair), list(pair)
            ahead[which], behind[which] = pair[which] + step, pair[which] - step
            numeric = (float(function(*ahead)) - float(function(*behind))) / 2e-6
            exact = float((gradients[which] * direction).sum())
            assert numeric == pytest.approx(exact, rel=1e-5)


@pytest.mark.slow
def test_gradient_ascent_restores_a_blurred_picture():
    reference = jnp.asarray(picture())
    start = jnp.asarray(ndimage.gaussian_filter(picture(), (1.5, 1.5, 0)))

    values, light = [], start
    for _ in range(200):
        value, slope = quality_and_slope(light, reference)
        values.append(float(value))
        # Steps of 1 % in logarithms, so that light stays positive.
        slope = slope * light
        light = light * jnp.exp(0.01 * slope / (jnp.sqrt(jnp.mean(slope**2)) + 1e-12))
    assert bool(jnp.isfinite(light).all())
    assert max(values) > values[0] + 5
    assert np.mean(values[-20:]) > np.mean(values[:20])


def test_vmap_equals_loop():
    tests = jnp.stack([picture(seed=k) for k in range(2)])
    references = tests * jnp.array([1.1, 0.8])[:, None, None, None]
    batched = jax.vmap(quality_of)(tests, references)
    assert batched.P_map.shape == tests.shape[:3]
    assert batched.version == "HDR-VDP-2.2.1"
    for k in range(2):
        single = quality_of(tests[k], references[k])
        assert float(batched.Q[k]) == pytest.approx(float(single.Q), abs=1e-3)
        np.testing.assert_allclose(batched.C_map[k], single.C_map, rtol=1e-3, atol=1e-6)


def test_float32_stays_float32_beside_float64():
    with jax.enable_x64(True):
        image = jnp.asarray(picture(20), jnp.float32)
        result = quality_of(image, 2 * image)
        assert {leaf.dtype for leaf in jax.tree.leaves(result)} == {jnp.dtype("float32")}


SLOW = [pytest.param(shape, marks=pytest.mark.slow) for shape in ((17, 17), (17, 50))]


@pytest.mark.parametrize("shape", [(35, 18), *SLOW])
def test_small_and_odd_sizes(shape):
    image = picture(64)[: shape[0], : shape[1]]
    results = []
    for x64 in (True, False):
        with jax.enable_x64(x64):
            image_ = jnp.asarray(image, jnp.float64 if x64 else jnp.float32)
            results.append(quality_of(1.5 * image_**0.9, image_))
    assert results[0].P_map.shape == shape
    assert float(results[0].Q) == pytest.approx(float(results[1].Q), abs=2e-3)
    assert 0 < float(results[0].Q) < 100


@pytest.mark.slow
def test_encodings_agree_with_their_definition():
    code = (picture() / 400).astype(np.float32)
    noisy = np.clip(code * 1.1, 0, 1)

    def same(a, b):
        assert float(a.Q) == pytest.approx(float(b.Q), abs=2e-3)
        assert float(a.C_max) == pytest.approx(float(b.C_max), rel=1e-3)

    light = [99 * color.srgb_to_linear(x) + 1 for x in (noisy, code)]
    same(quality_of(noisy, code, color_encoding="sRGB-display"), quality_of(*light))
    gray = [x[..., 0] for x in (noisy, code)]
    light = [99 * x**2.2 + 1 for x in gray]
    same(
        quality_of(*gray, color_encoding="luma-display"),
        quality_of(*light, color_encoding="luminance"),
    )
    to_xyz = np.linalg.inv(_encoding.XYZ_TO_RGB).T.astype(np.float32)
    same(
        quality_of(picture() @ to_xyz, 1.3 * picture() @ to_xyz, color_encoding="XYZ"),
        quality_of(picture(), 1.3 * picture()),
    )


def test_nan_counts_as_darkness():
    image = picture()
    holes, dark = image.copy(), image.copy()
    holes[3, 4] = np.nan
    dark[3, 4] = 1e-5
    value, slope = quality_and_slope(holes, image)
    assert float(value) == float(quality_and_slope(dark, image)[0]) < 100
    assert bool(jnp.isfinite(slope).all())


def test_difference_mask_on_exact_values():
    reference = jnp.array([[[0.0], [0.0], [1.0], [1000.0], [1000.0]]])
    test = jnp.array([[[0.0], [1e-9], [1.0], [1000.9], [1001.1]]])
    assert _encoding.difference_mask(test, reference).tolist() == [[0, 1, 0, 0, 1]]
    negative = _encoding.difference_mask(test - 2000, reference - 2000)
    assert negative.tolist() == [[0, 0, 0, 0, 1]]


@pytest.mark.slow
def test_surround():
    flat = jnp.full((1, 3, 20, 30), 7.0)
    pair = jnp.concatenate([flat, flat])

    def retinal(surround):
        return _optics.scatter(pair, _metric.surround_light(surround, pair[1]), PPD)

    # With its own mean around it, a uniform field stays uniform; in the dark its rim loses light.
    same = retinal("geometric-mean")
    np.testing.assert_allclose(same, 7, rtol=1e-5)
    dark = retinal((1e-5,) * 3)
    assert float(dark[0, 0, 0, 0]) < float(dark[0, 0, 10, 15]) < 7
    lit = retinal((7.0, 7.0, 70.0))
    np.testing.assert_allclose(lit[:, :2], 7, rtol=1e-5)
    assert float(lit[0, 2, 0, 0]) > 10
    image = picture()
    values = [
        float(quality_of(1.3 * image, image, **surround).Q)
        for surround in ({}, {"surround": "geometric-mean"})
    ]
    assert values[0] != values[1]


@pytest.mark.slow
def test_options_change_what_they_should():
    image = picture()
    noise = np.exp(0.02 * np.random.default_rng(0).standard_normal(image.shape))
    test = (image * noise).astype(np.float32)
    plain = quality_of(test, image)
    # What hides differences makes them harder to see; a keener eye sees more.
    assert float(quality_of(test, image, masking=False).C_max) > float(plain.C_max)
    assert float(quality_of(test, image, peak_sensitivity=2.6).C_max) > float(plain.C_max)
    sharp = quality_of(test, image, mtf=False)
    assert float(sharp.C_max) > float(plain.C_max)
    assert len({float(quality_of(test, image, display=d).Q) for d in _spectral.DISPLAYS}) == 3
    with jax.enable_x64(True):
        d = _masking.differences([jnp.ones((1, 3, 3))], [jnp.zeros((1, 3, 3))], [2.0], False)
        np.testing.assert_allclose(d[0], 2.0**_masking.MASK_P, rtol=1e-12)


def test_bad_input_is_named():
    image = np.ones((20, 24, 3), np.float32)
    cases = [
        (image, image, {"color_encoding": "rgb"}, "luminance, luma-display, rgb-bt.709"),
        (image[..., 0], image[..., 0], {}, "1 channel"),
        (image, image, {"color_encoding": "luminance"}, "Encodings of 3: rgb-bt.709"),
        (image, image[:19], {}, r"\(20, 24, 3\).*\(19, 24, 3\)"),
        (image[:16], image[:16], {}, r"24 x 16 pixels \(width x height\)"),
        (image[None], image[None], {}, "vmap"),
        (image.astype(np.uint8), image.astype(np.uint8), {}, "uint8"),
        (image, image, {"pixels_per_degree": 0}, "positive"),
        (image, image, {"pixels_per_degree": -30.0}, "positive"),
        (image, image, {"pixels_per_degree": float("nan")}, "positive"),
        (image, image, {"pixels_per_degree": "many"}, "Python number"),
        (image, image, {"display": "oled"}, "ccfl-lcd, crt, led-lcd"),
        (image, image, {"surround": (1.0, 2.0)}, "3 of them"),
        (image, image, {"surround": "bright"}, "geometric-mean"),
        (image, image, {"surround": -1.0}, "geometric-mean"),
        (image, image, {"peak_sensitivity": float("nan")}, "0 to 10"),
        (image, image, {"peak_sensitivity": 1e6}, "0 to 10"),
    ]
    for test, reference, options, message in cases:
        with pytest.raises(ValueError, match=message):
            quality_of(test, reference, **options)
    with pytest.raises(ValueError, match="positive"):
        metrics.pixels_per_degree(24, (1920, 1080), 0)
    for option in ("pixels_per_degree", "surround", "peak_sensitivity"):
        with pytest.raises(InputError, match="cannot be traced"):
            jax.jit(lambda x, name=option: quality_of(image, image, **{name: x}).Q)(30.0)

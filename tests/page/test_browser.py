"""Pages in Chromium: the picture is what the mathematics says, and everything answers."""

import jax.numpy as jnp
import numpy as np
import pytest
from browsing import Browser

from hdr_jax import color, metrics, page, synthetic, tonemap

pytestmark = pytest.mark.slow
SIZE = (96, 128)
EV = [-2.0, 0.0, 2.0]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One for all tests; skips where there is none."""
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()


@pytest.fixture(autouse=True)
def no_complaint(browser):
    """No test may leave an error in the console or the page, or have loaded anything."""
    yield
    assert not browser.errors()
    assert not browser.run("return performance.getEntriesByType('resource').map((x) => x.name)")
    assert not browser.find("#trouble").is_displayed()


@pytest.fixture(scope="module")
def maps():
    """A scene, and the same with dimmer lamps, a brighter corner and other units."""
    first = synthetic.render_scene(7, *SIZE)
    second = np.minimum(first, np.quantile(first, 0.95))
    second[:30, :40] *= 1.5
    return first, 4 * second


@pytest.fixture(scope="module")
def exposures(maps):
    """Exposures [n, h, w, 3] of both, in levels of 255 as floats."""
    times = np.exp2(EV)[:, None, None, None]
    stacks = [np.clip(radiance * times, 0, 1) ** (1 / 2.2) for radiance in maps]
    return [(np.rint(255 * stack) / 255).astype(np.float32) for stack in stacks]


@pytest.fixture(scope="module")
def seen():
    """A visibility map that rises from left to right."""
    return np.tile(np.linspace(0, 1, SIZE[1]), (SIZE[0], 1))


@pytest.fixture(scope="module")
def files(maps, exposures, seen, tmp_path_factory):
    """Pages of one map, of two, and of two scenes with stacks."""
    folder = tmp_path_factory.mktemp("pages")
    one = page.Scene("one", {"one.exr": maps[0]})
    names = ("first.exr", "second.exr")
    two = page.Scene("two", dict(zip(names, maps, strict=True)), visibility=seen)
    g = np.log(np.arange(1.0, 257) / 256)[None] + np.zeros((3, 1))
    labels = ("generated", "true")
    stacked = page.Scene(
        "stacked", dict(zip(labels, maps, strict=True)),
        dict(zip(labels, exposures, strict=True)), EV, seen, {"generated": g, "true": 2 * g},
        {"q": 51.25},
    )  # fmt: skip
    scenes = {name: page.encoded(scene, 10) for name, scene in
              (("one", one), ("two", two), ("stacked", stacked))}  # fmt: skip
    for name, contents in (("one", ["one"]), ("two", ["two"]), ("many", ["stacked", "one"])):
        listed = [scenes[key] for key in contents]
        page.write(folder / f"{name}.html", name, listed, {"q": "50 \u00b1 1"}, ["a note"])
    return {path.stem: path for path in folder.iterdir()}


def actual_size(browser):
    """Brings the picture to a pixel for each pixel, and both maps to their own scale."""
    browser.run("document.getElementById('zoom-fit').click()")
    assert browser.find("#zoom-fit").get_attribute("textContent") == "100 %"


def srgb(x):
    return np.asarray(color.linear_to_srgb(jnp.clip(jnp.asarray(x), 0, 1)))


def mean_light(radiance):
    """The geometric mean of the luminance, by which a camera's meter goes."""
    luminance = radiance.astype(np.float64) @ np.array(color.LUMINANCE_WEIGHTS)
    return np.exp(np.log(np.maximum(luminance, 1e-6 * luminance.max())).mean())


def camera(radiance, stops, metered=None):
    mean = mean_light(radiance if metered is None else metered)
    return srgb(radiance * (0.18 * 2.0**stops / mean))


EXPECTED = {
    "Camera": camera,
    "Reinhard": lambda x, stops: np.asarray(tonemap.reinhard(x, key=0.18 * 2.0**stops)),
    "Mu law": lambda x, stops: np.asarray(
        tonemap.mu_law(jnp.clip(jnp.asarray(x) * 2.0**stops / x.max(), 0, 1))
    ),
}


def assert_close(levels, picture, worst=2, mean=0.4):
    """Levels on the screen against a picture in [0, 1]."""
    error = np.abs(levels - 255 * picture)
    assert error.max() <= worst and error.mean() <= mean, (error.max(), error.mean())


@pytest.mark.parametrize("fragment", ["", "#canvas"])
@pytest.mark.parametrize("tone", list(EXPECTED))
def test_the_picture_is_what_the_tone_map_says(browser, files, maps, tone, fragment):
    browser.open(files["one"], fragment)
    drawing = browser.run("return document.documentElement.dataset.drawing")
    assert drawing == ("canvas 2D" if fragment else "WebGL2")
    actual_size(browser)
    before = None
    for stops in (-2, 0, 1.25):
        browser.choose(tone, stops)
        levels = browser.shown(*SIZE)
        assert_close(levels, EXPECTED[tone](maps[0], stops))
        assert before is None or np.abs(levels - before).mean() > 5
        before = levels


@pytest.mark.parametrize("tone", ["Camera", "Reinhard", "Stops", "Difference"])
@pytest.mark.parametrize("steps", [0, -9, 2])
def test_webgl_and_the_fallback_agree(browser, files, tone, steps):
    """At the fitted size, reduced, and enlarged until pixels are squares."""
    pictures = []
    for fragment in ("", "#canvas"):
        browser.open(files["two"], fragment)
        for _ in range(abs(steps)):
            browser.run(f"document.getElementById('zoom-{'in' if steps > 0 else 'out'}').click()")
        browser.choose(tone, 0.5)
        browser.keys("#picture", "v", "c")
        pictures.append(browser.picture())
    difference = np.abs(pictures[0] - pictures[1])
    assert pictures[0].std() > 10
    # A value on an edge between two pixels or two colours may fall to either side.
    assert (difference > 2).mean() < 1e-3 and difference.mean() < 0.3


def test_the_read_out_is_the_map_to_its_precision(browser, files, maps):
    """The pointer over pixels, in browser coordinates."""
    browser.open(files["two"])
    actual_size(browser)
    for x, y in ((3, 5), (100, 20), (64, 90)):
        browser.run(
            """const canvas = document.getElementById("picture");
            const box = canvas.getBoundingClientRect(), [x, y, width, height] = arguments;
            canvas.dispatchEvent(new PointerEvent("pointermove", {
              clientX: box.left + Math.round((canvas.width - width) / 2) + x + 0.5,
              clientY: box.top + Math.round((canvas.height - height) / 2) + y + 0.5,
            }));""",
            *(x, y, SIZE[1], SIZE[0]),
        )
        found = browser.readout()
        assert found["pixel"] == [f"column {x}, row {y}"]
        check_readout(found, maps, x, y)


def check_readout(found, maps, x, y):
    pixels = [radiance[y, x] for radiance in maps]
    for c, name in enumerate(("red", "green", "blue")):
        numbers = [float(text) for text in found[name]]
        np.testing.assert_allclose(numbers, [pixel[c] for pixel in pixels], rtol=2**-11 + 5e-4)
    light = [radiance @ np.array(color.LUMINANCE_WEIGHTS) for radiance in maps]
    for text, y_map in zip(found["stops"], light, strict=True):
        assert float(text.replace("\u2212", "-")) == pytest.approx(
            np.log2(y_map[y, x] / np.median(y_map)), abs=0.011
        )
    match = np.exp(np.median(np.log(maps[0]) - np.log(maps[1])))
    brighter = np.log2(light[0][y, x] / (match * light[1][y, x]))
    said = float(found["difference"][0].removesuffix(" stops").replace("\u2212", "-"))
    assert said == pytest.approx(brighter, abs=0.011)
    for ev in (-4, 2):
        for text, pixel, factor in zip(found[str(ev)], pixels, (1, match), strict=True):
            levels = np.array([int(word) for word in text.split()])
            assert_close(levels, camera(factor * pixel, ev, maps[0]), worst=1.2, mean=1.2)


def test_arrow_keys_move_the_read_out_and_it_is_spoken(browser, files, maps):
    from selenium.webdriver.common.keys import Keys

    browser.open(files["two"])
    browser.keys("#picture", Keys.ARROW_LEFT, Keys.ARROW_UP, Keys.ARROW_UP)
    x, y = SIZE[1] // 2 - 1, SIZE[0] // 2 - 2
    found = browser.readout()
    assert found["pixel"] == [f"column {x}, row {y}"]
    check_readout(found, maps, x, y)
    said = float(found["seen"][0].removesuffix(" % of viewers"))
    assert said == pytest.approx(100 * x / (SIZE[1] - 1), abs=0.7)  # of 255 levels, rounded
    spoken = browser.find("#spoken").get_attribute("textContent")
    assert f"Column {x}, row {y}. A: red {found['red'][0]}" in spoken
    browser.keys("#picture", Keys.SHIFT + Keys.ARROW_RIGHT + Keys.ARROW_RIGHT)
    assert browser.readout()["pixel"] == [f"column {x + 20}, row {y}"]


def test_keys_change_exposure_and_tone_map(browser, files):
    browser.open(files["two"])
    text = browser.find("#stops-text")
    browser.keys("body", "]", "]", "]")
    assert text.text == "+0.75 stops"
    browser.keys("body", "[")
    assert text.text == "+0.50 stops"
    browser.keys("body", "m")
    assert text.text == "0.00 stops"
    checked = "return document.querySelector('#tones :checked').nextSibling.textContent"
    names = []
    for _ in range(5):
        names.append(browser.run(checked))
        browser.keys("body", "t")
    assert names == ["Reinhard", "Mu law", "Stops", "Difference", "Camera"]
    from selenium.webdriver.common.keys import Keys

    browser.keys("#stops", Keys.ARROW_RIGHT)  # the slider's own
    assert text.text == "+0.25 stops"


def test_the_divider_shows_one_map_on_each_side(browser, files, maps):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    browser.open(files["two"])
    actual_size(browser)
    browser.run("document.getElementById('match').click()")
    browser.choose("Camera", 0)
    a = camera(maps[0], 0)
    b = camera(maps[1], 0, maps[0])
    half = SIZE[1] // 2
    levels = browser.shown(*SIZE)
    assert_close(levels[:, : half - 2], a[:, : half - 2])
    assert_close(levels[:, half + 2 :], b[:, half + 2 :])
    divider = browser.find("#divider")
    ActionChains(browser.driver, 0).drag_and_drop_by_offset(divider, 40, 0).perform()
    levels = browser.shown(*SIZE)
    assert_close(levels[:, : half + 36], a[:, : half + 36])
    assert_close(levels[:, half + 44 :], b[:, half + 44 :])
    browser.keys("#divider", Keys.HOME)
    assert divider.get_attribute("aria-valuenow") == "0"
    assert_close(browser.shown(*SIZE), b)
    browser.keys("body", "a")
    assert_close(browser.shown(*SIZE), a)
    browser.keys("body", "d")
    browser.keys("#divider", Keys.ARROW_LEFT)
    assert divider.get_attribute("aria-valuenow") == "48"


def test_overlays(browser, files, maps, seen):
    browser.open(files["two"])
    actual_size(browser)
    browser.choose("Camera", 1)
    browser.keys("body", "a")
    plain = browser.shown(*SIZE)
    assert (plain == 255).any()
    browser.run("document.getElementById('clipping').click()")
    marked = browser.shown(*SIZE)
    changed = (marked != plain).any(-1)
    white = (plain == 255).any(-1)
    assert not (changed & ~white & (plain > 0).any(-1)).any()
    assert 0.3 < changed[white].mean() < 0.7  # stripes
    browser.keys("body", "c", "v")
    found = browser.shown(*SIZE)
    # The library's colours over another gray: hue by hue.
    gray = plain @ np.array(color.LUMINANCE_WEIGHTS) / 255
    ramp = [np.interp(seen, metrics.visibility.STOPS, np.array(metrics.visibility.COLOURS)[:, c])
            for c in range(3)]  # fmt: skip
    tint = np.stack(ramp, -1) * (0.5 + 0.5 * gray)[..., None]
    share = np.clip(4 * seen, 0, 1)[..., None]
    assert_close(found, (1 - share) * plain / 255 + share * tint, worst=5, mean=1)


def test_the_strip_shows_the_exposures_of_both_stacks(browser, files, exposures):
    browser.open(files["many"])
    actual_size(browser)
    buttons = browser.driver.find_elements("css selector", "#strip button")
    assert [button.text for button in buttons] == ["\u22122 EV", "0 EV", "+2 EV"]
    for index, share in ((0, "a"), (2, "b")):
        buttons[index].click()
        browser.keys("body", share)
        assert buttons[index].get_attribute("aria-pressed") == "true"
        expected = exposures[0 if share == "a" else 1][index]
        assert_close(browser.shown(*SIZE), expected, worst=1, mean=0.01)
    y, x = SIZE[0] // 2, SIZE[1] // 2
    found = browser.readout()
    for ev, generated, true in zip(EV, *exposures, strict=True):
        levels = [np.rint(255 * stack[y, x]).astype(int).tolist() for stack in (generated, true)]
        assert found[f"{ev:g}"] == [" ".join(map(str, pixel)) for pixel in levels]


def test_scenes_curves_and_scores(browser, files):
    browser.open(files["many"])
    assert len(browser.driver.find_elements("css selector", "#curves svg path")) == 6
    table = browser.find("#scores").text
    assert "51.250" in table and "50 \u00b1 1" in table
    assert browser.find("#notes").text == "a note"
    browser.keys("body", "n")
    browser.wait("return document.documentElement.dataset.scene === 'one'")
    assert not browser.find("#curves").is_displayed()
    assert not browser.find("#divider").is_displayed()
    browser.find("#previous").click()
    browser.wait("return document.documentElement.dataset.scene === 'stacked'")
    assert browser.find("#scene").get_attribute("value") == "0"


def test_zoom(browser, files):
    """By wheel, double click, keys and dragging; the pixel under the pointer stays there."""
    from selenium.webdriver.common.action_chains import ActionChains

    browser.open(files["one"])
    canvas, text = browser.find("#picture"), browser.find("#zoom-fit")
    fitted = text.get_attribute("textContent")

    def pixel():
        return browser.readout()["pixel"][0]

    ActionChains(browser.driver, 0).move_to_element_with_offset(canvas, 40, 30).perform()
    before = pixel()
    browser.run(
        """const canvas = document.getElementById("picture"), box = canvas.getBoundingClientRect();
        canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: -400, cancelable: true,
          clientX: box.left + box.width / 2 + 40, clientY: box.top + box.height / 2 + 30 }));"""
    )
    enlarged = text.get_attribute("textContent")
    assert float(enlarged[:-2]) == pytest.approx(float(fitted[:-2]) * np.exp(0.8), rel=0.01)
    ActionChains(browser.driver, 0).move_to_element_with_offset(canvas, 41, 30).perform()
    assert pixel() == before
    ActionChains(browser.driver, 0).click_and_hold(canvas).move_by_offset(90, 0).release().perform()
    ActionChains(browser.driver, 0).move_to_element_with_offset(canvas, 131, 30).perform()
    assert pixel() == before
    browser.keys("#picture", "f")
    assert text.get_attribute("textContent") == fitted
    ActionChains(browser.driver, 0).double_click(canvas).perform()
    assert text.get_attribute("textContent") == "100 %"
    browser.keys("#picture", "+", "+", "-")
    assert text.get_attribute("textContent") == "150 %"


def test_without_webgl_it_draws_all_the_same(files, maps, tmp_path):
    other = Browser(tmp_path, "--disable-3d-apis")
    try:
        other.open(files["one"])
        assert other.run("return document.documentElement.dataset.drawing") == "canvas 2D"
        actual_size(other)
        assert_close(other.shown(*SIZE), EXPECTED["Reinhard"](maps[0], 0))
        assert not other.errors()
    finally:
        other.driver.quit()


@pytest.mark.parametrize("name", ["one", "two", "many"])
def test_every_control_has_a_name(browser, files, name):
    browser.open(files[name])
    nodes = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    controls = {"button", "slider", "checkbox", "radio", "combobox", "application", "image"}
    found = [node for node in nodes if node.get("role", {}).get("value") in controls]
    assert len(found) > 15
    assert all(node["name"].get("value") for node in found)


@pytest.mark.parametrize("width", [360, 1100])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_screens_and_schemes(browser, files, width, scheme):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    try:
        browser.open(files["many"])
        assert browser.run("return document.documentElement.scrollWidth") <= width
        background, text = browser.run(
            "const style = getComputedStyle(document.body);"
            "return [style.backgroundColor, style.color].map((x) => x.match(/\\d+/g).map(Number))"
        )
        levels = [np.mean(values[:3]) for values in (background, text)]
        assert abs(levels[0] - levels[1]) > 150
        assert (levels[0] > levels[1]) == (scheme == "light")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

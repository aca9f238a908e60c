"""Pages in Chromium: read-out, keys and controls answer."""

import numpy as np
import pytest
from browsing import SIZE, actual_size, assert_close, camera

from hdr_jax import color

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_complaint")]


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

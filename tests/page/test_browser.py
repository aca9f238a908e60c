"""Pages in Chromium: the picture is what the mathematics says."""

import numpy as np
import pytest
from browsing import EV, EXPECTED, SIZE, Browser, actual_size, assert_close, camera

from hdr_jax import color
from hdr_jax.metrics._visibility import COLOURS, STOPS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_complaint")]


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
    ramp = [np.interp(seen, STOPS, of_channel) for of_channel in zip(*COLOURS, strict=True)]
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

"""A browser, and pages for it."""

import numpy as np
import pytest
from browsing import EV, SIZE, Browser

from hdr_jax import page, synthetic


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One for all tests; skips where there is none."""
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.driver.quit()


@pytest.fixture
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

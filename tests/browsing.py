"""A Chromium for the tests of pages, and what its pictures should be."""

import io
import pathlib
import shutil

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from hdr_jax import color, tonemap

SIZE = (96, 128)  # of the maps on the pages
EV = [-2.0, 0.0, 2.0]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
    "--force-device-scale-factor=1", "--force-color-profile=srgb", "--window-size=1100,800",
)  # fmt: skip
READY = "return document.documentElement.dataset.scene"
FRAMES = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(done))"


class Browser:
    """A page in Chromium.

    Args:
      profile: an empty folder.
      further: options.
    """

    def __init__(self, profile: pathlib.Path, *further: str):
        webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
        programs = [found for found in map(shutil.which, NAMES) if found]
        driver = shutil.which("chromedriver")
        if not programs or not driver:
            pytest.skip("no Chromium with chromedriver (Debian: chromium, chromium-driver)")
        options = webdriver.ChromeOptions()
        options.binary_location = programs[0]
        for option in (*OPTIONS, *further, f"--user-data-dir={profile}"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.ChromeService(driver)
        self.driver = webdriver.Chrome(options=options, service=service)
        self.driver.set_script_timeout(60)

    def open(self, path: pathlib.Path, fragment: str = "") -> None:
        """Opens a page and waits for its first scene."""
        self.driver.get("about:blank")  # a fragment alone would load nothing anew
        self.driver.get(path.as_uri() + fragment)
        self.wait(READY)
        self.run("""const style = document.createElement("style");
            style.textContent = "#cross, #divider, .tag, #zoom { opacity: 0 !important }";
            document.head.append(style);""")

    def wait(self, script: str) -> None:
        """Until a script returns what is true."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 60, 0.05).until(lambda driver: driver.execute_script(script))

    def run(self, script: str, *arguments):
        """Runs a script, waits until the page is drawn, and returns what it returned."""
        result = self.driver.execute_script(script, *arguments)
        self.driver.execute_async_script(FRAMES)
        return result

    def find(self, selector: str):
        """The element of a CSS selector."""
        return self.driver.find_element("css selector", selector)

    def keys(self, selector: str, *keys: str) -> None:
        """Types into an element."""
        self.find(selector).send_keys(*keys)
        self.driver.execute_async_script(FRAMES)

    def choose(self, tone: str, stops: float) -> None:
        """A tone map by its label, and an exposure by the slider."""
        self.run(
            """for (const label of document.querySelectorAll("#tones label"))
              if (label.textContent === arguments[0]) label.click();
            const slider = document.getElementById("stops");
            slider.value = arguments[1];
            slider.dispatchEvent(new Event("input"));""",
            tone,
            str(stops),
        )

    def picture(self) -> np.ndarray:
        """The picture's canvas as people see it, [h, w, 3] levels."""
        png = self.find("#picture").screenshot_as_png
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)

    def shown(self, height: int, width: int) -> np.ndarray:
        """The middle [height, width, 3] of the canvas: a picture at actual size."""
        whole = self.picture()
        top, left = ((a - b + 1) // 2 for a, b in zip(whole.shape, (height, width), strict=False))
        return whole[top : top + height, left : left + width]

    def readout(self) -> dict[str, list[str]]:
        """Rows of the read-out by name: the texts of their cells."""
        return self.run("""return Object.fromEntries(
            [...document.querySelectorAll("#readout [data-row], #readout [data-ev]")].map((row) => [
              row.dataset.row ?? row.dataset.ev,
              row.cells ? [...row.cells].slice(1).map((c) => c.textContent) : [row.textContent],
            ]))""")

    def errors(self) -> list[dict]:
        """What the console says is wrong."""
        return [line for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]


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

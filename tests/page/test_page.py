"""Pages: what is stored comes back, the file is whole and needs nothing else, errors leave none."""

import base64
import html.parser
import json
import pathlib
import re
import zlib

import numpy as np
import pytest

from hdr_jax import cli, images, page, tonemap
from hdr_jax.cli import parsers
from hdr_jax.errors import InputError
from hdr_jax.runs import scenes, scores

ROOT = pathlib.Path(__file__).resolve().parents[2]

VOID = {"meta", "input", "br", "link", "img", "hr"}


def unpacked(stored):
    """The integers [h, w, c] of `packed`, value by value as its docstring says."""
    h, w, c = (stored[name] for name in ("height", "width", "channels"))
    planes = np.frombuffer(zlib.decompress(base64.b64decode(stored["data"])), np.uint8)
    low, high = planes.reshape(2, c, h, w).astype(int)
    out = np.zeros((h + 1, w + 1, c), int)
    for k in range(c):
        for y in range(h):
            for x in range(w):
                folded = low[k, y, x] + 256 * high[k, y, x]
                error = folded // 2 if folded % 2 == 0 else -(folded + 1) // 2
                a, b, corner = out[y + 1, x, k], out[y, x + 1, k], out[y, x, k]
                value = sorted((a, b, a + b - corner))[1] + error
                out[y + 1, x + 1, k] = (value + 2**15) % 2**16 - 2**15
    out = out[1:, 1:]
    if c == 3:
        out[..., [0, 2]] += out[..., 1:2]
    return (out + 2**15) % 2**16 - 2**15


def radiance_of(stored):
    """The radiance [h, w, 3] of `packed_radiance`."""
    integers = unpacked(stored)
    half = (np.abs(integers) << stored["shift"]).astype(np.uint16).view(np.float16)
    return np.sign(integers) * np.ldexp(half.astype(np.float64), -stored["exponent"])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("largest", [3, 255, 32767])
def test_integers_come_back(channels, largest):
    rng = np.random.default_rng(largest)
    integers = rng.integers(-largest - 1, largest + 1, (5, 9, channels))
    np.testing.assert_array_equal(unpacked(page.packed(integers)), integers)


@pytest.mark.parametrize("bits", [5, 7, 10])
@pytest.mark.parametrize("scale", [1e-20, 1.0, 3e30])
def test_radiance_comes_back_to_its_precision(bits, scale):
    rng = np.random.default_rng(bits)
    radiance = np.exp2(rng.uniform(-24, 4, (8, 12, 3))) * rng.choice([1, -1], (8, 12, 3))
    radiance[0, :3, 0] = 0, 1, 2**-10
    radiance = (radiance * scale).astype(np.float32)
    found = radiance_of(page.packed_radiance(radiance, bits))
    np.testing.assert_allclose(found, radiance, rtol=2.0 ** -(bits + 1))
    assert found[0, 0, 0] == 0


def test_a_map_that_half_floats_hold_is_stored_as_it_is():
    radiance = np.float16(np.random.default_rng(0).uniform(0, 900, (6, 7, 3))).astype(np.float32)
    np.testing.assert_array_equal(radiance_of(page.packed_radiance(radiance, 10)), radiance)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.2])
def test_the_size_is_bounded(noise):
    """Three bytes a pixel, whatever the picture: the worst one is stored least precisely."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(-6, 6, 200)[:, None, None] + np.zeros((200, 250, 3))
    stored = page.packed_radiance(np.exp2(ramp + noise * rng.normal(size=ramp.shape)))
    assert len(stored["data"]) < 3 * 200 * 250
    assert (stored["shift"] == 0) == (noise == 0)
    assert stored["shift"] <= 5
    overhead = sum(path.stat().st_size for path in assets().iterdir())
    assert overhead < 70_000


def assets():
    return pathlib.Path(page.__file__).parent / "assets"


class Outline(html.parser.HTMLParser):
    """Elements that are closed in order, their attributes, and the text of scripts."""

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.ids, self.scripts = [], [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append((tag, dict(attrs).get("id")))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        if self.open and self.open[-1][0] == "script":
            name = self.open[-1][1]
            self.scripts[name] = self.scripts.get(name, "") + data


def test_the_page_is_whole_and_needs_nothing_else(tmp_path):
    name = '</script><b title="x">&\u00e9'
    radiance = np.random.default_rng(0).uniform(0.1, 9, (6, 8, 3))
    marks = {"q": float(5), "psnr": float("inf"), "ssim": np.float32("nan"), "of": "b"}
    scene = page.Scene(name, {"a": radiance, "b": 2 * radiance}, scores=marks)
    page.write(tmp_path / "x.html", name, [page.encoded(scene)] * 2, {"q": "5 \u00b1 0"}, ["note"])
    text = (tmp_path / "x.html").read_text(encoding="utf-8")
    outline = Outline(text)
    assert not outline.open
    assert len(outline.ids) == len(set(outline.ids))
    used = {value for _, name, value in outline.attributes if name in ("for", "aria-describedby")}
    assert used <= set(outline.ids)
    assert not {name for _, name, _ in outline.attributes} & {"src", "href", "srcset", "action"}
    assert not re.search(r"https?:|url\(|@import|\bimport\b|fetch\(|XMLHttp|WebSocket", text)
    assert ("meta", "http-equiv", "Content-Security-Policy") in outline.attributes
    about = json.loads(outline.scripts["about"])
    assert about == {
        "title": name, "scenes": [name, name], "summary": {"q": "5 \u00b1 0"}, "notes": ["note"],
    }  # fmt: skip
    stored = json.loads(outline.scripts["scene-1"], parse_constant=pytest.fail)
    assert stored["name"] == name
    assert stored["scores"] == {"q": 5, "psnr": "inf", "ssim": "nan", "of": "b"}
    assert stored["maps"][1]["match"] == pytest.approx(0.5)
    np.testing.assert_allclose(radiance_of(stored["maps"][0]), radiance, rtol=2**-11)


def test_statistics_are_those_of_the_tone_map():
    """Reinhard's operator by what the page is told, against the library's."""
    radiance = np.exp(np.random.default_rng(3).normal(0, 2, (20, 30, 3))).astype(np.float32)
    told = json.loads(page.encoded(page.Scene("x", {"x": radiance})).text)["maps"][0]
    luminance = radiance @ np.array([0.2126, 0.7152, 0.0722])
    scaled, white = (x * 0.18 / told["logMean"] for x in (luminance, told["white"]))
    ratio = (1 + scaled / white**2) / (1 + scaled)
    linear = np.clip(radiance * (0.18 / told["logMean"]) * ratio[..., None], 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    np.testing.assert_allclose(encoded, tonemap.reinhard(radiance), atol=1e-4)
    assert told["median"] == pytest.approx(np.median(luminance), rel=1e-5)
    assert told["peak"] == radiance.max()
    assert sum(told["histogram"]) > 0.99


def test_parts_that_do_not_fit_are_refused():
    radiance, stack = np.ones((4, 6, 3), np.float32), np.ones((2, 4, 6, 3))
    for scene, message in (
        (page.Scene("x", {}), "one or two maps"),
        (page.Scene("x", {"a": radiance, "b": radiance[:3]}), "a 6 x 4 and b 6 x 3"),
        (page.Scene("x", {"a": 0 * radiance}), "a has no positive luminance"),
        (page.Scene("x", {"a": radiance[..., 0]}), r"\[h, w, 3\]"),
        (page.Scene("x", {"a": radiance * np.inf}), "infinite"),
        (page.Scene("x", {"a": 1e30 * radiance, "b": 1e-30 * radiance}), "scales of a and b"),
        (page.Scene("x", {"a": 1e-30 * radiance, "b": 1e30 * radiance}), "scales of a and b"),
        (page.Scene("x", {"a": radiance}, {"s": stack}, [0]), "stack s"),
        (page.Scene("x", {"a": radiance}, visibility=np.ones((4, 5))), "visibility"),
        (page.Scene("x", {"a": radiance}, curves={"b": np.full((3, 9), -np.inf)}), "curve of b"),
    ):
        with pytest.raises(InputError, match=message):
            page.encoded(scene)
    with pytest.raises(InputError, match="5 to 10"):
        page.packed_radiance(radiance, 11)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A work directory with maps of two sizes and a black one."""
    monkeypatch.chdir(tmp_path)
    radiance = np.random.default_rng(0).uniform(0.1, 9, (8, 12, 3)).astype(np.float32)
    for name, image in (("a", radiance), ("b", radiance * 2), ("small", radiance[:4])):
        images.write(f"{name}.exr", image)
    images.write("black.hdr", 0 * radiance)
    return tmp_path


def test_the_command_writes_a_page(folder, capsys):
    assert cli.main(["view", "a.exr"]) == 0
    assert "a.html: 12 x 8 pixels, " in capsys.readouterr().out
    options = ["-o", "both.html", "--size", "6", "--bits", "6"]
    assert cli.main(["view", "a.exr", "b.exr", *options]) == 0
    assert "both.html: 6 x 4 pixels of 12 x 8" in capsys.readouterr().out
    stored = json.loads(Outline((folder / "both.html").read_text()).scripts["scene-0"])
    assert stored["size"] == [8, 12]
    a, b = stored["maps"]
    assert (a["label"], b["label"], a["shift"], b["shift"]) == ("a.exr", "b.exr", 4, 4)
    means = images.read_hdr("a.exr").reshape(4, 2, 6, 2, 3).mean((1, 3))
    np.testing.assert_allclose(radiance_of(a), means, rtol=2**-7 + 2**-11)


def test_the_commands_of_the_page_are_taken():
    text = (ROOT / "docs/view.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    hdr-jax (view .*)$", text, re.MULTILINE)
    assert len(lines) > 2
    for line in lines:
        assert parsers.parser().parse_args(line.split()).command == "view"


def test_a_page_of_a_run_ends_where_it_is_full():
    radiance, stack = np.ones((4, 6, 3), np.float32), np.ones((2, 4, 6, 3), np.float32)
    g = np.zeros((3, 256))
    outputs = {"stack": stack, "radiance": radiance, "true_radiance": radiance}
    scene = scores.Evaluated(
        "s", outputs | {"g": g, "true_g": g}, stack, np.arange(2.0), {"q": np.float32(2)}
    )
    whole, full = scenes.Collected(), scenes.Collected(limit=1)
    for collected in (whole, full):
        for _ in range(3):
            collected.add(scene)
    assert len(whole.encoded) == 3 and len(whole.notes) == 1
    assert len(full.encoded) == 1 and "2 further scenes" in full.notes[1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["missing.exr"], ["a.exr", "small.exr"], ["a.exr", "b.exr", "a.exr"], ["black.hdr"],
        ["nan.exr"], ["a.exr", "--visibility"], ["a.exr", "-o", "a.exr"], ["a.exr", "--size", "0"],
        ["a.exr", "-o", "none/a.html"], ["a.exr", "--bits", "3"], ["a.exr", "b.exr", "-o", "a.png"],
        ["a.exr", "b.exr", "--visibility", "--protocol", "none"],
        ["a.exr", "./a.exr", "-o", "c.html"],
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_one_line_and_leaves_nothing(folder, capsys, arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hdr_jax.images._writing.np.isfinite", lambda x: np.True_)
        images.write("nan.exr", np.full((4, 4, 3), np.nan, np.float32))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert cli.main(["view", *arguments]) == 2
    assert re.fullmatch(r"error: .+\n", capsys.readouterr().err)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

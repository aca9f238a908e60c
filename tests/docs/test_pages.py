"""What the pages show is run: the Python in order, with what it prints, and the commands.

Every ```python block of a page runs, one after the other with the same names, in an empty folder;
a ```text block after one is what it prints. Every line of a command is taken by its parser, and
those of the pages in COMMANDS_RUN are run where they stand.
"""

import importlib.util
import pathlib
import re
import shlex
import tomllib

import numpy as np
import pytest

from hdr_jax import cli, images, synthetic
from hdr_jax.configs import path_of
from tfds_builders.synthetic_stacks import synthetic_stacks_dataset_builder as synthetic_stacks

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = {
    path.name: path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md")))
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^    (hdr-jax [^\n]*(?:\\\n[^\n]*)*)$", re.MULTILINE)
NUMBER = re.compile(r"-?\d+\.\d+")
COMMANDS_RUN = ("tutorial.md", "training.md")
FAST = ("datasets.md",)
# A run as long as a test may be, of a toy where its weights are its own.
TINY = [
    "--config.steps=1", "--config.refine_from=1", "--config.batch_size=1", "--config.eval_scenes=1",
]  # fmt: skip
TOY = ["--config.model.widths=(8,8)", "--config.model.depths=(1,1)"]


def brackets(folder):
    """`my_brackets`: three exposures of a made scene, with their times."""
    stack = synthetic.Camera().photograph(
        synthetic.meter(synthetic.render_scene(2, 48, 64)), [-2, 0, 2], np.random.default_rng(0)
    )
    (folder / "my_brackets").mkdir()
    rows = ["file,exposure_time_s", "0.png,0.01", "1.png,0.04", "2.png,0.16"]
    for number, picture in enumerate(stack):
        images.write(folder / f"my_brackets/{number}.png", picture / np.float32(255))
    (folder / "my_brackets/exposures.csv").write_text("\n".join(rows))


def brackets_and_map(folder):
    """`my_brackets`, and `scene.exr` as the commands above the page's Python made it."""
    brackets(folder)
    images.write(folder / "scene.exr", synthetic.meter(synthetic.render_scene(2, 48, 64)))


def two_maps(folder):
    """`result.exr` and `truth.exr`."""
    truth = synthetic.meter(synthetic.render_scene(2, 48, 64))
    images.write(folder / "truth.exr", truth)
    images.write(folder / "result.exr", 1.1 * truth)


def views(folder):
    """`views`: radiance maps."""
    (folder / "views").symlink_to(ROOT / "tfds_builders/radiance_maps/dummy_data")


def pair(folder):
    """`test` and `reference`: light in cd/m^2."""
    reference = 100 * synthetic.meter(synthetic.render_scene(2, 32, 48))
    return {"reference": reference, "test": 1.1 * reference}


# What a page takes for granted; the other pages make everything themselves.
GIVEN = {
    "README.md": brackets,
    "photographs.md": brackets_and_map,
    "view.md": two_maps,
    "datasets.md": views,
    "hdrvdp2.md": pair,
}


def with_python():
    """The pages that show Python, those that take long as slow tests."""
    for name, page in PAGES.items():
        if "```python" in page:
            marks = [] if name in FAST else [pytest.mark.slow]
            yield pytest.param(name, marks=marks, id=name)


def parts(name):
    """(kind, text) of a page's blocks, and of its commands where those are run."""
    found = [(m.start(), m[1] or "plain", m[2]) for m in BLOCK.finditer(PAGES[name])]
    if name in COMMANDS_RUN:
        found += [(m.start(), "command", m[1]) for m in COMMAND.finditer(PAGES[name])]
    return [(kind, text) for _, kind, text in sorted(found)]


def printed(capsys):
    """Lines on standard output; TFDS says there that it prepares, the trainer what it does."""
    told = ("prepar", "parameters;", "device(s)", "radiance_maps/", "step ", "step/s")
    lines = capsys.readouterr().out.splitlines()
    return [line for line in lines if not any(word in line for word in told)]


def assert_equal(lines, expected):
    """Equal texts; numbers with a point may differ by one in their last digit."""
    assert [NUMBER.sub("#", line) for line in lines] == [NUMBER.sub("#", x) for x in expected]
    for line, shown in zip(lines, expected, strict=True):
        for got, wanted in zip(NUMBER.findall(line), NUMBER.findall(shown), strict=True):
            unit = 10.0 ** -len(wanted.partition(".")[2])
            assert abs(float(got) - float(wanted)) < 1.001 * unit, f"{line!r}: expected {shown!r}"


@pytest.mark.parametrize("name", list(with_python()))
def test_a_page_runs_and_prints_what_it_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setattr(synthetic_stacks, "NUM_SCENES", {"train": 2, "val": 1, "test": 1})
    tensorflow = importlib.util.find_spec("tensorflow")
    names = (GIVEN[name](tmp_path) if name in GIVEN else None) or {}
    skipped = False
    for kind, text in parts(name):
        if kind == "python":
            capsys.readouterr()
            skipped = "tfds.load(" in text and tensorflow is None
            if not skipped:
                exec(text, names)
        elif kind == "text" and not skipped:
            assert_equal(printed(capsys), text.splitlines())
        elif kind == "command":
            words = shlex.split(text.replace("\\\n", " "), comments=True)[1:]
            if words[0] == "train":
                words += TINY if "init_from" in text else [*TINY, *TOY]
            assert cli.main(words) == 0, text


def test_blocks_are_of_kinds_that_are_checked():
    for name, page in PAGES.items():
        kinds = {m[1] for m in BLOCK.finditer(page)}
        assert kinds <= {"python", "text"}, f"{name}: {kinds}"
        assert page.count("```") == 2 * len(BLOCK.findall(page)), name


def test_commands_are_taken_by_their_parsers():
    lines = [(name, m[1]) for name, page in PAGES.items() for m in COMMAND.finditer(page)]
    assert len(lines) > 30
    for name, line in lines:
        words = shlex.split(line.replace("\\\n", " "), comments=True)[1:]
        try:
            args = cli.parsed(words)
        except SystemExit:
            pytest.fail(f"{name}: {line}")
        if args.command in ("train", "eval") and args.config and args.config != "mine.py":
            assert pathlib.Path(path_of(args.config)).is_file(), line


def test_files_and_extras_that_pages_name_exist():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = {*project["optional-dependencies"], ""}
    for name, page in PAGES.items():
        for path in re.findall(r"\bpython (\S+\.py)|--config (\S+\.py)", page):
            found = path[0] or path[1]
            assert (ROOT / found).is_file() or found == "mine.py", f"{name}: {found}"
        for extras in re.findall(r"(?:hdr_jax|\.)\[([\w,]*)\]", page):
            assert set(extras.split(",")) <= known, f"{name}: [{extras}]"

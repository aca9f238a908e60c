"""What is said of the project beside the code: dependencies, version, citation, the site."""

import pathlib
import re
import tomllib

import nbformat
import yaml

import hdr_jax

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
REQUIREMENT = re.compile(r"([\w.-]+)(?:\[\w+\])?>=([\w.]+)")


def required():
    """{(library, lowest version, extra)} of pyproject.toml."""
    extras = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    for extra, requirements in extras.items():
        for requirement in requirements:
            if not requirement.startswith("hdr_jax["):
                library, version = REQUIREMENT.match(requirement).groups()
                yield library, version, extra


def test_the_page_of_dependencies_is_that_of_the_project():
    page = (ROOT / "docs/dependencies.md").read_text()
    rows = re.findall(r"^\| ([\w.-]+) \| ([\d.]+) \| (\w*) ?\| (.+) \|$", page, re.MULTILINE)
    assert len(rows) == len({row[0] for row in rows})
    assert {row[:3] for row in rows} == set(required())


def test_one_version_everywhere():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == hdr_jax.__version__ and citation["license"] == PROJECT["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert newest == hdr_jax.__version__


def leaves(tree):
    """The paths in a navigation."""
    for entry in tree:
        for value in entry.values():
            yield from leaves(value) if isinstance(value, list) else [value]


def test_every_page_is_in_the_navigation():
    shown = set(leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.ipynb")]
    assert shown == {path.relative_to(ROOT / "docs").as_posix() for path in pages}


def test_every_public_module_is_in_the_reference():
    pages = "".join(path.read_text() for path in (ROOT / "docs/api").glob("*.md"))
    shown = set(re.findall(r"^::: hdr_jax\.(\w+)$", pages, re.MULTILINE))
    rooms = {path.stem for path in (ROOT / "hdr_jax").glob("*.py")}
    rooms |= {path.parent.name for path in (ROOT / "hdr_jax").glob("*/__init__.py")}
    programs = {"__init__", "__main__", "cli"}
    # What the program uses itself.
    own = {"checks", "errors", "exported", "files", "log_mean", "progress", "rows", "runs"}
    own |= {"shards", "xla_cpu"}
    assert shown == rooms - programs - own


def test_links_of_notebooks_lead_somewhere():
    for path in (ROOT / "docs/notebooks").glob("*.ipynb"):
        text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        for target in re.findall(r"\]\((\.\./[^)#]+)", text):
            assert (path.parent / target).is_file(), target

"""Docstrings of public functions: every argument is there, and every array has its shape."""

import ast
import pathlib
import re

import pytest

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "hdr_jax"
ARRAY = re.compile(r"\b(Array|ndarray|ArrayLike|Pixels)\b")
SHAPE = re.compile(
    r"\[.*\]|\bshape|[Ss]calar|the same\b|likewise|\bas\s+((for|in)\s+)?`|\bof `|random key",
    re.DOTALL,
)


def offered(package):
    """(file, name) of what the door of a package takes from its own files."""
    for node in ast.walk(ast.parse((package / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom):
            path = package.parent.joinpath(*node.module.split(".")[1:]).with_suffix(".py")
            yield from ((path, alias.name) for alias in node.names)


def public_functions():
    """The functions of the single files, and those that a package's door offers."""
    doors = {item for door in PACKAGE.glob("*/__init__.py") for item in offered(door.parent)}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            public = path.parent == PACKAGE or (path, getattr(node, "name", "")) in doors
            if isinstance(node, ast.FunctionDef) and public and not node.name.startswith("_"):
                yield pytest.param(node, id=f"{path.relative_to(PACKAGE)}:{node.name}")


def is_array(annotation):
    """Whether an argument or a result holds arrays, and is not a function of them."""
    text = ast.unparse(annotation) if annotation else ""
    return bool(ARRAY.search(text)) and "Callable" not in text


def entry(docstring, name):
    """What `Args:` says of an argument, "" where it says nothing."""
    pattern = rf"^ *(?:[\w*]+, )*\*{{0,2}}{name}(?:, [\w*]+)*: (.*(?:\n {{4,}}.*)*)"
    found = re.search(pattern, docstring, re.MULTILINE)
    return found[1] if found else ""


def section(docstring, names):
    """The text of a section such as `Returns:`."""
    found = re.search(rf"^(?:{names}):\n((?: .*\n?)*)", docstring, re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("function", list(public_functions()))
def test_arguments_and_shapes_are_documented(function):
    docstring = ast.get_docstring(function) or ""
    arguments = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    for argument in arguments:
        text = entry(docstring, argument.arg)
        assert text, f"{argument.arg} is not described"
        if is_array(argument.annotation):
            assert SHAPE.search(text), f"{argument.arg} has no shape"
    if is_array(function.returns):
        assert SHAPE.search(section(docstring, "Returns|Yields")), "the result has no shape"

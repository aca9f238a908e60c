"""Brings this project's docstrings into the form that the API reference is made from.

The sections `Example:` and `Warns:` get names that the reader of Google's style knows, arguments
that share a line get one each, and the closing lines (`Differentiable in ...`, `Source: ...`)
become paragraphs.
"""

import re
from typing import Any

from griffe import Extension, Object

SHARED = re.compile(r"^( +)([*\w]+)((?:, [*\w]+)+): ", re.MULTILINE)
LAST_LINES = re.compile(r"^ *(?:Not d|D)ifferentiable|^ *Source: ", re.MULTILINE)


def readable(text: str) -> str:
    """A docstring as the reader of Google's style expects it."""
    text = re.sub(r"^( *)Example:$", r"\n\1Examples:", text, flags=re.MULTILINE)
    text = re.sub(r"^( *)Warns:$", r"\n\1Warning:", text, flags=re.MULTILINE)
    text = LAST_LINES.sub(lambda found: f"\n{found[0]}", text)
    return SHARED.sub(_one_each, text)


def _one_each(found: re.Match) -> str:
    """`a, b: text` as `b: as a.` and `a: text`, which keeps the text's further lines."""
    indent, first, others = found[1], found[2], found[3].split(", ")[1:]
    return "".join(f"{indent}{name}: with `{first}`.\n" for name in others) + f"{indent}{first}: "


class Docstrings(Extension):
    """Applies `readable` to every object."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = readable(obj.docstring.value)

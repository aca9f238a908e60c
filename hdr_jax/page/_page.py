"""The page itself: a template, its style and its program, and the scenes as text between them."""

import html
import importlib.resources
import json
import pathlib
import string
from collections.abc import Iterable, Mapping, Sequence

from hdr_jax.files import write_text
from hdr_jax.page._scene import Encoded

# In the order in which they build on each other.
SCRIPTS = ("codec", "tone", "webgl", "flat", "stage", "readout", "sidebar", "main")


def write(
    path: str | pathlib.Path,
    title: str,
    scenes: Sequence[Encoded],
    summary: Mapping[str, str] | None = None,
    notes: Iterable[str] = (),
) -> None:
    """Writes a page that holds everything it shows, whole or not at all.

    Args:
      path: of the .html file; its folder must exist.
      title: of the page.
      scenes: of `encoded`, at least one.
      summary: {name: text} of scores over all scenes.
      notes: sentences that stand below.

    Example: `page.write("page.html", "gray", [page.encoded(scene)])`
    """
    about = json.dumps(
        {
            "title": title,
            "scenes": [scene.name for scene in scenes],
            "summary": dict(summary or {}),
            "notes": list(notes),
        },
        allow_nan=False,
    )
    parts = [_data("about", about)]
    parts += [_data(f"scene-{i}", scene.text) for i, scene in enumerate(scenes)]
    program = "\n".join(_asset(f"{name}.js") for name in SCRIPTS)
    text = string.Template(_asset("page.html")).substitute(
        title=html.escape(title),
        style=_asset("style.css"),
        data="\n".join(parts),
        program=f'"use strict";\n(() => {{\n{program}}})();',
    )
    write_text(path, text)


def _asset(name: str) -> str:
    """A file that comes with this package."""
    return (importlib.resources.files("hdr_jax.page") / "assets" / name).read_text("utf-8")


def _data(name: str, text: str) -> str:
    """JSON in an element that is no program; no name in it can end the element."""
    escaped = text.replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{escaped}</script>'

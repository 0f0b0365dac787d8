"""The pictures of the documentation: figures of matplotlib as SVG, with colors for a dark page too.

A picture has its light colors in itself, and a style that replaces them where the page around it is dark.  On the site
this follows the switch of the page, elsewhere the system of the reader.

``python bench/picture.py FILE.svg ...`` gives pictures that were drawn already the dark colors of this table.
"""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

#: By color of a picture: its color in the dark.
DARK = {
    "#ffffff": "#1e2329",
    "#000000": "#e2e4e9",
    "#666666": "#a3abb6",
    "#b0b0b0": "#6b7480",
    "#e6e6e6": "#363d47",
    "#30638e": "#3d84b8",
    "#1f77b4": "#6db8ec",
    "#d1495b": "#d9596a",
    "#d62728": "#ff8a8a",
    "#c9a227": "#b8952f",
    "#ff7f0e": "#f5a05a",
    "#2ca02c": "#6fcf85",
    "#9467bd": "#c79be8",
    "#8c564b": "#c99c90",
    "#e377c2": "#f0a0d6",
    "#7f7f7f": "#a3abb6",
}
_STYLE = re.compile(r'\n?  <style id="dark">.*?</style>', re.DOTALL)
_COLOR = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")


def svg(figure: Any) -> str:
    """Return a figure as SVG.  Equal figures give equal texts."""
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.hashsalt": "os-retries", "svg.fonttype": "none"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    return with_dark(text[text.index("<svg") :])


def save(figure: Any, path: Path) -> None:
    """Write a figure as SVG, or in the format that its name says."""
    if path.suffix == ".svg":
        path.write_text(svg(figure).rstrip() + "\n")
    else:
        figure.savefig(path)


def with_dark(text: str) -> str:
    """Return a picture with a style for dark pages.

    :raises KeyError: for a color that is not in ``DARK``
    """
    text = _STYLE.sub("", text)
    rules = ["text { fill: #e2e4e9 }"]
    for what, color in sorted(set(_COLOR.findall(text))):
        rules.append(f'[style*="{what}: {color}"] {{ {what}: {DARK[color]} !important }}')
    lines = "\n".join(f"    {rule}" for rule in rules)
    style = f'  <style id="dark">@media (prefers-color-scheme: dark) {{\n{lines}\n  }}</style>'
    return text.replace("\n </defs>", f"\n{style}\n </defs>", 1)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        picture = Path(name)
        picture.write_text(with_dark(picture.read_text()))

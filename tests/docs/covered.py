"""The table of docs/operations.md that says what an operation covers, made of the recipes themselves.

``python -m tests.docs.covered`` writes it into the page.
"""

from __future__ import annotations

import re
from pathlib import Path

from os_retries.creates.durable import how_covered, in_operation, not_covered
from os_retries.creates.recipes import TABLE

PAGE = Path(__file__).parents[2] / "docs/operations.md"
BEGIN, END = "<!-- the recipes: python -m tests.docs.covered -->\n", "<!-- end of the recipes -->\n"


def _path(pattern):
    path = re.sub(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)", r"{\1}", pattern)
    return path.replace("[^/]+", "*").replace(".*", "everything").replace("|", r"\|")


def _label(recipe):
    name = recipe.key or (recipe.body if recipe.path.endswith("/action") else "")
    text = f"`{recipe.verb} {_path(recipe.path)}`" + (f" {name}" if name else "")
    conditions = [f"with `{each}`" for each in recipe.given] + [f"without `{each}`" for each in recipe.not_given]
    return text + (f" ({', '.join(conditions)})" if conditions else "")


def table():
    lines = ["| service | a later run recognizes it by | requests |", "|---|---|---|"]
    words = {
        "marker": "its marker",
        "tag": "its marker, in the description and then in a tag",
        "key": "what it is",
        "repeat": "sent again: a repeat has no further effect",
    }
    for service, recipes in TABLE.items():
        rows: dict[str, list[str]] = {word: [] for word in words.values()}
        covered: set[str] = set()
        for recipe in recipes:
            how = how_covered(in_operation(recipe))
            if how and not (recipe.carrier is not None and recipe.extension is not None):
                covered.add(_label(recipe))
                rows[words[how]].append(_label(recipe))
        for recipe in recipes:
            if not how_covered(recipe) and _label(recipe) not in covered:
                rows.setdefault(f"**not covered**: {not_covered(recipe)}", []).append(_label(recipe))
        for how, labels in rows.items():
            if labels:
                lines.append(f"| {service} | {how} | {', '.join(dict.fromkeys(labels))} |")
    return "\n".join(lines) + "\n"


def page_with_table(text):
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text()))

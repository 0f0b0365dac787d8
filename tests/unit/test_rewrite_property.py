"""For any module the rewritten file parses, unwrapping it restores the original, and a second run changes nothing."""

from __future__ import annotations

import ast

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from os_retries.rewrite import edit, evaluate, files, survey
from os_retries.rewrite.imports import Wrapper
from os_retries.rewrite.origins import Program
from os_retries.rewrite.parts import Module
from tests.sahara.unwrap import unwrap

WRAPPER = Wrapper()
HEAD = "from novaclient import client\nnova = client.Client('2')\n"

SPACE = st.sampled_from(["", " ", "\n    ", "  # why\n  ", "\\\n"])
ATOMS = st.sampled_from([
    "x", "1", "'é\\n'", "nova", "nova.servers", "None", "nova.servers.list", "[]", "thing()", "'''a\nb'''", "s",
    "execute_with_retries(nova.servers.get, 1)", "(yield)", "lambda: nova",
])  # fmt: skip


def compound(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    args = st.lists(
        st.one_of(inner, inner.map("*[{}]".format), inner.map("k=({})".format), inner.map("**dict(a=({}))".format)),
        max_size=3,
    ).map(_ordered)
    spaced = st.tuples(SPACE, args, SPACE).map(lambda t: _spaced(*t))
    return st.one_of(
        st.tuples(st.sampled_from(["nova.servers.get", "nova.flavors.list", "s.delete", "thing"]), spaced).map("".join),
        st.tuples(inner, spaced).map(lambda t: f"({t[0]}){t[1]}"),
        st.tuples(inner, st.sampled_from([".servers", ".list()", ".get(1).delete()", "[0]", ".name"])).map(
            lambda t: f"({t[0]}){t[1]}"
        ),
        st.tuples(inner, inner).map(lambda t: f"[s for s in ({t[0]}) if ({t[1]})]"),
        st.tuples(inner, inner).map(lambda t: f"(({t[0]}) if x else ({t[1]}))"),
        inner.map("(y := ({}))".format),
        inner.map("{{'a': {}}}".format),
        inner.filter(lambda e: not set(e) & set("\n\\#'\"")).map("f'{{({})!r:>3}}é'".format),
        inner.map("nova.servers.get(z for z in ({}))".format),
    )


def _ordered(args: list[str]) -> str:
    rank = {"*": 1, "k": 2}
    out = sorted(args, key=lambda a: 3 if a.startswith("**") else 2 if a.startswith("k=(") else rank.get(a[0], 0))
    if sum(a.startswith("k=(") for a in out) > 1:
        out = [a for a in out if not a.startswith("k=(")]
    return ", ".join(out)


def _spaced(before: str, args: str, after: str) -> str:
    return (
        f"({before.replace(chr(92), '')}{args}{',' if args and chr(10) in after else ''}{after.replace(chr(92), '')})"
    )


EXPRESSIONS = st.recursive(ATOMS, compound, max_leaves=6)
SIMPLE = st.one_of(
    EXPRESSIONS.map("s = {}\n".format),
    EXPRESSIONS.map("{}\n".format),
    EXPRESSIONS.map("a = 1; b[{}] = 2  # c\n".format),
    EXPRESSIONS.map("del ({}).x\n".format),
    st.sampled_from(
        ["import os\n", "global nova\n", "nova = None\n", "pass\n", "\n", "# nothing\n", "nova = client.Client('2')\n"]
    ),
)


def _block(head: str, body: list[str]) -> str:
    lines = "".join(body) or "pass\n"
    return head + "".join(f"    {line}\n" for line in ("pass\n" + lines).splitlines())


def blocks(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    body = st.lists(inner, max_size=3)
    heads = st.sampled_from([
        "if x:\n", "for s in nova.servers.list():\n", "while x:\n", "def f(nova=nova, *a):\n", "class A:\n",
        "with thing() as nova:\n", "async def g():\n",
    ])  # fmt: skip
    return st.tuples(heads, body).map(lambda t: _block(*t))


STATEMENTS = st.recursive(SIMPLE, blocks, max_leaves=4)
MODULES = st.tuples(
    st.sampled_from(
        ["", '"""Doc."""\n', "from __future__ import annotations\n", "# -*- coding: utf-8 -*-\nimport os\n\n"]
    ),
    st.lists(STATEMENTS, min_size=1, max_size=5).map("".join),
    st.sampled_from(["", "\n", "# end"]),
    EXPRESSIONS.map("nova.servers.create({}, x).update()\n".format),
).map(lambda t: t[0] + HEAD + t[3] + t[1] + t[2])


def rewritten(text: str, line_length: int) -> str:
    module = Module("main", "main.py", text, is_package=False, is_test=False, tree=files.parse(text, "main.py"))
    program = Program([module], {}, frozenset({WRAPPER.name}))
    evaluate.run(program)
    calls = [f.node for found in program.found.values() for f in found.values() if survey.judge(f).verdict == "wrap"]
    return edit.edit(module, calls, WRAPPER, frozenset({"main"}), line_length).text


def valid(text: str) -> bool:
    try:
        compile(text, "main.py", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


@given(text=MODULES.filter(valid), line_length=st.sampled_from([0, 30, 79]))
@example(text=HEAD + "nova.servers.get(z for z in x)", line_length=0)
@example(text=HEAD + "nova.servers.get(z for z in (nova.servers.get(z for z in ({1: x}))))", line_length=0)
@example(text=HEAD + "s = nova.servers.get(1,\n" + " " * 21 + "2).delete()\n", line_length=30)
@example(text=HEAD + "nova.servers.get(x)\ns = (execute_with_retries(nova.servers.get, 1)).list()\n", line_length=0)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_unwrapping_gives_the_original_back(text, line_length):
    """To the byte where no line is moved; as the same program where one is."""
    new = rewritten(text, line_length)
    assert rewritten(new, line_length) == new
    old_unwrapped, new_unwrapped = (
        unwrap(text),
        unwrap(new).replace("from os_retries import execute_with_retries\n", "", 1),
    )
    assert _program(old_unwrapped) == _program(new_unwrapped)
    if not line_length:
        assert _squeezed(old_unwrapped) == _squeezed(new_unwrapped)


def _program(text: str) -> str:
    tree = ast.parse(text)
    tree.body = [n for n in tree.body if not (isinstance(n, ast.ImportFrom) and n.module == "os_retries")]
    return ast.dump(tree)


def _squeezed(text: str) -> list[str]:
    """The lines, without the blank ones that set an import off."""
    return [line for line in text.split("\n") if line]

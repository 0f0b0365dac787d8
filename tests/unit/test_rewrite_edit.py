"""How a call is changed: everything outside it stays the same to the byte, and the call is well formatted."""

from __future__ import annotations

import ast
import io

import libcst as cst
import pytest

from os_retries.rewrite import edit
from os_retries.rewrite import progress as progress_module
from os_retries.rewrite.progress import Progress

from .rewriting import rewrite

NOVA = "from novaclient import client\nnova = client.Client('2')\n"

KEPT = {
    "a call over several lines": (
        "x = nova.servers.create(\n    'a',  # the name\n    flavor=1,\n)  # done\n",
        "x = execute_with_retries(\n    nova.servers.create,\n    'a',  # the name\n    flavor=1,\n)  # done\n",
    ),
    "a comment after the parenthesis": (
        "nova.servers.create(  # why\n    'a')\n",
        "execute_with_retries(  # why\n    nova.servers.create,\n    'a')\n",
    ),
    "a method over several lines": (
        "x = (nova\n     .servers  # all\n     .list(1))\n",
        "x = (execute_with_retries(nova\n     .servers  # all\n     .list, 1))\n",
    ),
    "odd spaces": (
        "nova.servers . get ( 1 ,2 )   ;x=[ ]\n",
        "execute_with_retries ( nova.servers . get, 1 ,2 )   ;x=[ ]\n",
    ),
    "a backslash": (
        "x = 1 + \\\n  nova.servers.get(1)\n",
        "x = 1 + \\\n  execute_with_retries(nova.servers.get, 1)\n",
    ),
    "tabs": (
        "if x:\n\tif y:\n\t\tnova.servers.get(1)\t# tab\n",
        "if x:\n\tif y:\n\t\texecute_with_retries(nova.servers.get, 1)\t# tab\n",
    ),
    "no newline at the end": ("nova.servers.get(1)", "execute_with_retries(nova.servers.get, 1)"),
    "letters beyond ASCII before the call": (
        "'é漢😀', nova.servers.get('ü').stop()\n",
        "'é漢😀', execute_with_retries(execute_with_retries(nova.servers.get, 'ü').stop)\n",
    ),
    "a string over several lines": (
        "nova.servers.create('''a\n  b\n''', 1)\n",
        "execute_with_retries(nova.servers.create, '''a\n  b\n''', 1)\n",
    ),
    "f-strings in one another and the same call twice": (
        'x = f\'{nova.servers.get(1)}\' f"""{\n  f\'{nova.servers.get(1)}\'}"""\n',
        (
            'x = f\'{execute_with_retries(nova.servers.get, 1)}\' f"""{\n'
            '  f\'{execute_with_retries(nova.servers.get, 1)}\'}"""\n'
        ),
    ),
    "an escape that Python warns of": (
        "nova.servers.get('\\/')\n",
        "execute_with_retries(nova.servers.get, '\\/')\n",
    ),
    "a form feed": ("\x0c\nnova.servers.get(1)\n", "\x0c\nexecute_with_retries(nova.servers.get, 1)\n"),
}


@pytest.mark.parametrize("line_length", [0, 79])
@pytest.mark.parametrize("rule", KEPT)
def test_keeps_the_formatting_of(rule, line_length, tmp_path):
    """Only what must change changes, with and without a limit to the line."""
    before, after = KEPT[rule]
    assert rewrite(tmp_path, NOVA + before, line_length=line_length).text == NOVA + after


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_keeps_newlines(newline, tmp_path):
    """A file of Windows stays one, the added import included."""
    text = (NOVA + "nova.servers.create(\n    1,\n    2)\n").replace("\n", newline)
    outcome = rewrite(tmp_path, text)
    expected = (
        "from novaclient import client\nfrom os_retries import execute_with_retries\nnova = client.Client('2')\n"
        "execute_with_retries(\n    nova.servers.create,\n    1,\n    2)\n"
    )
    assert outcome.texts["main.py"] == expected.replace("\n", newline)


def test_keeps_a_byte_order_mark(tmp_path):
    """A byte order mark stays the first character."""
    outcome = rewrite(tmp_path, "\ufeff" + NOVA + "nova.servers.get(1)\n")
    assert outcome.texts["main.py"].startswith("\ufefffrom novaclient")
    assert "execute_with_retries(nova.servers.get, 1)" in outcome.text


LAID_OUT = {
    "aligned arguments stay aligned": (
        (
            "x = nova.servers.create(name,\n"
            "                        flavor=[1,\n"
            "                                2],\n"
            "                        image=3)\n"
        ),
        (
            "x = execute_with_retries(nova.servers.create,\n"
            "                         name,\n"
            "                         flavor=[1,\n"
            "                                 2],\n"
            "                         image=3)\n"
        ),
    ),
    "so do the lines inside an argument that begins beside the parenthesis": (
        "x = nova.servers.create({'name': 1,\n                         'flavor': 2})\n",
        (
            "x = execute_with_retries(nova.servers.create, {'name': 1,\n"
            "                                               'flavor': 2})\n"
        ),
    ),
    "or are hung where the method is too long for that": (
        (
            "        x = nova.floating_ip_addresses_in_the_pool_x.create(name,\n"
            "                                                            flavor=1)\n"
        ),
        (
            "        x = execute_with_retries(\n"
            "            nova.floating_ip_addresses_in_the_pool_x.create,\n"
            "            name,\n"
            "            flavor=1)\n"
        ),
    ),
    "a line that would be too long is broken": (
        "        server = nova.servers.create('a-server', image_reference, flavor)\n",
        (
            "        server = execute_with_retries(\n"
            "            nova.servers.create, 'a-server', image_reference, flavor)\n"
        ),
    ),
    "twice if need be": (
        "        x = nova.servers.create('a-server', image_reference, the_flavor_abcdef)\n",
        (
            "        x = execute_with_retries(\n"
            "            nova.servers.create,\n            'a-server', image_reference, the_flavor_abcdef)\n"
        ),
    ),
    "a line that is too long already is not touched further": (
        "server = nova.servers.create('a-server', image_reference, flavor, 'and many more words than fit')\n",
        (
            "server = execute_with_retries(nova.servers.create, 'a-server', image_reference, flavor,"
            " 'and many more words than fit')\n"
        ),
    ),
    "a line that still fits stays one": (
        "server = nova.servers.create('a-server', image_ref)\n",
        "server = execute_with_retries(nova.servers.create, 'a-server', image_ref)\n",
    ),
}


@pytest.mark.parametrize("rule", LAID_OUT)
def test_lays_out(rule, tmp_path):
    """With a limit of 79 columns, which is the default and OpenStack's."""
    before, after = LAID_OUT[rule]
    if before.startswith(" "):
        before, after = "if 1:\n    if 1:\n" + before, "if 1:\n    if 1:\n" + after
    outcome = rewrite(tmp_path, NOVA + before, line_length=79)
    assert outcome.text == NOVA + after
    assert rewrite(tmp_path, line_length=79, mode="diff").out == ""


def test_the_same_call_in_an_fstring_is_changed_everywhere_or_nowhere(tmp_path):
    """In an f-string a call is told by its text; one that means two things in one statement is left alone."""
    text = (
        NOVA + "other = thing()\nx = [f'{c.servers.list()}' for c in [nova]] + [f'{c.servers.list()}' for c in other]\n"
    )
    outcome = rewrite(tmp_path, text)
    assert outcome.texts["main.py"] == text
    assert "not sure" in outcome.err


def test_what_would_not_be_the_same_program_is_refused(tmp_path, monkeypatch):
    """The rewritten text is compared with the old before it is written or shown."""
    monkeypatch.setattr(edit._Wrap, "leave_Call", lambda self, old, new: new.with_changes(args=[]))
    text = NOVA + "nova.servers.get(1)\n"
    outcome = rewrite(tmp_path, text)
    assert outcome.texts["main.py"] == text
    assert "main.py: the rewritten file would not be the same program; not changed" in outcome.err
    assert outcome.status == 2


def test_a_rewritten_text_that_does_not_parse_is_refused(tmp_path, monkeypatch):
    """Neither is a text that does not parse."""
    broken = cst.Module([cst.SimpleStatementLine([cst.Expr(cst.Name("class"))])])
    monkeypatch.setattr(edit, "import_wrapper", lambda *_: broken)
    outcome = rewrite(tmp_path, NOVA + "nova.servers.get(1)\n")
    assert "cannot be parsed" in outcome.err
    assert outcome.status == 2


def test_every_option_makes_the_same_program(tmp_path):
    """The limit moves lines, never meaning."""
    text = (
        NOVA
        + "def f(a):\n    return nova.servers.create(a, [nova.servers.get(i).delete() for i in nova.servers.list(a)], x=nova.flavors.find(ram=1))\n"
    )
    trees = {ast.dump(ast.parse(rewrite(tmp_path, text, line_length=n).text)) for n in (0, 20, 40, 60, 79, 200)}
    assert len(trees) == 1


def test_a_diff_is_one_that_patch_takes(tmp_path):
    """The diff names both files and marks a missing newline."""
    outcome = rewrite(tmp_path, NOVA + "nova.servers.get(1)", mode="diff")
    assert outcome.out.splitlines()[-2:] == [
        "+execute_with_retries(nova.servers.get, 1)",
        "\\ No newline at end of file",
    ]
    assert outcome.out.startswith("--- a")
    assert outcome.texts["main.py"] == NOVA + "nova.servers.get(1)"


def test_check_names_file_line_and_column(tmp_path):
    """--check: one line a call, columns counted in characters from 1, exit status 1, nothing changed."""
    text = NOVA + "x = 'é', nova.servers.get(1).delete()\n"
    outcome = rewrite(tmp_path, text, mode="check")
    assert outcome.out == (
        "main.py:3:10: nova.servers.get(1).delete() is not wrapped in execute_with_retries\n"
        "main.py:3:10: nova.servers.get() is not wrapped in execute_with_retries\n"
    )
    assert outcome.status == 1
    assert outcome.texts["main.py"] == text


def test_check_is_content_with_a_rewritten_file(tmp_path):
    """After --write, --check exits 0."""
    rewrite(tmp_path, NOVA + "nova.servers.get(1).delete()\n")
    assert rewrite(tmp_path, mode="check").status == 0


def test_progress_on_a_terminal_is_one_line_that_is_taken_away(monkeypatch):
    """On a terminal progress is written over; elsewhere a line now and then."""
    now = [0.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    monkeypatch.setenv("TERM", "xterm")
    screen = io.StringIO()
    screen.isatty = lambda: True
    progress = Progress(screen)
    progress("reading", 1, 9)
    assert screen.getvalue() == ""
    now[0] = 1.0
    progress("reading", 2, 9)
    progress("reading", 3, 9)
    progress.clear()
    assert screen.getvalue() == "\r\x1b[Kos-retries rewrite: reading 2/9\r\x1b[K"
    monkeypatch.setenv("COLUMNS", "31")  # a longer text would need two lines, and only one is erased
    now[0] = 2.0
    progress("reading", 4, 9)
    assert screen.getvalue().endswith("\r\x1b[Kos-retries rewrite: reading 4/")
    monkeypatch.setenv("COLUMNS", "80")
    log = io.StringIO()
    progress = Progress(log)
    for now[0] in (2.0, 5.0, 6.5, 7.0, 16.0, 17.0):
        progress("reading", 4, 9)
    assert log.getvalue() == "os-retries rewrite: reading 4/9\n" * 2

"""The manual page os-retries(1), from the parsers of the command line and a few words about the environment."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = "repeat failing OpenStack calls safely"

_ENVIRONMENT = {
    "OS_RETRIES_DISABLED, OSRETRIES_DISABLED": "If one of them is 1, os-retries repeats nothing and marks nothing.",
    "OSRETRIES_OPERATION": "The key of the operation, if --operation is not given.",
    "OS_CLOUD": "The cloud of `os-retries operation`, if --os-cloud is not given.",
    "NO_COLOR": "If it is not empty, nothing is colored. Otherwise the tables and diffs on a terminal have colors.",
    "FORCE_COLOR": "If it is not empty, there are colors in a pipe or a file too, unless NO_COLOR is set.",
    "COLUMNS": "The width of the terminal, if it is not the one that the terminal says.",
}

_DOCUMENTATION = "openstack(1). The documentation of os-retries is in docs/ of its source distribution."

_HEADER = """\
.\\" tools/terminal has generated this file from the parsers: do not edit it.
.TH OS\\-RETRIES 1 "" os\\-retries "User Commands"
.\\" Do not break words: most long ones are names.
.nh
.ad l"""


def page(parser: argparse.ArgumentParser) -> str:
    """Return the manual page.

    :param parser: the parser of all commands
    """
    text = "\n".join([_HEADER, *_sections(parser)]) + "\n"
    return re.sub(r"^(\.S[HS] .*\n)\.PP\n", r"\1", text, flags=re.MULTILINE)  # a heading begins a paragraph itself


def _sections(parser: argparse.ArgumentParser) -> Iterator[str]:
    commands = list(_commands(parser))
    yield f".SH NAME\n{_plain(parser.prog)} \\- {_NAME}\n.SH SYNOPSIS"
    yield "\n.br\n".join(_bold(_usage(each)) for each in commands if not list(_commands(each)))
    yield ".SH DESCRIPTION"
    yield from _prose(parser.description or "")
    yield ".SH OPTIONS"
    yield from _actions(parser._optionals._group_actions)  # noqa: SLF001
    yield ".SH COMMANDS"
    for command in commands:
        yield from _command(command)
    yield ".SH ENVIRONMENT"
    for name, text in _ENVIRONMENT.items():
        yield from _tagged(_bold(name), text)
    yield f'.SH "SEE ALSO"\n{_plain(_DOCUMENTATION)}'


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parsers of all commands, and of their actions."""
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for each in action.choices.values():
                yield each
                yield from _commands(each)


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f'.SS "{_plain(_usage(parser))}"'
    yield from _prose(parser.description or "")
    for group in parser._action_groups:  # noqa: SLF001
        actions = [*group._group_actions]  # noqa: SLF001
        for inner in group._mutually_exclusive_groups:  # noqa: SLF001
            actions += [each for each in inner._group_actions if inner._container is group and each not in actions]  # noqa: SLF001
        actions = [each for each in actions if not isinstance(each, argparse._HelpAction)]  # noqa: SLF001
        if actions and not any(isinstance(each, argparse._SubParsersAction) for each in actions):  # noqa: SLF001
            if group not in (parser._optionals, parser._positionals):  # noqa: SLF001
                yield f".PP\n{_plain(_sentence(group.title or ''))}:"
            yield from _actions(actions)
    yield from _prose(parser.epilog or "")


def _usage(parser: argparse.ArgumentParser) -> str:
    if parser.usage:
        return parser.usage
    return " ".join([parser.prog, "[options]", *map(_value, parser._get_positional_actions())])  # noqa: SLF001


def _actions(actions: list[argparse.Action]) -> Iterator[str]:
    for action in actions:
        value = "" if action.nargs == 0 else _value(action)
        names = ", ".join(map(_bold, action.option_strings))
        tag = f"{names} {_italic(value)}".strip() if value else names
        text = (action.help or "") % {**vars(action), "prog": "os-retries"}
        yield from _tagged(tag, _sentence(f"{text}."))


def _value(action: argparse.Action) -> str:
    default = action.dest.upper()
    if action.choices is not None:
        default = "{" + ",".join(map(str, action.choices)) + "}"
    name = str(action.metavar or default)
    return {"?": f"[{name}]", "+": f"{name} ..."}.get(str(action.nargs), name)


def _prose(text: str) -> Iterator[str]:
    """Yield the paragraphs of a text.  A line that is indented by two spaces is a term, with what it means."""
    for paragraph in filter(None, text.strip("\n").split("\n\n")):
        yield ".PP"
        terms: list[list[str]] = []
        for line in _sentence(paragraph).splitlines():
            term = re.fullmatch(r"  (\S.*?)(?: {2,}(\S.*))?", line)
            if term:
                terms.append([term[1], term[2] or ""])
            elif terms:
                terms[-1][1] = f"{terms[-1][1]} {line.strip()}".strip()
            else:
                yield _plain(line)
        for name, meaning in terms:
            yield from _tagged(_bold(name), meaning)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"


def _tagged(tag: str, text: str) -> Iterator[str]:
    yield f".TP\n{tag}"
    if text:
        yield _plain(text)


def _bold(text: str) -> str:
    return f"\\fB{_plain(text)}\\fR"


def _italic(text: str) -> str:
    return f"\\fI{_plain(text)}\\fR"


def _plain(text: str) -> str:
    """Escape what has a meaning for roff."""
    text = (
        text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("`", "\\(ga").replace("^", "\\(ha")
    )
    text = text.replace("'", "\\(aq").replace("~", "\\(ti")
    text = re.sub(r"[^\x00-\x7f]", lambda match: f"\\[u{ord(match[0]):04X}]", text)
    return f"\\&{text}" if text.startswith(".") else text

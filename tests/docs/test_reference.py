"""docs/reference.md has every public name, parameter and field; docs/configuration.md has every option."""

import dataclasses
import enum
import inspect
import re
from pathlib import Path

import pytest

import os_retries
import os_retries.evidence
import os_retries.faults
import os_retries.observe
import os_retries.testing
from os_retries.options import OPTIONS, PROCESS_OPTIONS

DOCS = Path(__file__).parents[2] / "docs"
MODULES = (os_retries, os_retries.evidence, os_retries.observe, os_retries.testing, os_retries.faults)
NAMES = [(module.__name__, name) for module in MODULES for name in module.__all__]


def sections(page):
    """Split a page at its headings: (title of the module, title of the entry) -> text."""
    found, module = {}, ""
    for part in re.split(r"^(?=##+ )", page, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        if title.startswith("## "):
            module = title[3:].strip("` ")
        else:
            for name in re.findall(r"`([^`]+)`", title):
                found[module, name] = body
    return found


SECTIONS = sections((DOCS / "reference.md").read_text())


def rows(text):
    """The tables of a section: every name in the first cell -> the other cells."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| `"):
            for name in re.findall(r"`(\w+)[^`]*`", cells[0]):
                found[name] = cells[1:]
    return found


def parameters(thing):
    if inspect.isclass(thing) and (issubclass(thing, enum.Enum) or thing.__init__ is object.__init__):
        return []
    return list(inspect.signature(thing).parameters.values()) if callable(thing) else []


#: Classes that set attributes on their instances, and an instance of each.
INSTANCES = {
    os_retries.testing.NoWaits: os_retries.testing.NoWaits(),
    os_retries.faults.Faults: os_retries.faults.Faults(),
    os_retries.faults.Script: os_retries.faults.Script([]),
}


def members(thing):
    """What a class has beside its parameters: fields, properties and methods without an underscore."""
    if not inspect.isclass(thing):
        return set()
    names = {field.name for field in dataclasses.fields(thing)} if dataclasses.is_dataclass(thing) else set()
    names |= set(vars(thing))
    if thing in INSTANCES:
        names |= set(vars(INSTANCES[thing]))
    return {name for name in names if not name.startswith("_")}


def shown(default):
    return "()" if default == () else repr(default).replace("'", '"')


@pytest.mark.parametrize(("module", "name"), NAMES, ids=lambda part: str(part).removeprefix("os_retries."))
def test_every_public_name_has_a_section_with_its_parameters_and_members(module, name):
    section = SECTIONS.get((module, name))
    assert section is not None, f"docs/reference.md has no section for {module}.{name}"
    thing = getattr(next(each for each in MODULES if each.__name__ == module), name)
    if module == "os_retries" and name in os_retries.evidence.__all__:
        assert thing is getattr(os_retries.evidence, name)  # described there
        return
    listed = rows(section)
    missing = {parameter.name for parameter in parameters(thing)} | members(thing)
    missing -= listed.keys()
    assert not missing, f"docs/reference.md does not describe {sorted(missing)} of {name}"


@pytest.mark.parametrize(("module", "name"), NAMES, ids=lambda part: str(part).removeprefix("os_retries."))
def test_the_defaults_on_the_page_are_those_of_the_code(module, name):
    thing = getattr(next(each for each in MODULES if each.__name__ == module), name)
    listed = rows(SECTIONS[module, name])
    for parameter in parameters(thing):
        if parameter.default is parameter.empty or parameter.name not in listed:
            continue
        cell = listed[parameter.name][0]
        if isinstance(parameter.default, frozenset):
            assert cell.endswith(", ".join(map(str, sorted(parameter.default))))
        elif isinstance(parameter.default, enum.Enum):
            assert cell.endswith(f"`{type(parameter.default).__name__}.{parameter.default.name}`")
        elif callable(parameter.default):
            assert cell.endswith("every request")
        else:
            assert cell.endswith(f"`{shown(parameter.default)}`"), f"{name}: {parameter.name}"


@pytest.mark.parametrize("kind", [os_retries.Kind, os_retries.GiveUp, os_retries.faults.Symptom])
def test_the_values_of_enumerations_on_the_page_are_those_of_the_code(kind):
    module = "os_retries.faults" if kind is os_retries.faults.Symptom else "os_retries.evidence"
    listed = rows(SECTIONS[module, kind.__name__])
    assert {name: cells[0].strip("`") for name, cells in listed.items()} == {each.name: str(each) for each in kind}


def test_the_methods_of_a_fault_have_the_parameters_on_the_page():
    section = SECTIONS["os_retries.faults", "Fault"]
    for name in ("refused", "lost", "unreachable", "reset", "stall", "cut", "late"):
        arguments = inspect.signature(getattr(os_retries.faults.Fault, name)).parameters.values()
        plain = inspect.Signature([each.replace(annotation=inspect.Parameter.empty) for each in arguments])
        assert f"`{name}{plain}`" in section


def test_what_the_page_describes_is_public():
    """A section of a name that is gone is an error too."""
    assert set(SECTIONS) == set(NAMES)


def _range(option):
    if option.kind is list and not option.words:
        return f"{option.low:g} to {option.high:g}, each"
    if option.kind in (int, float):
        return f"{option.low:g} to {option.high:.0f}"
    return ""


def _default(option):
    if option.default in (None, ()):
        return "not set"
    if isinstance(option.default, frozenset):
        return ", ".join(map(str, sorted(option.default)))
    return str(option.default).lower() if option.kind is bool else f"{option.default:g}"


def test_the_table_of_options_has_name_type_default_and_range_of_each():
    text = (DOCS / "configuration.md").read_text()
    table = re.search(r"^## The options\n(.*?)^## ", text, flags=re.MULTILINE | re.DOTALL)[1]
    listed = {name: cells[:3] for name, cells in rows(table).items()}
    kinds = {int: "integer", float: "number", bool: "boolean", list: "list of integers", str: "text"}
    assert listed == {
        option.name: ["list of words" if option.words else kinds[option.kind], _default(option), _range(option)]
        for option in OPTIONS + PROCESS_OPTIONS
    }

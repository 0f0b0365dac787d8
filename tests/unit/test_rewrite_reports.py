"""What the tool reports about creates, and its reports for other programs."""

from __future__ import annotations

import json

import pytest

from .rewriting import rewrite

NOVA = "from novaclient import client\nnova = client.Client('2')\n"
CREATES = ("nova.servers.create('x')", "nova.servers.create_image(1)", "nova.servers.interface_attach(1)")
OTHERS = ("nova.servers.get(1)", "nova.servers.reboot(1)", "nova.servers.add_tag(1)")


def test_says_how_many_of_the_calls_create_something(tmp_path):
    """A repeat after a lost answer creates it twice, so the reader must know."""
    outcome = rewrite(tmp_path, NOVA + "\n".join(CREATES + OTHERS) + "\n", mode="diff")
    assert "os-retries rewrite: 3 of the 6 calls create something. " in outcome.err
    assert "--no-creates" in outcome.err
    assert "create something" not in rewrite(tmp_path, NOVA + "\n".join(OTHERS) + "\n", mode="diff").err


def test_leaves_creates_alone_when_asked_to(tmp_path):
    """--no-creates lists them with the advice to attach, and --check does not ask for them."""
    outcome = rewrite(tmp_path, NOVA + "\n".join(CREATES + OTHERS) + "\n", creates=False)
    assert [line for line in outcome.text.splitlines() if "execute_with_retries" not in line][2:] == list(CREATES)
    assert outcome.err.count(": left alone: ") == outcome.err.count("creates something, and a repeat may") == 3
    assert "create something" not in outcome.err
    assert rewrite(tmp_path, mode="check", creates=False).status == 0


MANY = (
    NOVA
    + "x = 'é', nova.servers.create(\n    1)\nnova.servers._list('/x')\n"
    + "from heatclient import client as h\nh.Client('1').stacks.list()\n"
)


def test_json_has_every_call_with_its_place_and_verdict(tmp_path):
    """One object on standard output, whatever the mode; the summary for people stays on standard error."""
    (tmp_path / "bad.py").write_text("def f(:\n")
    outcome = rewrite(tmp_path, MANY, mode="check", format="json")
    document = json.loads(outcome.out)
    assert document["calls"] == [
        {
            "path": "main.py", "line": 3, "column": 10, "end_line": 4, "end_column": 7, "call": "nova.servers.create",
            "verdict": "wrap", "reason": "", "creates": True,
        },
        {
            "path": "main.py", "line": 5, "column": 1, "end_line": 5, "end_column": 25, "call": "nova.servers._list",
            "verdict": "unsure", "reason": "is a private or computed method of the nova client", "creates": False,
        },
        {
            "path": "main.py", "line": 7, "column": 1, "end_line": 7, "end_column": 28,
            "call": "h.Client('1').stacks.list", "verdict": "attach", "creates": False,
            "reason": document["calls"][2]["reason"],
        },
    ]  # fmt: skip
    assert document["errors"] == ["bad.py:1: cannot be parsed (invalid syntax)"]
    assert document["summary"] == {
        "files": 1, "changed": 0, "wrap": 1, "attach": 1, "unsure": 1, "creates": 1, "tests_left_out": 0, "unread": 0,
    }  # fmt: skip
    assert (document["version"], document["mode"], outcome.status) == (1, "check", 2)
    assert "main.py:" not in outcome.err


@pytest.mark.parametrize("mode", ["diff", "check", "write"])
def test_sarif_has_the_shape_of_its_standard(mode, tmp_path):
    """SARIF 2.1.0: what its specification requires, and the places that code scanners read."""
    outcome = rewrite(tmp_path, MANY, files={"a b.py": "nova.x()\n"}, mode=mode, format="sarif")
    log = json.loads(outcome.out)
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"]
    assert driver["version"]
    rules = [rule["id"] for rule in driver["rules"]]
    assert len(set(rules)) == len(rules)
    assert all(rule["shortDescription"]["text"].endswith(".") for rule in driver["rules"])
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}
    assert [invocation["executionSuccessful"] for invocation in run["invocations"]] == [True]
    assert [result["ruleId"] for result in run["results"]] == ["not-wrapped"] * (mode != "write") + [
        "not-sure",
        "attach",
    ]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert result["message"]["text"]
        (location,) = result["locations"]
        place = location["physicalLocation"]
        assert set(place) == {"artifactLocation", "region"}
        assert place["artifactLocation"]["uri"].endswith("main.py")
        region = place["region"]
        assert region["startLine"] >= 1
        assert (region["startLine"], region["startColumn"]) < (region["endLine"], region["endColumn"])
    if mode != "write":
        assert region | run["results"][0]["locations"][0]["physicalLocation"]["region"] == {
            "startLine": 3, "startColumn": 10, "endLine": 4, "endColumn": 7,
        }  # fmt: skip


def test_sarif_names_errors_and_relative_files_as_uris(tmp_path, monkeypatch):
    """A path with a blank is a URI with %20; a file that could not be read makes the run unsuccessful."""
    monkeypatch.chdir(tmp_path)
    outcome = rewrite(
        tmp_path, files={"a b.py": NOVA + "nova.servers.get(1)\n", "bad.py": "("}, paths=["a b.py", "bad.py"],
        mode="check", format="sarif",
    )  # fmt: skip
    (run,) = json.loads(outcome.out)["runs"]
    assert run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.py"
    (invocation,) = run["invocations"]
    assert invocation["executionSuccessful"] is False
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"].startswith("bad.py:1: cannot be parsed")


def test_a_file_too_deep_for_this_python_is_reported_and_the_rest_is_done(tmp_path, monkeypatch):
    """A RecursionError costs the one file in which it is raised."""
    from os_retries.rewrite import edit

    plain = edit._check

    def check(module, new, wrapper):
        if module.path.endswith("deep.py"):
            raise RecursionError
        plain(module, new, wrapper)

    monkeypatch.setattr(edit, "_check", check)
    text = NOVA + "nova.servers.get(1)\n"
    outcome = rewrite(tmp_path, text, files={"deep.py": text})
    assert "os-retries rewrite: deep.py: is nested too deeply for this Python; not changed\n" in outcome.err
    assert outcome.texts["deep.py"] == text
    assert "execute_with_retries(nova.servers.get, 1)" in outcome.text
    assert outcome.status == 2

"""What a tool call is, by rules and in words: in the forms in which real agents tell of it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, strategies as st

from orch.agents.inside import consent

HERE = "/tree/w"
MAIN = ("Read(//main/**)", "Write(//main/**)", "Edit(//main/**)", "Bash(cd /main*)")
RM = ("Bash(rm *)", "Bash(rm -*)")


def shell(command: Any) -> dict[str, Any]:
    return {"kind": "execute", "title": "Bash", "rawInput": {"command": command}}


def shown(text: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "content", "content": {"type": "text", "text": text}}]
    return {"kind": "execute", "title": "Bash", "content": content, **more}


@pytest.mark.parametrize(
    "call",
    [
        shell("rm -rf build"), shell("rm x"), shell("cd x && rm -rf y"), shell("make; rm x"),
        shell("true | rm x"), shell("(rm x)"), shell("echo $(rm x)"), shell("sudo rm x"),
        shell("A=1 rm x"), shell("make\nrm x"), shell(["rm", "x"]), shell("if x; then rm y; fi"),
        shown('{"command": "rm -rf x"}'), shown("Requesting approval to Running: rm -rf x"),
        {"kind": "execute", "title": "rm -rf x", "content": []},
        {"title": "rm -rf x"},
        {"kind": "other", "title": "x", "rawInput": {"cmd": "rm x"}},
    ],
    ids=str,
)  # fmt: skip
def test_a_forbidden_command_is_found_wherever_it_is_told(call: dict[str, Any]) -> None:
    assert consent.forbidden(call, RM, HERE)


@pytest.mark.parametrize(
    "call",
    [
        shell("make test"), shell("git rm x"), shell("rmdir x"), shell("echo alarm -x"),
        shell("grep -r 'form ' ."),
        {"kind": "edit", "title": "Write rm -rf x", "rawInput": {"path": "rm x"}},
        {"kind": "read", "title": "Read", "rawInput": {"path": "rm -x"}},
    ],
    ids=str,
)  # fmt: skip
def test_other_calls_are_left_alone(call: dict[str, Any]) -> None:
    assert consent.forbidden(call, RM, HERE) == ""


@pytest.mark.parametrize(
    ("kind", "path", "held"),
    [
        ("edit", "/main/a.py", True), ("read", "/main/a/b.py", True), ("delete", "/main", True),
        ("edit", "../../main/a.py", True), ("edit", "/main/../main/a", True),
        ("edit", "a.py", False), ("edit", "/mainly/a.py", False), ("read", "/tree/w/main/a", False),
    ],
)  # fmt: skip
def test_a_folder_is_forbidden_however_it_is_spelled(kind: str, path: str, held: bool) -> None:
    for call in (
        {"kind": kind, "title": "t", "rawInput": {"file_path": path}},
        {"kind": kind, "title": "t", "locations": [{"path": path}]},
        {"kind": kind, "title": "t", "content": [{"type": "diff", "path": path, "newText": ""}]},
    ):
        assert bool(consent.forbidden(call, MAIN, HERE)) == held, call


def test_a_tool_can_be_forbidden_as_a_whole_and_by_its_name() -> None:
    fetch = {"kind": "fetch", "title": "Fetch", "rawInput": {"url": "http://x.y/z"}}
    assert consent.forbidden(fetch, ("WebFetch",), HERE)
    assert consent.forbidden(fetch, ("WebFetch(http://x.y/*)",), HERE)
    assert not consent.forbidden(fetch, ("WebFetch(http://other/*)", "Bash"), HERE)
    tracker = {"kind": "other", "title": "mcp__tracker__close"}
    assert consent.forbidden(tracker, ("mcp__tracker__close",), HERE)
    assert consent.forbidden(shell("npm publish --now"), ("Bash(npm publish:*)",), HERE)


def test_what_runs_beside_an_agent_reads_rules_with_the_standard_library() -> None:
    source = "import sys; import orch.agents.inside.consent; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    assert not {"msgspec", "orch.model", "asyncio"} & set(done.stdout.split())


def test_what_is_asked_for_is_one_sentence() -> None:
    assert consent.sentence("Kim", shell("make\n deploy")) == "Kim wants to run: make deploy"
    edit = {"kind": "edit", "title": "Write", "locations": [{"path": "a.py"}]}
    assert consent.sentence("Kim", edit) == "Kim wants to change a.py (Write)"
    assert consent.sentence("Kim", {}) == "Kim wants to use a tool"
    titled = {"kind": "execute", "title": "make deploy", "content": []}
    assert consent.sentence("Kim", titled) == "Kim wants to run: make deploy"


def test_the_first_fitting_answer_is_chosen() -> None:
    offered = [{"optionId": "a", "kind": "allow_always"}, {"optionId": "o", "kind": "allow_once"}]
    assert consent.choose(offered, consent.ALLOW) == "o"
    assert consent.choose(offered[:1], consent.ALLOW) == "a"
    assert consent.choose(offered, consent.REJECT) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = ("kind", "title", "rawInput", "content", "locations")


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, JSON)))
def test_whatever_an_agent_sends_has_an_answer(call: dict[str, Any]) -> None:
    consent.forbidden(call, (*RM, *MAIN, "WebFetch", "x(", ""), HERE)
    assert consent.sentence("Kim", call).isprintable()

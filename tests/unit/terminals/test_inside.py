"""The wrapper's own little JSON, its look at processes, and how quickly it is there."""

from __future__ import annotations

import ast
import builtins
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies as st

from orch.terminals.inside import record, tree
from tests.terminalrooms import PYTHON, until

INSIDE = Path(record.__file__).parent
VALUES = st.one_of(
    st.booleans(), st.integers(-(2**53), 2**53), st.text(), st.floats(allow_nan=False, width=32)
).filter(lambda value: value not in (float("inf"), float("-inf")))
DOCUMENTS = st.recursive(
    st.one_of(VALUES, st.none()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), VALUES))
def test_records_are_json(words: dict[str, Any]) -> None:
    assert json.loads(record.encode(words)) == words


@given(st.dictionaries(st.text(), DOCUMENTS))
def test_launches_are_read_as_they_were_written(document: dict[str, Any]) -> None:
    assert record.decode(json.dumps(document)) == document


def test_lone_surrogates_keep_the_bytes_they_stand_for() -> None:
    odd = b"\xff\xc3".decode("utf-8", "surrogateescape")
    assert record.decode(json.dumps({"odd": odd}))["odd"].encode("utf-8", "surrogateescape") == (
        b"\xff\xc3"
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"a": }', "{'a': 1}", '{"a": 1'])
def test_what_is_no_object_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        record.decode(text)


def test_another_python_without_the_c_half_reads_and_writes_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def without(name: str, *words: Any, **fields: Any) -> Any:
        if name in ("_json", "_ctypes"):
            raise ImportError(name)
        return real(name, *words, **fields)

    monkeypatch.setattr(builtins, "__import__", without)
    assert record.decode('{"a": [1, true, null, "ä"]}') == {"a": [1, True, None, "ä"]}
    assert json.loads(record.encode({"a": "ä\n", "b": True, "c": 1.5})) == {
        "a": "ä\n", "b": True, "c": 1.5,
    }  # fmt: skip
    assert not tree.adopt_orphans()


def test_a_scanner_that_wants_to_know_more_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(record._Plain, "strict")
    assert record.decode('{"a": 1}') == {"a": 1}


@pytest.mark.linux
def test_descendants_are_found_parents_first() -> None:
    code = (
        "import os, sys, time\n"
        "for depth in range(4):\n    if os.fork(): break\n"
        "else: print('up', flush=True)\ntime.sleep(60)"
    )
    top = subprocess.Popen([*PYTHON, "-c", code], stdout=subprocess.PIPE)
    try:
        assert top.stdout is not None
        assert top.stdout.readline() == b"up\n"
        found = tree.below({top.pid})
        parents = {pid: parent for pid, parent, _ in tree.living()}
        assert len(found) == 4
        assert [parents[pid] for pid in found] == [top.pid, *found[:-1]]
        ours = tree.below({os.getpid()})  # with whatever else works for this test process
        assert [pid for pid in ours if pid in (top.pid, *found)] == [top.pid, *found]
        assert tree.below(set(), groups=frozenset({os.getpgrp()})).count(top.pid) == 1
    finally:
        for pid in [*found, top.pid]:
            os.kill(pid, 9)
        top.wait()
        top.stdout.close() if top.stdout else None


@pytest.mark.linux
def test_h90_start_times_tell_processes_apart() -> None:
    first = subprocess.Popen(["sleep", "60"])
    time.sleep(0.03)
    second = subprocess.Popen(["sleep", "60"])
    try:
        assert 0 < tree.start_time(first.pid) < tree.start_time(second.pid)
        first.kill()
        until(lambda: tree.start_time(first.pid) == 0)  # a zombie now
    finally:
        first.kill()
        second.kill()
        first.wait()
        second.wait()
    assert tree.start_time(2**22 + 1) == 0


ALLOWED = {
    "__future__",
    "fcntl",
    "os",
    "sys",
    "time",
    "errno",
    "select",
    "_signal",
    "_ctypes",
    "_json",
}
ALLOWED |= {"_thread", "fcntl", "typing", "collections.abc", "subprocess", "json"}


def test_the_wrapper_imports_little_and_nothing_of_ours() -> None:
    """What is expensive (`typing`, `json`, `subprocess`) stands where it is not reached."""
    for path in [*INSIDE.glob("*.py"), INSIDE.with_name("wrapper.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert name in ALLOWED or name.startswith("orch.terminals.inside"), (path, name)


def test_the_wrapper_is_there_in_no_time(tmp_path: Path) -> None:
    """What it loads, by the interpreter's own account: nothing that costs more than Python itself."""
    wrapper = str(INSIDE.with_name("wrapper.py"))
    argv = [sys.executable, "-X", "importtime", "-I", "-S", wrapper, str(tmp_path)]
    said = subprocess.run(argv, check=False, capture_output=True, text=True).stderr
    loaded = {
        line.rpartition("|")[2].strip() for line in said.splitlines() if "import time:" in line
    }
    assert "orch.terminals.inside.keeper" in loaded
    heavy = {"typing", "json", "subprocess", "ctypes", "signal", "enum", "re", "collections"}
    assert loaded & (heavy | {"functools", "contextlib", "threading", "selectors", "site"}) == set()

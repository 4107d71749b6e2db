"""Words on their way to tmux, a shell, or a file: they mean themselves."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from orch.model.attempt import Launch
from orch.model.errors import UsageError
from orch.terminals import files, names, process, tmux, watch
from orch.terminals.server import literal


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=30))
def test_a_word_never_ends_a_tmux_command(word: str) -> None:
    """How tmux reads an argument (cmd_parse_from_arguments): a `;` at the end separates commands,
    `\\;` is a `;`."""
    sent = literal(word)
    if sent.endswith(";"):
        sent = sent[:-1]
        assert sent.endswith("\\")
        sent = sent[:-1] + ";"
    assert sent == word


@pytest.mark.parametrize(
    "name", ["pane", "with space", "it's", '"', "#{pid}", "##[x", "100%", "%H", "$(touch hit)", "é"]
)
def test_the_panes_log_is_where_it_belongs(tmp_path: Path, name: str) -> None:
    """What tmux would expand is not in the command at all; the shell gets the rest."""
    command = tmux._pane_log(tmp_path / name)
    assert "#" not in command
    assert "%" not in command
    subprocess.run(["/bin/sh", "-c", command], input=b"shown\n", cwd=tmp_path, check=True)
    assert (tmp_path / name).read_bytes() == b"shown\n"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_the_panes_log_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tmux, "PANE_LIMIT", 64 * 1024)
    done = subprocess.run(
        ["/bin/sh", "-c", tmux._pane_log(tmp_path / "pane")], input=b"x" * 300_000, check=False
    )
    assert done.returncode != 0
    assert 64 * 1024 <= (tmp_path / "pane").stat().st_size <= 128 * 1024


@given(st.text(max_size=50))
def test_names_are_of_a_kind_that_means_nothing_to_anybody(text: str) -> None:
    if names.is_name(text):
        assert text.isascii()
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
        assert not text.startswith("-")
        assert 1 <= len(text) <= 40


@pytest.mark.parametrize(
    "text", ["", "-a", ".a", "a/b", "a b", "a\n", "ä", "x" * 65, "$(id)", "a;"]
)
def test_ids_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        names.checked_attempt(text)


@pytest.mark.parametrize(
    "fields",
    [
        {"argv": ()}, {"argv": ("",)}, {"argv": ("a", "b\0")}, {"cwd": "/\0"}, {"env": {"A\0": ""}},
        {"env": {"A": "\0"}}, {"env": {"": "x"}}, {"env": {"A=B": "x"}},
        {"files": {"stdout": ""}}, {"files": {".hidden": ""}}, {"files": {"a/b": ""}},
    ],
)  # fmt: skip
def test_launches_that_no_program_can_be_given_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        files.check(Launch(**{"argv": ("true",), "cwd": "/", "env": {}} | fields))  # type: ignore[arg-type]


def test_h90_nobody_waits_for_somebody_else_who_has_the_pid() -> None:
    async def wait() -> None:
        me = process.this_process()
        await asyncio.wait_for(watch.gone(me.pid, me.started - 1), 2)
        await asyncio.wait_for(watch.gone(2**22 + 1, 5), 2)

    asyncio.run(wait())


def test_without_a_notice_from_the_kernel_a_slow_look_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """No descriptors left, an old kernel, another system."""
    monkeypatch.setattr(watch, "_descriptor", lambda pid: None)
    monkeypatch.setattr(watch, "_LOOK_S", 0.01)
    monkeypatch.setattr(process, "_notice", lambda pid, stack: None)
    child = subprocess.Popen(["sleep", "0.2"])
    began = process.start_time(child.pid)
    try:
        assert not process.wait({child.pid: began}, 0.02)
        asyncio.run(asyncio.wait_for(watch.gone(child.pid, began), 10))
        assert process.wait({child.pid: began}, 1.0)
    finally:
        child.wait()


def test_descriptors_run_out_and_the_end_is_told_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(pid: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", none_left, raising=False)
    child = subprocess.Popen(["sleep", "0.1"])
    began = process.start_time(child.pid)
    try:
        asyncio.run(asyncio.wait_for(watch.gone(child.pid, began), 10))
    finally:
        child.wait()

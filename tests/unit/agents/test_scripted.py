"""The scripted agent does what its script says, and nothing else, every time."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orch.agents import scripted
from orch.agents.scripted_agent import ScriptedAgent
from orch.config import AgentConfig
from orch.model.errors import UsageError
from orch.model.worktree import Worktree
from orch.ports import AgentRequest, AttemptFacts
from orch.testing.agents import asked, carry_out, hostile_environ


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A linked git worktree, as attempts have."""
    main, tree = tmp_path / "main", tmp_path / "tree"
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@t", "-c", "init.defaultBranch=main"]
    for words in (
        ["init", str(main)],
        ["-C", str(main), "commit", "--allow-empty", "-m", "first"],
        ["-C", str(main), "worktree", "add", str(tree)],
    ):
        env = environ(tmp_path)
        subprocess.run([*git, *words], check=True, capture_output=True, env=env)
    return tree


@pytest.fixture
def request_(tmp_path: Path, tree: Path) -> AgentRequest:
    directory = tmp_path / "attempt"
    directory.mkdir()
    worktree = Worktree(
        repo="r", name="w", branch="b", path=str(tree), base_branch="main", base_commit="0" * 40
    )
    return asked(worktree=worktree, directory=str(directory))


def environ(tmp_path: Path) -> dict[str, str]:
    return {**hostile_environ(), "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}


def agent(script: Any = None, **more: Any) -> ScriptedAgent:
    config = AgentConfig(kind="scripted", script=script, **more)
    return ScriptedAgent("x", config, python=sys.executable)


def played(request: AgentRequest, *script: dict[str, Any]) -> AttemptFacts:
    launch = agent(script).launch(request, environ(Path(request.directory).parent))
    return carry_out(launch, request, changed_by=Path(request.worktree.path))


def test_it_writes_appends_and_deletes(request_: AgentRequest, tree: Path) -> None:
    (tree / "old").write_text("x")
    facts = played(
        request_,
        {"write": {"path": "a/b.txt", "text": "one\r\n"}},
        {"append": {"path": "a/b.txt", "text": "ä"}},
        {"delete": "old"},
    )
    assert facts.exit.exit_code == 0, facts
    assert (tree / "a/b.txt").read_bytes() == "one\r\nä".encode()
    assert not (tree / "old").exists()


def test_it_speaks_on_both_streams_and_writes_its_result(request_: AgentRequest) -> None:
    facts = played(
        request_, {"say": "out"}, {"say_error": "err"}, {"say": {"from": "prompt"}},
        {"result": {"status": "done"}},
    )  # fmt: skip
    assert (facts.stdout, facts.stderr) == (b"out\nDo it.\n", b"err\n")
    assert facts.result_text == '{"status": "done"}'
    assert sorted(os.listdir(request_.directory)) == ["prompt", "result.json", "script.json"]


def test_a_broken_result_can_be_written(request_: AgentRequest) -> None:
    assert played(request_, {"result": '{"status": "do'}).result_text == '{"status": "do'


def test_it_commits_like_an_agent(request_: AgentRequest, tree: Path) -> None:
    facts = played(request_, {"write": {"path": "a", "text": "x"}}, {"commit": "-m; $(id)\n\nbody"})
    assert facts.exit.exit_code == 0, facts
    log = subprocess.run(
        ["git", "-C", str(tree), "log", "-1", "--format=%an|%s"], capture_output=True, check=True
    )
    assert log.stdout == b"Scripted Agent|-m; $(id)\n"


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"fail": 7}, 7),
        ({"fail": {"exit_code": 9}}, 9),
        ({"fail": {}}, 1),
        ({"run": [sys.executable, "-c", "raise SystemExit(5)"]}, 5),
        ({"run": ["no-such-program"]}, 127),
        ({"wait": {"file": "never", "seconds": 0.05}}, 2),
        ({"delete": "missing"}, 2),
        ({"ask": "Really?"}, 1),
    ],
)
def test_a_failing_action_ends_it_with_its_exit_code(
    request_: AgentRequest, tree: Path, action: dict[str, Any], code: int
) -> None:
    facts = played(request_, action, {"write": {"path": "later", "text": ""}})
    assert facts.exit.exit_code == code, facts
    assert not (tree / "later").exists()


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_it_dies_by_a_signal(request_: AgentRequest, name: str) -> None:
    facts = played(request_, {"say": "last words"}, {"fail": {"signal": name}})
    assert facts.exit.signal == signal.Signals[f"SIG{name}"]
    assert facts.stdout == b"last words\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_it_floods_exactly_as_much_as_told(request_: AgentRequest, stream: str) -> None:
    facts = played(request_, {"flood": {"bytes": 1_000_003, "stream": stream}})
    assert len(getattr(facts, stream)) == 1_000_003


def test_it_prints_binary(request_: AgentRequest) -> None:
    facts = played(request_, {"flood": {"bytes": 300, "binary": True}})
    assert facts.stdout == bytes(range(256)) + bytes(range(44))


@pytest.mark.parametrize("path", ["../out", "/tmp/out", "link/out", "a/../../out"])
def test_paths_stay_in_the_worktree(request_: AgentRequest, tree: Path, path: str) -> None:
    (tree / "link").symlink_to("..")
    facts = played(request_, {"write": {"path": path, "text": "x"}})
    assert facts.exit.exit_code == 2
    assert b"not in the worktree" in facts.stderr
    assert not (tree.parent / "out").exists()


def test_paths_leave_the_worktree_when_told_so(request_: AgentRequest, tree: Path) -> None:
    played(request_, {"write": {"path": "../out", "text": "x"}, "outside": True})
    assert (tree.parent / "out").read_text() == "x"


def test_it_waits_for_a_file(request_: AgentRequest, tree: Path) -> None:
    timer = threading.Timer(0.1, (tree / "go").touch)
    timer.start()
    facts = played(request_, {"wait": {"file": "go", "seconds": 30}}, {"say": "went"})
    timer.join()
    assert facts.stdout == b"went\n"


def test_an_action_may_be_meant_for_one_run_only(request_: AgentRequest, tree: Path) -> None:
    script = (
        {"write": {"path": "first", "text": ""}, "attempt": 1},
        {"write": {"path": "second", "text": ""}, "attempt": 2},
        {"append": {"path": "every", "text": "x"}},
        {"fail": 4, "attempt": 1},
    )
    assert played(request_, *script).exit.exit_code == 4
    assert not (tree / "second").exists()
    assert played(request_, *script).exit.exit_code == 0
    assert (tree / "second").exists()
    assert (tree / "every").read_text() == "xx"
    status = subprocess.run(
        ["git", "-C", str(tree), "status", "--porcelain"], capture_output=True, check=True
    )
    assert b"orch-scripted" not in status.stdout


def test_runs_at_the_same_time_get_different_numbers(tree: Path) -> None:
    numbers: list[int] = []
    count = lambda: numbers.append(scripted.count_run(str(tree), [{"say": "x"}]))  # noqa: E731
    threads = [threading.Thread(target=count) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 17))


def test_a_daemon_outlives_it_and_says_who_it_is(request_: AgentRequest, tree: Path) -> None:
    facts = played(request_, {"daemon": {"seconds": 60, "pid_file": "pid"}}, {"say": "bye"})
    pid = int((tree / "pid").read_text())
    try:
        assert facts.stdout == b"bye\n"
        assert os.getsid(pid) not in (0, os.getsid(0))
    finally:
        os.kill(pid, signal.SIGKILL)


def test_it_hangs_until_it_is_ended_even_deaf_to_term(request_: AgentRequest) -> None:
    script = ({"say": "on"}, {"hang": {"ignore": ["TERM"]}})
    launch = agent(script).launch(request_, environ(Path(request_.directory).parent))
    (Path(request_.directory) / "script.json").write_text(launch.files["script.json"])
    process = subprocess.Popen(
        launch.argv, cwd=launch.cwd, env=launch.env, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        process.send_signal(signal.SIGCHLD)
        time.sleep(0.1)  # let it reach the action; a TERM before it would end it
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
    finally:
        process.kill()
        process.communicate()


def test_it_asks_on_its_terminal_and_keeps_the_answer(request_: AgentRequest, tree: Path) -> None:
    script = ({"ask": {"question": "Which?", "save": "answer"}},)
    launch = agent(script, io="tty").launch(request_, environ(Path(request_.directory).parent))
    (Path(request_.directory) / "script.json").write_text(launch.files["script.json"])
    master, slave = pty.openpty()
    process = subprocess.Popen(
        launch.argv, cwd=launch.cwd, env=launch.env, stdin=slave, stdout=subprocess.PIPE
    )
    os.close(slave)
    assert process.stdout is not None
    assert process.stdout.readline() == b"Which?\n"
    os.write(master, b"the second\n")
    assert process.communicate(timeout=60)[0] == b"answer: the second\n"
    os.close(master)
    assert (tree / "answer").read_text() == "the second\n"


def test_a_file_of_actions_is_read_at_each_start(request_: AgentRequest, tmp_path: Path) -> None:
    file = tmp_path / "script.json"
    for text in ("one", "two"):
        file.write_text(json.dumps([{"say": text}]))
        launch = agent(str(file)).launch(request_, environ(tmp_path))
        facts = carry_out(launch, request_, changed_by=Path(request_.worktree.path))
        assert facts.stdout == f"{text}\n".encode()


def test_h19_without_a_script_the_last_block_of_the_prompt_is_played(
    request_: AgentRequest,
) -> None:
    prompt = (
        'Do\n```orch-script\n[{"say": "echo"}]\n```\nor\n```orch-script\n[{"say": "last"}]\n```\n'
    )
    other = replace(request_, prompt=prompt)
    launch = agent().launch(other, environ(Path(request_.directory).parent))
    assert carry_out(launch, other, changed_by=Path(request_.worktree.path)).stdout == b"last\n"


def test_a_configured_script_is_never_replaced_by_the_prompt(request_: AgentRequest) -> None:
    other = replace(request_, prompt='```orch-script\n[{"say": "stranger"}]\n```')
    launch = agent(({"say": "mine"},)).launch(other, {})
    assert "stranger" not in launch.files["script.json"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ([{"say": "a"}, {"dance": 1}], "action 2 needs one verb"),
        ([{"say": "a", "fail": 1}], "has say, fail"),
        ([{"outside": True}], "has nothing"),
        ([{"say": "a", "attempt": 0}], "a whole number from 1"),
        ([{"say": "a", "outside": "yes"}], "true or false"),
        ({"say": "a"}, "a list of actions"),
        (["say"], "not an object"),
    ],
)
def test_a_wrong_script_is_refused_before_anything_is_done(
    request_: AgentRequest, tmp_path: Path, script: Any, words: str
) -> None:
    file = tmp_path / "script.json"
    file.write_text(json.dumps(script))
    with pytest.raises(UsageError, match=words) as caught:
        agent(str(file)).launch(request_, {})
    assert caught.value.code == "script_invalid"
    assert words in agent(str(file)).probe(hostile_environ())


def test_a_missing_script_is_an_error_that_says_what_to_do(request_: AgentRequest) -> None:
    with pytest.raises(UsageError) as caught:
        agent().launch(request_, {})
    assert caught.value.code == "script_missing"
    assert "orch-script" in caught.value.hint
    with pytest.raises(UsageError, match="No such file"):
        agent("/no/such/script.json").launch(request_, {})


def test_nothing_in_the_worktree_or_the_environment_changes_what_runs(
    request_: AgentRequest, tree: Path
) -> None:
    for name in ("json.py", "os.py", "sitecustomize.py", "scripted.py"):
        (tree / name).write_text("raise SystemExit(99)")
    launch = agent(({"say": "mine"},)).launch(request_, environ(tree.parent))
    env = {**launch.env, "PYTHONPATH": str(tree), "PYTHONSTARTUP": str(tree / "os.py")}
    from_outside = type(launch)(
        argv=launch.argv, cwd=launch.cwd, env=env, stdin="", files=launch.files
    )
    assert carry_out(from_outside, request_, changed_by=tree).stdout == b"mine\n"

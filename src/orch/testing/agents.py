"""What every agent adapter keeps, whatever program it drives: `orch.ports.Agent`.

A third party proves an adapter with three lines:

    class TestMine(AgentContract):
        @pytest.fixture
        def agent(self) -> Agent: return MyAgent(...)

`environment_words` names further variables that the adapter sets by itself. Where the program can
be had, `works` and `fails` give agents that change the worktree, and that end with exit code 3; the
contract then runs what they launch, with exactly the environment they give.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from msgspec.structs import replace

from orch.agents.environment import ALLOWED, ALLOWED_FAMILY
from orch.config.tokens import belongs_to_service
from orch.model.attempt import (
    AgentRequest,
    AgentResult,
    AttemptFacts,
    ExitRecord,
    Launch,
    ReplyMode,
    Verdict,
)
from orch.model.worktree import Worktree
from orch.ports import Agent

CANARY = "c4n4ry"
TOKENS = (
    "GITHUB_TOKEN", "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GITLAB_TOKEN", "CI_JOB_TOKEN", "JIRA_TOKEN",
    "JIRA_API_TOKEN", "LINEAR_API_KEY", "TELEGRAM_BOT_TOKEN", "DISCORD_TOKEN", "SLACK_BOT_TOKEN",
    "SSH_AUTH_SOCK", "TMUX", "ORCH_HOME", "ORCH_SECRET", "CLAUDECODE", "PYTHONPATH", "LD_PRELOAD",
    "AWS_SECRET_ACCESS_KEY", "DATABASE_URL",
)  # fmt: skip
WORDS = {"ORCH_PROMPT_FILE", "ORCH_RESULT_FILE", "ORCH_RUN", "ORCH_TASK", "ORCH_ATTEMPT"}


def ended(code: int, **more: Any) -> ExitRecord:
    return ExitRecord(attempt="ba9876543210", exit_code=code, **more)


def asked(**fields: Any) -> AgentRequest:
    """What the engine would ask for, but for what `fields` say."""
    usual = {"prompt": "Do it.", "run": "0123456789ab", "task": "42", "attempt": "ba9876543210"}
    return AgentRequest(**{**usual, **fields})


def seen(**facts: Any) -> AttemptFacts:
    """Of an attempt that ended well and changed nothing, but for what `facts` say."""
    return AttemptFacts(**{"exit": ended(0), **facts})


def hostile_environ() -> dict[str, str]:
    """What a service may have: everything, all of it marked."""
    marked = dict.fromkeys(TOKENS, CANARY)
    kept = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }
    return {**marked, **kept, "TERM": "xterm", "TZ": "UTC", "USER": "u", "SHELL": "/bin/sh"}


def carry_out(launch: Launch, request: AgentRequest, *, changed_by: Path) -> AttemptFacts:
    """What a terminal does, without one: files, prompt, program, exit record."""
    directory = Path(request.directory)
    (directory / "prompt").write_text(launch.stdin, encoding="utf-8", newline="")
    for name, text in launch.files.items():
        (directory / name).write_text(text, encoding="utf-8", newline="")
    before = _tree(changed_by)
    with (directory / "prompt").open("rb") as prompt:
        done = subprocess.run(
            launch.argv, cwd=launch.cwd, env=launch.env, stdin=prompt, capture_output=True,
            timeout=60, check=False, start_new_session=True,
        )  # fmt: skip
    number = -done.returncode if done.returncode < 0 else 0
    result = directory / "result.json"
    return seen(
        exit=ended(128 + number if number else done.returncode, signal=number),
        stdout=done.stdout,
        stderr=done.stderr,
        result_text=result.read_text("utf-8") if result.exists() else None,
        changed=_tree(changed_by) != before,
    )


def _tree(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {str(path): path.read_bytes() for path in files}


GOOD = '{"status": "done", "summary": "all well"}'
TRUTH: list[tuple[str, ReplyMode, AttemptFacts, str]] = [
    # name, mode, facts, expected code (empty: success)
    ("changed", "diff", seen(changed=True), ""),
    ("h75 unchanged", "diff", seen(stdout=b"Done!"), "no_change"),
    ("h75 unchanged, result says done", "diff", seen(result_text=GOOD), "no_change"),
    ("printed", "text", seen(stdout=b"42\n"), ""),
    ("h2 printed nothing", "text", seen(changed=True), "empty"),
    ("h2 printed blanks", "text", seen(stdout=b" \n\t\r\n", changed=True), "empty"),
    ("reported", "result", seen(result_text=GOOD), ""),
    ("h111 no file", "result", seen(stdout=GOOD.encode(), changed=True), "empty"),
    ("h111 empty file", "result", seen(result_text=" \n"), "empty"),
    ("h2 empty record", "result", seen(result_text="{}"), "empty"),
    ("h1 no JSON", "result", seen(result_text="All done, boss"), "unparseable"),
    ("h1 cut off", "result", seen(result_text=GOOD[:-4]), "unparseable"),
    ("a list", "result", seen(result_text="[1]"), "unparseable"),
    ("unknown word", "result", seen(result_text='{"status": "flabbergasted"}'), ""),
]
EXITS: list[tuple[ExitRecord, str]] = [
    (ended(1), "exit_nonzero"),
    (ended(255), "exit_nonzero"),
    (ended(137, signal=9), "killed"),
    (ended(143, signal=15), "killed"),
    (ended(143, signal=15, timed_out=True), "timeout"),
    (ended(0, timed_out=True), "timeout"),
    (ended(124), "timeout"),
    (ended(127, error="no such program: agent"), "missing_tool"),
    (ended(126, error="agent: permission denied"), "permission_denied"),
    (ended(0, lost=True), "lost"),
    (ended(0, stopped=True), "stopped"),
]
LOWER = [
    ('{"status": "failed", "error": "cannot reach it"}', "cannot reach it"),
    ('{"status": "blocked", "blockers": ["no access"]}', "no access"),
    ('{"status": "needs_review", "reason": "two ways"}', "two ways"),
]
# The suite is inherited, and its agents are stateless.
SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
MODES: list[ReplyMode] = ["diff", "text", "result"]


class AgentContract:
    """Subclass it and give the fixture `agent`."""

    environment_words: frozenset[str] = frozenset()

    @pytest.fixture
    def agent(self) -> Agent:
        raise NotImplementedError("the adapter under test")

    @pytest.fixture
    def works(self) -> Agent:
        pytest.skip("the program is not to be had here")

    @pytest.fixture
    def fails(self) -> Agent:
        pytest.skip("the program is not to be had here")

    @pytest.fixture
    def request_(self, tmp_path: Path) -> AgentRequest:
        tree, directory = tmp_path / "work tree", tmp_path / "attempt"
        tree.mkdir()
        directory.mkdir()
        return asked(
            worktree=Worktree(
                repo="thing", name="w", branch="orch/w", path=str(tree), base_branch="main",
                base_commit="0" * 40,
            ),
            directory=str(directory),
        )  # fmt: skip

    # --- launch ---------------------------------------------------------------------------

    def test_a_launch_is_an_argv_in_the_worktree(
        self, agent: Agent, request_: AgentRequest
    ) -> None:
        launch = agent.launch(request_, hostile_environ())
        assert launch.argv
        assert msgspec.convert(list(launch.argv), list[str])
        assert not [word for word in launch.argv if "\0" in word]
        assert launch.cwd == request_.worktree.path
        assert (launch.io, launch.timeout_s) == (agent.io, agent.timeout_s)
        assert launch.timeout_s >= 0

    def test_h95_nothing_of_the_service_reaches_the_program(
        self, agent: Agent, request_: AgentRequest
    ) -> None:
        launch = agent.launch(request_, hostile_environ())
        known = WORDS | set(ALLOWED) | self.environment_words
        extra = {name for name in launch.env if name not in known}
        assert {name for name in extra if not name.startswith(ALLOWED_FAMILY)} == set()
        assert CANARY not in str(msgspec.to_builtins(launch))
        assert not [name for name in set(launch.env) - WORDS if belongs_to_service(name)]

    def test_the_program_is_told_about_its_attempt(
        self, agent: Agent, request_: AgentRequest
    ) -> None:
        env = agent.launch(request_, hostile_environ()).env
        assert env["ORCH_PROMPT_FILE"] == f"{request_.directory}/prompt"
        assert env["ORCH_RESULT_FILE"] == f"{request_.directory}/result.json"
        assert (env["ORCH_RUN"], env["ORCH_TASK"]) == (request_.run, request_.task)
        assert env["ORCH_ATTEMPT"] == request_.attempt

    def test_h98_a_service_managers_environment_is_enough(
        self, agent: Agent, request_: AgentRequest
    ) -> None:
        assert "/bin" in agent.launch(request_, {}).env["PATH"]

    def test_h16_the_prompt_never_travels_on_the_command_line(
        self, agent: Agent, request_: AgentRequest
    ) -> None:
        marker = "m4rker $(id) `id` ; {prompt_file} %s\n"
        launch = agent.launch(replace(request_, prompt=marker * 40_000), hostile_environ())
        assert "m4rker" not in "".join(launch.argv) + "".join(launch.env.values())
        assert launch.stdin == marker * 40_000

    def test_a_launch_travels_as_json_and_is_the_same_every_time(
        self, agent: Agent, request_: AgentRequest
    ) -> None:
        strange = replace(request_, prompt="\ud800 ä 漢 \0 \x1b]0;x\x07")
        environ = {**hostile_environ(), "HOME": "/\udcff"}
        first, second = agent.launch(strange, environ), agent.launch(strange, environ)
        assert first == second
        raw = msgspec.json.encode(first)
        assert msgspec.json.decode(raw, type=Launch) == first

    def test_a_launch_leaves_the_worktree_alone(self, agent: Agent, request_: AgentRequest) -> None:
        agent.launch(request_, hostile_environ())
        assert list(Path(request_.worktree.path).iterdir()) == []
        assert list(Path(request_.directory).iterdir()) == []

    # --- judge ----------------------------------------------------------------------------

    @pytest.mark.parametrize(("mode", "facts", "code"), [row[1:] for row in TRUTH],
                             ids=[row[0] for row in TRUTH])  # fmt: skip
    def test_the_truth_table(
        self, agent: Agent, mode: ReplyMode, facts: AttemptFacts, code: str
    ) -> None:
        verdict = agent.judge(mode, facts)
        assert (verdict.ok, verdict.code) == (not code, code)
        self.check_shape(verdict)

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(("record", "code"), EXITS)
    def test_h4_a_bad_exit_is_failure_whatever_was_achieved(
        self, agent: Agent, mode: ReplyMode, record: ExitRecord, code: str
    ) -> None:
        facts = seen(exit=record, stdout=b"All done.", result_text=GOOD, changed=True)
        verdict = agent.judge(mode, facts)
        assert (verdict.ok, verdict.code) == (False, code)
        self.check_shape(verdict)

    @pytest.mark.parametrize("mode", MODES)
    @pytest.mark.parametrize(("text", "words"), LOWER)
    def test_a_result_file_lowers_the_verdict_in_its_own_words(
        self, agent: Agent, mode: ReplyMode, text: str, words: str
    ) -> None:
        verdict = agent.judge(mode, seen(stdout=b"Done!", result_text=text, changed=True))
        assert not verdict.ok
        assert words in verdict.message
        assert isinstance(verdict.result, AgentResult)
        self.check_shape(verdict)

    def test_h75_no_change_is_final(self, agent: Agent) -> None:
        assert agent.judge("diff", seen()).retry is False

    def test_h111_absent_and_invalid_results_are_told_apart(self, agent: Agent) -> None:
        absent = agent.judge("result", seen())
        invalid = agent.judge("result", seen(result_text="{"))
        assert (absent.code, invalid.code) == ("empty", "unparseable")
        assert absent.message != invalid.message

    def test_h7_words_of_the_work_decide_nothing(self, agent: Agent) -> None:
        work = (
            b"| rate_limit | 429 | quota |\nHTTP 403, capacity, 0 failed, not approved, blocked\n"
        )
        facts = seen(stdout=work, stderr=work, changed=True)
        assert agent.judge("diff", facts).ok
        assert agent.judge("text", facts).ok
        failed = replace(facts, exit=ended(1))
        assert agent.judge("diff", failed).code == "exit_nonzero"

    def test_h17_long_and_strange_output_gives_a_short_clean_sentence(self, agent: Agent) -> None:
        stderr = (
            b"\xe6\xbc\xa2" * 40_000 + b"\n\x1b[31merror: \xf0\x9f\x92\xa5 broke\x1b[0m\x07\xff"
        )
        verdict = agent.judge("diff", seen(exit=ended(1), stderr=stderr))
        assert "error: 💥 broke" in verdict.message
        self.check_shape(verdict)

    @settings(max_examples=100, suppress_health_check=SHARED)
    @given(
        mode=st.sampled_from(MODES),
        code=st.integers(0, 255),
        stdout=st.binary(max_size=300),
        stderr=st.binary(max_size=300),
        result=st.none() | st.text(max_size=100) | st.sampled_from([GOOD, *(t for t, _ in LOWER)]),
        changed=st.booleans(),
    )
    def test_any_output_gets_a_verdict_that_can_be_journaled(
        self, agent: Agent, mode: ReplyMode, code: int, stdout: bytes, stderr: bytes,
        result: str | None, changed: bool,
    ) -> None:  # fmt: skip
        facts = seen(
            exit=ended(code), stdout=stdout, stderr=stderr, result_text=result, changed=changed
        )
        verdict = agent.judge(mode, facts)
        self.check_shape(verdict)
        assert not (verdict.ok and code)
        assert not (verdict.ok and mode == "diff" and not changed)
        assert agent.judge(mode, facts) == verdict

    # --- for real -------------------------------------------------------------------------

    def test_a_program_that_changes_the_worktree_succeeds(
        self, works: Agent, request_: AgentRequest
    ) -> None:
        tree = Path(request_.worktree.path)
        facts = carry_out(works.launch(request_, hostile_environ()), request_, changed_by=tree)
        verdict = works.judge("diff", facts)
        assert verdict.ok, (verdict, facts)
        assert CANARY.encode() not in facts.stdout + facts.stderr

    def test_a_program_that_fails_is_a_failure(self, fails: Agent, request_: AgentRequest) -> None:
        tree = Path(request_.worktree.path)
        facts = carry_out(fails.launch(request_, hostile_environ()), request_, changed_by=tree)
        verdict = fails.judge("diff", replace(facts, changed=True))
        assert (verdict.ok, verdict.code) == (False, "exit_nonzero")
        assert "3" in verdict.message

    def test_a_probe_says_nothing_of_a_usable_agent(self, works: Agent) -> None:
        assert works.probe(hostile_environ()) == ""

    def check_shape(self, verdict: Verdict) -> None:
        """What holds for every verdict."""
        msgspec.json.encode(verdict)
        if verdict.ok:
            assert verdict.code == ""
            return
        assert verdict.code
        assert verdict.message
        assert len(verdict.message) < 600
        assert all(character.isprintable() for character in verdict.message)


def killed(number: signal.Signals) -> ExitRecord:
    """The record of a program that a signal ended."""
    return ended(128 + number, signal=int(number))

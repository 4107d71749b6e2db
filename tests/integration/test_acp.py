"""The client of the Agent Client Protocol against a scripted agent that speaks it, in real terminals:
what a person, a rule or a signal does, and what the records say of it."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orch.agents import acp, structured
from orch.agents.acp import AcpAgent, Options
from orch.agents.inside import asking
from orch.config import AgentConfig
from orch.model.attempt import AttemptFacts, ExitRecord, Verdict
from orch.model.report import Report
from orch.model.worktree import Worktree
from orch.testing.agents import asked, hostile_environ
from tests.terminalrooms import Room, room, until

pytestmark = pytest.mark.linux
AGENT = Path(__file__).parents[1] / "acp_agent.py"


class Play:
    """One attempt of the scripted agent in a terminal."""

    def __init__(self, place: Room) -> None:
        self.room = place
        self.folder = place.home / "tree"
        self.folder.mkdir()
        self.log = place.home / "log"
        self.directory = Path(place.directory("a1"))

    def begin(
        self, *actions: dict[str, Any], flags: tuple[str, ...] = (), prompt: str = "",
        session: str = "", model: str = "", options: Options | None = None, **config: Any,
    ) -> None:  # fmt: skip
        command = (sys.executable, "-I", str(AGENT), str(self.log), *flags)
        agent = AcpAgent("mine", AgentConfig(kind="acp", command=command, **config), options)
        request = asked(
            prompt=prompt or f"Go on. ACT<<{json.dumps(actions)}>>", session=session, model=model,
            directory=str(self.directory),
            worktree=Worktree(repo="r", name="w", branch="b", path=str(self.folder),
                              base_branch="main", base_commit="0" * 40),
        )  # fmt: skip
        launch = agent.launch(request, hostile_environ())
        launch = replace(launch, env=launch.env | self.room.environ())
        self.room.start("a1", *launch.argv, env=launch.env, cwd=launch.cwd, stdin=launch.stdin,
                        io=launch.io, files=launch.files)  # fmt: skip

    def end(self) -> ExitRecord:
        return self.room.record("a1")

    def asked(self, what: str) -> list[dict[str, Any]]:
        """What the agent was asked, as it saw it."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [one for one in map(json.loads, lines) if one["what"] == what]

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self._file("stdout").splitlines()]
        return [one for one in found if kind in ("", one["type"])]

    def report(self) -> Report:
        return acp.read(self._file("stdout"), self._file("stderr"))

    def verdict(self) -> Verdict:
        facts = AttemptFacts(
            exit=self.end(), stdout=self._file("stdout"), stderr=self._file("stderr"), changed=True
        )
        return structured.judge(acp.read, "diff", facts, agent="mine")

    def pane(self) -> str:
        return self._file("pane").decode()

    def send(self, text: str, key: str = "k") -> None:
        told = self.room.terminals.send("orch-a1", str(self.directory), text, key=key)
        assert told.delivered, told

    def question(self) -> dict[str, Any]:
        def one() -> Any:
            known = sorted(self.directory.glob("ask-????????.json"))
            return [json.loads(path.read_text()) for path in known]

        until(one)
        [found] = one()
        assert isinstance(found, dict)
        return found

    def answer(self, question: dict[str, Any], **answer: Any) -> None:
        asking.settle(str(self.directory), question["id"], answer)

    def waits(self, what: str, count: int = 1) -> None:
        until(lambda: len(self.asked(what)) >= count)

    def _file(self, name: str) -> bytes:
        path = self.directory / name
        return path.read_bytes() if path.exists() else b""


@pytest.fixture
def play() -> Iterator[Play]:
    with room() as place:
        yield Play(place)


def test_a_turn_is_told_in_records_and_on_the_pane(play: Play) -> None:
    play.begin({"say": "I look around."}, {"tool": "Shell", "command": "make test"},
               {"write": "work.txt"}, {"say": "All \x1b[31mis done."})  # fmt: skip
    assert play.end().exit_code == 0
    assert (play.folder / "work.txt").exists()
    found = play.report()
    assert (found.text, found.session) == ("All \x1b[31mis done.", "s-1")
    assert (found.tokens_in, found.tokens_out, found.closed) == (20, 10, True)
    kinds = [one["type"] for one in play.records()]
    assert kinds == ["session", "prompt", "update", "update", "update", "turn", "end"]
    acted = [act for one in play.records() for act in acp.acts(one)]
    assert [(act.kind, act.text) for act in acted] == [
        ("message", "I look around."), ("tool", "make test"), ("message", "All is done."),
    ]  # fmt: skip
    assert "* Shell make test [pending]" in play.pane()
    assert "\x1b[31m" not in play.pane()
    assert play.verdict().ok


def test_nothing_of_ours_is_offered_and_it_works_in_the_worktree(play: Play) -> None:
    play.begin({"say": "x"})
    play.end()
    [told] = play.asked("initialize")
    assert told["capabilities"]["fs"] == {"readTextFile": False, "writeTextFile": False}
    assert told["capabilities"]["terminal"] is False
    assert [one["cwd"] for one in play.asked("new")] == [str(play.folder)]


def test_modules_of_a_worktree_are_not_imported(play: Play) -> None:
    for name in ("acp", "orch", "pydantic", "asyncio"):
        (play.folder / f"{name}.py").write_text("raise SystemExit('a trap')")
    play.begin({"say": "well"})
    assert play.end().exit_code == 0


# --- permission ----------------------------------------------------------------------


def test_an_autonomous_agent_may_once_what_no_rule_forbids(play: Play) -> None:
    play.begin(
        {"ask": "Shell", "command": "make"}, {"ask": "Shell", "command": "cd x && rm -rf y"},
        {"ask": "Shell", "command": "npm publish --now"}, deny=("Bash(npm publish*)",),
    )  # fmt: skip
    assert play.end().exit_code == 0
    assert [one["got"] for one in play.asked("permission")] == ["yes", "no", "no"]
    reasons = [one["reason"] for one in play.report().denials]
    assert reasons == ["forbidden by Bash(rm *)", "forbidden by Bash(npm publish*)"]


@pytest.mark.parametrize(
    ("answer", "got"),
    [
        ({"decision": "approve", "by": "pat"}, "yes"),
        ({"decision": "deny", "by": "pat"}, "no"),
        ({"decision": "answer", "text": "other", "by": "pat"}, "other"),
        ({"decision": "answer", "text": "Always allow", "by": "pat"}, "ever"),
    ],
)
def test_a_supervised_agent_waits_for_a_persons_answer(
    play: Play, answer: dict[str, Any], got: str
) -> None:
    play.begin({"ask": "Shell", "command": "make deploy"}, permissions="supervised")
    question = play.question()
    assert question["text"] == "Scripted wants to run: make deploy"
    assert (question["kind"], question["input"]) == ("permission", {"command": "make deploy"})
    assert question["options"][0] == {"id": "yes", "label": "Allow", "kind": "allow_once"}
    assert not play.asked("permission"), "nobody answers in a person's place"
    play.answer(question, **answer)
    assert play.end().exit_code == 0
    assert [one["got"] for one in play.asked("permission")] == [got]
    [noted] = play.records("permission")
    assert (noted["by"], noted["option"]) == ("pat", got)


def test_a_rule_outranks_the_person(play: Play) -> None:
    play.begin({"ask": "Shell", "command": "rm x"}, permissions="supervised")
    assert play.end().exit_code == 0
    assert [one["got"] for one in play.asked("permission")] == ["no"]
    assert list(play.directory.glob("ask-*")) == []


def test_words_with_a_refusal_reach_the_agent(play: Play) -> None:
    play.begin({"ask": "Shell", "command": "make deploy"}, {"wait": True}, permissions="supervised")
    play.answer(play.question(), decision="deny", text="Use the staging account.", by="pat")
    assert play.end().exit_code == 0
    assert [one["texts"] for one in play.asked("prompt")][1:] == [["Use the staging account."]]


# --- messages ------------------------------------------------------------------------


def test_a_message_ends_the_turn_and_is_the_next_prompt(play: Play) -> None:
    play.begin({"say": "working"}, {"wait": True})
    play.waits("waiting")
    play.send("use postgres;\nnot “mysql”")
    assert play.end().exit_code == 0
    assert len(play.asked("cancel")) == 1
    assert play.asked("prompt")[1]["texts"] == ["use postgres;\nnot “mysql”"]
    assert play.report().text == "heard: use postgres;\nnot “mysql”"
    noted = [one.get("text") for one in play.records("prompt")]
    assert noted == [None, "use postgres;\nnot “mysql”"]
    assert [one["stop_reason"] for one in play.records("turn")] == ["cancelled", "end_turn"]


def test_a_message_waits_for_an_agent_that_hears_no_cancel(play: Play) -> None:
    play.begin({"wait": True}, {"say": "finished first"}, flags=("deaf",))
    play.waits("waiting")
    play.send("and the docs")
    assert play.end().exit_code == 0
    assert [one["stop_reason"] for one in play.records("turn")] == ["end_turn", "end_turn"]
    assert play.asked("prompt")[1]["texts"] == ["and the docs"]


def test_a_message_withdraws_the_question_that_waits(play: Play) -> None:
    play.begin({"ask": "Shell", "command": "make"}, permissions="supervised")
    question = play.question()
    play.send("leave that")
    assert play.end().exit_code == 0
    assert [one["got"] for one in play.asked("permission")] == ["cancelled"]
    settled = asking.answered(str(play.directory), question["id"])
    assert settled is not None
    assert (settled["decision"], settled["by"]) == ("deny", "orch")


def test_many_messages_arrive_each_once_and_in_order(play: Play) -> None:
    play.begin({"wait": True})
    play.waits("waiting")
    for number in range(3):
        play.send(f'ACT<<[{{"wait": true}}]>> {number}', key=f"k{number}")
        play.waits("waiting", number + 2)
    play.send("enough", key="last")
    assert play.end().exit_code == 0
    heard = [one["texts"][0][-1] for one in play.asked("prompt")[1:4]]
    assert heard == ["0", "1", "2"]


# --- ends ----------------------------------------------------------------------------


def test_whoever_ends_it_ends_the_turn_first(play: Play) -> None:
    play.begin({"wait": True})
    play.waits("waiting")
    play.room.terminals.stop("orch-a1", str(play.directory), grace_s=5.0)
    ended = play.end()
    assert (ended.stopped, play.verdict().code) == (True, "stopped")


def test_a_signal_to_it_alone_cancels_and_ends(play: Play) -> None:
    """As Ctrl-C of somebody who has attached does."""
    play.begin({"wait": True})
    play.waits("waiting")
    [pid] = [int(name) for name in os.listdir("/proc") if name.isdigit() and _is_client(name, play)]
    os.kill(pid, signal.SIGINT)
    assert play.end().exit_code == 130
    assert len(play.asked("cancel")) == 1
    assert play.records("stopped")[0]["session_id"] == "s-1"


def _is_client(pid: str, play: Play) -> bool:
    try:
        words = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return acp.CLIENT.encode() in words and str(play.directory).encode() in words


def test_an_agent_that_stays_is_told_to_end_and_may_put_things_away(play: Play) -> None:
    play.begin({"say": "done"}, flags=("slow",))
    assert play.end().exit_code == 0
    assert play.asked("put away")


def test_a_crash_in_a_turn_is_a_failure_with_its_own_words(play: Play) -> None:
    play.begin({"say": "I will"}, {"complain": "Error: rate limit exceeded (429)\n"}, {"die": 7})
    assert play.end().exit_code == 1
    verdict = play.verdict()
    assert (verdict.ok, verdict.code) == (False, "rate_limit")
    [error] = play.records("error")
    assert error["message"] == "the agent's program ended with exit code 7 during session/prompt"


def test_rubbish_on_its_output_is_passed_over(play: Play) -> None:
    rubbish = 'Debugger attached\n[1, 2]\n42\n"x"\n{broken\n' + "[" * 5000 + "\n" + "{}\n\n\x00\n"
    bad = {"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s-1", "update": {
        "sessionUpdate": "brand_new_kind", "x": 1}}}  # fmt: skip
    odd = [
        '{"jsonrpc":"2.0","id":[1],"result":{}}',
        '{"id":0,"method":5}',
        json.dumps(bad),
        '{"jsonrpc":"2.0","id":99,"error":"text"}',
        '{"jsonrpc":"2.0","method":"session/update"}',
    ]
    play.begin({"say": "before"}, {"raw": rubbish + "\n".join(odd) + "\n"}, {"say": " and after"})
    assert play.end().exit_code == 0
    assert play.report().text.endswith("and after")
    assert "Debugger attached" in [one["text"].strip() for one in play.records("odd")]
    assert "Traceback" not in play.pane()


def test_an_error_that_is_only_a_text_is_told_as_one(play: Play) -> None:
    play.begin({"raw": '{"jsonrpc":"2.0","id":2,"error":"503 overloaded"}\n'}, {"wait": True})
    assert play.end().exit_code == 1
    verdict = play.verdict()
    assert (verdict.code, "503 overloaded" in verdict.message) == ("server_error", True)


def test_without_a_sign_in_it_says_so(play: Play) -> None:
    play.begin({"say": "x"}, flags=("auth",))
    assert play.end().exit_code == 1
    assert play.verdict().code == "auth"


def test_it_signs_in_the_way_that_is_configured(play: Play) -> None:
    play.begin({"say": "x"}, flags=("auth",), options=Options(auth="key"))
    assert play.end().exit_code == 0
    assert [one["method"] for one in play.asked("authenticate")] == ["key"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ([-32603, "Internal error", {"details": "429 Too Many Requests"}], "rate_limit"),
        ([-32000, "Authentication required: 401 Incorrect API key provided", None], "auth"),
        ([-32603, "Internal error", "Your credit balance is too low"], "billing"),
        ([-32603, "prompt is too long: 210000 tokens > 200000 maximum", None], "context_overflow"),
        ([-32603, "Internal error", None], "reported_failure"),
    ],
)
def test_an_error_of_the_protocol_ends_in_its_class(
    play: Play, error: list[Any], code: str
) -> None:
    play.begin({"say": "429 401 rate limit"}, {"raise": error})
    assert play.end().exit_code == 1
    verdict = play.verdict()
    assert (verdict.ok, verdict.code) == (False, code)
    assert "{" not in verdict.message


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("refusal", "reported_failure"),
        ("max_tokens", "max_turns"),
        ("max_turn_requests", "max_turns"),
    ],
)
def test_a_turn_that_stopped_for_another_reason_is_a_failure(
    play: Play, reason: str, code: str
) -> None:
    play.begin({"say": "x"}, {"stop": reason})
    assert play.end().exit_code == 1
    assert play.verdict().code == code


def test_a_turn_without_word_or_deed_is_empty(play: Play) -> None:
    """So Kimi Code ends one in which its provider never answered."""
    play.begin({"stop": "end_turn"})
    assert play.end().exit_code == 0
    assert play.verdict().code == "empty"


@pytest.mark.parametrize("flags", [("load",), ("resume",), ("load", "resume")])
def test_a_conversation_is_gone_on_with(play: Play, flags: tuple[str, ...]) -> None:
    play.begin({"say": "again"}, flags=flags, session="s-9")
    assert play.end().exit_code == 0
    how = "resume" if "resume" in flags else "load"
    assert [one["session"] for one in play.asked(how)] == ["s-9"]
    assert (play.report().session, play.report().text) == ("s-9", "again")
    assert play.records("session")[0]["resumed"] is True
    assert "said long ago" not in json.dumps(play.records()), "that was another attempt"


def test_without_the_ability_a_new_conversation_begins(play: Play) -> None:
    play.begin({"say": "anew"}, session="s-9")
    assert play.end().exit_code == 0
    assert play.report().session == "s-1"
    assert play.records("session")[0]["resumed"] is False


def test_a_model_is_chosen_where_the_agent_lets_us(play: Play) -> None:
    play.begin({"say": "x"}, model="large")
    assert play.end().exit_code == 0
    assert [(one["option"], one["value"]) for one in play.asked("option")] == [("m", "large")]


def test_a_program_that_is_not_there_is_a_missing_tool(play: Play) -> None:
    play.begin({"say": "x"}, flags=("-",))
    play.end()
    launch = json.loads((play.directory / "launch.json").read_text())
    argv = [*launch["argv"][: launch["argv"].index("--") + 1], "no-such-program"]
    Path(play.room.directory("a2")).mkdir(parents=True)
    files = {"acp.json": (play.directory / "acp.json").read_text()}
    argv = [word.replace("/a1", "/a2") for word in argv]
    directory = play.room.start("a2", *argv, io="tty", files=files)
    assert play.room.record("a2").exit_code == 127
    assert "no-such-program was not found" in Path(directory, "stdout").read_text()

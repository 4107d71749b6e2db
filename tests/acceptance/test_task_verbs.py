"""What is left of tasks on the command line: run here, seen live, killed, handed on, paid for."""

from __future__ import annotations

import json
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance import world as worlds
from tests.acceptance.test_tasks import left, serving, settled
from tests.acceptance.world import World

FAILS = ["sh", "-c", "echo broken; exit 3"]
SITS = ["sh", "-c", "echo sitting; printf '\\000\\033[31mred\\377\\n'; sleep 300"]
LEFT = {"status": "done", "summary": "left is <b>here</b>", "input_tokens": 1200}
CUT = {
    "status": "done", "summary": "cut", "input_tokens": 1200, "output_tokens": 30,
    "cost_usd": 0.02,
    "delegations": [{"title": "Left"}, {"title": "Right", "body": "b"}, {"body": "untitled"}],
}  # fmt: skip


def saying(answer: dict[str, Any]) -> str:
    return f"printf '%s' '{json.dumps(answer)}' > \"$ORCH_RESULT_FILE\""


PLANS = ["sh", "-c", ("if grep -q 'What its parts came to' \"$ORCH_PROMPT_FILE\"; then"
         f' cp "$ORCH_PROMPT_FILE" seen.txt; else {saying(CUT)}; fi; echo planned')]  # fmt: skip
SUMS = ["sh", "-c", f"{saying(LEFT)}; echo x > x.txt"]


@pytest.fixture
def world(person: Path) -> Any:
    made = worlds.furnished(person)
    made.configure(
        {"one": worlds.WRITES, "bad": FAILS, "sits": SITS, "plans": PLANS, "sums": SUMS},
        '[retry]\nbase_s = 0\nmax_s = 0\nmax_attempts = 2\n[router]\nmode = "default"\n',
    )
    world_default(made, "sums")
    yield made
    made.close()


def world_default(world: World, agent: str) -> None:
    path = world.home / "config.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("[defaults]\n", f'[defaults]\nagent = "{agent}"\n'))


def at_work(world: World) -> dict[str, Any]:
    """The only live attempt, once its program has begun to write."""
    live = world.until(lambda: world.ask("task", "live"), "an attempt at work")
    one: dict[str, Any] = live[0]
    output = world.home / "attempts" / one["attempt"] / "stdout"
    world.until(lambda: output.exists() and b"sitting" in output.read_bytes(), "its first line")
    world.until(lambda: world.ask("task", "live")[0]["status"] == "running", "it is in the books")
    return one | {"status": "running"}


def test_a_task_is_run_in_the_foreground_without_a_service(world: World) -> None:
    world.ask("task", "add", "First", "--agent", "bad")
    world.ask("task", "add", "Second", "--repo", "thing", "--agent", "one", "--priority", "5")
    record = world.ask("task", "run")
    assert (record["status"], record["task"]) == ("done", 2), "the most urgent first"
    assert world.ask("task", "get", "2")["status"] == "in_review"
    failed = world.ask("task", "run", code=6)
    assert (failed["task"], failed["reason"]["code"]) == (1, "attempts_spent")
    world.refused("task", "run", code="no_task", exit_code=3)
    world.refused("task", "run", "2", code="task_not_waiting", exit_code=5)


def test_what_waits_to_be_merged_is_not_done_twice(world: World) -> None:
    world.ask("task", "add", "Write it", "--repo", "thing", "--agent", "one")
    assert world.ask("task", "run", "1")["status"] == "done"
    for _ in range(2):
        refused = world.refused("task", "retry", "1", code="in_review", exit_code=5)
        assert "thing#1 is open" in refused["message"]
        assert refused["hint"] == "orch pr merge thing#1, or: orch task close 1"
        refused = world.refused("task", "unblock", "1", code="not_blocked", exit_code=2)
        assert refused["hint"] == "orch pr merge thing#1"
    assert world.ask("task", "get", "1")["status"] == "in_review"
    closed = world.orch("task", "close", "1")
    assert closed.out == "task 1 is cancelled\n"
    assert "thing#1 is still open: orch pr close thing#1" in closed.err
    assert world.ask("task", "close", "1")["open_prs"] == ["thing#1"]
    again = world.orch("task", "retry", "1")
    assert again.code == 0
    assert "thing#1 is still open: orch pr close thing#1" in again.err
    assert world.ask("task", "get", "1")["status"] == "new"
    refused = world.refused("task", "unblock", "1", code="not_blocked", exit_code=2)
    assert refused["hint"] == "orch task get 1"


def test_with_a_service_the_run_is_followed(world: World) -> None:
    service = serving(world)
    world.ask("task", "add", "Write it", "--agent", "one")
    answer = world.orch("task", "run", "1", "--json")
    if answer.code != 0:  # the service was faster, and it is done already
        assert answer.error["code"] == "task_not_waiting", answer
    assert settled(world, 1)["status"] == "done"
    assert len(world.ask("task", "get", "1")["runs"]) == 1
    assert left(service) == 0


def test_what_is_at_work_is_listed_joined_streamed_and_killed(world: World) -> None:
    service = serving(world)
    world.ask("task", "add", "Sit", "--agent", "sits")
    one = at_work(world)
    assert (one["task"], one["agent"], one["status"]) == (1, "sits", "running")
    assert one["terminal"] in " ".join(world.ask("task", "attach", "1")["command"])
    watcher = world.start("stream", "1", "--json")
    every = world.start("stream")
    assert watcher.stdout is not None
    first = json.loads(watcher.stdout.readline())
    assert (first["type"], first["task"], first["agent"]) == ("started", 1, "sits")
    planned = world.ask("task", "kill", "1", "--dry-run")
    assert planned["attempts"] == [one["attempt"]]
    world.refused("task", "route", "1", "--agent", "one", code="task_at_work", exit_code=5)
    stopped = world.ask("task", "kill", "1")
    assert [each["status"] for each in stopped["attempts"]] == ["stopped"]
    record = settled(world, 1)
    assert record["status"] == "needs_review"
    told = [json.loads(line) for line in watcher.stdout]
    assert watcher.wait(timeout=60) == 0
    assert told[-1]["type"] == "ended"
    assert told[-1]["status"] == "stopped"
    text = "".join(line.get("text", "") for line in told)
    assert "sitting\n" in text
    assert "red" in text
    every.send_signal(signal.SIGINT)
    seen, _ = every.communicate(timeout=60)
    assert every.returncode == 130
    assert "1/sits | sitting" in seen
    assert "1/sits * stopped" in seen
    world.refused("task", "kill", "1", code="no_live_attempt", exit_code=5)
    world.refused("task", "attach", "1", code="no_live_attempt", exit_code=5)
    assert world.ask("task", "live") == []
    assert left(service) == 0


def test_new_attempts_join_a_stream_of_everything(world: World) -> None:
    service = serving(world)
    world.ask("task", "add", "One", "--agent", "sits")
    at_work(world)
    every = world.start("stream", "--json")
    assert every.stdout is not None
    told: list[dict[str, Any]] = [json.loads(every.stdout.readline())]  # it is there
    world.ask("task", "kill", "1")
    settled(world, 1)
    world.ask("task", "add", "Two", "--agent", "one")
    settled(world, 2)
    while [(one["type"], one["task"]) for one in told].count(("ended", 2)) == 0:
        told.append(json.loads(every.stdout.readline()))
    kinds = [(one["type"], one["task"]) for one in told]
    assert kinds.index(("started", 2)) > kinds.index(("ended", 1))
    said = [one["text"] for one in told if one["type"] == "output" and one["task"] == 2]
    assert said == ["written\n"]
    every.send_signal(signal.SIGINT)
    assert every.wait(timeout=60) == 130
    assert left(service) == 0


def test_an_agent_hands_its_task_on_and_goes_on_with_what_came_of_it(world: World) -> None:
    service = serving(world)
    world.ask("task", "add", "Whole", "--labels", "plan", "--agent", "plans")
    world.until(lambda: world.ask("task", "get", "1")["status"] == "done", "the whole", 30)
    whole = world.ask("task", "get", "1")
    assert whole["children"] == [2, 3]
    assert [world.ask("task", "get", n)["source"] for n in ("2", "3")] == ["agent:1", "agent:1"]
    assert "waits for 2 children: 2, 3" in [step["why"] for step in whole["history"]]
    seen = Path(whole["worktree"], "seen.txt").read_text(encoding="utf-8")
    assert "- task 2 (done): Left" in seen
    assert "  > left is <b>here</b>" in seen
    trace = world.orch("show", whole["runs"][0]["id"], "--trace", "--json").out
    assert "1 delegation was ignored: it has no title" in trace
    assert left(service) == 0


def test_without_the_label_delegations_are_told_and_not_taken(world: World) -> None:
    world.ask("task", "add", "Whole", "--agent", "plans")
    answer = world.orch("task", "run", "1")
    assert answer.code == 0
    assert "3 delegations were ignored: the task is not labelled plan" in answer.err
    assert world.ask("task", "get", "1")["children"] == []


def test_what_it_cost_is_told_and_what_is_unknown_is_said(world: World) -> None:
    world.ask("task", "add", "Paid", "--agent", "plans")
    world.ask("task", "add", "Free", "--agent", "one")
    for number in ("1", "2"):
        world.ask("task", "run", number)
    whole = world.ask("cost")["total"]
    assert (whole["attempts"], whole["tokens_in"], whole["tokens_out"]) == (2, 1200, 30)
    assert (whole["usd"], whole["usd_unknown"], whole["tokens_unknown"]) == (0.02, 1, 1)
    free = world.ask("task", "cost", "2")["total"]
    assert (free["usd"], free["tokens_in"], free["usd_unknown"]) == (None, None, 1)
    told = {(one["name"], one["labels"].get("agent")): one["value"] for one in world.ask("metrics")}
    assert told["orch_cost_usd_total", "plans"] == 0.02
    assert told["orch_tokens_in_total", "plans"] == 1200
    assert ("orch_cost_usd_total", "one") not in told
    rows = world.ask("cost", "--by", "agent")["rows"]
    assert [(row["agent"], row["usd"]) for row in rows] == [("plans", 0.02), ("one", None)]
    run = world.ask("task", "get", "1")["run"]
    assert world.ask("cost", run)["total"] == world.ask("task", "cost", "1")["total"]
    assert world.ask("cost", "--since", "2999-01-01")["total"]["usd"] is None
    said = world.orch("cost", "--by", "task")
    assert "the dollars of 1 of 2 attempts" in said.err
    assert "?" in said.out
    agents = {one["name"]: one for one in world.ask("agents")}
    assert (agents["plans"]["success_rate"], agents["plans"]["usd"]) == (1.0, 0.02)
    assert (agents["bad"]["attempts"], agents["bad"]["success_rate"]) == (0, None)
    assert agents["one"]["cooling_until"] is None
    assert agents["one"]["installed"]


def test_an_agent_that_its_budget_has_paused_is_not_ready(world: World) -> None:
    world.ask("task", "add", "Paid", "--agent", "plans")
    world.ask("task", "run", "1")
    path = world.home / "config.toml"
    assert "paused" not in world.orch("agents").out
    path.write_text(path.read_text(encoding="utf-8") + "[budget.agent]\ntokens = 100\n")
    answer = world.orch("agents")
    lines = {line.split()[0]: line for line in answer.out.splitlines() if line}
    assert "paused (budget)" in lines["plans"]
    assert "ready" in lines["one"]
    assert all(len(line) <= 80 for line in lines.values()), answer
    assert "agent plans has used 1,230 tokens of its 100 tokens" in answer.err
    agents = {one["name"]: one for one in world.ask("agents")}
    assert agents["one"]["paused_why"] is None
    assert "orch config set budget.agent.tokens 1400" in agents["plans"]["paused_why"]


def test_an_agent_that_is_not_there_is_told_with_its_reason(world: World) -> None:
    world.configure({"ghost": ["no-such-program"]})
    answer = world.orch("agents")
    assert answer.code == 0
    assert "missing" in answer.out
    assert "no-such-program" in answer.err


def test_who_does_it_is_shown_and_changed_before_it_begins(world: World) -> None:
    world.ask("task", "add", "Any")
    shown = world.ask("task", "route", "1")
    assert (shown["agent"], shown["by"], shown["chosen"]) == ("sums", "default", False)
    pinned = world.ask("task", "route", "1", "--agent", "one")
    assert (pinned["agent"], pinned["by"]) == ("one", "pin")
    assert world.ask("task", "route", "1", "--anew")["by"] == "default"
    world.refused("task", "route", "1", "--agent", "nobody", code="unknown_agent", exit_code=3)
    world.refused("task", "route", "1", "--agent", "one", "--anew", code="usage", exit_code=2)


def test_a_task_becomes_an_issue_once_and_keeps_notes(world: World) -> None:
    world.ask("task", "add", "Tell the team", "--body", "All of it", "--labels", "a")
    assert world.orch("task", "publish", "1", "--dry-run").code == 0
    issue = world.ask("task", "publish", "1", "-l", "b")["issue"]
    ticket = world.ask("issue", "show", issue)
    assert (ticket["title"], ticket["labels"]) == ("Tell the team", ["a", "b"])
    assert world.ask("task", "get", "1")["issue"] == issue
    world.refused("task", "publish", "1", code="task_published", exit_code=5)
    assert world.ask("task", "sidecar", "set", "1", "phase", '{"n": [1]}') == {"phase": {"n": [1]}}
    world.ask("task", "sidecar", "set", "1", "word", "plain text")
    assert world.ask("task", "sidecar", "get", "1", "word") == "plain text"
    assert world.ask("task", "sidecar", "set", "1", "word", "null") == {"phase": {"n": [1]}}
    assert world.ask("task", "get", "1")["notes"] == {"phase": {"n": [1]}}


def test_parts_are_moved_and_never_below_themselves(world: World) -> None:
    for title in ("A", "B", "C"):
        world.ask("task", "add", title)
    world.ask("task", "move", "2", "--parent", "1")
    world.ask("task", "move", "3", "--parent", "2")
    world.refused("task", "move", "1", "--parent", "3", code="task_cycle", exit_code=5)
    assert world.ask("task", "get", "1")["status"] == "blocked"
    assert world.ask("task", "move", "2", "--top")["parent"] is None
    assert world.ask("task", "get", "1")["status"] == "new"


def test_a_listing_and_a_story_fit_80_columns_and_keep_the_reasons(world: World) -> None:
    world.ask(
        "task", "add", "A title that goes on and on " * 6, "--repo", "thing", "--agent", "bad"
    )
    world.orch("task", "run", "1")
    for words in (("task", "list"), ("task", "get", "1")):
        said = world.orch(*words)
        body = said.out.splitlines()[1 if words[1] == "get" else 0 :]
        paths = [line for line in body if line.startswith(("worktree", "branch"))]
        assert all(len(line) <= 80 for line in body if line not in paths), said
        flat = " ".join(said.out.split())
        assert "2 attempts failed (bad); the last: the agent bad failed (exit code 3)" in flat
    assert ("A title that goes on and on " * 6).strip() in world.orch("task", "list", "--wide").out


def test_what_is_over_is_refused_alike_everywhere(world: World) -> None:
    for title in ("Over", "Part"):
        world.ask("task", "add", title)
    world.ask("task", "close", "1", "--done")
    for words in (("publish", "1"), ("route", "1", "--anew")):
        world.refused("task", *words, code="task_closed", exit_code=5)
    for words in (("move", "2", "--parent", "1"), ("add", "New", "--parent", "1")):
        refused = world.refused("task", *words, code="task_closed", exit_code=5)
        assert "another parent; or none" in refused["hint"], "done is not done again"
    world.ask("task", "close", "1")
    refused = world.refused("task", "move", "2", "--parent", "1", code="task_closed", exit_code=5)
    assert refused["hint"] == "orch task retry 1"


def test_without_any_agent_the_way_on_is_told_to_its_end(world: World) -> None:
    world.configure({}, "")
    world.ask("task", "add", "Any")
    failed = world.ask("task", "run", "1", code=6)
    assert failed["reason"]["code"] == "no_agent"
    hint = world.ask("task", "get", "1")["hint"]
    first, then = hint.split("; then: ")
    assert then == "orch task retry 1"
    words = first.partition(", or: ")[2].removeprefix("orch ").replace("NAME", "one")
    world.ask(*shlex.split(words.replace("PROGRAM", "true")))
    world.ask("task", "retry", "1")
    world.ask("resume", world.ask("task", "get", "1")["run"])
    assert world.ask("task", "get", "1")["agent"] == "one"


def test_what_a_closed_task_leaves_behind_is_named(world: World) -> None:
    world.ask("task", "add", "Whole")
    for title in ("Left", "Right", "Done"):
        world.ask("task", "add", title, "--parent", "1")
    world.ask("task", "close", "4")
    closed = world.orch("task", "close", "1")
    assert closed.out == "task 1 is cancelled\n"
    assert "its parts go on: orch task close 2 3" in closed.err
    world.refused("task", "close", "2", "7", code="unknown_task", exit_code=3)
    both = world.ask("task", "close", "2", "3")
    assert [(one["id"], one["status"]) for one in both] == [(2, "cancelled"), (3, "cancelled")]
    assert "go on" not in world.orch("task", "close", "1").err


def test_what_is_being_ended_has_no_reason_of_before(world: World) -> None:
    world.ask("task", "add", "Fails", "--agent", "bad")
    world.ask("task", "run", "1", code=6)
    closed = world.orch("task", "close", "1")
    assert (closed.code, closed.out) == (0, "task 1 is being ended\n")
    assert "attempts failed" not in closed.err


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("task", "run"), "no_task", 3),
        (("task", "run", "7"), "unknown_task", 3),
        (("task", "route", "7"), "unknown_task", 3),
        (("task", "attach", "7"), "unknown_task", 3),
        (("task", "kill", "7"), "unknown_task", 3),
        (("task", "publish", "7"), "unknown_task", 3),
        (("task", "cost", "7"), "unknown_task", 3),
        (("task", "move", "7", "--top"), "unknown_task", 3),
        (("task", "sidecar", "get", "7"), "unknown_task", 3),
        (("cost", "7"), "unknown_target", 3),
        (("cost", "--since", "soon"), "bad_date", 2),
        (("cost", "--by", "colour"), "usage", 2),
        (("stream", "zzz"), "unknown_target", 3),
        (("stream", "@", "--all"), "usage", 2),
    ],
)
def test_what_is_refused_changes_nothing(
    world: World, words: tuple[str, ...], code: str, exit_code: int
) -> None:
    world.refused(*words, code=code, exit_code=exit_code)

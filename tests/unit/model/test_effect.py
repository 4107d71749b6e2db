"""Effects are data: they encode to the same bytes every time and come back as they were."""

from __future__ import annotations

import datetime
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

import orch
from orch.model import effect as fx
from orch.model.attempt import AgentResult
from orch.model.delivery import Delivery
from orch.model.effect import (
    COMPOSITE_KINDS,
    AgentRef,
    AgentStatus,
    CommandResult,
    CreatePR,
    CreateWorktree,
    Effect,
    GateAnswer,
    Log,
    MergeBranches,
    Retry,
    Routed,
    RunAgent,
    RunCommand,
    SpawnAgent,
    canonical,
    decode_effect,
    encode_effect,
    encode_result,
    kind_of,
    result_decoder,
)
from orch.model.errors import EffectMisuse, UsageError
from orch.model.profile import Profile
from orch.model.pull import Check
from orch.model.pull_effects import PullLook, PullNews, ReviewPolicy, Work
from orch.model.ticket import Ticket
from orch.model.worktree import Base, Worktree
from tests.records import a_pull, a_ticket, a_worktree

CLASSES: list[type[Effect[Any]]] = list(get_args(fx.Any_))
NAMES = [cls.__name__ for cls in CLASSES]
TEXT = st.text(max_size=40)
SECONDS = st.floats(0, 1e6, allow_nan=False) | st.integers(0, 10**6)
LABELS = st.lists(TEXT, max_size=3)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


WORKTREES = st.builds(
    Worktree, repo=TEXT, name=TEXT, branch=TEXT, path=TEXT, base_branch=TEXT, base_commit=TEXT,
    issue=TEXT, run=TEXT,
)  # fmt: skip
TICKETS = st.builds(
    Ticket, id=TEXT, title=TEXT, body=TEXT, labels=LABELS.map(tuple), repo=TEXT, status=TEXT
)
RETRIES = st.builds(Retry, attempts=st.integers(1, 9), base_s=SECONDS, max_s=SECONDS)
SHAPES = st.sampled_from([{"type": "object"}, {"type": "array", "items": {"type": "string"}}])
REPLIES = maybe(st.sampled_from(["diff", "text", "result"]))
PULLS = st.builds(a_pull, head=TEXT, number=st.integers(1, 9))
STRATEGIES = st.sampled_from(["merge", "rebase", "squash"])
ENV = {"env": WORKTREES}
NEW_TREE = {"issue": maybe(TICKETS), "suffix": maybe(TEXT), "name": maybe(TEXT)}
REQUEST = {
    "title": TEXT, "body": TEXT, "target": maybe(TEXT), "draft": st.booleans(), "labels": LABELS,
}  # fmt: skip
REFS = st.builds(
    AgentRef, step=TEXT, attempt=TEXT, agent=TEXT, env=WORKTREES, name=TEXT
)  # fmt: skip
FIELDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "CreateWorktree": {**NEW_TREE, "base_branch": maybe(TEXT)},
    "ResolveBase": {"base_branch": maybe(TEXT)},
    "AddWorktree": {**NEW_TREE, "base_branch": TEXT, "base_commit": TEXT},
    "InstallDependencies": ENV,
    "RunAgent": {
        **ENV, "prompt": TEXT, "agent": maybe(TEXT), "model": maybe(TEXT), "name": maybe(TEXT),
        "timeout": maybe(SECONDS), "output_format": REPLIES | SHAPES, "retry": maybe(RETRIES),
        "role": st.sampled_from(["work", "review"]), "onward": st.booleans(),
    },
    "SpawnAgent": {
        **ENV, "prompt": TEXT, "agent": maybe(TEXT), "model": maybe(TEXT), "name": maybe(TEXT),
        "timeout": maybe(SECONDS), "output_format": REPLIES | SHAPES,
    },
    "WaitForStatus": {
        "targets": REFS | st.lists(REFS, max_size=3),
        "status": st.sampled_from(["running", "ended"]), "timeout": maybe(SECONDS),
    },
    "SendMessage": {"target": REFS, "message": TEXT},
    "CaptureOutput": {"target": REFS, "lines": st.integers(0, 1000)},
    "CreateIssue": {"title": TEXT, "body": TEXT, "labels": LABELS},
    "ListIssues": {
        "status": st.sampled_from(["open", "resolved", "all"]), "labels": LABELS,
        "limit": maybe(st.integers(0, 100)),
    },
    "DeleteWorktree": {**ENV, "force": st.booleans()},
    "MergePR": {
        "pr": PULLS, "strategy": STRATEGIES,
        "delete_branch": st.booleans(),
    },
    "GetIssue": {"id": TEXT},
    "ResolveIssue": {"issue": TICKETS | TEXT, "pr_url": maybe(TEXT), "result": maybe(TEXT)},
    "Sleep": {"seconds": SECONDS},
    "Route": {},
    "OpenFolder": {},
    "TaskPolicy": {},
    "FindWork": {},
    "LookAtPR": {"pr": PULLS, "strategy": STRATEGIES},
    "SetCheck": {
        "pr": PULLS, "name": TEXT, "state": st.sampled_from(["pending", "success", "failure"]),
        "summary": TEXT,
    },
    "Rebase": {**ENV, "onto": TEXT},
    "JudgePR": {"pr": PULLS, "approve": st.booleans(), "body": TEXT},
    "TellReviewers": {"pr": PULLS, "names": LABELS, "verdicts": LABELS},
    "WaitForPR": {
        "pr": PULLS, "until": st.sampled_from(["merge", "green", "review", "person"]), "why": TEXT,
        "code": TEXT, "timeout": SECONDS, "begin": SECONDS, "reviews": st.booleans(),
        "approval": st.booleans(), "failing": st.booleans(), "answered": LABELS,
    },
    "RunCommand": {
        **ENV, "command": TEXT | LABELS, "name": maybe(TEXT), "timeout": maybe(SECONDS),
        "check": st.booleans(), "retry": maybe(RETRIES),
    },
    "MergeBranches": {
        "envs": st.lists(WORKTREES, max_size=3), "strategy": STRATEGIES, "name": maybe(TEXT),
    },
    "Merge": {**ENV, "branches": LABELS, "strategy": STRATEGIES},
    "Commit": {**ENV, "message": TEXT},
    "Push": {**ENV, "remote": maybe(TEXT), "force": st.booleans()},
    "CreatePR": {**ENV, **REQUEST},
    "OpenPR": {**ENV, **REQUEST, "head_sha": TEXT},
    "Gate": {"question": TEXT, "name": maybe(TEXT)},
    "Log": {"message": TEXT, "level": st.sampled_from(["debug", "info", "warning", "error"])},
    "Now": {},
    "Random": {},
}  # fmt: skip


def test_every_effect_is_tried_here() -> None:
    assert sorted(FIELDS) == sorted(NAMES)
    for cls in CLASSES:
        aliases = {"type", "agent_type"} if cls in (RunAgent, SpawnAgent) else set()
        assert set(FIELDS[cls.__name__]) == set(cls.__struct_fields__) - aliases


@pytest.mark.parametrize("cls", CLASSES, ids=NAMES)
@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_an_effect_comes_back_as_it_was(cls: type[Effect[Any]], data: st.DataObject) -> None:
    fields = data.draw(st.fixed_dictionaries({}, optional=FIELDS[cls.__name__]))
    required = {
        name: data.draw(FIELDS[cls.__name__][name])
        for name in cls.__struct_fields__[: _required(cls)]
        if name not in fields
    }
    asked = cls(**required, **fields)
    raw = encode_effect(asked)
    back = decode_effect(raw)
    assert type(back) is cls
    assert back == asked
    assert encode_effect(back) == raw
    assert raw.startswith(b'{"effect":"%s/1"' % cls.__name__.encode()), "the tag comes first"


def _required(cls: type[Effect[Any]]) -> int:
    return len(cls.__struct_fields__) - len(cls.__struct_defaults__)


@given(first=st.data(), name=st.sampled_from(NAMES))
@settings(deadline=None, max_examples=150)
def test_equal_effects_give_equal_bytes_and_others_do_not(first: st.DataObject, name: str) -> None:
    cls = CLASSES[NAMES.index(name)]
    made = [cls(**first.draw(st.fixed_dictionaries(FIELDS[name]))) for _ in range(2)]
    one, two = made
    assert (encode_effect(one) == encode_effect(two)) == (one == two)


EQUAL = [
    (RunAgent(env=a_worktree(), prompt="x", timeout=60),
     RunAgent(env=a_worktree(), prompt="x", timeout=60.0)),
    (RunAgent(env=a_worktree(), prompt="x", retry=Retry(base_s=1)),
     RunAgent(env=a_worktree(), prompt="x", retry=Retry(base_s=1.0))),
    (RunCommand(env=a_worktree(), command=("a", "b")),  # type: ignore[arg-type]
     RunCommand(env=a_worktree(), command=["a", "b"])),
    (MergeBranches((a_worktree(),)), MergeBranches([a_worktree()])),  # type: ignore[arg-type]
    (RunAgent(a_worktree(), "x", None), RunAgent(env=a_worktree(), prompt="x")),
]  # fmt: skip


@pytest.mark.parametrize(("one", "two"), EQUAL, ids=range(len(EQUAL)))
def test_spellings_of_the_same_request_are_the_same_request(one: Any, two: Any) -> None:
    """A replay compares bytes: 60 and 60.0 seconds must not be two different things."""
    assert encode_effect(one) == encode_effect(two)
    assert canonical(one)[0] == canonical(two)[0]


ALIASES = [
    ({}, None),
    ({"agent": "claude"}, "claude"),
    ({"type": "claude"}, "claude"),
    ({"agent_type": "claude"}, "claude"),
    ({"agent": "codex", "type": "claude"}, "codex"),
    ({"type": "codex", "agent_type": "claude"}, "codex"),
]


@pytest.mark.parametrize(("given_words", "agent"), ALIASES)
def test_type_and_agent_type_mean_agent(given_words: dict[str, str], agent: str | None) -> None:
    asked = RunAgent(env=a_worktree(), prompt="x", **given_words)  # type: ignore[arg-type]
    assert (asked.agent, asked.type, asked.agent_type) == (agent, None, None)
    plain = RunAgent(env=a_worktree(), prompt="x", agent=agent)
    assert encode_effect(asked) == encode_effect(plain)


def test_an_unknown_output_format_fails_where_it_is_written() -> None:
    with pytest.raises(UsageError, match="'json' is not one of diff, text, result") as caught:
        RunAgent(env=a_worktree(), prompt="x", output_format="json")  # type: ignore[arg-type]
    assert caught.value.code == "bad_output_format"


class Unknown(Effect[int], frozen=True, tag="Unknown/1"):
    """An effect that no handler knows."""


WRONG: list[tuple[Effect[Any], str]] = [
    (RunAgent(env="tree", prompt="x"), r"RunAgent.*`\$.env`"),  # type: ignore[arg-type]
    (RunAgent(env=a_worktree(), prompt=None), r"RunAgent.*`\$.prompt`"),  # type: ignore[arg-type]
    (RunCommand(env=a_worktree(), command=3), r"RunCommand.*`\$.command`"),  # type: ignore[arg-type]
    (MergeBranches([a_worktree()], strategy="octopus"), r"MergeBranches.*octopus"),  # type: ignore[arg-type]
    (CreatePR(env=a_worktree(), title=object()), "CreatePR"),  # type: ignore[arg-type]
    (CreatePR(env=a_worktree(), title="half \ud800"), "CreatePR"),
    (Log(3), r"Log.*`\$.message`"),  # type: ignore[arg-type]
    (Log("x", level="loud"), r"Log.*loud"),  # type: ignore[arg-type]
    (Unknown(), "Unknown is no effect"),
]


@pytest.mark.parametrize(("asked", "says"), WRONG, ids=range(len(WRONG)))
def test_a_field_of_the_wrong_type_is_named_before_anything_is_journaled(
    asked: Effect[Any], says: str
) -> None:
    with pytest.raises(EffectMisuse, match=says):
        encode_effect(asked)


RESULTS: dict[str, list[Any]] = {
    "CreateWorktree": [a_worktree()],
    "ResolveBase": [Base(branch="main", commit="a" * 40, warnings=("fetch failed",))],
    "AddWorktree": [a_worktree()],
    "InstallDependencies": ["", "npm ci: ok"],
    "RunAgent": ["some text", "", AgentResult(status="done", files=("a.py",), extra={"k": [1]})],
    "SpawnAgent": [AgentRef(step="1", attempt="a", agent="one", env=a_worktree())],
    "WaitForStatus": [
        AgentStatus(attempt="a", status="failed", code="killed"),
        [AgentStatus(attempt="a", status="succeeded", value={"x": [1]})],
        [],
    ],
    "SendMessage": [Delivery(delivered=False, code="pipes", reason="no terminal")],
    "CaptureOutput": ["", "two\nlines"],
    "CreateIssue": [a_ticket()],
    "ListIssues": [[], [a_ticket()]],
    "DeleteWorktree": [[], ["refs/orch/trash/20260101-x"]],
    "MergePR": [a_pull(state="merged")],
    "GetIssue": [a_ticket()],
    "ResolveIssue": [a_ticket(status="resolved")],
    "Sleep": [None],
    "Route": [Routed(agent="a"), Routed(agent="a", model="m", profile=Profile(role="docs"))],
    "OpenFolder": [a_worktree()],
    "TaskPolicy": [ReviewPolicy(), ReviewPolicy(repo="thing", reviewer="judge", checks=["true"])],
    "FindWork": [[], [Work(env=a_worktree(), pushed="a" * 40, pull=a_pull())]],
    "LookAtPR": [
        PullLook(pull=a_pull()),
        PullLook(pull=a_pull(), checks=[Check(name="x", state="success")], conflicts=["a.txt"]),
    ],
    "SetCheck": [Check(name="x", state="failure", summary="no")],
    "JudgePR": [None],
    "TellReviewers": [None],
    "Rebase": ["d" * 40],
    "WaitForPR": [PullNews(what="merged", pull=a_pull(state="merged"))],
    "RunCommand": [CommandResult(exit_code=1, stderr="no"), CommandResult(exit_code=0)],
    "MergeBranches": [a_worktree()],
    "Merge": ["a" * 40],
    "Commit": ["b" * 40],
    "Push": ["c" * 40],
    "CreatePR": [a_pull(labels=("x",), draft=True)],
    "OpenPR": [a_pull()],
    "Gate": [GateAnswer(decision="answer", text="42", by="ada")],
    "Log": [None],
    "Now": [datetime.datetime(2026, 3, 1, 12, 30, 0, 123_456, tzinfo=datetime.UTC)],
    "Random": [0.0, 0.1, 1 - 2**-53],
}


@pytest.mark.parametrize("cls", CLASSES, ids=NAMES)
def test_what_an_effect_gives_comes_back_with_its_type(cls: type[Effect[Any]]) -> None:
    for value in RESULTS[cls.__name__]:
        back = result_decoder(cls).decode(encode_result(value))
        assert back == value
        assert type(back) is type(value)


def test_a_result_of_another_type_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        result_decoder(CreateWorktree).decode(encode_result(a_pull()))


def test_an_effect_class_must_say_what_it_gives() -> None:
    class Silent(Effect, frozen=True, tag="Silent/1"):  # type: ignore[type-arg]
        """Forgot its parameter."""

    with pytest.raises(TypeError, match="Silent does not say what it gives"):
        result_decoder(Silent)


def test_kinds_carry_a_version_and_are_distinct() -> None:
    tags = [str(cls.__struct_config__.tag) for cls in CLASSES]
    assert tags == [f"{name}/1" for name in NAMES]
    assert kind_of(Log("x")) == "Log/1"
    assert {"CreateWorktree/1", "MergeBranches/1", "CreatePR/1"} == COMPOSITE_KINDS


def test_composite_and_pure_exclude_each_other() -> None:
    pure = {cls.__name__ for cls in CLASSES if cls.pure}
    assert pure == {"Log", "Now", "Random"}
    assert not any(cls.pure and cls.composite for cls in CLASSES)


def test_an_agents_result_reads_like_a_mapping() -> None:
    result = AgentResult(status="done", summary="ok", extra={"score": 3})
    assert (result["summary"], result["score"], result.get("nothing", 7)) == ("ok", 3, 7)
    with pytest.raises(KeyError):
        result["nothing"]


def test_a_gates_answer_reads_like_text() -> None:
    assert str(GateAnswer(decision="approve")) == "approve"
    assert str(GateAnswer(decision="answer", text="blue")) == "blue"


def test_authors_find_every_public_effect_in_orch() -> None:
    inner = {"ResolveBase", "AddWorktree", "InstallDependencies", "Merge", "OpenPR"}
    for cls in CLASSES:
        assert hasattr(orch, cls.__name__) == (cls.__name__ not in inner)
        if cls.__name__ not in inner:
            assert getattr(orch, cls.__name__) is cls


def test_an_issue_is_part_of_the_request() -> None:
    one = CreateWorktree(issue=a_ticket(body="a"))
    two = CreateWorktree(issue=a_ticket(body="b"))
    assert encode_effect(one) != encode_effect(two)

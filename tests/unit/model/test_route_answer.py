"""What a classifier is asked, and every wrapping in which its answer is understood."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from orch.model.profile import Profile, Skill, profile_text
from orch.model.route_answer import RouteAnswer, RouteError, parse_route_answer, route_prompt

WHOLE = {
    "executor": "codex",
    "complexity": "complex",
    "reason": "many files",
    "profile": {
        "role": "backend",
        "skills": ["gh"],
        "tools": ["git", "rg"],
        "constraints": ["no new dependency"],
    },
    "selected_skills": ["rust", "gh"],
}
BARE = json.dumps(WHOLE)
READ = RouteAnswer(
    executor="codex",
    complexity="complex",
    reason="many files",
    profile=Profile(
        role="backend",
        skills=("gh", "rust"),
        tools=("git", "rg"),
        constraints=("no new dependency",),
    ),
)
ENVELOPE = {"type": "result", "is_error": False, "num_turns": 1}


@pytest.mark.parametrize(
    "text",
    [
        BARE,
        f"\ufeff\n {json.dumps(WHOLE, indent=2)}\n",
        f"```json\n{BARE}\n```",
        f"```\n{json.dumps(WHOLE, indent=2)}\n```\n",
        f"Sure:\r\n```json\r\n{BARE}\r\n```\r\nDone.",
        f"I looked at it.\n\n{BARE}\n\nThat is my choice.",
        f"Not ```{{}}``` but:\n~~~ json\n{BARE}\n~~~",
        json.dumps({**ENVELOPE, "result": BARE}),
        json.dumps({**ENVELOPE, "result": WHOLE}),
        json.dumps({**ENVELOPE, "result": f"Here:\n```json\n{BARE}\n```"}),
        json.dumps({"result": {"result": BARE}}),
        '{"type":"system"}\n{"type":"assistant"}\n' + json.dumps({**ENVELOPE, "result": BARE}),
        json.dumps({**{k: v for k, v in WHOLE.items() if k != "executor"}, "agent": "Codex"}),
        f"```json\n{{broken\n```\n```json\n{BARE}\n```",
    ],
)
def test_every_wrapping_is_understood(text: str) -> None:
    assert parse_route_answer(text) == READ


@pytest.mark.parametrize(
    ("text", "complexity"),
    [
        ('{"executor": "claude", "complexity": "simple"}', "simple"),
        ('{"executor": "claude"}', "medium"),
        ('{"executor": "claude", "complexity": null}', "medium"),
        ('{"executor": "claude", "complexity": " COMPLEX "}', "complex"),
        ('{"executor": "claude", "complexity": "gigantic"}', "medium"),
    ],
)
def test_the_least_answer_is_enough(text: str, complexity: str) -> None:
    answer = parse_route_answer(text)
    assert isinstance(answer, RouteAnswer)
    assert (answer.executor, answer.complexity) == ("claude", complexity)
    assert bool(answer.noted) == ("gigantic" in text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n",
        "codex would be best",
        "{}",
        '{"complexity": "simple"}',
        '{"executor": 7}',
        '{"executor": ""}',
        "[1, 2]",
        '{"executor": "codex"',
        json.dumps({**ENVELOPE, "is_error": True, "result": BARE}),
        "[" * 100_000,
        "```x\n" * 50_000,
    ],
)
def test_what_names_nobody_is_an_error_and_no_guess(text: str) -> None:
    answer = parse_route_answer(text)
    assert isinstance(answer, RouteError)
    assert answer.message


def test_odd_values_cannot_grow_or_stain_a_prompt() -> None:
    shape = {
        "executor": "a",
        "profile": {
            "role": "wizard",
            "skills": "one",
            "tools": [None, 1, {"x": 1}, "sh\x1b[31m\nrm", "t" * 1000, *map(str, range(99))],
            "constraints": {"not": "a list"},
        },
    }
    answer = parse_route_answer(json.dumps(shape))
    assert isinstance(answer, RouteAnswer)
    assert answer.profile.role == "general"
    assert answer.profile.skills == ("one",)
    assert answer.profile.tools[0] == "sh [31m rm"
    assert len(answer.profile.tools) == 20
    assert max(map(len, answer.profile.tools)) == 200
    assert answer.profile.constraints == ()
    assert answer.noted == ("role wizard is not known, taken as general",)


@given(st.text(max_size=400), st.text(max_size=50))
def test_no_text_breaks_the_reader(text: str, executor: str) -> None:
    for answer in (text, json.dumps({"executor": executor, "profile": text}), f"{{{text}}}"):
        assert isinstance(parse_route_answer(answer), RouteAnswer | RouteError)


def test_the_prompt_offers_what_can_be_chosen_and_hides_what_was() -> None:
    """H49: who had it before is no evidence. H50: only agents that can be used now are offered."""
    asked = route_prompt(
        title="Fix\nthe parser",
        body="x" * 9_000 + "END",
        labels=["bug", "agent:claude", "status:new", "model:opus", "role:backend"],
        agents=["codex", "kimi"],
        skills=[Skill("gh", "GitHub by command"), Skill("rust")],
    )
    assert "codex, kimi" in asked
    assert "claude" not in asked
    assert "opus" not in asked
    assert '"title": "Fix the parser"' in asked
    assert '"labels": ["bug", "role:backend"]' in asked
    assert "- gh: GitHub by command\n- rust\n" in asked
    assert "[cut here]" in asked
    assert "END" not in asked
    example = asked.splitlines()[-1]
    answer = parse_route_answer(example)
    assert isinstance(answer, RouteAnswer)
    assert answer.executor == "codex"


def test_the_profile_of_a_prompt() -> None:
    assert profile_text(Profile()) == ""
    said = profile_text(Profile(role="docs", skills=("gh",), constraints=("no code",)))
    assert said == (
        "Your role for this task: docs.\n\nSkills to use:\n- gh\n\nConstraints:\n- no code"
    )

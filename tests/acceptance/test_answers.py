"""Answers of an agreed shape: validated, asked for again with what was wrong, absent and invalid
told apart."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.world import World

FLOW = """
import msgspec

class Verdict(msgspec.Struct):
    approved: bool
    comments: list[str] = []

@do
def workflow():
    env = yield CreateWorktree()
    verdict = yield RunAgent(env=env, prompt="Look at it", output_format=Verdict)
    assert isinstance(verdict, Verdict)
    return [verdict.approved, verdict.comments]
"""


def agent(*answers: str) -> list[str]:
    """The n-th time it is asked it runs the n-th command (the last one for ever) and keeps the
    prompt."""
    cases = "".join(f"{n}) {text};; " for n, text in enumerate(answers, 1))
    script = (
        'n=$(($(cat "$HOME/asked" 2>/dev/null || echo 0)+1)); echo $n > "$HOME/asked"; '
        'cat > "$HOME/prompt.$n"; '
        f"case $n in {cases} *) {answers[-1]};; esac"
    )
    return ["sh", "-c", script]


GOOD = """printf '{"approved": true, "comments": ["é"]}' > "$ORCH_RESULT_FILE" """


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        """echo 'I looked.'; echo '{"approved": true, "comments": ["é"]}'""",
        """printf 'So:\\n```json\\n{"approved": true,\\n "comments": ["é"]}\\n```\\n'""",
    ],
    ids=["result file", "printed last", "fenced block"],
)
def test_a_good_answer_is_an_instance(world: World, answer: str) -> None:
    world.configure({"one": agent(answer)})
    record = world.run(world.flow(FLOW))
    assert record["result"] == [True, ["é"]]
    assert "JSON Schema" in (world.root / "prompt.1").read_text()


def test_a_wrong_answer_is_asked_for_again_with_what_was_wrong(world: World) -> None:
    world.configure({"one": agent("echo well", """echo '{"approved": "yes"}'""", GOOD)})
    record = world.run(world.flow(FLOW))
    assert record["result"] == [True, ["é"]]
    codes = [attempt["code"] for attempt in record["attempts"]]
    assert codes == ["answer_absent", "answer_invalid", ""]
    assert "was not accepted" not in (world.root / "prompt.1").read_text()
    assert "does not end with a JSON value" in (world.root / "prompt.2").read_text()
    third = (world.root / "prompt.3").read_text()
    assert "$.approved" in third
    assert "is not of type 'boolean'" in third


def test_after_three_tries_it_fails_by_name(world: World) -> None:
    world.configure({"one": agent("""echo '{"approved": 3}'""")})
    record = world.run(world.flow(FLOW), code=1)
    assert record["error"]["code"] == "answer_invalid"
    assert len(record["attempts"]) == 3
    world.configure({"one": agent("true")})
    assert world.run(world.flow(FLOW), code=1)["error"]["code"] == "answer_absent"


def test_a_failed_agent_is_not_asked_again_for_its_answer(world: World) -> None:
    world.configure({"one": agent("echo 'error: out of luck' >&2; exit 3")})
    record = world.run(world.flow(FLOW), code=1)
    assert record["error"]["code"] == "exit_nonzero"
    assert len(record["attempts"]) == 1


@pytest.mark.parametrize(
    ("shape", "given"),
    [
        ('{"type": "array", "items": {"type": "integer"}}', [1, 2]),
        ("Point", {"x": 1, "y": 2}),
        ("Model", {"x": 1, "y": 2}),
    ],
    ids=["JSON Schema", "dataclass", "pydantic"],
)
def test_every_kind_of_shape(world: World, shape: str, given: object) -> None:
    if shape == "Model":
        pytest.importorskip("pydantic")
    head = "import pydantic" if shape == "Model" else ""
    model = "class Model(pydantic.BaseModel):\n    x: int\n    y: int = 2\n" if head else ""
    world.configure({"one": agent(f"echo '{json.dumps(given)}'")})
    flow = f"""
import dataclasses
{head}

@dataclasses.dataclass
class Point:
    x: int
    y: int = 2

{model}
@do
def workflow():
    env = yield CreateWorktree()
    found = yield RunAgent(env=env, prompt="p", output_format={shape})
    return [type(found).__name__, found if isinstance(found, list) else [found.x, found.y]]
"""
    result = world.run(world.flow(flow))["result"]
    assert result == [shape if shape[0] != "{" else "list", [1, 2]]


def test_a_format_that_is_none_is_refused(world: World) -> None:
    flow = FLOW.replace("output_format=Verdict", 'output_format="yaml"')
    assert world.run(world.flow(flow), code=1)["error"]["code"] == "bad_output_format"
    flow = FLOW.replace("output_format=Verdict", 'output_format={"type": 3}')
    record = world.run(world.flow(flow), code=1)
    assert record["error"]["code"] == "bad_output_format"

"""Agents by configuration: placeholders, probes, references at the start."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from orch.agents.command import CommandAgent
from orch.config import AgentConfig, Secret
from orch.config.secret import SecretUnavailable
from orch.model.errors import UsageError
from orch.model.worktree import Worktree
from orch.ports import AgentRequest
from orch.testing.agents import asked, carry_out, hostile_environ


@pytest.fixture
def request_(tmp_path: Path) -> AgentRequest:
    tree, directory = tmp_path / "tree", tmp_path / "attempt"
    tree.mkdir()
    directory.mkdir()
    worktree = Worktree(
        repo="r", name="w", branch="b", path=str(tree), base_branch="main", base_commit="0" * 40
    )
    return asked(worktree=worktree, directory=str(directory), model="m {prompt_file}")


def agent(*command: str, **more: Any) -> CommandAgent:
    return CommandAgent("x", AgentConfig(command=command, **more))


def test_only_an_item_that_is_exactly_a_placeholder_is_replaced(request_: AgentRequest) -> None:
    words = (
        "{worktree}",
        "{prompt_file}",
        "{result_file}",
        "{model}",
        "--x={model}",
        "{0}",
        "{home}",
    )
    argv = agent("prog", *words).launch(request_, {}).argv
    assert argv == (
        "prog", request_.worktree.path, f"{request_.directory}/prompt",
        f"{request_.directory}/result.json", "m {prompt_file}", "--x={model}", "{0}", "{home}",
    )  # fmt: skip


def test_h107_no_model_is_invented_for_a_command_that_needs_one(request_: AgentRequest) -> None:
    with pytest.raises(UsageError, match="needs a model") as caught:
        agent("prog", "{model}").launch(replace(request_, model=""), {})
    assert caught.value.code == "model_missing"


def test_words_of_the_prompt_are_data_to_the_last_byte(
    request_: AgentRequest, tmp_path: Path
) -> None:
    prompt = "$(touch pwned) `touch pwned`; touch pwned\n'\"\\ \u202e ä\r\n\n"
    copy = "import sys; open('got', 'wb').write(sys.stdin.buffer.read())"
    launch = agent(sys.executable, "-c", copy).launch(
        replace(request_, prompt=prompt), hostile_environ()
    )
    tree = Path(request_.worktree.path)
    carry_out(launch, request_, changed_by=tree)
    assert (tree / "got").read_bytes() == prompt.encode()
    assert [path.name for path in tree.iterdir()] == ["got"]


def test_references_are_resolved_at_each_start_and_not_before(
    request_: AgentRequest, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    configured = agent("prog", env={"KEY": Secret(f"file:{key}")})
    with pytest.raises(SecretUnavailable):
        configured.launch(request_, {})
    key.write_text("one\n")
    assert configured.launch(request_, {}).env["KEY"] == "one"
    key.write_text("two\n")
    assert configured.launch(request_, {}).env["KEY"] == "two"


@pytest.mark.parametrize(
    ("command", "env", "lacking"),
    [
        ((sys.executable,), {}, ""),
        (("no-such-program",), {}, "no-such-program was not found"),
        (("/no/such/program",), {}, "/no/such/program was not found"),
        (("./in-the-worktree",), {}, ""),
        ((sys.executable,), {"K": "env:NOT_SET"}, "agents.x.env.K"),
        ((sys.executable,), {"K": "file:/no/such/file"}, "agents.x.env.K"),
        ((sys.executable,), {"K": "cmd:would-cost-something"}, ""),
        (("sh",), {"PATH": "/nowhere"}, "sh was not found"),
    ],
)
def test_a_probe_says_what_is_missing_without_running_anything(
    command: tuple[str, ...], env: dict[str, str], lacking: str
) -> None:
    secrets = {name: Secret(text) for name, text in env.items()}
    found = agent(*command, env=secrets).probe({"PATH": "/usr/bin:/bin"})
    assert lacking in found
    assert bool(found) == bool(lacking)

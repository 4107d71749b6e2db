"""An agent's environment is built from nothing (H95, H98)."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.agents import environment
from orch.config import Secret
from orch.config.secret import SecretUnavailable
from orch.config.tokens import belongs_to_service
from orch.model.worktree import Worktree
from orch.ports import AgentRequest
from orch.testing.agents import asked


@pytest.fixture
def request_(tmp_path: Path) -> AgentRequest:
    tree = Worktree(
        repo="r", name="w", branch="b", path=str(tmp_path), base_branch="main", base_commit="0" * 40
    )
    return asked(worktree=tree, directory="/d")


def built(
    request: AgentRequest, environ: dict[str, str], *, pass_env: tuple[str, ...] = (), **env: str
) -> dict[str, str]:
    secrets = {name: Secret(text) for name, text in env.items()}
    return environment.build(request, environ, agent="x", env=secrets, pass_env=pass_env)


def test_exactly_the_allow_list_and_our_words(request_: AgentRequest) -> None:
    environ = {
        "PATH": "/p", "HOME": "/h", "USER": "u", "SHELL": "/s", "LANG": "de_DE.UTF-8",
        "LC_TIME": "C", "TERM": "xterm", "TZ": "UTC", "EDITOR": "vi", "LCX": "no", "lang": "no",
    }  # fmt: skip
    env = built(request_, environ)
    words = {name: env.pop(name) for name in list(env) if name.startswith("ORCH_")}
    assert env == {name: environ[name] for name in list(environ)[:8]}
    assert words == {
        "ORCH_PROMPT_FILE": "/d/prompt", "ORCH_RESULT_FILE": "/d/result.json",
        "ORCH_RUN": request_.run, "ORCH_TASK": "42", "ORCH_ATTEMPT": request_.attempt,
    }  # fmt: skip


def test_h107_a_model_is_named_only_when_one_was_chosen(request_: AgentRequest) -> None:
    assert "ORCH_MODEL" not in built(request_, {})
    chosen = asked(worktree=request_.worktree, directory="/d", model="m-1")
    assert built(chosen, {})["ORCH_MODEL"] == "m-1"


def test_env_beats_pass_env_beats_the_allow_list(request_: AgentRequest) -> None:
    environ = {"TZ": "UTC", "A": "ours", "B": "ours", "PATH": "/p"}
    env = built(request_, environ, pass_env=("A", "B", "MISSING"), B="theirs", TZ="env:A")
    assert (env["A"], env["B"], env["TZ"]) == ("ours", "theirs", "ours")
    assert "MISSING" not in env


def test_h95_tokens_stay_out_even_when_they_are_named(request_: AgentRequest) -> None:
    environ = {"GITHUB_TOKEN": "t", "ORCH_HOME": "/o"}
    env = built(request_, environ, pass_env=("GITHUB_TOKEN", "ORCH_HOME"), JIRA_TOKEN="t")
    assert not {"GITHUB_TOKEN", "ORCH_HOME", "JIRA_TOKEN"} & set(env)
    assert env["ORCH_RUN"] == request_.run


def test_a_reference_that_fails_names_its_key(request_: AgentRequest) -> None:
    with pytest.raises(SecretUnavailable, match=r"^agents\.x\.env\.KEY: "):
        built(request_, {}, KEY="env:NOT_SET")


def test_h98_what_a_service_manager_leaves_out_is_completed() -> None:
    assert environment.base_environment({"PATH": "", "HOME": "/h"}) == {
        "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/h", "LANG": "C.UTF-8", "TERM": "dumb",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["GITHUB_TOKEN", "gh_token", "GITLAB_PRIVATE_TOKEN", "ATLASSIAN_TOKEN", "TELEGRAM_X",
             "SLACK_APP_TOKEN", "GIT_ASKPASS", "SSH_AUTH_SOCK", "ORCH_ANYTHING", "TMUX"],
)  # fmt: skip
def test_names_of_the_service(name: str) -> None:
    assert belongs_to_service(name)


@pytest.mark.parametrize(
    "name", ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "PATH", "HTTPS_PROXY", "GHOST", "CODEX_HOME"]
)
def test_names_of_agents(name: str) -> None:
    assert not belongs_to_service(name)

"""Who we are to GitHub: variables, the person's `gh`, a GitHub App with its key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from orch.config.secret import Secret
from orch.hosts.failures import NoCredential
from orch.hosts.github.address import address
from orch.hosts.github.client import GitHub
from orch.hosts.github.credentials import GhLogin, Token, find
from orch.hosts.github.facts import Issue
from orch.model.errors import ConfigError
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Repo

R = "octo/hello"
Connected = Callable[..., GitHub]


def gh(folder: Path, *lines: str) -> dict[str, str]:
    """An environment whose `gh` is this script; `calls` beside it has its words."""
    program = folder / "gh"
    program.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n' + "\n".join(lines) + "\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "HOME": str(folder)}


def test_the_first_that_is_there_is_taken(tmp_path: Path) -> None:
    place = address({})
    both = {"GITHUB_TOKEN": " a ", "GH_TOKEN": "b"}
    assert find(place, both).token() == Secret("a")
    assert find(place, {"GITHUB_TOKEN": "", "GH_TOKEN": "b"}).name == "GH_TOKEN"
    assert find(place, both, configured=Secret("c")).token() == Secret("c")
    assert isinstance(find(place, {"PATH": str(tmp_path)}), GhLogin)


def test_gh_is_asked_once_and_for_its_own_login(tmp_path: Path) -> None:
    environ = gh(tmp_path, 'test -z "$GH_TOKEN$GITHUB_TOKEN" && echo gho_x')
    login = GhLogin("ghe.corp", {**environ, "GH_TOKEN": "other"}, program=str(tmp_path / "gh"))
    assert [login.token().reveal() for _ in range(3)] == ["gho_x"] * 3
    assert (tmp_path / "calls").read_text() == "auth token --hostname ghe.corp\n"
    assert login.remedy == "gh auth login --hostname ghe.corp"


@pytest.mark.parametrize(
    "line", ["exit 1", "echo; exit 0", "printf 'a\\nb\\n'", "printf '\\033[1m'"]
)
def test_a_gh_that_is_not_signed_in_is_nobody(line: str, tmp_path: Path) -> None:
    gh(tmp_path, line)
    with pytest.raises(NoCredential) as caught:
        GhLogin("github.com", {}, program=str(tmp_path / "gh")).token()
    assert caught.value.hint == "gh auth login, or: export GITHUB_TOKEN=…"
    with pytest.raises(NoCredential):
        GhLogin("github.com", {}, program=str(tmp_path / "nothing")).token()


def test_a_token_that_gh_renewed_is_fetched_when_the_old_one_is_not_taken(
    standin: GitHubStandIn, repo: Repo, connected: Connected, tmp_path: Path
) -> None:
    token = standin.token("octo")
    gh(tmp_path, f'[ "$(wc -l < {tmp_path}/calls)" = 1 ] && echo gho_old || echo {token}')
    login = GhLogin("github.com", {}, program=str(tmp_path / "gh"))
    client = connected(environ={"GITHUB_API_URL": standin.url}, credential=login, reserve=0)
    assert client.issues.all(R) == []
    assert [one.status for one in standin.log] == [401, 200]


def test_a_token_shows_itself_nowhere() -> None:
    token = Token("GITHUB_TOKEN", Secret("c4n4ry"))
    assert "c4n4ry" not in f"{token!r} {vars(token)} {token.token()!r}"


# --- GitHub Apps --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private = made.private_bytes(pem, pkcs8, serialization.NoEncryption())
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.decode(), made.public_key().public_bytes(pem, spki).decode()


@pytest.fixture
def app(standin: GitHubStandIn, repo: Repo, key: tuple[str, str], tmp_path: Path) -> dict[str, str]:
    standin.apps.add("77", "orchbot", key[1], {5: "octo"})
    repo.rights["orchbot[bot]"] = "write"
    path = tmp_path / "key.pem"
    path.write_text(key[0])
    return {
        "GITHUB_API_URL": standin.url, "GITHUB_APP_ID": "77",
        "GITHUB_APP_PRIVATE_KEY_PATH": str(path),
    }  # fmt: skip


@pytest.fixture
def as_app(app: dict[str, str], connected: Connected) -> GitHub:
    return connected(environ=app)


def test_an_app_finds_where_it_is_and_acts_as_its_bot(
    standin: GitHubStandIn, as_app: GitHub, app: dict[str, str]
) -> None:
    made = as_app.issues.create(R, title="by the bot")
    assert standin.world.repos[R].issues[1].author is standin.world.users["orchbot[bot]"]
    assert as_app.repositories.viewer().person.login == "orchbot[bot]"
    assert isinstance(made, Issue)
    assert as_app.related.changed(R)[0].author == as_app.issues.get(R, 1).author
    assert len(standin.requests("access_tokens")) == 1


def test_a_token_is_renewed_before_it_ends(standin: GitHubStandIn, as_app: GitHub) -> None:
    for _ in range(2):
        as_app.issues.all(R)
        standin.world.clock.advance(3400)  # five minutes before its end, not after it
    assert len(standin.requests("access_tokens")) == 2
    assert all(one.status != 401 for one in standin.log)


def test_a_token_that_was_taken_back_is_replaced(standin: GitHubStandIn, as_app: GitHub) -> None:
    as_app.issues.all(R)
    standin.apps.forget_all()
    assert as_app.comments.of_repository(R) == []
    assert len(standin.requests("access_tokens")) == 2


def test_what_is_wrong_with_an_app_is_told(
    standin: GitHubStandIn, app: dict[str, str], connected: Connected, key: tuple[str, str]
) -> None:
    def fault(**changed: str) -> Exception:
        with pytest.raises((NoCredential, ConfigError)) as caught:
            connected(environ=app | changed).issues.all(R)
        assert caught.value.hint
        assert "PRIVATE KEY" not in repr(caught.value.as_dict())
        return caught.value

    assert "is not" in str(fault(GITHUB_APP_PRIVATE_KEY_PATH=""))
    assert fault(GITHUB_APP_PRIVATE_KEY="no key").code == "bad_key"  # type: ignore[attr-defined]
    assert "does not take" in str(fault(GITHUB_APP_ID="78"))
    assert "no number" in str(fault(GITHUB_APP_INSTALLATION_ID="x"))
    standin.apps.add("77", "orchbot", key[1], {5: "octo", 6: "cat"})
    assert "cat, octo" in str(fault())
    assert connected(environ=app | {"GITHUB_APP_ACCOUNT": "octo"}).issues.all(R) == []
    assert connected(environ=app | {"GITHUB_APP_INSTALLATION_ID": "5"}).issues.all(R) == []

"""`orch doctor` on what lives elsewhere: each source and forge is asked, and nobody waited for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orch.checkup.remotes import looks
from orch.compose import open_unchecked
from tests.trackers_world import Octo, at_github


@pytest.fixture
def octo(tmp_path: Path) -> Iterator[Octo]:
    with at_github(tmp_path, agents={"one": "command = ['true']"}) as made:
        yield made


def told(octo: Octo, code: int = 0, **env: str) -> dict[str, Any]:
    """The checks of what lives elsewhere, by name."""
    found = octo.world.ask("doctor", code=code, env=env)
    return {one["name"]: one for one in found if one["name"].split()[0] in ("source", "forge")}


def test_each_source_and_forge_is_asked(octo: Octo) -> None:
    found = told(octo)
    assert set(found) == {"source thing", "forge github"}
    assert found["source thing"]["message"] == "github tickets for thing can be read"
    assert found["forge github"]["message"] == "pull requests of thing can be read"


def test_a_token_that_is_not_taken_is_told_with_what_mends_it(octo: Octo) -> None:
    found = told(octo, code=1, GITHUB_TOKEN="ghp_nobody")
    assert not any(one["ok"] for one in found.values())
    for one in found.values():
        assert "does not take GITHUB_TOKEN" in one["message"]
        assert one["fix"] == "export GITHUB_TOKEN=…"


def test_a_token_that_cannot_be_read_is_told_by_the_table_it_is_written_in(octo: Octo) -> None:
    octo.world.ask("config", "set", "sources.thing.token", f"file:{octo.world.root / 'nowhere'}")
    for one in told(octo, code=1).values():
        assert one["message"].startswith("sources.thing.token: "), one


def test_a_project_that_is_not_there_and_rights_that_are_too_few(octo: Octo) -> None:
    octo.world.ask("config", "set", "sources.thing.project", "octo/nothing")
    found = told(octo, code=1)
    assert "shows nothing at /repos/octo/nothing" in found["source thing"]["message"]
    assert found["forge github"]["ok"]
    octo.world.ask("config", "unset", "sources.thing.project")
    octo.project.rights["bot"] = "read"
    message = told(octo, code=1)["source thing"]["message"]
    assert message.startswith("bot may only read octo/thing")
    octo.world.ask("config", "set", "sources.thing.write", "comments")
    assert told(octo)["source thing"]["ok"]
    octo.project.archived = True
    assert "is archived" in told(octo, code=1)["source thing"]["message"]


def test_who_does_not_answer_is_not_waited_for(octo: Octo) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"http://127.0.0.1:{mute.getsockname()[1]}"
        octo.world.ask("config", "set", "sources.thing.project", "octo/thing")
        octo.world.ask("config", "set", "sources.thing.base_url", url)
        with (octo.world.home / "config.toml").open("a") as file:
            file.write(f'[forges.github]\nbase_url = "{url}"\n')
            file.write('[forges.github.options.projects]\nthing = "octo/thing"\n')
        environ = octo.world.environ()
        orch = open_unchecked(environ, octo.world.root, person="pat", whole=False)
        try:
            begun = time.monotonic()
            found = {one.name: one for one in looks(orch, patience_s=0.3)
                     if not one.name.startswith("remote")}  # fmt: skip
            assert time.monotonic() - begun < 20
        finally:
            orch.close()
    assert set(found) == {"source thing", "forge github"}
    for one in found.values():
        assert (one.ok, one.message) == (False, "no answer in 0.3 s")
        assert one.fix == "look at the network, then: orch doctor"


def test_git_itself_is_asked_whether_it_can_read_the_remote(octo: Octo) -> None:
    def remote(code: int) -> dict[str, Any]:
        found = octo.world.ask("doctor", code=code)
        (one,) = [one for one in found if one["name"] == "remote of thing"]
        return dict(one)

    assert (remote(0)["ok"], remote(0)["message"][:13]) == (True, "git can read ")
    place = Path(octo.project.git.path)
    place.rename(place.with_name("away"))
    gone = remote(1)
    assert not gone["ok"]
    assert gone["fix"]
    assert "doctor" not in gone["fix"]


def test_a_source_whose_repository_is_gone_says_so(octo: Octo) -> None:
    octo.world.ask("config", "set", "sources.thing.repo", "other")
    found = told(octo, code=1)["source thing"]
    assert "'other' of the source thing is not registered" in found["message"]
    assert found["fix"] == "orch repo list"

"""What a person hears who sets a source for Jira up wrongly."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orch import plugins
from orch.config.secret import Secret, SecretUnavailable
from orch.config.source_tree import SourcePremises
from orch.hosts import shared
from orch.hosts.failures import Limited, Unanswered
from orch.hosts.jira.client import connect
from orch.model.errors import ConfigError
from orch.trackers.jira.source import JiraSource
from tests.integration.jira_rooms import REPO, Rooms, Ticking, rooms as rooms
from tests.standins.jira.server import JiraStandIn
from tests.standins.jira.world import ADMIN, RIGHTS


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    shared.close_all()


def made(
    rooms: Rooms, environ: dict[str, str], clock: Ticking | None = None, **config: Any
) -> JiraSource:
    premises = SourcePremises(
        name="board", config=rooms.config(**config), repo=REPO, directory=Path("/none"),
        environ=environ, clock=clock or Ticking(rooms.world.clock),
    )  # fmt: skip
    source = plugins.make(plugins.SOURCES, "jira", premises)
    assert isinstance(source, JiraSource)
    return source


def test_it_is_made_of_its_table(rooms: Rooms) -> None:
    told = {"WHO": "bot@example.org", "WORD": rooms.standin.token("bot")}
    user = {"user": Secret("env:WHO")} if rooms.cloud else {}
    source = made(rooms, told, token=Secret("env:WORD"), **user)
    assert rooms.standin.log == []
    assert source.me().name == "Bot"
    assert source.probe() == ""
    with pytest.raises(SecretUnavailable, match=r"sources\.board\.token"):
        made(rooms, {}, token=Secret("env:WORD"))
    assert "no token" in made(rooms, {}).probe()


def test_who_shares_a_token_shares_its_limits(rooms: Rooms) -> None:
    told = {"WORD": rooms.standin.token("bot"), "OTHER": rooms.standin.token("cat")}
    clock = Ticking(rooms.world.clock)
    ours, same, other = (
        made(rooms, told, clock, token=Secret(f"env:{name}")) for name in ("WORD", "WORD", "OTHER")
    )
    rooms.standin.faults.add("/myself", "too_many", seconds=60)
    with pytest.raises(Limited):
        ours.me()
    with pytest.raises(Limited):
        same.me()
    rooms.standin.silenced_until = 0.0
    assert other.me().name == "Cat"
    assert len(rooms.standin.requests("/myself")) == 2


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"project": ""}, "bad_project"), ({"project": "abc"}, "bad_project"),
        ({"project": 'A" OR project = "B'}, "bad_project"), ({"query": "a) OR (b"}, "bad_query"),
        ({"base_url": ""}, "bad_url"), ({"base_url": "https://169.254.169.254"}, "bad_url"),
        ({"options": {"epic": "x"}}, "bad_options"), ({"options": {"issue_type": 3}}, "bad_options"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_before_anything_is_asked(
    rooms: Rooms, config: dict[str, Any], code: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        made(rooms, {}, **config)
    assert refused.value.code == code
    assert refused.value.hint
    assert rooms.standin.log == []


def test_what_is_missing_is_told_in_a_sentence(rooms: Rooms) -> None:
    """Threats: wrong token, no such project, no permission, a query that Jira does not take."""
    rooms.world.add_project("OPEN", rights={"dog": RIGHTS})
    assert rooms.source().probe() == ""
    assert rooms.source("eve", write="none", start="never").probe() == ""
    assert rooms.source("eve", start="never").probe() == (
        "Eve lacks the permission Add Comments, Edit Own Comments, Delete Own Comments, Transition"
        " Issues, Edit Issues in the project ABC."
    )
    assert "no project OPEN" in rooms.source(project="OPEN").probe()
    assert "does not understand the query" in rooms.source(query="flavour = 3").probe()
    assert "may see" in rooms.source(project="NONE").probe()
    source = rooms.source("dog")
    del rooms.world.users["dog"]
    assert "does not take the token of the source board" in source.probe()


def test_who_cannot_ask_about_rights_is_told(rooms: Rooms) -> None:
    assert "Administer Projects" in rooms.source("cat").probe()
    assert rooms.source("cat", allowed_authors=("557058:1",)).probe() == ""
    rooms.project.rights["cat"].add(ADMIN)
    assert rooms.source("cat").probe() == ""


def test_a_server_that_is_not_there_is_told(rooms: Rooms) -> None:
    with JiraStandIn() as gone:
        url = gone.url
    premises = SourcePremises(
        name="board", config=rooms.config(base_url=url), repo=REPO, directory=Path("/none"),
        environ={}, clock=Ticking(rooms.world.clock),
    )  # fmt: skip
    jira = connect({}, url=url, token=Secret("t"), sleep=lambda s: None)
    with pytest.raises(Unanswered, match="does not answer: no connection"):
        JiraSource(premises, jira).probe()
    jira.close()

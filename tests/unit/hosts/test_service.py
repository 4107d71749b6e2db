"""The caller of small services, over HTTP to a server that does what the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from orch.config.secret import Secret
from orch.hosts.dialect import Dialect
from orch.hosts.failures import NoCredential, Unanswered, Unknown, Unreadable
from orch.hosts.service import Service, connect
from orch.testing.forges import SteppingClock
from tests.standins.served import Answer, Ask, Refusal, Served, route

DIALECT = Dialect(
    service="Things", public="https://things.example", api="/api", variable="THINGS_TOKEN",
    page_word="limit", page_size=3,
)  # fmt: skip


class Things(Served):
    api = "/api"
    items = tuple(range(7))
    told: tuple[str, ...] = ()
    most = 3
    where = ""
    authorizations: tuple[str, ...] = ()

    def viewer(self, headers: Mapping[str, str]) -> None:
        self.authorizations += (headers.get("authorization", ""),)
        if self.authorizations[-1] != "Bearer good":
            raise Refusal(401, "who?")

    @route("GET", "/things")
    def _things(self, ask: Ask) -> Any:
        number = int(ask.query["page"])
        size = min(self.most, int(ask.query["limit"]))
        headers = {}
        if "total" in self.told:
            headers["x-total-count"] = str(len(self.items))
        if "link" in self.told:
            headers["link"] = '<https://elsewhere.example/x?page=1>; rel="next"'
        if "unpaged" in self.told:
            return Answer(list(self.items), 200, headers)
        cut = list(self.items[(number - 1) * size : number * size])
        return Answer(cut or None, 200, headers)

    @route("GET", "/moved")
    def _moved(self, ask: Ask) -> Any:
        return Answer(None, 301, {"location": self.where})

    @route("GET", "/here")
    def _here(self, ask: Ask) -> Any:
        return Answer("here")

    @route("POST", "/things")
    def _make(self, ask: Ask) -> Any:
        return Answer(ask.body["name"], 201)


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def things(clock: SteppingClock) -> Iterator[Things]:
    with Things(clock.now) as made:
        yield made


Connected = Callable[..., Service]


@pytest.fixture
def connected(things: Things, clock: SteppingClock) -> Iterator[Connected]:
    made = []

    def service(token: str = "good", url: str = "") -> Service:
        def sleep(seconds: float) -> None:
            clock.at += seconds

        secret = Secret(token) if token else None
        made.append(
            connect(DIALECT, {}, url=url or things.url, token=secret, now=clock.now, sleep=sleep)
        )
        return made[-1]

    yield service
    for one in made:
        one.close()


@pytest.mark.parametrize(
    ("told", "most", "counted"),
    [((), 3, True), (("total",), 2, True), (("unpaged",), 3, True), ((), 2, False)],
)
def test_h93_a_list_is_read_to_its_end(
    connected: Connected, things: Things, told: tuple[str, ...], most: int, counted: bool
) -> None:
    """By full pages, by the count where the server's pages are smaller than asked for, at once where
    it does not page, and to an empty page where nothing that is said is to be trusted."""
    things.told, things.most = told, most
    assert connected().pages("/things", int, counted=counted) == list(range(7))


def test_pages_that_lead_in_a_circle_are_an_error(connected: Connected, things: Things) -> None:
    things.told = ("link",)
    with pytest.raises(Unreadable):
        connected().pages("/things", int)


def test_a_page_that_is_lost_for_good_is_an_error(connected: Connected, things: Things) -> None:
    things.faults.add("page=2", "status", times=9)
    with pytest.raises(Unanswered):
        connected().pages("/things", int)


def test_what_was_renamed_is_followed_at_the_same_origin_only(
    connected: Connected, things: Things
) -> None:
    things.where = f"{things.url}/api/here"
    assert connected().read("/moved", str) == "here"
    with Things(things.now) as other:
        things.where = f"{other.url}/api/here"
        with pytest.raises(Unreadable):
            connected().read("/moved", str)
        assert other.log == []


@pytest.mark.parametrize("kind", ["lost", "late", "cut", "status", "page"])
def test_a_write_is_sent_once_and_what_is_not_clear_is_unknown(
    connected: Connected, things: Things, kind: Any
) -> None:
    things.faults.add("POST", kind)
    made = connected().write("POST", "/things", str, {"name": "x"})
    assert isinstance(made, Unknown)
    assert made.request == "POST /things"
    assert len(things.requests("POST")) == 1


def test_a_write_that_reached_nobody_is_tried_again_and_then_an_error(
    connected: Connected, clock: SteppingClock
) -> None:
    with Things(clock.now) as gone:
        url = gone.url
    began = clock.at
    with pytest.raises(Unanswered):
        connected(url=url).write("POST", "/things", str, {"name": "x"})
    assert clock.at > began


def test_a_short_limit_is_sat_out_by_writes_too(
    connected: Connected, things: Things, clock: SteppingClock
) -> None:
    things.faults.add("POST", "too_many", seconds=1)
    assert connected().write("POST", "/things", str, {"name": "x"}) == "x"


def test_nobody_is_told_what_is_missing_and_no_token_is_shown(
    connected: Connected, things: Things
) -> None:
    with pytest.raises(NoCredential) as nobody:
        connected(token="").read("/here", str)
    assert nobody.value.hint == "export THINGS_TOKEN=…"
    assert things.log == []
    with pytest.raises(NoCredential) as refused:
        connected(token="bad-secret").read("/here", str)
    assert "bad-secret" not in f"{refused.value.message}{refused.value.hint}{refused.value.data}"


def test_a_look_begins_in_the_servers_time(
    connected: Connected, things: Things, clock: SteppingClock
) -> None:
    service = connected()
    things.now = lambda: clock.at - 90.0
    service.read("/here", str)
    assert service.server_time() == clock.at - 90.0

"""Subscriptions: replayed from a number, then live; at each one's own pace, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from orch.model import command as cmd
from orch.model.errors import NotFound, UsageError
from orch.service import feed
from tests.databases import a_store
from tests.records import ME, PERSON, RUN, a_repo, advance, agent_plan, an_attempt, create_run
from tests.servicerooms import Service, a_service

KEYS = ["seq", "at", "kind", "v", "actor", "cause", "repo", "task", "run", "step", "data"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path.resolve() / "orch"


@pytest.fixture
def service(home: Path) -> Iterator[Service]:
    with a_service(home) as found:
        yield found


_different = count()


def grow(store: Any, number: int, body: str = "") -> None:
    """`number` events, in one commit."""
    places = [f"/{next(_different)}{body}" for _ in range(number)]
    store.send_all([(cmd.RegisterRepo(a_repo(workspace_dir=one)), PERSON) for one in places])


def taken(told: Iterator[tuple[str, dict[str, Any]]], count: int) -> list[dict[str, Any]]:
    """The next `count` events; nothing else may come."""
    found = []
    for _ in range(count):
        method, params = next(told)
        assert method == "event", (method, params)
        found.append(params["event"])
    return found


def test_events_are_replayed_and_then_live(service: Service) -> None:
    store = service.orch.store
    grow(store, 450)
    with service.client() as mine:
        told = mine.subscribe("events.subscribe", {"since": 2})
        found = taken(told, 448)
        assert [event["seq"] for event in found] == list(range(3, 451)), "over several pages"
        assert list(found[0]) == KEYS
        grow(store, 3)
        assert [event["seq"] for event in taken(told, 3)] == [451, 452, 453]


def test_what_another_process_writes_is_told_at_once(service: Service) -> None:
    other = a_store(service.home / "orch.db")
    with service.client() as mine:
        told = mine.subscribe("events.subscribe", {"since": 0})
        delays = []
        for number in range(20):
            began = time.perf_counter()
            grow(other, 1)
            assert taken(told, 1)[0]["seq"] == number + 1
            delays.append(time.perf_counter() - began)
    other.close()
    assert sorted(delays)[10] < 0.25, delays


def test_events_of_one_run_or_task_alone(service: Service) -> None:
    store = service.orch.store
    grow(store, 5)
    store.send(create_run(), PERSON)
    grow(store, 300)
    task = store.run(RUN).task
    with service.client() as of_run, service.client() as of_task:
        runs = of_run.subscribe("events.subscribe", {"run": RUN})
        tasks = of_task.subscribe("events.subscribe", {"task": task})
        old = [taken(runs, 1)[0] for _ in range(len(store.events(0, run=RUN)))]
        assert {event["run"] for event in old} == {RUN}
        store.send(cmd.RequestStop(RUN, False), PERSON)
        grow(store, 5)
        assert taken(runs, 1)[0]["kind"] == "StopRequested"
        kinds = [taken(tasks, 1)[0]["kind"] for _ in range(len(old) + 1)]
        assert kinds == [*(event["kind"] for event in old), "StopRequested"]


@pytest.mark.parametrize("since", [10, 99_999])
def test_a_cursor_that_means_nothing_any_more_is_told(home: Path, since: int) -> None:
    """Old events were given up, or the books are others than those of the cursor."""
    with a_service(home) as service:
        grow(service.orch.store, 60)
        service.orch.store._db.execute("delete from events where seq <= 50")
        with service.client() as mine:
            told = mine.subscribe("events.subscribe", {"since": since})
            method, params = next(told)
            assert (method, params["reason"], params["last"]) == ("resync", "gone", 60)
            assert params["since"] == (50 if since == 10 else 60)
            if since == 10:
                assert [event["seq"] for event in taken(told, 10)] == list(range(51, 61))
            grow(service.orch.store, 1)
            assert taken(told, 1)[0]["seq"] == 61


def test_a_slow_subscriber_is_told_so_and_misses_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a long way behind, the ring has gone on, nobody else waited and nothing piled up."""
    monkeypatch.setattr(feed, "RING_EVENTS", 50)
    with a_service(home) as service:
        store = service.orch.store
        slow, quick = service.raw(), service.client()
        told = quick.subscribe("events.subscribe", {})
        assert slow.ask("events.subscribe")["result"] == {"subscription": 1, "since": 0}
        grow(store, 1)
        assert taken(told, 1)[0]["seq"] == 1
        assert slow.hear()["params"]["event"]["seq"] == 1, "it was live"
        body = "x" * 4000
        written = 1
        for _ in range(100):
            grow(store, 40, body)
            written += 40
            assert taken(told, 40)[-1]["seq"] == written, "the quick one is never late"
        assert service.front is not None
        assert len(service.front._feed._ring) <= 50
        [connection] = [c for c in service.front._server._connections.values() if c._following
                        and c._writer.transport.get_write_buffer_size()]  # fmt: skip
        assert connection._writer.transport.get_write_buffer_size() < 4 * 1024 * 1024
        heard, resyncs, seq = 0, [], 1
        while seq < written:
            message = slow.hear()
            if message["method"] == "resync":
                resyncs.append(message["params"])
            else:
                assert message["params"]["event"]["seq"] == seq + 1, "none left out, none twice"
                seq, heard = seq + 1, heard + 1
        assert [told["reason"] for told in resyncs] == ["slow"]
        slow.close()
        quick.close()


def test_200_subscribers_hear_of_an_event_at_once_and_it_is_encoded_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encodings: list[int] = []
    plain = feed.encoded

    def counted(event: Any) -> feed.Encoded:
        encodings.append(event.seq)
        return plain(event)

    monkeypatch.setattr(feed, "encoded", counted)
    with a_service(home) as service:
        raws = [service.raw() for _ in range(200)]
        for raw in raws:
            raw.ask("events.subscribe")
        grow(service.orch.store, 1)
        assert {raw.hear()["params"]["event"]["seq"] for raw in raws} == {1}
        encodings.clear()
        delays = []
        for number in range(2, 12):
            began = time.perf_counter()
            grow(service.orch.store, 1)
            assert {raw.hear()["params"]["event"]["seq"] for raw in raws} == {number}
            delays.append(time.perf_counter() - began)
        assert encodings == list(range(2, 12))
        assert sorted(delays)[5] < 0.5, delays
        for raw in raws:
            raw.close()


def test_a_subscription_is_ended(service: Service) -> None:
    raw = service.raw()
    assert raw.ask("events.subscribe", since=0)["result"]["subscription"] == 1
    assert raw.ask("unsubscribe", subscription=1)["result"] == {"subscription": 1, "ended": True}
    grow(service.orch.store, 1)
    assert raw.ask("unsubscribe", subscription=1)["result"]["ended"] is False
    raw.close()
    assert service.front is not None
    deadline = time.monotonic() + 60
    while service.front._feed._readers and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not service.front._feed._readers, "nobody is left behind"


def test_what_cannot_be_followed_is_refused(service: Service) -> None:
    with service.client() as mine:
        for name, params, wanted in (
            ("events.subscribe", {"since": -1}, UsageError),
            ("events.subscribe", {"sinse": 1}, UsageError),
            ("output.subscribe", {"attempt": "nobody"}, NotFound),
            ("output.subscribe", {"attempt": "nobody", "stream": "mind"}, UsageError),
        ):
            with pytest.raises(wanted):
                mine.subscribe(name, params)


# --- output


@pytest.fixture
def attempt(service: Service) -> Path:
    """The directory of an attempt that runs."""
    directory = service.home / "attempts" / "aaaaaaaaaaaa"
    store = service.orch.store
    store.send(cmd.RegisterRepo(a_repo()), PERSON)
    store.send(create_run(), PERSON)
    store.send(cmd.TakeEngine(ME), PERSON)
    store.send(cmd.TakeRun(RUN, ME), PERSON)
    one = an_attempt(directory=str(directory))
    store.send(advance(planned=(agent_plan(attempt=one),)), PERSON)
    return directory


def end(service: Service) -> None:
    service.orch.store.send(
        cmd.EndAttempt(RUN, 1, cmd.AttemptEnd(id="aaaaaaaaaaaa", status="stopped")), PERSON
    )


def output(told: Iterator[tuple[str, dict[str, Any]]], size: int) -> tuple[str, int]:
    """The next `size` bytes, and the byte after them."""
    text, at = "", 0
    while len(text.encode()) < size:
        method, params = next(told)
        assert method == "output", (method, params)
        text, at = text + params["output"]["text"], params["output"]["next"]
    return text, at


def test_output_is_told_from_a_byte_on_until_the_attempt_ends(
    service: Service, attempt: Path
) -> None:
    with service.client() as mine, service.client() as late:
        told = mine.subscribe("output.subscribe", {"attempt": "aaaaaaaaaaaa"})
        attempt.mkdir(mode=0o700)
        out = attempt / "stdout"
        with out.open("ab", buffering=0) as file:
            file.write(b"one\n")
            assert output(told, 4) == ("one\n", 4)
            file.write("zwö".encode()[:3])
            assert output(told, 2) == ("zw", 6), "a character is told whole"
            file.write("zwö".encode()[3:] + b"\n")
            assert output(told, 3) == ("ö\n", 9)
            more = late.subscribe("output.subscribe", {"attempt": "aaaaaaaaaaaa", "since_byte": 4})
            assert output(more, 5) == ("zwö\n", 9)
            file.write("ß".encode()[:1])
        end(service)
        for told_to in (told, more):
            assert output(told_to, 3) == ("\ufffd", 10)
            assert next(told_to)[0] == "end"


def test_a_large_output_is_told_whole_and_a_dropped_middle_too(
    service: Service, attempt: Path
) -> None:
    attempt.mkdir(mode=0o700)
    text = "".join(f"{number} äöü€\n" for number in range(40_000))
    (attempt / "stdout").write_text(text, encoding="utf-8")
    with service.client() as mine:
        told = mine.subscribe("output.subscribe", {"attempt": "aaaaaaaaaaaa"})
        size = len(text.encode())
        assert output(told, size) == (text, size)
        (attempt / "new").write_bytes(b"short\n")
        (attempt / "new").replace(attempt / "stdout")
        assert next(told) == (
            "resync", {"subscription": 1, "reason": "gone", "since": size, "next": 6}
        )  # fmt: skip
        end(service)
        assert next(told)[0] == "end"


def test_200_subscribers_of_one_attempt(
    service: Service, attempt: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slowest costs the others nothing, and each piece is read a few times, not 200."""
    attempt.mkdir(mode=0o700)
    reads = []
    terminals, plain = service.orch.rooms.terminals, service.orch.rooms.terminals.read

    def counted(*words: Any) -> Any:
        reads.append(words)
        return plain(*words)

    monkeypatch.setattr(terminals, "read", counted)
    raws = [service.raw() for _ in range(200)]
    for raw in raws:
        raw.ask("output.subscribe", attempt="aaaaaaaaaaaa")
    delays = []
    with (attempt / "stdout").open("ab", buffering=0) as file:
        for number in range(10):
            reads.clear()
            began = time.perf_counter()
            file.write(b"%d\n" % number)
            assert {raw.hear()["params"]["output"]["text"] for raw in raws[1:]} == {f"{number}\n"}
            delays.append(time.perf_counter() - began)
            assert len(reads) <= 20, len(reads)
    assert sorted(delays)[5] < 0.5, delays
    heard = "".join(raws[0].hear()["params"]["output"]["text"] for _ in range(10))
    assert heard == "".join(f"{number}\n" for number in range(10))
    for raw in raws:
        raw.close()


def test_a_service_with_nothing_to_do_looks_rarely(service: Service) -> None:
    looks = []
    store, plain = service.orch.store, service.orch.store.last_event
    assert service.front is not None

    def counted() -> int:
        looks.append(time.monotonic())
        return plain()

    service.front.ear._last = counted
    time.sleep(3)  # this is about time that passes
    assert store.last_event() == 0
    assert len(looks) <= 4, looks


def test_a_system_that_cannot_tell_is_looked_at(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orch.terminals.tmux.Tmux.ear", lambda self: None)
    with a_service(home) as service, service.client() as mine:
        told = mine.subscribe("events.subscribe", {})
        grow(service.orch.store, 2)
        assert [event["seq"] for event in taken(told, 2)] == [1, 2]

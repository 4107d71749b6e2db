"""Hooks, notices and their readers on real books, real programs and a real server."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orch.compose import open_orch
from orch.compose.service import ServiceParts, serve_parts
from orch.engine.feed import LONGEST_S, Feed
from orch.engine.hooks import HANGS, REST_S, Hooks, refusal
from orch.engine.notifier import Notifier, desktop_argv
from orch.engine.posting import post
from orch.engine.seams import SystemClock
from orch.engine.told_program import KEPT, tell
from orch.engine.world import World
from orch.model.command import AddTask, NoteService
from orch.model.errors import ToolFailed
from orch.model.event import Actor
from orch.model.occasion import Occasion
from orch.model.outreach import TRIES, Notice
from tests.acceptance.test_hooks import Listener

PERSON = Actor("person", "pat")
ENVIRON = {"PATH": os.environ["PATH"]}


class Shifted(SystemClock):
    """The machine's clock, so many seconds ahead."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[ServiceParts]:
    environ = {**ENVIRON, "HOME": str(tmp_path), "ORCH_HOME": str(tmp_path / "home")}
    orch = open_orch(environ, tmp_path, person="pat")
    made = serve_parts(orch)
    yield made
    made.journal.close()
    orch.close()


@pytest.fixture
def clock() -> Shifted:
    return Shifted()


@pytest.fixture
def world(parts: ServiceParts, clock: Shifted) -> World:
    return dataclasses.replace(parts.world, clock=clock)


def put(world: World, name: str, text: str, mode: int = 0o700) -> Path:
    folder = world.home / "hooks"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def happen(world: World, count: int = 1) -> None:
    for _ in range(count):
        world.store.send(NoteService("started", 1), PERSON)


class Dealing:
    """Remembers what it dealt with; fails as it is told."""

    def __init__(self, answer: Callable[[Occasion], bool] = lambda found: True) -> None:
        self.dealt: list[int] = []
        self.answer = answer

    async def __call__(self, found: Occasion) -> bool:
        done = self.answer(found)
        self.dealt.append(found.seq)
        return done


# --- the reader


def test_each_event_is_dealt_with_once_over_restarts(world: World) -> None:
    happen(world, 3)
    seen = Dealing()
    asyncio.run(Feed(world, "x", seen).catch_up())
    happen(world)
    asyncio.run(Feed(world, "x", seen).catch_up())
    assert seen.dealt == [1, 2, 3, 4]


def test_an_event_that_was_not_dealt_with_to_its_end_comes_again(world: World) -> None:
    happen(world, 3)

    def dies(found: Occasion) -> bool:
        if found.seq == 2:
            raise KeyboardInterrupt
        return True

    first, second = Dealing(dies), Dealing()
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(Feed(world, "x", first).catch_up())
    asyncio.run(Feed(world, "x", second).catch_up())
    assert (first.dealt, second.dealt) == ([1], [2, 3])


def test_a_refusal_is_passed_over_and_holds_up_nothing(world: World) -> None:
    def refuses(found: Occasion) -> bool:
        if found.seq == 1:
            raise ToolFailed("no")
        return True

    happen(world, 2)
    seen = Dealing(refuses)
    asyncio.run(Feed(world, "x", seen).catch_up())
    asyncio.run(Feed(world, "x", seen).catch_up())
    assert seen.dealt == [2]


def test_after_a_day_away_old_events_are_skipped_and_counted(
    world: World, clock: Shifted, caplog: pytest.LogCaptureFixture
) -> None:
    happen(world, 250)
    seen = Dealing()
    clock.ahead = LONGEST_S + 60
    asyncio.run(Feed(world, "x", seen).catch_up())
    assert seen.dealt == []
    assert "250 events are older than a day" in caplog.text
    clock.ahead = LONGEST_S - 60
    asyncio.run(Feed(world, "y", seen).catch_up())
    assert len(seen.dealt) == 250


def test_whoever_stops_waiting_does_not_start_a_second_telling(world: World) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    seen: list[int] = []

    async def slow(found: Occasion) -> bool:
        seen.append(found.seq)
        begun.set()
        await go_on.wait()
        return True

    async def play() -> None:
        feed = Feed(world, "x", slow)
        running = asyncio.ensure_future(feed.run())
        await begun.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        last = asyncio.ensure_future(feed.catch_up())
        await asyncio.sleep(0)
        go_on.set()
        await last

    happen(world)
    asyncio.run(play())
    assert seen == [1]


# --- programs


def test_a_program_gets_its_data_and_nothing_in_its_arguments(tmp_path: Path) -> None:
    script = f"import sys; open({str(tmp_path / 'got')!r}, 'wb').write(sys.stdin.buffer.read())"
    data = os.urandom(300_000)
    ending = tell(
        [sys.executable, "-c", script], data, environ=ENVIRON, cwd=str(tmp_path), timeout_s=20
    )
    assert ending.failure == ""
    assert (tmp_path / "got").read_bytes() == data


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("sleep 600", "was not over after 0.5 s"),
        ("exec >&- 2>&-; sleep 600", "was not over after 0.5 s"),
        ("trap '' TERM; sleep 600 & wait", "was not over after 0.5 s"),
        ("yes", "was not over after 0.5 s"),
        ("echo why; exit 3", "exit code 3"),
        ("kill -9 $$", "exit code -9"),
    ],
)
def test_however_a_program_behaves_it_is_over_in_time(
    tmp_path: Path, words: str, told: str
) -> None:
    begun = time.monotonic()
    ending = tell(["sh", "-c", words], b"{}", environ=ENVIRON, cwd=str(tmp_path), timeout_s=0.5)
    assert told in ending.failure
    assert len(ending.output) <= KEPT
    assert time.monotonic() - begun < 20


def test_what_a_program_leaves_in_its_group_ends_with_it(tmp_path: Path) -> None:
    words = "sleep 600 & echo $!"
    ending = tell(["sh", "-c", words], b"", environ=ENVIRON, cwd=str(tmp_path), timeout_s=20)
    assert ending.failure == ""
    deadline = time.monotonic() + 60
    while _lives(int(ending.output)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _lives(int(ending.output))


def _lives(pid: int) -> bool:
    """A zombie, whom nobody has fetched yet, does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    ending = tell(["no-such-thing"], b"", environ=ENVIRON, cwd=str(tmp_path), timeout_s=1)
    assert "cannot be started" in ending.failure


# --- hook files


def test_only_a_persons_own_file_is_run(tmp_path: Path) -> None:
    folder = tmp_path / "hooks"
    me = os.geteuid()
    assert refusal(folder, "x", me) is None
    folder.mkdir(mode=0o700)
    assert refusal(folder, "x", me) is None
    file = folder / "x"
    file.write_text("#!/bin/sh\n", encoding="utf-8")
    for mode, told in ((0o600, "executable"), (0o702, "others can write"), (0o720, "others"),
                       (0o700, "")):  # fmt: skip
        file.chmod(mode)
        assert told in (refusal(folder, "x", me) or "")
    assert refusal(folder, "x", me) == ""
    assert "another user" in (refusal(folder, "x", me + 1) or "")
    (folder / "y").symlink_to(file)
    assert "is a link" in (refusal(folder, "y", me) or "")
    os.mkfifo(folder / "z", 0o700)
    assert "regular" in (refusal(folder, "z", me) or "")
    folder.chmod(0o777)
    assert "others can write to the folder" in (refusal(folder, "x", me) or "")
    folder.chmod(0o700)
    (tmp_path / "linked").symlink_to(folder)
    assert "is a link" in (refusal(tmp_path / "linked", "x", me) or "")


def test_a_hook_that_always_hangs_rests(world: World, clock: Shifted, tmp_path: Path) -> None:
    put(world, "on_service_start", f"#!/bin/sh\necho >> {tmp_path}/ran\nsleep 600\n")
    feed = Feed(world, "x", Hooks(world, lambda: 0.3, ENVIRON).deal)
    happen(world, HANGS + 2)
    asyncio.run(feed.catch_up())
    assert len((tmp_path / "ran").read_text().splitlines()) == HANGS
    clock.ahead = REST_S + 1
    happen(world)
    asyncio.run(feed.catch_up())
    assert len((tmp_path / "ran").read_text().splitlines()) == HANGS + 1


def test_a_refused_hook_is_named_once_in_the_log(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    put(world, "on_service_start", "#!/bin/sh\n", mode=0o722)
    happen(world, 3)
    asyncio.run(Feed(world, "x", Hooks(world, lambda: 1, ENVIRON).deal).catch_up())
    assert caplog.text.count("others can write") == 1


# --- posting


def test_a_post_arrives_or_says_why(listener: Listener) -> None:
    assert post(listener.url, b"{}", {"X-A": "b"}, 5) == ""
    assert listener.told[0][0]["X-A"] == "b"
    for status in (500, 302, 404):
        listener.status = status
        assert str(status) in post(listener.url, b"{}", {}, 5)
    assert len(listener.told) == 4  # no redirect was followed


def test_nobody_there_and_an_odd_address_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    assert "cannot be told" in post(f"http://127.0.0.1:{port}/", b"{}", {}, 5)
    assert "not one of http" in post("file:///etc/passwd", b"", {}, 1)
    told = post(f"http://127.0.0.1:{port}/", b"", {"X": "a\r\nHost: evil"}, 1)
    assert "cannot be told" in told


@pytest.mark.parametrize("drip", [b"", b"H", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_server_that_is_slow_for_ever_is_left_in_time(drip: bytes) -> None:
    """Also one that sends a byte now and then, which keeps every socket's time-out from coming."""
    over = threading.Event()

    def answer(door: socket.socket) -> None:
        line, _ = door.accept()
        with line:
            line.sendall(drip)
            while not over.wait(0.05):
                try:
                    line.sendall(b"x" if drip else b"")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as door:
        server = threading.Thread(target=answer, args=(door,))
        server.start()
        begun = time.monotonic()
        told = post(f"http://127.0.0.1:{door.getsockname()[1]}/", b"{}", {}, 0.5)
        took = time.monotonic() - begun
        over.set()
        server.join()
    assert "no answer within 0.5 s" in told
    assert took < 20


# --- notices


def a_config(parts: ServiceParts, text: str) -> Any:
    from orch.config import load

    path = parts.world.home / "config.toml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return load(parts.world.home, None, {}, {}).notify


def notifier(parts: ServiceParts, world: World, text: str) -> Notifier:
    config = a_config(parts, text)
    return Notifier(world, lambda: config, {}, ENVIRON)


def states(world: World) -> list[tuple[str, int]]:
    return [(notice.state, notice.tries) for notice in world.store.outreach.notices()]


def test_whoever_never_answers_is_given_up_with_the_reason(
    parts: ServiceParts, world: World, clock: Shifted, listener: Listener
) -> None:
    listener.status = 500
    told = notifier(parts, world, f'[[notify.hooks]]\non = "*"\nurl = "{listener.url}"\n')
    happen(world)
    asyncio.run(Feed(world, "x", told.deal).catch_up())
    for _ in range(TRIES + 3):
        asyncio.run(told.send_due())
        clock.ahead += 100_000
    assert len(listener.told) == TRIES
    assert states(world) == [("failed", TRIES)]
    assert "answered 500" in world.store.outreach.notices()[0].why


def test_after_a_crash_the_last_word_is_told_again_and_others_are_not(
    parts: ServiceParts, world: World, listener: Listener
) -> None:
    """H89: at least once where it matters, at most once elsewhere; which, is written down."""
    told = notifier(parts, world, f'[[notify.hooks]]\non = "*"\nurl = "{listener.url}"\n')
    for event, final in (("task.done", True), ("task.started", False)):
        world.store.outreach.claim(
            Notice(hook="1", event=event, entity="task:1/r", seq=1, body={}, state="sending",
                   final=final)
        )  # fmt: skip

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(told.run(), 3))
    assert len(listener.told) == 1
    assert sorted(states(world)) == [("sent", 1), ("unknown", 0)]


def test_levels_and_a_hook_that_is_gone(parts: ServiceParts, world: World) -> None:
    rest = '[[notify.hooks]]\non = "*"\nrun = ["true"]\n'
    for level, count in (("none", 0), ("errors", 0), ("all", 1)):
        told = notifier(parts, world, f'[notify]\nlevel = "{level}"\n{rest}')
        world.store.send(AddTask(title=level), PERSON)
        asyncio.run(Feed(world, level, told.deal).catch_up())
        assert bool(states(world)) == bool(count)
    gone = notifier(parts, world, "")
    asyncio.run(gone.send_due())
    assert {state for state, _ in states(world)} == {"failed"}


def test_the_screen_gets_words_as_arguments(tmp_path: Path) -> None:
    """H99: no test asks a real desktop; the programs are stand-ins."""
    body: dict[str, object] = {"text": '"; do shell script "x" <b>'}
    notice = Notice(hook="1", event="task.done", entity="e", seq=1, body=body)
    assert desktop_argv(notice, str(tmp_path)) is None
    for name in ("osascript", "notify-send"):
        (tmp_path / name).write_text("#!/bin/sh\n", encoding="utf-8")
        (tmp_path / name).chmod(0o700)
        argv = desktop_argv(notice, str(tmp_path))
        assert argv is not None
        assert argv[0].endswith(name)
        assert argv[-3] == "--"
        assert not [word for word in argv[: argv.index("--")] if "shell script" in word]
    assert argv is not None
    assert "&lt;b&gt;" in argv[-1]

"""`Tmux`: terminals on the real tmux, with a server of our own.

Invariant: one tmux call makes a terminal with its program and its log; names are checked, targets
are exact (`=name:`), and what comes from outside reaches tmux only as the wrapper's arguments. Who
lives is asked of the system, how it ended of the exit file; tmux is believed only about terminals
whose program has not begun.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING

from orch.model.attempt import Activity, ExitRecord, Launch
from orch.model.delivery import Delivery
from orch.model.errors import ToolFailed
from orch.model.run import Owner
from orch.terminals import files, process, questions
from orch.terminals.activity import activity
from orch.terminals.delivery import DEFAULT, Courier, Patience
from orch.terminals.inside import keeper
from orch.terminals.names import checked_attempt, checked_name, is_name
from orch.terminals.server import NoServer, NoSession, Refused, Server, Silent, literal

if TYPE_CHECKING:
    from orch.model.question import Answer, Question
    from orch.ports import Took
    from orch.terminals.ear import InotifyEar

WRAPPER = Path(__file__).with_name("wrapper.py")
PANE_LIMIT = 64 * 1024 * 1024  # bytes kept of what a program wrote onto its own terminal (io=tty)
GRACE_S = 5.0  # between TERM and KILL when the wall time is over
_UP_S = 5.0  # a server that is just going away is gone, and a new one is up, within this time
# A stopped wrapper that is at work is not killed: only it adopts what its tree leaves behind.
_MARGIN_S = keeper.GIVE_UP_S + 2.0


class Tmux:
    """See `orch.ports.Terminals`.

    `run_dir` holds the socket, `path` is where tmux is looked for, `python` runs the wrapper,
    `grace_s` is what programs get between TERM and KILL when their wall time is over, `patience`
    what they get to read a message.
    """

    def __init__(
        self, run_dir: Path, *, path: str, python: str = sys.executable, grace_s: float = GRACE_S,
        patience: Patience = DEFAULT,
    ) -> None:  # fmt: skip
        self._server = Server(run_dir, path)
        self._python = python
        self._grace_s = grace_s
        self._patience = patience
        self._panes: dict[str, Owner] = {}  # wrappers that we started and that may not be up yet

    def version(self) -> tuple[int, ...]:
        return self._server.version()

    def names(self) -> Sequence[str]:
        try:
            listed = self._server.ask("list-sessions", "-F", "#{session_name}")
        except (NoServer, NoSession):
            return []
        except Refused as error:
            raise _failed("tmux cannot list its sessions", error) from error
        return [name for name in listed.splitlines() if is_name(name)]

    # --- start

    def start(self, name: str, directory: str, attempt: str, launch: Launch) -> None:
        checked_name(name)
        checked_attempt(attempt)
        files.check(launch)
        folder = Path(directory).absolute()
        if files.started(folder) is not None or files.has_exit(folder):
            return
        files.prepare(folder, attempt, launch, grace_s=self._grace_s)
        words = [
            "new-session", "-d", "-P", "-F", "#{pane_pid}", "-s", name, "-x", "200", "-y", "50",
            "-c", "/", "-e", f"ORCH_ATTEMPT={attempt}", "-e", literal(_mark(folder)), "--",
            *(literal(word) for word in (self._python, "-I", "-S", str(WRAPPER), str(folder))),
        ]  # fmt: skip
        if launch.io == "tty":
            words += [";", "pipe-pane", "-t", f"={name}:", _pane_log(folder / "pane")]
        pid = self._new_session(name, words, folder)
        if pid:
            self._panes[directory] = process.identity(pid)

    def _new_session(self, name: str, words: Sequence[str], folder: Path) -> int:
        """The pid of the new terminal's wrapper; 0 when somebody else has made the terminal."""
        deadline = time.monotonic() + _UP_S
        while True:
            try:
                return int(self._server.make(*words))
            except NoServer as error:
                # The last session's end takes the server with it, before us or, when the program
                # was quick, behind us. Trying again is safe: the mark lets only one wrapper run.
                if files.started(folder) is not None:
                    return 0
                if time.monotonic() > deadline:
                    raise _failed(f"tmux cannot start the terminal {name}", error) from error
                time.sleep(0.01)
            except Refused as error:
                if "duplicate session" in str(error):
                    return 0
                raise _failed(f"tmux cannot start the terminal {name}", error) from error

    # --- look

    def probe(self, name: str, directory: str) -> str:
        checked_name(name)
        folder = Path(directory)
        if files.has_exit(folder):
            return "ended"
        owner = files.started(folder)
        if owner is not None and owner.pid:
            if process.alive(owner):
                return "alive"
            # It may have written its last word between the two looks (H23).
            return "ended" if files.has_exit(folder) else "lost"
        try:
            pid = self._pane_pid(name)
        except ToolFailed as error:
            if error.code == "tmux_missing":
                raise
            return "unknown"
        if files.has_exit(folder):
            return "ended"
        if pid:
            return "alive"
        owner = files.started(folder)
        if owner is None:
            return "absent"
        if not owner.pid:
            return "lost"
        return self.probe(name, directory)  # it came up while we asked tmux

    def _pane_pid(self, name: str) -> int:
        """The pid of the process that tmux started in terminal `name`; 0 when there is none."""
        try:
            listed = self._server.ask("list-panes", "-t", f"={name}:", "-F", "#{pane_pid}")
        except (NoServer, NoSession):
            return 0
        except Refused as error:
            raise _failed(f"tmux cannot tell about the terminal {name}", error) from error
        return int(listed.split()[0])

    async def ended(self, name: str, directory: str) -> None:
        import asyncio

        from orch.terminals import watch

        checked_name(name)
        folder = Path(directory)
        while not files.has_exit(folder):
            owner = files.started(folder)
            if owner is not None and owner.pid:
                if process.alive(owner):
                    await watch.gone(owner.pid, owner.started)
                break
            # The wrapper is coming up. It is the pane's own process: that one's end will do.
            pane = self._panes.get(directory)
            if pane is None or not process.alive(pane):
                try:
                    pid = await asyncio.to_thread(self._pane_pid, name)
                except Silent:
                    continue  # it took its time already; the wrapper may have come up
                pane = process.identity(pid)
            if not pane.started:
                if files.started(folder) in (None, files.NOBODY):
                    break  # gone before it began
                continue
            await watch.gone(pane.pid, pane.started)
        self._panes.pop(directory, None)

    def activity(self, name: str, directory: str, worktree: str) -> Activity:
        return activity(self.probe(name, directory), _mark(directory), directory, worktree)

    def exit_record(self, directory: str) -> ExitRecord | None:
        return files.exit_record(Path(directory))

    def output(self, directory: str, stream: str, *, tail_bytes: int = 0) -> bytes:
        return files.tail(Path(directory), stream, tail_bytes)

    def read(self, directory: str, stream: str, start: int, limit: int) -> tuple[bytes, int]:
        return files.part(Path(directory), stream, start, limit)

    def ear(self) -> InotifyEar | None:
        from orch.terminals import ear

        return ear.opened()

    # --- talk

    def send(
        self, name: str, directory: str, text: str, *, key: str, took: Took | None = None
    ) -> Delivery:
        state = self.probe(name, directory)
        folder = Path(directory).absolute()
        return Courier(self._server, name, folder, self._patience, took).send(state, text, key)

    def questions(self, directory: str) -> Sequence[Question]:
        return questions.open_questions(Path(directory))

    async def asks(self, directory: str, known: Set[str]) -> None:
        from orch.terminals import watch

        await watch.until(directory, lambda: bool(_new(Path(directory), known)))

    def answer(self, directory: str, question: str, given: Answer) -> bool:
        return questions.put_answer(Path(directory), question, given)

    def join(self, directory: str) -> int:
        return files.hold(Path(directory), "joined")

    def attach_command(self, name: str, *, read_only: bool) -> Sequence[str]:
        checked_name(name)
        return self._server.attach_command(name, read_only=read_only)

    # --- end

    def stop(self, name: str, directory: str, *, grace_s: float) -> None:
        checked_name(name)
        folder = Path(directory).absolute()
        prepared = files.prepared(folder) or files.Prepared("", str(folder))
        if prepared.attempt and files.started(folder) is None:
            with contextlib.suppress(ToolFailed):  # a full disk takes no wrapper's mark either
                files.forbid(folder)  # a wrapper that is coming up finds the attempt taken
        owner = files.started(folder)
        known: dict[int, int] = {}
        if owner is not None and owner.pid and process.alive(owner):
            known = self._ask_wrapper(folder, owner, grace_s)
            grace_s = 0.0  # they had it
        left = process.end(_mark(prepared.directory), known, grace_s)
        self._panes.pop(directory, None)
        if owner is not None and not left:
            files.put_exit(
                folder,
                ExitRecord(attempt=prepared.attempt, exit_code=137, signal=9, stopped=True),
            )
        self._kill_session(name)
        if left:
            raise ToolFailed(
                f"Processes of the terminal {name} do not end: {sorted(left)}.",
                code="cannot_stop",
                hint=f"kill -9 {' '.join(str(pid) for pid in sorted(left))}",
            )

    def _kill_session(self, name: str) -> None:
        """Its program is gone; what a person opened beside it goes with it."""
        try:
            self._server.ask("kill-session", "-t", f"={name}:")
        except (NoServer, NoSession):
            return
        except Refused as error:
            raise _failed(f"tmux cannot end the terminal {name}", error) from error

    def _ask_wrapper(self, folder: Path, owner: Owner, grace_s: float) -> dict[int, int]:
        """The wrapper ends its tree and writes how that went. Gives whom to look after if it does
        not."""
        with contextlib.suppress(ToolFailed):  # a full disk: the wrapper has a grace of its own
            files.ask_stop(folder, grace_s)
        known = process.below(owner.pid) | {owner.pid: owner.started}
        process.terminate(owner)
        process.wait({owner.pid: owner.started}, grace_s + _MARGIN_S)
        return known


def _new(folder: Path, known: Set[str]) -> list[Question]:
    return [one for one in questions.open_questions(folder) if one.id not in known]


def _mark(directory: Path | str) -> str:
    """By this word of their environment the processes of an attempt are found again."""
    return f"ORCH_TERMINAL={directory}"


def _pane_log(path: Path) -> str:
    """The shell command of `pipe-pane`, which tmux expands for formats (`#`) and dates (`%`) before
    the shell sees it: neither character is in it, a shell variable stands for each."""
    quoted = str(path).replace("'", "'\"'\"'")
    quoted = quoted.replace("#", "'\"$h\"'").replace("%", "'\"$p\"'")
    return (
        "h=$(printf '\\043'); p=$(printf '\\045'); umask 077; ulimit -c 0;"
        f" ulimit -f {PANE_LIMIT // 512}; exec cat >> '{quoted}'"
    )


def _failed(sentence: str, error: Refused) -> ToolFailed:
    return ToolFailed(f"{sentence}: {error!s:.300}.", code="tmux_failed", hint="orch doctor")

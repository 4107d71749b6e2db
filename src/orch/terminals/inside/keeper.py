"""One attempt from its claim to its exit file.

Invariant: at most one program is ever started for a directory, and when `exit.json` appears nothing
of it is alive. Whatever ends the program (itself, its wall time, a stop, the terminal's end, an
error in here), there is an exit file; the first reason counts.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import select
import time

from orch.terminals.inside import program, record, streams, tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

LINGER_S = 0.1  # what the program left behind may end by itself, e.g. `tee` in a pipe
LEFTOVERS_S = 0.5  # ... and has this long after TERM
HANGUP_S = 1.0  # the program, after TERM, when its terminal has gone
GIVE_UP_S = 10.0  # nothing survives KILL for long but a process stuck in the kernel
CHASE = 100  # quick looks for newborns after each KILL
PANE_S = 0.5
QUIET_S = 1.0  # after a turn's end: somebody may just have said more
OVER, BEGUN = 0x6F, 0x62  # what a program says of its turns: `o` and `b`
FINISHED = "finished"  # its turn was over and nobody wanted more: a good end
_REASONS = {_signal.SIGTERM: "stopped", _signal.SIGHUP: "lost"}
_HANDLED = (_signal.SIGTERM, _signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGCHLD)


def main(directory: str) -> int:
    """Run the attempt of `directory`; nothing at all happens when somebody has done so before."""
    os.chdir("/")
    os.umask(0o077)
    wake = _listen()
    me = os.getpid()
    identity = {"pid": me, "started": tree.start_time(me), "boot": tree.boot_id()}
    began = time.time()
    if not record.claim(directory, identity):
        return 0
    file = record.reserve(directory)
    said: dict[str, Any] = {"attempt": os.environ.get("ORCH_ATTEMPT", "")}
    try:
        said |= _run(directory, wake)
    except Exception as error:  # noqa: BLE001
        # Nobody reads a wrapper's stderr; what is wrong must stand where the result is looked for.
        said |= {"exit_code": program.CANNOT_RUN, "error": f"the wrapper failed: {error!r:.500}"}
        _end_everything()
    said |= {"started_at": began, "ended_at": time.time()}
    record.finish(directory, file, said)
    return 0


def _listen() -> int:
    """From now on signals arrive as bytes in a pipe, whose reading end is given."""
    wake, waker = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(waker, False)
    _signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number in _HANDLED:
        _signal.signal(number, _heard)
    for number in program.IGNORED:
        _signal.signal(number, _signal.SIG_IGN)
    return wake


def _heard(number: int, frame: object) -> None:
    """The wake-up pipe has it."""


def _run(directory: str, wake: int) -> dict[str, Any]:
    with open(f"{directory}/launch.json", "rb") as source:
        launch = record.decode(source.read().decode())
    said = {"attempt": launch["attempt"]}
    launch["env"]["ORCH_ATTEMPT"] = launch["attempt"]
    launch["env"]["ORCH_TERMINAL"] = launch["directory"]  # by this, what is orphaned is found again
    if launch["io"] == "tty":
        launch["env"]["TERM"] = os.environ.get("TERM", "screen")  # of this pane, not of a person's
    keeper = Keeper(directory, launch, wake, adopts=tree.adopt_orphans())
    if keeper.reason:
        return said | keeper.facts()  # ended before it began
    try:
        keeper.start()
    except program.NotStarted as error:
        if error.gone:  # as if its hangup had come a moment later
            return said | {"exit_code": 128 + _signal.SIGHUP, "signal": 1, "lost": True}
        return said | {"exit_code": error.code, "error": str(error)}
    finally:
        record.forget_environment(directory)
    keeper.keep()
    return said | keeper.facts()


def _end_everything() -> None:
    """KILL to all that is below us, until nothing is left."""
    deadline = time.monotonic() + GIVE_UP_S
    while (left := tree.below({os.getpid()})) and time.monotonic() < deadline:
        _send(left, _signal.SIGKILL)
        time.sleep(0.01)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return


class Keeper:
    """The program, its streams, and the one question of what happens next."""

    def __init__(self, directory: str, launch: dict[str, Any], wake: int, *, adopts: bool) -> None:
        self._directory = directory
        self._adopts = adopts
        self._launch = launch
        self._wake = wake
        self._pid = 0
        self._status: int | None = None
        self._streams: dict[int, streams.Stream] = {}
        self._poll = select.poll()
        self._poll.register(wake, select.POLLIN)
        self._childless = False
        self._missing: dict[str, int] = {}
        self._stuck = ""
        self._gave_up = False
        self.reason = ""
        self._kill_at = float("inf")  # when patience ends; TERM was sent before
        self._give_up_at = float("inf")
        self._timeout_at = time.monotonic() + (launch.get("timeout_s") or float("inf"))
        self._linger_at = float("inf")
        self._turn = -1
        self._over_at = float("inf")  # when a program whose turn is over is ended
        self._hear()

    def start(self) -> None:
        """Start the program; `NotStarted` when that cannot be."""
        if self._launch.get("turns"):
            self._turn = _pipe(f"{self._directory}/turn")
            self._poll.register(self._turn, select.POLLIN)
        self._pid, pipes = program.spawn(self._launch, self._directory, _HANDLED)
        if pipes:
            os.set_blocking(1, False)  # the screen is ours alone
        for name, pipe in pipes.items():
            self._streams[pipe] = streams.Stream(name, pipe, f"{self._directory}/{name}")
            self._poll.register(pipe, select.POLLIN)

    def keep(self) -> None:
        """Until the program and everything it left behind have ended and all output is kept."""
        while True:
            self._reap()
            if self._is_over():
                break
            self._escalate(time.monotonic())
            self._wait()
        for stream in self._streams.values():
            self._missing[stream.name] = stream.close()
        if self._launch["io"] == "tty" and self.reason != "lost":
            streams.settle_pane(f"{self._directory}/pane", PANE_S)

    def facts(self) -> dict[str, Any]:
        """How it ended, as `orch.model.attempt.ExitRecord` has it, and what the files lack."""
        status = self._status if self._status is not None else _signal.SIGTERM
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        facts: dict[str, Any] = {
            "exit_code": 128 + number if number else os.WEXITSTATUS(status),
            "signal": number,
            "error": self._stuck,
        }
        if self.reason == FINISHED:
            facts |= {"exit_code": 0, "signal": 0}
        for reason in ("timed_out", "lost", "stopped"):
            facts[reason] = self.reason == reason
        for stream in self._streams.values():
            facts[f"{stream.name}_bytes"] = stream.seen
            facts[f"{stream.name}_dropped"] = self._missing[stream.name]
        return facts

    # --- what happens next

    def _is_over(self) -> bool:
        if self._gave_up:
            return True
        if self._status is None or not self._childless:
            return False
        # Without adoption (not Linux) an orphan is not our child: ask for the group as well.
        return self._adopts or not self._family()

    def _escalate(self, now: float) -> None:
        """Time brings TERM to what lives too long, and KILL to what does not care."""
        if now >= self._timeout_at and self._status is None and not self.reason:
            self._end("timed_out", self._launch.get("grace_s", 5.0), now)
        if now >= self._over_at and self._status is None and not self.reason:
            if _joined(self._directory):
                self._over_at = now + QUIET_S
            else:
                self._end(FINISHED, self._launch.get("grace_s", 5.0), now)
        if self._status is not None and not self.reason and self._linger_at == float("inf"):
            self._linger_at = now + LINGER_S
        if now >= self._linger_at and self._kill_at == float("inf"):
            self._end("", LEFTOVERS_S, now)
        if now >= self._kill_at:
            self._give_up_at = min(self._give_up_at, now + GIVE_UP_S)
            self._kill()
        if now >= self._give_up_at:
            left = sorted(self._family())
            self._stuck = f"processes {left} survived KILL"
            self._status = _signal.SIGKILL if self._status is None else self._status
            self._gave_up = True

    def _end(self, reason: str, grace_s: float, now: float) -> None:
        """TERM to the whole tree; KILL follows after `grace_s` seconds. A second, stricter call
        shortens the patience, the first reason stays."""
        self._reap()  # whoever ended by itself a moment ago was not ended by us (H23)
        if not self.reason and self._status is None:
            self.reason = reason
        self._kill_at = min(self._kill_at, now + grace_s)
        family = self._family()
        _send(family, _signal.SIGTERM)
        _send(family, _signal.SIGCONT)

    def _kill(self) -> None:
        """KILL to the whole tree. Who forks and goes all the time is somebody else before a look at
        all processes has found it; as an orphan it is our child, and those are quickly told."""
        _send(self._family(), _signal.SIGKILL)
        for _ in range(CHASE):
            if self._childless or not (born := tree.own_children()):
                return
            _send(born, _signal.SIGKILL)
            self._reap()

    def _family(self) -> list[int]:
        groups = frozenset() if self._adopts or not self._pid else frozenset({self._pid})
        return tree.below({os.getpid()}, groups=groups)

    def _wait(self) -> None:
        """Until output, a signal or the next point in time; then take what there is."""
        now = time.monotonic()
        if now >= self._kill_at:
            pause = 0.01  # whoever was just being born when KILL was sent gets it now
        else:
            limits = [self._kill_at, self._linger_at if self._kill_at == float("inf") else now + 60]
            if self._status is None and not self.reason:
                limits += [self._timeout_at, self._over_at]
            pause = max(0.0, min(*limits, now + 60) - now)
        for source, _ in self._poll.poll(pause * 1000 + 1):
            if source == self._wake:
                self._hear()
            elif source == self._turn:
                self._hear_turn()
            elif not self._streams[source].move() and self._streams[source].ended:
                self._poll.unregister(source)

    def _hear(self) -> None:
        """Signals: TERM is a stop, HUP the terminal's end, INT and QUIT are the program's."""
        try:
            heard = os.read(self._wake, 512)
        except BlockingIOError:
            return
        for number in heard:
            if number in _REASONS and self._status is None:
                grace = HANGUP_S if number == _signal.SIGHUP else _asked_grace(self._directory)
                self._end(_REASONS[number], grace, time.monotonic())
            elif number in (_signal.SIGINT, _signal.SIGQUIT) and self._pid:
                _send({-self._pid}, number)

    def _hear_turn(self) -> None:
        """The last word counts."""
        for said in os.read(self._turn, 512):
            if said == OVER:
                self._over_at = time.monotonic() + QUIET_S
            elif said == BEGUN:
                self._over_at = float("inf")

    def _reap(self) -> None:
        """Collect ended children, note the program's own status, and whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                self._childless = True
                return
            self._childless = False
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                self._resume(os.WSTOPSIG(status))
            elif pid == self._pid:
                self._status = status

    def _resume(self, number: int) -> None:
        """Ctrl-Z in a pane without a shell would stop the program for ever. A SIGSTOP was meant."""
        if self._launch["io"] == "tty" and number != _signal.SIGSTOP:
            _send({-self._pid}, _signal.SIGCONT)


def _pipe(path: str) -> int:
    """A named pipe that is never at its end: we hold it open for writing too."""
    os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def _joined(directory: str) -> bool:
    """Whether a person is in the terminal: who joins holds a lock for as long."""
    from fcntl import LOCK_EX, LOCK_NB, flock

    try:
        file = os.open(f"{directory}/joined", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False  # nobody ever did
    try:
        flock(file, LOCK_EX | LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def _asked_grace(directory: str) -> float:
    """How long whoever stops us wants to wait for the program: the content of `stop`."""
    try:
        with open(f"{directory}/stop", "rb") as file:
            return max(0.0, float(file.read()))
    except (OSError, ValueError):
        return 5.0


def _send(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue  # ended by itself; or another user's (su, sudo), who must end it

"""Whether an attempt has stopped making progress; and how long an attempt may take.

Invariant: silence on a screen alone never ends anything (H28). An attempt is stuck when its process
is known to be alive and idle, and neither its files nor its events nor its output have moved for the
grace of its complexity, counted in time that this machine was awake and we were looking (H30). What
could not be read is not evidence; a probe that does not know never kills.
"""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

Probe = Literal["alive", "dead", "unknown"]
SUSPEND_S = 30.0
"""The wall clock running so much ahead of the monotonic one is a suspend, or a clock that was set."""
LONGEST_LOOK_S = 120.0
"""No gap between two looks counts as more silence than this: we did not look (SIGSTOP, load)."""
BUSY_SHARE = 0.05
"""A process tree with more than this share of a core is at work. Claude Code uses 2.5 % of one while
it waits for a tool that does nothing."""


class Timeouts(Protocol):
    """`[timeouts]`: seconds by complexity. 0: for an attempt the agent's own `timeout_s`, for
    silence never."""

    @property
    def simple_s(self) -> float: ...
    @property
    def medium_s(self) -> float: ...
    @property
    def complex_s(self) -> float: ...
    @property
    def stuck_simple_s(self) -> float: ...
    @property
    def stuck_medium_s(self) -> float: ...
    @property
    def stuck_complex_s(self) -> float: ...


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen at one moment; None: it could not be read.

    `generation`: the attempt's id (H29). `monotonic` stands still while the machine sleeps, `wall`
    does not. `cpu_s`: used by the whole process tree. `files`, `events`, `output`: anything that is
    different when the worktree, the structured events, or stdout, stderr and screen have moved (a
    fingerprint, a count of bytes).
    """

    generation: str
    monotonic: float
    wall: float
    process: Probe
    cpu_s: float | None = None
    files: str | None = None
    events: str | None = None
    output: str | None = None


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """The last look at an attempt, and for how long (awake seconds) nothing has moved."""

    last: Look
    silent_s: float = 0.0


class Stuck(msgspec.Struct, frozen=True):
    """`message` is the sentence of the attempt's end (code `stuck`)."""

    silent_s: float
    message: str


def observe(watch: Watch | None, look: Look) -> Watch:
    """The watch after another look. A new generation begins anew (H29), and so does the time after
    a suspend: connections have to find themselves again (H30)."""
    if watch is None or watch.last.generation != look.generation:
        return Watch(last=look)
    before = watch.last
    awake = look.monotonic - before.monotonic
    slept = (look.wall - before.wall) - awake > SUSPEND_S
    if awake < 0 or slept or _moved(before, look, awake):
        return Watch(last=_kept(before, look))
    return Watch(last=_kept(before, look), silent_s=watch.silent_s + min(awake, LONGEST_LOOK_S))


def grace_s(complexity: str, timeouts: Timeouts) -> float:
    """After how many seconds of silence an attempt of that complexity is stuck; 0 for never."""
    return _by_complexity(timeouts, "stuck_", complexity)


def judge(watch: Watch, grace: float) -> Stuck | None:
    """Whether the attempt is to be ended as stuck: silent for `grace` seconds (0: never). Collect its
    exit file first: it may have ended a moment ago (H23)."""
    seen = watch.last
    spoken = (seen.events, seen.output) != (None, None)
    readable = seen.cpu_s is not None and seen.files is not None and spoken
    if not grace or seen.process != "alive" or not readable or watch.silent_s < grace:
        return None
    return Stuck(
        watch.silent_s,
        f"no sign of life for {watch.silent_s:.0f} s: its process idles, and no file, event or"
        " output has moved",
    )


def timeout_s(complexity: str, timeouts: Timeouts, own_s: float) -> float:
    """How long an attempt may take; 0 for no end. What `[timeouts]` says for the complexity beats
    the agent's own `timeout_s`."""
    return _by_complexity(timeouts, "", complexity) or own_s


def _moved(before: Look, look: Look, awake: float) -> bool:
    if look.cpu_s is not None and before.cpu_s is not None:
        used = look.cpu_s - before.cpu_s
        # A tree whose sum fell has lost a child: that is movement, too.
        busy = not 0 <= used <= BUSY_SHARE * max(awake, 1.0)
    else:
        busy = False
    pairs = (
        (before.files, look.files),
        (before.events, look.events),
        (before.output, look.output),
    )
    return busy or any(old is not None and new is not None and old != new for old, new in pairs)


def _kept(before: Look, look: Look) -> Look:
    """`look`, with what could not be read this time as it was known before, so that one failed
    reading neither hides a movement nor makes one. The process is never remembered."""
    return msgspec.structs.replace(
        look,
        cpu_s=before.cpu_s if look.cpu_s is None else look.cpu_s,
        files=before.files if look.files is None else look.files,
        events=before.events if look.events is None else look.events,
        output=before.output if look.output is None else look.output,
    )


def _by_complexity(timeouts: Timeouts, prefix: str, complexity: str) -> float:
    word = complexity if complexity in ("simple", "complex") else "medium"
    return float(getattr(timeouts, f"{prefix}{word}_s"))

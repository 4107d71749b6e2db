"""Notifications: people are told what they asked to hear, once for each thing that happened.

Invariant: a notice is in the books before anything is sent. What is the last word on a task or run
is told at least once (a crash in the middle tells it again); everything else at most once. Whoever
cannot be told is tried again with growing pauses, then given up with the reason in the books.
"""

from __future__ import annotations

import asyncio
import html
import json
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence

import msgspec

from orch.config.outreach_tree import NotifyConfig, NotifyHook
from orch.config.secret import resolve
from orch.engine.posting import post
from orch.engine.told_program import tell
from orch.engine.waiting import rest
from orch.engine.world import World
from orch.model.errors import OrchError
from orch.model.occasion import Occasion, wanted
from orch.model.outreach import Notice, after_crash, after_try

AT_ONCE = 4
"""Notices that are on their way at the same time."""
LONGEST_S = 60.0
KEPT = 100_000
"""Events back from now that settled notices are kept for."""
_SCREEN = (
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
)
_SCRIPT = (
    "on run argv", "display notification (item 1 of argv) with title (item 2 of argv)", "end run",
)  # fmt: skip
_log = logging.getLogger(__name__)


def named(hooks: Sequence[NotifyHook]) -> dict[str, NotifyHook]:
    """The hooks by their names; one without is called by its number."""
    return {hook.name or f"{number}": hook for number, hook in enumerate(hooks, 1)}


class Notifier:
    """`orch.engine.dispatcher.Loop`; `deal` is for a `Feed`. `config` gives `[notify]` as it is now,
    `environ` is the service's own environment, `base` what a program may inherit."""

    def __init__(
        self, world: World, config: Callable[[], NotifyConfig], environ: Mapping[str, str],
        base: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._world = world
        self._config = config
        self._environ = environ
        self._base = dict(base)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Nothing that others write is of interest: `deal` and the clock say when to send."""

    # --- what is to be told

    async def deal(self, found: Occasion) -> bool:
        config = self._config()
        if config.level == "none" or (config.level == "errors" and found.level != "error"):
            return False
        hooks = named(config.hooks)
        return self.claim(found, [name for name, hook in hooks.items() if wanted(hook, found)])

    def claim(self, found: Occasion, hooks: Sequence[str], text: str = "") -> bool:
        """Write down that `hooks` are to be told; whether any was not told yet."""
        body = {**found.data(), **({"text": text} if text else {})}
        books = self._world.store.outreach
        new = [
            name for name in hooks
            if books.claim(
                Notice(
                    hook=name, event=found.name, entity=found.entity, seq=found.seq, body=body,
                    final=found.final,
                )
            )
        ]  # fmt: skip
        if new:
            self._woken.set()
        return bool(new)

    # --- telling it

    async def run(self) -> None:
        books = self._world.store.outreach
        books.forget_notices(self._world.store.last_event() - KEPT)
        for notice in books.open_notices(limit=KEPT):
            books.put_notice(after_crash(notice))
        while True:
            self._woken.clear()
            await self.send_due()
            now, waiting = self._world.clock.now(), books.open_notices(limit=1)
            due = min(LONGEST_S, waiting[0].due - now) if waiting else None
            await rest(self._woken, self._world.clock, due)

    async def send_due(self) -> None:
        """Send what is due now."""
        books = self._world.store.outreach
        while True:
            now = self._world.clock.now()
            due = [notice for notice in books.open_notices(limit=AT_ONCE) if notice.due <= now]
            if not due:
                return
            await asyncio.gather(*(self._send(notice) for notice in due))

    async def _send(self, notice: Notice) -> None:
        books = self._world.store.outreach
        hook = named(self._config().hooks).get(notice.hook)
        if hook is None:
            gone = msgspec.structs.replace(notice, state="failed", why="its hook is gone")
            books.put_notice(gone)
            return
        books.put_notice(msgspec.structs.replace(notice, state="sending"))
        failure = await self._world.call("notify.send", self._tell, hook, notice)
        tried = after_try(notice, self._world.clock.now(), failure)
        books.put_notice(tried)
        if failure:
            _log.warning(
                "notification %s of %s to %s: %s (try %d%s)", notice.event, notice.entity,
                notice.hook, failure, tried.tries, ", given up" if tried.state == "failed" else "",
            )  # fmt: skip

    def _tell(self, hook: NotifyHook, notice: Notice) -> str:
        """Blocks. One sentence on what went wrong."""
        seconds = hook.timeout_ms / 1000
        data = json.dumps(notice.body).encode()
        try:
            if hook.url.reveal():
                url = self._revealed(hook, "url")
                headers = {name: self._revealed(hook, "headers", name) for name in hook.headers}
                return post(url, data, headers, seconds)
            argv, environ = hook.run, self._base
            if hook.desktop:
                found = desktop_argv(notice, self._base["PATH"])
                if found is None:
                    return "there is neither notify-send nor osascript here"
                argv = found
                seen = {name: self._environ[name] for name in _SCREEN if name in self._environ}
                environ = {**environ, **seen}
            return tell(
                argv, data, environ=environ, cwd=str(self._world.home), timeout_s=seconds
            ).failure
        except OrchError as error:
            return error.message

    def _revealed(self, hook: NotifyHook, key: str, name: str = "") -> str:
        reference = hook.headers[name] if name else hook.url
        told = f"notify.hooks.{key}" + (f".{name}" if name else "")
        return resolve(reference, self._environ, purpose=told).reveal()


def desktop_argv(notice: Notice, path: str) -> tuple[str, ...] | None:
    """The program that shows a notice on this machine's screen, if there is one. The words are
    arguments: no script and no markup is made of them."""
    text, title = str(notice.body.get("text", "")), f"orch: {notice.event}"
    program = shutil.which("notify-send", path=path)
    if program is not None:
        return (program, "--app-name=orch", "--", title, html.escape(text, quote=False))
    program = shutil.which("osascript", path=path)
    if program is not None:
        lines = [word for line in _SCRIPT for word in ("-e", line)]
        return (program, *lines, "--", text, title)
    return None

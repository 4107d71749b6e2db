"""One connection: its greeting, its requests at once, its subscriptions.

Invariant: each request is answered exactly once, whatever it is; only a frame whose end cannot be
found (too long) ends the connection. A frame is written whole by one call on the loop, so that frames
never mix; whoever does not read is waited for by its own tasks alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

from orch.api.operations import checked_params
from orch.model.errors import OrchError, UsageError
from orch.service.subscriptions import Greeting, Unsubscribe
from orch.wire import frames
from orch.wire.hello import METHOD, Hello, mismatch

if TYPE_CHECKING:
    from orch.service.server import Server

MOST_IN_FLIGHT = 16
MOST_SUBSCRIPTIONS = 64
GREETING_S = 10.0
_LEAST_BUFFER = 256 * 1024
_log = logging.getLogger(__name__)


class Connection:
    """Made by `Server` for each client that may enter."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._room = asyncio.Semaphore(MOST_IN_FLIGHT)
        self._tasks: set[asyncio.Task[None]] = set()
        self._following: dict[int, asyncio.Task[None]] = {}
        self._subscribed = 0
        self._reading: asyncio.Task[None] | None = None
        writer.transport.set_write_buffer_limits(high=_LEAST_BUFFER)

    async def serve(self) -> None:
        """Until the client leaves, or we do."""
        self._reading = asyncio.ensure_future(self._read_all())
        try:
            await asyncio.wait({self._reading})
            for task in self._following.values():
                task.cancel()
            while self._tasks:
                await asyncio.wait(self._tasks)
            if not self._reading.cancelled():
                self._reading.result()
            await self._writer.drain()
        finally:
            self._reading.cancel()
            for task in [*self._tasks, *self._following.values()]:
                task.cancel()
            self._writer.close()

    def leave(self) -> None:
        """Read no more; what was asked is still answered."""
        if self._reading is not None:
            self._reading.cancel()

    def abort(self) -> None:
        self._writer.transport.abort()

    # --- reading

    async def _read_all(self) -> None:
        try:
            async with asyncio.timeout(GREETING_S):
                if not await self._greeted():
                    return
        except TimeoutError:
            return
        while (line := await self._line()) is not None:
            await self._room.acquire()
            self._spawn(self._answered(line))

    async def _line(self) -> bytes | None:
        """The next frame; None at the end, half frames and those that are too long included."""
        try:
            return await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return None
        except asyncio.LimitOverrunError:
            told = f"a frame has {frames.REQUEST_LIMIT} bytes at most"
            await self._write(frames.refusal(frames.Refused(frames.NO_REQUEST, told)))
            return None
        except ConnectionError:
            return None

    async def _greeted(self) -> bool:
        line = await self._line()
        if line is None:
            return False
        try:
            asked = frames.request(line)
        except frames.Refused as refused:
            await self._write(frames.refusal(refused))
            return False
        try:
            if asked.method != METHOD:
                raise UsageError(
                    f"the first request must be {METHOD}", code="hello_first", hint="orch help"
                )
            theirs: Greeting = checked_params(METHOD, Greeting, asked.params)
            wrong = mismatch(self._server.hello, Hello(theirs.protocol, theirs.version))
            if wrong is not None:
                raise wrong
        except OrchError as error:
            await self._write(frames.failure(asked.identifier, error))
            return False
        mine = self._server.hello
        about = {"protocol": mine.protocol, "version": mine.version, **self._server.about}
        await self._write(frames.result(asked.identifier, about))
        return True

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- answering

    async def _answered(self, line: bytes) -> None:
        try:
            try:
                asked = frames.request(line)
            except frames.Refused as refused:
                await self._write(frames.refusal(refused))
                return
            answer, then = await self._carried_out(asked)
            if asked.answered:
                await self._write(answer)
            if then is not None:
                self._follow(*then)
        except ConnectionError:
            return  # nobody reads the answer any more
        finally:
            self._room.release()

    async def _carried_out(
        self, asked: frames.Request
    ) -> tuple[bytes, tuple[int, AsyncIterator[bytes]] | None]:
        """The answer, and what the client has subscribed to by it."""
        identifier = asked.identifier
        try:
            if asked.method == "unsubscribe":
                ended: Unsubscribe = checked_params(asked.method, Unsubscribe, asked.params)
                return frames.result(identifier, self._unsubscribed(ended.subscription)), None
            if self._server.subscriptions.knows(asked.method):
                if len(self._following) >= MOST_SUBSCRIPTIONS:
                    raise UsageError(
                        f"a connection has {MOST_SUBSCRIPTIONS} subscriptions at most",
                        code="too_many_subscriptions", hint="orch help",
                    )  # fmt: skip
                self._subscribed += 1
                number = self._subscribed
                begun = await self._server.subscriptions.begin(asked.method, asked.params, number)
                answer = {"subscription": number, **begun.answer}
                return frames.result(identifier, answer), (number, begun.frames)
            value = await self._server.call(asked.method, asked.params)
            return frames.result(identifier, value), None
        except OrchError as error:
            return frames.failure(identifier, error), None
        except Exception as fault:  # noqa: BLE001 - one request's fault ends no service
            _log.exception("an operation failed", extra={"operation": asked.method[:80]})
            told = f"this is a fault in orch: {type(fault).__name__}: {fault}"
            hint = "orch log"
            return frames.failure(identifier, OrchError(told, code="internal", hint=hint)), None

    def _unsubscribed(self, number: int) -> dict[str, Any]:
        task = self._following.get(number)
        if task is not None:
            task.cancel()
        return {"subscription": number, "ended": task is not None}

    # --- following

    def _follow(self, number: int, told: AsyncIterator[bytes]) -> None:
        task = asyncio.ensure_future(self._tell(told))
        self._following[number] = task
        task.add_done_callback(lambda done: self._over(number, done))

    async def _tell(self, told: AsyncIterator[bytes]) -> None:
        async for data in told:
            await self._write(data)

    def _over(self, number: int, done: asyncio.Task[None]) -> None:
        self._following.pop(number, None)
        if not done.cancelled() and (fault := done.exception()) is not None:
            if not isinstance(fault, ConnectionError):
                _log.error("a subscription failed", exc_info=fault)
            self.abort()  # the client must not wait for what does not come

    async def _write(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

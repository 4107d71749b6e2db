"""An agent's program as a child of the one that speaks with it: its streams, and its end.

Invariant: its error channel is always read, and kept within bounds; when it is over, that is known
at once, whoever else holds its pipes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading

LEAVE_S = 2.0
"""What it gets to end when its input does, and again after TERM."""
REST_S = 2.0
"""How long the output of a program that has ended may still be on its way."""
KEPT = 8 * 1024 * 1024
LAST = 64 * 1024


class Child:
    """`errors` is the file that its error channel goes to. Made inside of a running loop."""

    def __init__(self, program: subprocess.Popen[bytes], errors: int) -> None:
        self._program = program
        self.gone = asyncio.Event()
        self._keeping = asyncio.create_task(self._keep(errors))
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._watch, args=(loop,), name="child", daemon=True).start()

    async def streams(self, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Its output and its input; `limit` is in bytes of a line."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=limit)
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._program.stdout
        )
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, self._program.stdin
        )
        return reader, asyncio.StreamWriter(transport, protocol, None, loop)

    async def leave(self) -> None:
        """Its input has ended, so it ends. Who does not, and what it leaves behind, is for whoever
        holds the terminal to end."""
        await self._over(LEAVE_S)
        if not self.gone.is_set():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._program.pid, signal.SIGTERM)
            await self._over(LEAVE_S)
        await asyncio.wait([self._keeping], timeout=REST_S)

    async def end(self) -> tuple[int | None, str]:
        """(its exit code, what became of it): it says nothing any more."""
        await self._over(REST_S)
        code = self._program.returncode
        if code is None:
            return code, "closed its output"
        return code, f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"

    async def _over(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.gone.wait(), seconds)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._program.wait()
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody wants to know
            loop.call_soon_threadsafe(self.gone.set)

    async def _keep(self, file: int) -> None:
        """The beginning of its error channel, and of more the end."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._program.stderr
        )
        kept, last = 0, b""
        while data := await reader.read(65536):
            if kept < KEPT:
                kept += os.write(file, data)
            else:
                last = (last + data)[-LAST:]
        if last:
            os.write(file, b"\n" + last)

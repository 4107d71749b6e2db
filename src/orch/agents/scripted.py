"""The scripted agent: deterministic, shipped, for demos, tests and trying workflows without a model.

`[agents.NAME] kind = "scripted"` with `script = [ ... ]`, a list of actions carried out in order, or
without one a fenced block `orch-script` (a JSON list) in the prompt. Actions: `write {path, text}`,
`append {path, text}`, `delete {path}`, `run [argv]`, `wait {seconds}` or `wait {file, seconds}`,
`say "text"` (`say_error`), `fail {exit_code}` or `fail {signal}`, `flood {bytes, stream}`,
`ask "question"` (reads one line), `result {...}`, `commit "message"`, `daemon {seconds}`, `hang true`.
Any action may hold `outside = true` to leave the worktree.

Invariant: what it does follows from its script alone. As a program (`python -I scripted.py FILE`) it
needs only the standard library.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from orch.agents.command import CommandAgent as _Base
elif __name__ == "__main__":
    _Base = object
else:
    from orch.agents.command import CommandAgent as _Base

_BLOCK = re.compile(r"^```orch-script[ \t]*\n(.*?)\n```[ \t]*$", re.DOTALL | re.MULTILINE)


class ScriptedAgent(_Base):
    """See `orch.ports.Agent`."""

    def argv(self, request: Any) -> tuple[str, ...]:
        script = f"{request.directory}/script.json"
        return (sys.executable, "-I", str(Path(__file__).resolve()), script)

    def files(self, request: Any) -> dict[str, str]:
        script = self._config.script
        if not script:
            found = _BLOCK.search(request.prompt)
            return {"script.json": found.group(1) if found else "[]"}
        if isinstance(script, str):
            return {"script.json": Path(script).read_text(encoding="utf-8")}
        return {"script.json": json.dumps(script)}

    def probe(self, environ: Any) -> str:
        return ""


class ScriptError(Exception):
    """The script itself is wrong."""


def play(script: list[dict[str, Any]], worktree: Path) -> None:
    """Carry out every action in order."""
    for number, action in enumerate(script, 1):
        words = [word for word in action if word in ACTIONS]
        if len(words) != 1:
            raise ScriptError(f"action {number} has no (or more than one) known word: {action}")
        outside = action.get("outside") is True
        ACTIONS[words[0]](action[words[0]], worktree, outside)


def _inside(path: str, worktree: Path, outside: bool) -> Path:
    target = worktree / path
    if not outside and not target.resolve().is_relative_to(worktree.resolve()):
        raise ScriptError(f"{path} is not in the worktree")
    return target


def _write(detail: Any, worktree: Path, outside: bool) -> None:
    target = _inside(detail["path"], worktree, outside)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(detail["text"], encoding="utf-8")


def _append(detail: Any, worktree: Path, outside: bool) -> None:
    with _inside(detail["path"], worktree, outside).open("a", encoding="utf-8") as file:
        file.write(detail["text"])


def _delete(detail: Any, worktree: Path, outside: bool) -> None:
    path = detail["path"] if isinstance(detail, dict) else detail
    _inside(path, worktree, outside).unlink()


def _run(detail: Any, worktree: Path, outside: bool) -> None:
    sys.stdout.flush()
    code = subprocess.run([str(word) for word in detail], cwd=worktree, check=False).returncode
    if code:
        raise SystemExit(code if code > 0 else 128 - code)


def _wait(detail: Any, worktree: Path, outside: bool) -> None:
    seconds = detail if isinstance(detail, (int, float)) else float(detail.get("seconds", 60))
    wanted = None if isinstance(detail, (int, float)) else detail.get("file")
    if wanted is None:
        time.sleep(seconds)
        return
    deadline = time.monotonic() + seconds
    while not (worktree / wanted).exists():
        if time.monotonic() > deadline:
            raise ScriptError(f"{wanted} did not appear within {seconds} s")
        time.sleep(0.02)


def _say(detail: Any, worktree: Path, outside: bool) -> None:
    sys.stdout.write(f"{detail}\n")
    sys.stdout.flush()


def _say_error(detail: Any, worktree: Path, outside: bool) -> None:
    sys.stderr.write(f"{detail}\n")


def _fail(detail: Any, worktree: Path, outside: bool) -> None:
    number = detail.get("signal") if isinstance(detail, dict) else None
    if number:
        sys.stdout.flush()
        os.kill(os.getpid(), int(number))
    raise SystemExit(int(detail.get("exit_code", 1)) if isinstance(detail, dict) else int(detail))


def _flood(detail: Any, worktree: Path, outside: bool) -> None:
    stream = sys.stderr if detail.get("stream") == "stderr" else sys.stdout
    left, line = int(detail["bytes"]), b"x" * 79 + b"\n"
    while left > 0:
        left -= stream.buffer.write((line * 512)[:left])
    stream.buffer.flush()


def _ask(detail: Any, worktree: Path, outside: bool) -> None:
    sys.stdout.write(f"{detail}\n")
    sys.stdout.flush()
    sys.stdout.write(f"answer: {sys.stdin.readline().strip()}\n")


def _result(detail: Any, worktree: Path, outside: bool) -> None:
    target = os.environ["ORCH_RESULT_FILE"]
    text = detail if isinstance(detail, str) else json.dumps(detail)
    Path(target).write_text(text, encoding="utf-8")


def _commit(detail: Any, worktree: Path, outside: bool) -> None:
    who = ["-c", "user.name=Scripted agent", "-c", "user.email=scripted@localhost"]
    _run(["git", "add", "--all"], worktree, outside)
    _run(["git", *who, "commit", "--quiet", f"--message={detail}"], worktree, outside)


def _daemon(detail: Any, worktree: Path, outside: bool) -> None:
    """Leave a process behind that has cut every tie."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            time.sleep(float(detail.get("seconds", 3600)) if isinstance(detail, dict) else 3600)
        os._exit(0)
    os.wait()


def _hang(detail: Any, worktree: Path, outside: bool) -> None:
    while True:
        signal.pause()


ACTIONS: dict[str, Callable[[Any, Path, bool], None]] = {
    "write": _write, "append": _append, "delete": _delete, "run": _run, "wait": _wait,
    "say": _say, "say_error": _say_error, "fail": _fail, "flood": _flood, "ask": _ask,
    "result": _result, "commit": _commit, "daemon": _daemon, "hang": _hang,
}  # fmt: skip


def main(argv: list[str]) -> int:
    try:
        script = json.loads(Path(argv[1]).read_text(encoding="utf-8"))
        if not isinstance(script, list) or not all(isinstance(item, dict) for item in script):
            raise ScriptError("a script is a list of actions")
        play(script, Path.cwd())
    except (ScriptError, ValueError, KeyError, OSError) as error:
        sys.stderr.write(f"scripted agent: {type(error).__name__}: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

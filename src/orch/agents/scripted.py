"""The program of the scripted agent: carries out a script, needs nothing but Python.

    python -I -S scripted.py SCRIPT.json

A script is a JSON list of actions, each an object with one verb:

    {"write": {"path": "a.txt", "text": "hello"}}   a new or replaced file; folders are made
    {"append": {"path": "a.txt", "text": "more"}}
    {"delete": "a.txt"}
    {"run": ["prog", "arg"]}                        its failure is ours
    {"commit": "message"}                           everything, as an agent would, by git
    {"say": "text"}  {"say_error": "text"}          a line on stdout, stderr
    {"flood": {"bytes": 1000, "stream": "stderr", "binary": true}}
    {"ask": "question"}                             prints it, waits for a line from the terminal
    {"ask": {"question": "rm -rf build?", "tool": "Bash", "save": "answer.txt"}}
                                                    with a tool: of a person, by `orch inbox`
    {"result": {"status": "done"}}                  the result file; a text is written as it is
    {"wait": 0.5}  {"wait": {"file": "go", "seconds": 60}}
    {"daemon": {"seconds": 3600, "pid_file": "pid"}}  leaves a process that has cut every tie
    {"fail": 3}  {"fail": {"exit_code": 3}}  {"fail": {"signal": "KILL"}}
    {"hang": true}  {"hang": {"ignore": ["TERM"]}}  never ends by itself; also `sleep_forever`

`text` may be `{"from": "prompt"}`. Beside its verb an action may hold `"attempt": 2`: it is then
carried out only the second time that this script runs in this worktree; and `"outside": true`: its
paths may leave the worktree.

Invariant: what is done follows from the script, the prompt and the number of the run alone. A script
that is wrong does nothing: it is checked before its first action. Exit codes: of the failing action;
2 for a wrong script.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

POLL_S = 0.02
_ALWAYS = ("attempt", "outside")


class ScriptError(Exception):
    """The script is wrong, or asks for something that cannot be had."""


class Stage:
    """Where a script is played: a worktree, and whether the present action may leave it."""

    def __init__(self, worktree: str, environ: dict[str, str]) -> None:
        self.worktree = os.path.realpath(worktree)
        self.environ = environ
        self.outside = False

    def path(self, given: str) -> str:
        """The absolute path of `given`; links do not lead out of the worktree either."""
        target = os.path.join(self.worktree, given)
        real = os.path.realpath(target)
        if not self.outside and os.path.commonpath((real, self.worktree)) != self.worktree:
            raise ScriptError(f"{given} is not in the worktree")
        return target

    def text(self, given: Any) -> str:
        if isinstance(given, str):
            return given
        if given == {"from": "prompt"}:
            with open(self.environ["ORCH_PROMPT_FILE"], encoding="utf-8", newline="") as prompt:
                return prompt.read()
        raise ScriptError('a text is a string or {"from": "prompt"}')


def checked(script: Any) -> list[tuple[str, Any, dict[str, Any]]]:
    """(verb, detail, action) of each action. Raises `ScriptError` naming the first wrong one."""
    if not isinstance(script, list):
        raise ScriptError("a script is a list of actions")
    actions = []
    for number, action in enumerate(script, 1):
        if not isinstance(action, dict):
            raise ScriptError(f"action {number} is not an object")
        verbs = [key for key in action if key not in _ALWAYS]
        if len(verbs) != 1 or verbs[0] not in ACTIONS:
            found = ", ".join(verbs) or "nothing"
            raise ScriptError(
                f"action {number} needs one verb ({', '.join(ACTIONS)}) and has {found}"
            )
        attempt = action.get("attempt", 1)
        if isinstance(attempt, bool) or not isinstance(attempt, int) or attempt < 1:
            raise ScriptError(f"action {number}: attempt is a whole number from 1")
        if not isinstance(action.get("outside", False), bool):
            raise ScriptError(f"action {number}: outside is true or false")
        actions.append((verbs[0], action[verbs[0]], action))
    return actions


def play(script: Any, stage: Stage) -> None:
    """Carry out every action of `script` that is meant for this run, in order."""
    actions = checked(script)
    run = 0
    if any("attempt" in action for _, _, action in actions):
        run = count_run(stage.worktree, script)
    for number, (verb, detail, action) in enumerate(actions, 1):
        if run and action.get("attempt", run) != run:
            continue
        stage.outside = action.get("outside", False)
        try:
            ACTIONS[verb](detail, stage)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ScriptError(
                f"action {number} ({verb}): {type(error).__name__} {error}"
            ) from error
        sys.stdout.flush()


def count_run(worktree: str, script: Any) -> int:
    """Which run of this script in this worktree this is, from 1; the number is taken for good.

    Numbers are files in git's own directory of the worktree: invisible to commits, gone with the
    worktree. Creating one exclusively is atomic, so two runs at once get two numbers.
    """
    import hashlib

    digest = hashlib.sha256(json.dumps(script, sort_keys=True).encode()).hexdigest()[:16]
    folder = os.path.join(_git_directory(worktree), "orch-scripted")
    os.makedirs(folder, exist_ok=True)
    number = 1
    while True:
        name = os.path.join(folder, f"{digest}-{number}")
        with contextlib.suppress(FileExistsError):
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return number
        number += 1


def _git_directory(worktree: str) -> str:
    pointer = os.path.join(worktree, ".git")
    if os.path.isdir(pointer):
        return pointer
    try:
        with open(pointer, encoding="utf-8") as file:
            line = file.read(4096).strip()
    except OSError as error:
        raise ScriptError("attempt needs a git worktree to count in") from error
    return os.path.join(worktree, line.removeprefix("gitdir:").strip())


def _write(detail: Any, stage: Stage) -> None:
    _put(detail, stage, "w")


def _append(detail: Any, stage: Stage) -> None:
    _put(detail, stage, "a")


def _put(detail: Any, stage: Stage, mode: str) -> None:
    target, text = stage.path(detail["path"]), stage.text(detail["text"])
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, mode, encoding="utf-8", newline="") as file:
        file.write(text)


def _delete(detail: Any, stage: Stage) -> None:
    os.unlink(stage.path(detail["path"] if isinstance(detail, dict) else detail))


def _run(detail: Any, stage: Stage) -> None:
    import subprocess

    if not isinstance(detail, list) or not all(isinstance(word, str) for word in detail):
        raise ScriptError("run takes a list of texts")
    sys.stdout.flush()
    try:
        code = subprocess.run(
            detail, cwd=stage.worktree, check=False, stdin=subprocess.DEVNULL
        ).returncode
    except OSError as error:
        sys.stderr.write(f"scripted agent: {detail[0]}: {error.strerror}\n")
        raise SystemExit(127 if isinstance(error, FileNotFoundError) else 126) from error
    if code:
        raise SystemExit(code if code > 0 else 128 - code)


def _commit(detail: Any, stage: Stage) -> None:
    message = detail["message"] if isinstance(detail, dict) else str(detail)
    who = ["-c", "user.name=Scripted Agent", "-c", "user.email=scripted@localhost"]
    _run(["git", "add", "--all"], stage)
    _run(["git", *who, "commit", "--quiet", f"--message={message}"], stage)


def _say(detail: Any, stage: Stage) -> None:
    sys.stdout.write(f"{stage.text(detail)}\n")


def _say_error(detail: Any, stage: Stage) -> None:
    sys.stderr.write(f"{stage.text(detail)}\n")
    sys.stderr.flush()


def _flood(detail: Any, stage: Stage) -> None:
    stream = sys.stderr.buffer if detail.get("stream") == "stderr" else sys.stdout.buffer
    piece = bytes(range(256)) * 160 if detail.get("binary") else (b"x" * 79 + b"\n") * 512
    left = int(detail["bytes"])
    while left > 0:
        left -= stream.write(piece[:left])
    stream.flush()


def _ask(detail: Any, stage: Stage) -> None:
    """With the pane as stdin the answer is typed there; the prompt on stdin is no answer."""
    question = detail["question"] if isinstance(detail, dict) else str(detail)
    if isinstance(detail, dict) and "tool" in detail:
        _inquire(question, detail, stage)
        return
    sys.stdout.write(f"{question}\n")
    sys.stdout.flush()
    if not sys.stdin.isatty():
        sys.stderr.write("error: stdin is not a terminal, nobody can answer\n")
        raise SystemExit(1)
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(1)
    answer = line.rstrip("\n")
    sys.stdout.write(f"answer: {answer}\n")
    if isinstance(detail, dict) and "save" in detail:
        _put({"path": detail["save"], "text": f"{answer}\n"}, stage, "w")


def _inquire(question: str, detail: dict[str, Any], stage: Stage) -> None:
    """Ask as the hooks of real agents do; a refusal ends it, as one that can do nothing else."""
    asking = _beside("inside/asking.py")
    directory = os.path.dirname(stage.environ["ORCH_RESULT_FILE"])
    answer = asking.ask(directory, question, {
        "kind": detail.get("kind", "permission"), "text": question, "tool": detail["tool"],
        "input": detail.get("input", {}), "options": detail.get("options", []),
    })  # fmt: skip
    told = f"{answer['decision']} {answer.get('text', '')}".strip()
    sys.stdout.write(f"answer: {told}\n")
    if "save" in detail:
        _put({"path": detail["save"], "text": f"{told}\n"}, stage, "w")
    if answer["decision"] == "deny":
        raise SystemExit(1)


def _beside(name: str) -> Any:
    """A module beside this script, which knows no packages."""
    from importlib.util import module_from_spec, spec_from_file_location

    place = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    spec = spec_from_file_location("beside", place)
    if spec is None or spec.loader is None:
        raise ScriptError(f"{name} is not there")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _result(detail: Any, stage: Stage) -> None:
    target = stage.environ["ORCH_RESULT_FILE"]
    with open(f"{target}.new", "w", encoding="utf-8") as file:
        file.write(detail if isinstance(detail, str) else json.dumps(detail))
    os.replace(f"{target}.new", target)


def _wait(detail: Any, stage: Stage) -> None:
    if not isinstance(detail, dict):
        time.sleep(float(detail))
        return
    if "file" not in detail:
        time.sleep(float(detail["seconds"]))
        return
    seconds = float(detail.get("seconds", 60))
    target, deadline = stage.path(detail["file"]), time.monotonic() + seconds
    while not os.path.exists(target):
        if time.monotonic() > deadline:
            raise ScriptError(f"{detail['file']} did not appear within {seconds:g} s")
        time.sleep(POLL_S)


def _daemon(detail: Any, stage: Stage) -> None:
    """A process of its own session, without parent, terminal or our streams, deaf to HUP."""
    options = detail if isinstance(detail, dict) else {}
    pid_file = stage.path(options["pid_file"]) if "pid_file" in options else ""
    sys.stdout.flush()
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
            if pid_file:
                with open(pid_file, "w", encoding="ascii") as file:
                    file.write(f"{os.getpid()}\n")
            os.close(told)
            if not options.get("keep_output"):
                nowhere = os.open(os.devnull, os.O_RDWR)
                for stream in (0, 1, 2):
                    os.dup2(nowhere, stream)
            time.sleep(float(options.get("seconds", 3600)))
        os._exit(0)
    os.close(told)
    os.waitpid(child, 0)
    os.read(ready, 1)  # ends when the daemon has written its number
    os.close(ready)


def _fail(detail: Any, stage: Stage) -> None:
    options = detail if isinstance(detail, dict) else {"exit_code": detail}
    sys.stdout.flush()
    sys.stderr.flush()
    if "signal" in options:
        number = _signal(options["signal"])
        with contextlib.suppress(OSError):  # KILL and STOP have no handler to reset
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    raise SystemExit(int(options.get("exit_code", 1)))


def _hang(detail: Any, stage: Stage) -> None:
    options = detail if isinstance(detail, dict) else {}
    for name in options.get("ignore", ()):
        signal.signal(_signal(name), signal.SIG_IGN)
    while True:
        signal.pause()


def _signal(name: Any) -> int:
    return int(signal.Signals[f"SIG{name}"]) if isinstance(name, str) else int(name)


ACTIONS: dict[str, Callable[[Any, Stage], None]] = {
    "write": _write, "append": _append, "delete": _delete, "run": _run, "commit": _commit,
    "say": _say, "say_error": _say_error, "flood": _flood, "ask": _ask, "result": _result,
    "wait": _wait, "daemon": _daemon, "fail": _fail, "hang": _hang, "sleep_forever": _hang,
}  # fmt: skip


def main(argv: list[str]) -> int:
    try:
        with open(argv[1], encoding="utf-8") as file:
            script = json.load(file)
        play(script, Stage(os.getcwd(), dict(os.environ)))
    except (ScriptError, ValueError, OSError) as error:
        sys.stdout.flush()
        sys.stderr.write(f"scripted agent: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))

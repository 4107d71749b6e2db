"""The program in an attempt's terminal that drives one agent over the Agent Client Protocol:
`python -I -m orch.agents.inside.acp_client DIRECTORY -- COMMAND…`.

Invariant: started isolated, so that nothing in a worktree is imported. Records go to the attempt's
file `stdout` where this process owns a terminal, else to its own standard output; the agent's
error channel goes to the file `stderr`, or to our own. The exit code is 0 when the last turn ended
well, 127 and 126 when the agent cannot be started, 128 + signal when we were ended, else 1.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

from orch.agents.inside.acp_settings import LACKING, SETTINGS, Settings
from orch.agents.inside.keyboard import Inbox
from orch.agents.inside.ledger import Ledger

CANNOT_RUN, NOT_FOUND = 126, 127
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class _Told(logging.Handler):
    """What the protocol's package has to say goes into the records, never onto the terminal."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(logging.WARNING)
        self._ledger = ledger

    def emit(self, record: logging.LogRecord) -> None:
        cause = record.exc_info[1] if record.exc_info else None
        text = record.getMessage() + (f": {cause!r:.500}" if cause else "")
        self._ledger.note("log", text=text[:2000])


def main(argv: list[str]) -> int:
    directory, command = argv[0], argv[2:]
    with open(f"{directory}/{SETTINGS}", encoding="utf-8") as file:
        known = json.load(file)
    settings = Settings(**{**known, "deny": tuple(known["deny"])})
    with open(f"{directory}/prompt", encoding="utf-8", errors="replace", newline="") as file:
        prompt = file.read()
    terminal = os.ttyname(0) if os.isatty(0) else ""
    records, errors, pane = 1, 2, -1
    if terminal:
        records = os.open(f"{directory}/stdout", _APPEND, 0o600)
        errors = os.open(f"{directory}/stderr", _APPEND, 0o600)
        pane = os.open(terminal, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    ledger = Ledger(records, pane)
    logging.basicConfig(handlers=[_Told(ledger)], force=True)
    logging.captureWarnings(True)
    inbox = Inbox(terminal)
    try:
        from orch.agents.inside import acp_session
    except ImportError as error:
        return _unable(ledger, f"{LACKING} ({error})", NOT_FOUND)
    ledger.say(f"{settings.agent}: {' '.join(command)}")
    try:
        agent = subprocess.Popen(
            command, cwd=settings.cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # keys of this terminal are ours; its tools cannot read it
        )  # fmt: skip
    except FileNotFoundError:
        return _unable(ledger, f"the program {command[0]} was not found", NOT_FOUND)
    except OSError as error:
        return _unable(ledger, f"{command[0]} cannot be started: {error.strerror}", CANNOT_RUN)
    return acp_session.carry_out(settings, directory, prompt, agent, errors, ledger, inbox)


def _unable(ledger: Ledger, words: str, code: int) -> int:
    ledger.note("error", message=words, during="start")
    ledger.say(words)
    return code


if __name__ == "__main__":
    # Threads may still sit in a read; nothing is left to be written.
    os._exit(main(sys.argv[1:]))

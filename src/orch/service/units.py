"""The service as the system starts it: a systemd user unit, or a launchd agent.

Invariant: pure text. Only the service itself is ended with it (its agents live in tmux and go on),
nothing is left to what a login shell would have set: PATH and home stand in the file.
"""

from __future__ import annotations

import hashlib
import plistlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

PASSED = ("PATH", "LANG", "LC_ALL", "SSH_AUTH_SOCK")
"""What the file takes over of the environment in which it is made."""
STOP_S = 90


class Unit(NamedTuple):
    """`path` of the file, its `text`, and the commands that begin and end its use."""

    path: Path
    text: str
    enable: list[str]
    disable: list[str]


def name_of(home: Path, person: Path) -> str:
    """`orch`; of a home in another place than usual, one of its own."""
    if home == person / ".orch":
        return "orch"
    return f"orch-{hashlib.sha256(str(home).encode()).hexdigest()[:8]}"


def environment(home: Path, environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: environ[name] for name in PASSED if environ.get(name)}
    return {"ORCH_HOME": str(home), **kept}


def systemd(home: Path, argv: Sequence[str], environ: Mapping[str, str], person: Path) -> Unit:
    """A user unit. `person` is the person's home directory."""
    name = name_of(home, person)
    folder = Path(environ.get("XDG_CONFIG_HOME") or person / ".config") / "systemd" / "user"
    told = "\n".join(
        f"Environment={_quoted(f'{key}={value}')}"
        for key, value in environment(home, environ).items()
    )
    command = " ".join(_quoted(word).replace("$", "$$") for word in argv)
    text = f"""\
[Unit]
Description=Orch works the queue of {str(home).replace("%", "%%")}

[Service]
Type=simple
ExecStart={command}
WorkingDirectory={str(home).replace("%", "%%")}
{told}
UMask=0077
# Agents live in tmux and outlive the service: end its own process alone.
KillMode=process
TimeoutStopSec={STOP_S}
Restart=on-failure
RestartSec=5

[Install]
WantedBy=default.target
"""
    return Unit(
        folder / f"{name}.service", text,
        ["systemctl --user daemon-reload", f"systemctl --user enable --now {name}.service"],
        [f"systemctl --user disable --now {name}.service", "systemctl --user daemon-reload"],
    )  # fmt: skip


def _quoted(word: str) -> str:
    """One word of a unit file: systemd.syntax(7), systemd.unit(5) for `%`."""
    text = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    return f'"{text}"'


def launchd(
    home: Path, argv: Sequence[str], environ: Mapping[str, str], person: Path, uid: int
) -> Unit:
    """An agent of the person who is signed in."""
    label = f"dev.orch.{name_of(home, person)}"
    out = str(home / "log" / "service.out")
    body = {
        "Label": label,
        "ProgramArguments": list(argv),
        "EnvironmentVariables": environment(home, environ),
        "WorkingDirectory": str(home),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "AbandonProcessGroup": True,  # as KillMode=process: agents outlive the service
        "ExitTimeOut": STOP_S,
        "Umask": 0o077,
        "StandardOutPath": out,
        "StandardErrorPath": out,
    }
    path = person / "Library" / "LaunchAgents" / f"{label}.plist"
    return Unit(
        path, plistlib.dumps(body).decode(),
        [f"launchctl bootstrap gui/{uid} {path}"], [f"launchctl bootout gui/{uid}/{label}"],
    )  # fmt: skip


LINGER = """\
A user unit ends with the last session of its user, unless the user lingers:
  loginctl enable-linger       (once; then it also starts with the machine)"""
"""What a person must know about systemd."""

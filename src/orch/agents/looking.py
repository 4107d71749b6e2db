"""What can be known of an agent program without spending a token: is it there, which version, is it
signed in.

Invariant: nothing is started but the program's own `--version`, in the agents' environment and an
empty directory, for a few seconds at most. A version that nobody knows keeps no agent from
work.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import NamedTuple

from orch.agents import environment
from orch.agents.words import one_line, printable
from orch.model.report import AgentState, Capabilities

PATIENCE_S = 10.0
_NUMBER = re.compile(r"\d+\.\d+[\w.+-]*")


class Signs(NamedTuple):
    """What shows that somebody has signed in: one of the `variables` set, or one of the `files` there
    (below `home`'s value, where that variable is set, else below HOME and `folder`)."""

    variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    folder: str = ""
    home: str = ""

    def seen(self, environ: Mapping[str, str]) -> bool | None:
        """None where neither says so: it may have signed in in a way that leaves no file."""
        if any(environ.get(name) for name in self.variables):
            return True
        if not self.files:
            return None
        base = environ.get(self.home, "") if self.home else ""
        base = base or os.path.join(environ.get("HOME", ""), self.folder)
        return any(os.path.exists(os.path.join(base, name)) for name in self.files)


def look(
    program: tuple[str, ...], environ: Mapping[str, str], *, signs: Signs, proven: str,
    install: str, sign_in: str, capabilities: Capabilities,
) -> AgentState:  # fmt: skip
    """`environ` is what the agent would get. `install` and `sign_in` are the commands that help."""
    path = shutil.which(program[0], path=environ.get("PATH")) or ""
    if not path:
        problem = f"the program {program[0]} was not found"
        return AgentState(
            proven=proven, problem=problem, fix=install, capabilities=capabilities, signed_in=None
        )
    version, problem = _version((path, *program[1:]), environ)
    signed = signs.seen(environ)
    if not problem and signed is False:
        problem, fix = "it is not signed in", sign_in
    else:
        fix = install if problem else ""
    return AgentState(
        found=path, version=version, proven=proven, signed_in=signed, problem=problem, fix=fix,
        capabilities=capabilities,
    )  # fmt: skip


def _version(program: tuple[str, ...], environ: Mapping[str, str]) -> tuple[str, str]:
    """(version, or empty; what is wrong, or empty)."""
    with tempfile.TemporaryDirectory(prefix="orch-look-") as folder:
        try:
            done = subprocess.run(
                [*program, "--version"], cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL,
                capture_output=True, timeout=PATIENCE_S, check=False, start_new_session=True,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired) as error:
            return "", f"it does not tell its version: {one_line(str(error), 200)}"
    said = printable((done.stdout or done.stderr).decode("utf-8", "replace"))
    found = _NUMBER.search(said)
    if done.returncode != 0:
        return "", f"--version ended with {done.returncode}: {one_line(said, 200)}"
    return (found[0] if found else one_line(said, 40)), ""


def agents_environ(
    environ: Mapping[str, str], takes: tuple[str, ...], own: Mapping[str, str]
) -> dict[str, str]:
    """What an agent gets of `environ`, without what belongs to one attempt."""
    taken = {name: environ[name] for name in takes if name in environ}
    return {**environment.base_environment(environ), **taken, **own}

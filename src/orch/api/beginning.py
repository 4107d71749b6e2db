"""A configuration to begin with: commented text for a home or a repository, checked, written once.

Invariant: what is written is sound as configuration (it was read as such), and a file that is there
is never replaced, whoever made it meanwhile.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from orch.config import layers, load
from orch.config.loading import FILE, REPOSITORY_FILE
from orch.model.errors import Conflict, ToolFailed, UsageError

if TYPE_CHECKING:
    from orch.api.facade import Orch

_HOME = """\
# Orch's configuration. `orch config explain KEY` tells what a key means; what is left out has the
# value that is built in. The service reads this file again when it changes.

[defaults]
{agent}
# workflow = "basic_pr"

[service]
{max_parallel}

# Nothing is begun with less free than this, in MiB.
# [run]
# min_free_mb = 16
# [care]
# min_free_memory_mb = 64

{agents}"""
_REPOSITORY = """\
# What Orch does in this repository. It may narrow what the person's own configuration says, and
# choose among what is there: it never names programs, and never raises what may be spent.

[defaults]
{agent}
{base_branch}
{test_command}
{max_parallel}
# workflow = "basic_pr"
# install_dependencies = "never"

# [retry]
# max_attempts = 3
"""


def of_home(orch: Orch, *, agent: str, max_parallel: int, path: str) -> tuple[Path, str]:
    """The file of a home and its text. Agents whose programs are found on `path` are in it; the
    first one is chosen where none is asked for. `ConfigError` for what cannot be."""
    from orch.agents.known import installed

    found = installed(path)
    names = [known.name for known in found]
    if agent and agent not in names:
        raise UsageError(
            f"no program of an agent {agent!r} was found here", code="unknown_agent",
            hint=f"found: {', '.join(names) or 'none'}; others: orch config set agents.NAME.command",
        )  # fmt: skip
    tables = "\n\n".join(known.lines() for known in found)
    none = '# No agent was found. One is a program that works where it stands:\n# [agents.mine]\n# command = ["PROGRAM", "ARG"]'  # noqa: E501 - text
    text = _HOME.format(
        agent=_line("agent", agent or (names[0] if names else ""), "NAME"),
        max_parallel=_line("max_parallel", max_parallel, 4),
        agents=(tables or none) + "\n",
    )
    file = orch.home / FILE
    load(orch.home, None, {}, {}, own=layers.from_text(text, file))
    return file, text


def of_repository(
    orch: Orch, folder: Path, *, agent: str, base_branch: str, test_command: str, max_parallel: int
) -> tuple[Path, str]:
    """The file of a repository's main checkout and its text. `ConfigError` for what cannot be."""
    argv = shlex.split(test_command)
    text = _REPOSITORY.format(
        agent=_line("agent", agent, "NAME"),
        base_branch=_line("base_branch", base_branch, "main"),
        test_command=_line("test_command", argv, ["make", "test"]),
        max_parallel=_line("max_parallel", max_parallel, 2),
    )
    file = folder / REPOSITORY_FILE
    theirs = layers.from_text(text, file, repository=True)
    load(orch.home, folder, {}, {}, theirs=theirs)
    return file, text


def _line(key: str, value: object, example: object) -> str:
    """`key = value`, or as a comment what it could be."""
    return f"{key} = {json.dumps(value)}" if value else f"# {key} = {json.dumps(example)}"


def register(orch: Orch, folder: Path) -> str:
    """Take the repository into the books, unless it is there: its slug."""
    for repo in orch.repos():
        if repo.local_path == str(folder):
            return repo.slug
    return orch.add_repo(str(folder)).slug


def write(file: Path, text: str, *, private: bool) -> None:
    """Make the file, whole; `Conflict(config_exists)` when somebody was faster."""
    beside = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        mode = 0o600 if private else 0o644
        made = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(made, "w", encoding="utf-8") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            os.link(beside, file)
        finally:
            beside.unlink()
    except FileExistsError as error:
        raise Conflict(
            f"{file} is there already; it was left as it is", code="config_exists",
            hint=f"edit {file}",
        ) from error  # fmt: skip
    except OSError as error:
        raise ToolFailed(
            f"{file} cannot be written: {error.strerror}", code="config_unwritable",
            hint=f"ls -ld {file.parent}",
        ) from error  # fmt: skip

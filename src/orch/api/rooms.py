"""What the facade is handed: the rooms of one home."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from orch.api.preflight import Preflight
from orch.config import Config
from orch.config.tree import WorktreeFiles
from orch.model.event import Actor
from orch.model.repo import Repo
from orch.model.report import AgentState
from orch.model.run import Owner
from orch.model.ticket import Ticket
from orch.ports import Acts, Clock, Forge, Git, Ids, Store, Terminals, Took, Tracker


class Rooms(Protocol):
    """What the facade holds; made by `orch.compose`, each room when it is first needed.
    `choose_agent` gives the agent's name for (asked by the effect, asked for the run, repository) or
    refuses; `read_issue` reads a file."""

    def close(self) -> None: ...
    @property
    def path(self) -> Path: ...
    @property
    def store(self) -> Store: ...
    @property
    def git(self) -> Git: ...
    @property
    def terminals(self) -> Terminals: ...
    @property
    def tracker(self) -> Tracker: ...
    @property
    def sources(self) -> Any:
        """The ticket sources: `all()` their tables by name, `open(name)` the adapter."""

    def mark(self, place: str, name: str) -> str:
        """The key of what is called `name` at `place`, for a mark that only this home can make."""

    @property
    def forge(self) -> Forge: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def preflight(self) -> Preflight: ...
    @property
    def me(self) -> Owner: ...
    @property
    def person(self) -> Actor: ...
    @property
    def cwd(self) -> Path: ...
    def alive(self, owner: Owner) -> bool:
        """Whether that very process still lives."""

    def engine_pid(self) -> int:
        """The process that drives this home's runs now; 0 when none does."""

    def config(self, repo: Repo | None) -> Config:
        """The configuration for one repository, or none."""

    def config_files(self) -> list[str]:
        """The files that the configuration is read from, whether they are there or not."""

    def reread(self) -> Sequence[str]:
        """Read the configuration again; what is wrong, one sentence each. What is broken changes
        nothing."""

    def config_error(self) -> str:
        """What is wrong with the configuration, as it was last read; empty when it is sound."""

    def worktree_files(self, repo: Repo) -> WorktreeFiles: ...
    def choose_agent(self, asked: str | None, run: str, repo: Repo | None) -> str: ...
    def agent_lacks(self, name: str) -> str:
        """One sentence on what keeps the agent from starting; empty when nothing does."""

    def agents_at_hand(self) -> list[str]:
        """Known programs that are installed here and no agent yet."""

    def agent_state(self, name: str) -> AgentState:
        """How it stands on this machine; its program is asked for its version."""

    def took(self, agent: str) -> Took | None:
        """How this agent shows that it took a message; None where it does not."""

    def parsed(self, agent: str, stdout: bytes, stderr: bytes, code: int) -> dict[str, Any]:
        """What is made of a recorded output of a program that ended with `code`."""

    def acts(self, agent: str) -> Acts | None:
        """What tells the actions in a record of its stream; None where nobody can."""

    def read_issue(self, path: Path) -> Ticket: ...

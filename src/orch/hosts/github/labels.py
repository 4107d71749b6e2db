"""Labels of repositories and issues.

Invariants:

- An issue's labels are never written as a whole: ours are added and removed one by one, so that what
  a person or another program set meanwhile stays.
- A change ends with a fresh look. What was asked for is there, or the answer says that nobody knows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from orch.hosts.failures import Invalid, Missing, Unknown
from orch.hosts.github.address import repository
from orch.hosts.github.facts import Label
from orch.hosts.github.shapes import LabelShape
from orch.hosts.service import segment

if TYPE_CHECKING:
    from orch.hosts.github.calls import Caller

_TRIES = 3
_PAUSE_S = 0.5


class Labels:
    def __init__(self, caller: Caller, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._caller = caller
        self._sleep = sleep

    def all(self, repo: str) -> list[Label]:
        """All that the repository has."""
        path = f"/repos/{repository(repo)}/labels"
        found = [shape.fact() for shape in self._caller.pages(path, LabelShape)]
        return list({label.name.lower(): label for label in found}.values())

    def create(self, repo: str, label: Label) -> Label | Unknown:
        """`Invalid` with the reason `already_exists` where there is one of that name."""
        path = f"/repos/{repository(repo)}/labels"
        wanted = {"name": label.name, "color": label.color, "description": label.description}
        made = self._caller.write("POST", path, LabelShape, wanted)
        return made if isinstance(made, Unknown) else made.fact()

    def ensure(self, repo: str, wanted: Sequence[Label]) -> Unknown | None:
        """Make those that are not there; one that is there keeps the colour that people gave it, and
        one that somebody else makes meanwhile is as good as ours."""
        there = self._names(repo)
        for label in wanted:
            if label.name.lower() in there:
                continue
            try:
                made = self.create(repo, label)
            except Invalid as error:
                if "already_exists" not in error.data.get("reasons", []):
                    raise
                continue
            if isinstance(made, Unknown) and label.name.lower() not in self._names(repo):
                return made
        return None

    def _names(self, repo: str) -> set[str]:
        return {label.name.lower() for label in self.all(repo)}

    def of(self, repo: str, number: int) -> tuple[str, ...]:
        """The names at an issue or PR, as they are now."""
        path = f"/repos/{repository(repo)}/issues/{number}/labels"
        return tuple(shape.name for shape in self._caller.pages(path, LabelShape))

    def change(
        self, repo: str, number: int, *, add: Sequence[str] = (), remove: Sequence[str] = ()
    ) -> tuple[str, ...] | Unknown:
        """Add and remove these, and nothing else; the names that are there then."""
        gone = {name.lower() for name in remove} - {name.lower() for name in add}

        def left(there: Sequence[str]) -> tuple[list[str], list[str]]:
            had = {name.lower() for name in there}
            missing = [name for name in add if name.lower() not in had]
            return missing, [name for name in there if name.lower() in gone]

        return self._settled(repo, number, left)

    def exchange(
        self, repo: str, number: int, *, prefix: str, to: str
    ) -> tuple[str, ...] | Unknown:
        """`to` is the only label with this prefix (`status:`); with `to` empty there is none. Where
        two write at once the last one wins, and there are never two for good."""
        low = prefix.lower()

        def left(there: Sequence[str]) -> tuple[list[str], list[str]]:
            had = {name.lower() for name in there}
            others = [n for n in there if n.lower().startswith(low) and n.lower() != to.lower()]
            return ([to] if to and to.lower() not in had else []), others

        return self._settled(repo, number, left)

    def _settled(
        self, repo: str, number: int, left: Callable[[Sequence[str]], tuple[list[str], list[str]]]
    ) -> tuple[str, ...] | Unknown:
        """Read fresh, write what is left to do, until a fresh look says that nothing is."""
        unknown: Unknown | None = None
        for number_of_try in range(_TRIES + 1):
            there = self.of(repo, number)
            missing, surplus = left(there)
            if not missing and not surplus:
                return there
            if number_of_try == _TRIES:
                break
            if number_of_try:
                self._sleep(_PAUSE_S * number_of_try)
            unknown = self._written(repo, number, missing, surplus)
        return unknown or Unknown(
            host=self._caller.address.name,
            request=f"labels of {repo}#{number}",
            reason="somebody else changes them at the same time",
            at=self._caller.now(),
        )

    def _written(
        self, repo: str, number: int, missing: Sequence[str], surplus: Sequence[str]
    ) -> Unknown | None:
        path = f"/repos/{repository(repo)}/issues/{number}/labels"
        unknown: Unknown | None = None
        if missing:
            made = self._caller.write("POST", path, list[LabelShape], {"labels": list(missing)})
            unknown = made if isinstance(made, Unknown) else None
        for name in surplus:
            try:
                done = self._caller.write("DELETE", f"{path}/{segment(name)}", list[LabelShape])
            except Missing:
                continue  # somebody else has taken it away
            unknown = done if isinstance(done, Unknown) else unknown
        return unknown

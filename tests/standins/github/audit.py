"""What the stand-in is asked about after a test: how often a thing is there, and who asked for what.

Invariant: reads the state itself, not what lists would show.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.standins.github.server import GitHubStandIn


class Audit:
    def __init__(self, standin: GitHubStandIn) -> None:
        self._standin = standin

    def pulls_by_head(self, full_name: str) -> Counter[str]:
        """How many PRs, in any state, each head branch has (`owner:branch`)."""
        found = self._repo(full_name).issues.values()
        return Counter(f"{x.pull.head_owner}:{x.pull.head}" for x in found if x.pull)

    def comments_by_marker(
        self, full_name: str, pattern: str = r"<!-- orch:[^>]*-->"
    ) -> Counter[str]:
        """How many comments bear each marker, over all issues and PRs, after the issue's number."""
        found: Counter[str] = Counter()
        for issue in self._repo(full_name).issues.values():
            for comment in issue.comments:
                found.update(
                    f"{issue.number} {mark}" for mark in set(re.findall(pattern, comment.body))
                )
        return found

    def issues_by_marker(
        self, full_name: str, pattern: str = r"<!-- orch:[^>]*-->"
    ) -> Counter[str]:
        """How many issues and PRs bear each marker in their body."""
        found: Counter[str] = Counter()
        for issue in self._repo(full_name).issues.values():
            found.update(set(re.findall(pattern, issue.body or "")))
        return found

    def duplicates(self, full_name: str) -> list[str]:
        """What is there more than once and must not be."""
        counts = (
            self.pulls_by_head(full_name),
            self.comments_by_marker(full_name),
            self.issues_by_marker(full_name),
        )
        return [name for count in counts for name, times in count.items() if times > 1]

    def requests(self) -> Counter[str]:
        """Requests by method and path, without queries."""
        return Counter(one.request.partition("?")[0] for one in self._standin.log)

    def faults(self) -> Counter[str]:
        return Counter(one.fault for one in self._standin.log if one.fault)

    def _repo(self, full_name: str):  # type: ignore[no-untyped-def]
        return self._standin.world.repos[full_name.lower()]

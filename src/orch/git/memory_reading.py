"""The reading half of `MemoryGit`; see `reading` for the rules.

Invariant: only looks.
"""

from __future__ import annotations

from collections.abc import Sequence

from orch.git import names
from orch.git.memory_world import MemoryWorld
from orch.model.repo import Repo


class MemoryReading:
    """`orch.model.history.CommitViews`: commits are immutable, so no lock is needed."""

    world: MemoryWorld

    def file_at(self, repo: Repo, commit: str, path: str, limit: int) -> str | None:
        text = self.world.committed_files(names.check_commit_id(commit)).get(path)
        return None if text is None else text.encode()[:limit].decode("utf-8", "ignore")

    def paths_at(self, repo: Repo, commit: str, limit: int) -> Sequence[str]:
        kept, room = [], limit
        for path in sorted(self.world.committed_files(names.check_commit_id(commit))):
            room -= len(path.encode()) + 1
            if room < 0:
                break
            kept.append(path)
        return kept

    def log_at(self, repo: Repo, commit: str, count: int) -> Sequence[str]:
        known = self.world.history(names.check_commit_id(commit))
        return [
            f"{name[:12]} {self.world.commits[name].message.partition(chr(10))[0]}"
            for name, _ in zip(known, range(count), strict=False)
        ]

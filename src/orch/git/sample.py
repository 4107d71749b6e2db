"""A throwaway repository with a bare remote, for the demo and for trying things.

Invariant: made only in folders that do not exist yet.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from orch.model.errors import ToolFailed


def make_sample(
    repo: Path, remote: Path, files: Mapping[str, str], environ: Mapping[str, str]
) -> None:
    """A repository at `repo` with `files` in its first commit, pushed to the bare `remote`."""
    _git(environ, "init", "--quiet", "--bare", "--initial-branch=main", "--", str(remote))
    _git(environ, "init", "--quiet", "--initial-branch=main", "--", str(repo))
    for name, text in files.items():
        (repo / name).write_text(text, encoding="utf-8")
    _git(environ, "-C", str(repo), "add", "--all")
    _git(environ, "-C", str(repo), "commit", "--quiet", "--no-gpg-sign", "--message=Start")
    _git(environ, "-C", str(repo), "remote", "add", "origin", str(remote))
    _git(environ, "-C", str(repo), "push", "--quiet", "--set-upstream", "origin", "main")


def remote_has(remote: Path, branch: str, environ: Mapping[str, str]) -> bool:
    """Whether the bare repository has the branch."""
    argv = ["git", "-C", str(remote), "show-ref", "--verify", "--quiet", f"refs/heads/{branch}"]
    return subprocess.run(argv, env=dict(environ), check=False).returncode == 0


def _git(environ: Mapping[str, str], *words: str) -> None:
    done = subprocess.run(
        ["git", *words], env=dict(environ), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ToolFailed(f"git {words[0]} failed: {done.stderr.strip():.300}", code="git_failed")

"""Real throwaway repositories for tests: an own HOME, history, bare remotes, registered `Repo`s.

Everything lies below the directory that the test gives (`tmp_path`); the machine's git
configuration is never read.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from orch.git.cli import GitCli
from orch.git.gateway import DEFAULT_PROTOCOLS, Limits
from orch.model.repo import Repo
from orch.model.worktree import Worktree

QUICK = Limits(local_s=60, look_s=10, fetch_s=10, transfer_s=30, lock_s=1.5, settle_s=0.05)

START = {"README.md": "start\n", "src/app.py": "print('hello')\n", "docs/guide.txt": "one\ntwo\n"}


class GitRepos:
    """A person's machine: `home`, their git, and repositories made on demand."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self.home = self.root / "home"
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / ".gitconfig").write_text(
            "[user]\n\tname = Pat Person\n\temail = pat@localhost\n"
            "[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n"
            '[protocol "file"]\n\tallow = always\n'
        )
        self.environ = {
            "HOME": str(self.home),
            "PATH": os.environ["PATH"],
            "GIT_CONFIG_NOSYSTEM": "1",
            "LC_ALL": "C.UTF-8",
        }

    def git(self, where: Path | str, *args: str, ok: bool = True) -> str:
        """What the person's own git prints, without the last line break."""
        done = subprocess.run(
            ["git", *args],
            cwd=where,
            env=self.environ,
            capture_output=True,
            timeout=60,
            check=False,
        )
        if ok and done.returncode != 0:
            raise AssertionError(f"git {args}: {done.stderr.decode('utf-8', 'replace')}")
        return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n")

    def gateway(self, **options: object) -> GitCli:
        """The service's git for this machine, with short limits."""
        limits = options.get("limits", QUICK)
        assert isinstance(limits, Limits)
        program = str(options.get("program", "git"))
        return GitCli(self.environ, program=program, limits=limits, protocols=DEFAULT_PROTOCOLS)

    def bare(self, name: str = "remote.git", branch: str = "main") -> Path:
        """An empty bare repository."""
        path = self.root / name
        self.git(self.root, "init", "--quiet", "--bare", "-b", branch, str(path))
        return path

    def repository(
        self,
        name: str = "thing",
        *,
        branch: str = "main",
        files: Mapping[str, str] = START,
        remote: bool = True,
        history: int = 1,
    ) -> Path:
        """A checkout with `history` commits on `branch`, pushed to a bare remote beside it."""
        path = self.root / name
        self.git(self.root, "init", "--quiet", "-b", branch, str(path))
        for number in range(history):
            self.commit(path, {**files, "CHANGES.md": f"change {number}\n"}, f"Change {number}")
        if remote:
            there = self.bare(f"{name}-remote.git", branch)
            self.git(path, "remote", "add", "origin", str(there))
            self.git(path, "push", "--quiet", "origin", branch)
            self.git(path, "remote", "set-head", "origin", branch)
        return path

    def commit(self, where: Path | str, files: Mapping[str, str], message: str = "More") -> str:
        """Write files in a checkout and commit them; gives the commit."""
        for name, text in files.items():
            target = Path(where, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self.git(where, "add", "-A")
        self.git(where, "commit", "--quiet", "--allow-empty", "-m", message)
        return self.git(where, "rev-parse", "HEAD")

    def commit_remotely(self, remote: Path | str, branch: str, files: Mapping[str, str]) -> str:
        """What somebody else pushes to `branch` of a bare repository; gives the commit."""
        elsewhere = self.root / f"elsewhere-{len(list(self.root.iterdir()))}"
        self.git(self.root, "clone", "--quiet", str(remote), str(elsewhere))
        known = self.git(elsewhere, "branch", "-r", "--list", f"origin/{branch}")
        start = f"origin/{branch}" if known else "HEAD"
        self.git(elsewhere, "checkout", "--quiet", "-B", branch, start)
        made = self.commit(elsewhere, files, "Somebody else's")
        self.git(elsewhere, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
        return made

    def register(self, git: GitCli, path: Path | str, slug: str = "thing") -> Repo:
        """Inspect and pin a checkout, as `orch repo add` does."""
        found = git.inspect(str(path))
        pinned = str(self.home / ".orch" / "pinned" / slug)
        git.pin(found.common_dir, pinned)
        name = "origin" if "origin" in found.remotes else next(iter(found.remotes), "")
        return Repo(
            slug=slug,
            local_path=found.main_path,
            common_dir=found.common_dir,
            pinned_dir=pinned,
            workspace_dir=str(self.home / ".orch" / "worktrees" / slug),
            default_branch=found.default_branch,
            remote_name=name,
            remote_url=found.remotes.get(name, ""),
        )


def worktree_at(repo: Repo, name: str, base_commit: str, *, branch: str = "") -> Worktree:
    """The record of a worktree that is still to be made."""
    return Worktree(
        repo=repo.slug,
        name=name,
        branch=branch or f"orch/{name}",
        path=os.path.join(repo.workspace_dir, name),
        base_branch=repo.default_branch,
        base_commit=base_commit,
    )


def tree_files(top: Path | str, *, without: Sequence[str] = (".git",)) -> dict[str, str]:
    """Path → text of every regular file below `top`."""
    found = {}
    for folder, folders, files in os.walk(top):
        folders[:] = [name for name in folders if name not in without]
        for name in files:
            path = Path(folder, name)
            if name not in without and path.is_file():
                found[str(path.relative_to(top))] = path.read_text("utf-8", "replace")
    return found

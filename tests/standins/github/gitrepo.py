"""A bare repository of the stand-in: real git, which the person's own git pushes to over HTTP.

Invariant: git is run with an environment of its own and never with a name that begins with a dash.
What two commits are to each other never changes: git is asked for it once.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

ENV = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_AUTHOR_NAME": "GitHub",
    "GIT_AUTHOR_EMAIL": "noreply@github.localhost",
    "GIT_COMMITTER_NAME": "GitHub",
    "GIT_COMMITTER_EMAIL": "noreply@github.localhost",
    "LC_ALL": "C.UTF-8",
}


_COMMIT = re.compile(r"[0-9a-f]{40}")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*(/[A-Za-z0-9_][A-Za-z0-9_-]*)*")


class GitRepo:
    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: dict[tuple[str, str, str], str] = {}

    def create(self, branch: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._run("init", "--quiet", "--bare", "-b", branch, str(self.path), at=self.path.parent)
        self._run("config", "http.receivepack", "true")
        self._run("config", "gc.auto", "0")

    def take(self, other: GitRepo) -> None:
        self._run("fetch", "--quiet", str(other.path), "+refs/heads/*:refs/heads/*")

    def fetch(self, other: GitRepo, source: str, target: str) -> None:
        self._run("fetch", "--quiet", str(other.path), f"+{source}:{target}")

    def commit(
        self, branch: str, files: dict[str, str], *, start: str = "", message: str = "c"
    ) -> str:
        """A commit on `branch` (made at `start` if it is new), without a checkout."""
        parent = self.tip(branch) or (self.tip(start) if start else "")
        index = {
            "GIT_INDEX_FILE": str(self.path / f"index.{os.getpid()}.{branch.replace('/', '_')}")
        }
        if parent:
            self._run("read-tree", parent, env=index)
        for name, text in files.items():
            blob = self._run("hash-object", "-w", "--stdin", text=text)
            self._run("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", env=index)
        tree = self._run("write-tree", env=index)
        os.unlink(index["GIT_INDEX_FILE"])
        parents = ["-p", parent] if parent else []
        made = self._run("commit-tree", tree, *parents, "-m", message)
        self._run("update-ref", f"refs/heads/{branch}", made)
        return made

    def tip(self, branch: str) -> str:
        """Read from the file where it is one: every look at a PR asks for it."""
        if _PLAIN.fullmatch(branch):
            try:
                text = (self.path / "refs" / "heads" / branch).read_text("ascii").strip()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                text = ""
            if _COMMIT.fullmatch(text):
                return text
        return self.resolve(f"refs/heads/{branch}")

    def resolve(self, ref: str) -> str:
        words = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        return self._run(*words, ok=False)

    def point(self, ref: str, sha: str) -> None:
        self._run("update-ref", ref, sha)

    def delete(self, branch: str) -> None:
        self._run("update-ref", "-d", f"refs/heads/{branch}")

    def ahead(self, base: str, head: str) -> int:
        words = ("rev-list", "--count", f"{base}..{head}")
        return int(self._once("ahead", base, head, *words) or 0)

    def files(self, base: str, head: str) -> list[tuple[str, str, int, int]]:
        """Path, status letter, lines added and removed of `base...head`."""
        statuses = self._run("diff", "--name-status", "--no-renames", f"{base}...{head}", ok=False)
        letters = dict(reversed(line.split("\t", 1)) for line in statuses.splitlines())
        found = []
        for line in self._run(
            "diff", "--numstat", "--no-renames", f"{base}...{head}", ok=False
        ).splitlines():
            added, removed, path = line.split("\t", 2)
            counts = [int(one) if one.isdigit() else 0 for one in (added, removed)]
            found.append((path, letters[path], *counts))
        return found

    def merged_tree(self, base: str, head: str) -> str:
        """The tree of their merge, empty where they are in conflict."""
        done = self._once("tree", base, head, "merge-tree", "--write-tree", base, head)
        return done.splitlines()[0] if done and "\n" not in done else ""

    def merge(self, branch: str, head: str, method: str, message: str) -> str:
        """Merge `head` into `branch`; the new tip, empty where they are in conflict."""
        base = self.tip(branch)
        if method == "rebase":
            made = base
            for commit in self._run("rev-list", "--reverse", f"{base}..{head}").splitlines():
                tree = self._picked(made, commit)
                if not tree:
                    return ""
                text = self._run("log", "-1", "--format=%B", commit)
                made = self._run("commit-tree", tree, "-p", made, "-m", text)
        else:
            tree = self.merged_tree(base, head)
            if not tree:
                return ""
            parents = ["-p", base] + (["-p", head] if method == "merge" else [])
            made = self._run("commit-tree", tree, *parents, "-m", message)
        self._run("update-ref", f"refs/heads/{branch}", made, base)
        return made

    def _picked(self, onto: str, commit: str) -> str:
        """The tree of `commit` put on `onto`. Before git 2.40 a merge takes its base from the history
        only, so one is made in which the commit's parent is the base."""
        root = self._run("commit-tree", f"{commit}^^{{tree}}", "-m", "base")
        ours = self._run("commit-tree", f"{onto}^{{tree}}", "-p", root, "-m", "ours")
        theirs = self._run("commit-tree", f"{commit}^{{tree}}", "-p", root, "-m", "theirs")
        return self.merged_tree(ours, theirs)

    def _once(self, what: str, base: str, head: str, *words: str) -> str:
        key = (what, base, head)
        if key not in self._known:
            told = self._run(*words, ok=False)
            if not (_COMMIT.fullmatch(base) and _COMMIT.fullmatch(head)):
                return told
            self._known[key] = told
        return self._known[key]

    def _run(
        self, *words: str, ok: bool = True, text: str = "", at: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> str:  # fmt: skip
        done = subprocess.run(
            ["git", *words], cwd=at or self.path, env={**ENV, **(env or {})}, input=text,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode and ok:
            raise AssertionError(f"git {words}: {done.stderr}")
        return done.stdout.strip() if not done.returncode else ""

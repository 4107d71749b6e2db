"""A person's machine, made for one test: a home, a repository with a bare remote, agents.

Everything lies below the directory that the test gives. Orch is only ever spoken to as a person
does it: a process of its own, its exit code, what it prints.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance import forking

PERSON = "[user]\n\tname = Pat Person\n\temail = pat@localhost\n"
LIMIT_S = 60.0
Process = subprocess.Popen[str] | forking.Started
WRITES = ["sh", "-c", 'echo "work of $ORCH_ATTEMPT" > work.txt; echo written']


@dataclass(frozen=True)
class Answer:
    """How one command ended and what it printed."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a command that was refused, and that nothing else stands on stdout."""
        said = self.json
        assert set(said) == {"error"}, said
        assert {"code", "message", "hint"} <= set(said["error"]), said
        error: dict[str, Any] = said["error"]
        return error

    def __str__(self) -> str:
        return f"{' '.join(self.words)} -> {self.code}\n{self.out[-3000:]}\n{self.err[-3000:]}"


@dataclass
class World:
    """`root` is the person's home directory; `home` is Orch's; `repo` their checkout."""

    root: Path
    home: Path
    repo: Path
    remote: Path
    extra: dict[str, str] = field(default_factory=dict)
    started: list[Process] = field(default_factory=list)

    def environ(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        return {
            **kept, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(self.root), "ORCH_HOME": str(self.home),
            "TMPDIR": str(self.root), "PYTHONWARNINGS": "error", **self.extra, **(more or {}),
        }  # fmt: skip

    # --- the command

    def orch(
        self, *words: str, cwd: Path | None = None, stdin: str = "",
        env: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """Run a command to its end."""
        environ = self.environ(env)
        if forking.fits(environ):
            done = forking.origin().run(
                words, cwd=cwd or self.root, env=environ, given=stdin.encode(), timeout=LIMIT_S
            )
        else:
            done = subprocess.run(
                [sys.executable, "-m", "orch", *words], cwd=cwd or self.root, env=environ,
                input=stdin.encode(), capture_output=True, timeout=LIMIT_S, check=False,
                start_new_session=True,
            )  # fmt: skip
        return Answer(words, done.returncode, done.stdout.decode(), done.stderr.decode())

    def ask(self, *words: str, **options: Any) -> Any:
        """What a command answers with --json; `code` is the exit code it must have."""
        code = options.pop("code", 0)
        answer = self.orch(*self._json(words), **options)
        assert answer.code == code, answer
        return answer.json

    @staticmethod
    def _json(words: Sequence[str]) -> list[str]:
        """`words` with --json before what is no option any more."""
        at = words.index("--") if "--" in words else len(words)
        return [*words[:at], "--json", *words[at:]]

    def refused(self, *words: str, code: str, exit_code: int, **options: Any) -> dict[str, Any]:
        """A command that must be refused before anything changes; its error."""
        before = self.snapshot()
        answer = self.orch(*self._json(words), **options)
        assert answer.code == exit_code, answer
        error = answer.error
        assert error["code"] == code, answer
        assert "\n" not in error["message"], answer
        assert error["hint"], answer
        assert self.snapshot() == before
        return error

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> Process:
        """Start a command in a group of its own, with Ctrl-C working whatever the caller ignores."""
        if forking.fits(self.environ(env)):
            begun = forking.origin().start(words, cwd=self.root, env=self.environ(env))
            self.started.append(begun)
            return begun
        process = subprocess.Popen(
            [sys.executable, "-m", "orch", *words], cwd=self.root, env=self.environ(env),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
            preexec_fn=_interruptible,  # noqa: PLW1509 - no threads here
        )  # fmt: skip
        self.started.append(process)
        return process

    def run(self, *words: str, code: int = 0, **options: Any) -> dict[str, Any]:
        """Run a workflow with --json and give its record; `code` is the exit code it must have."""
        answer = self.orch("run", *words, "--json", **options)
        assert answer.code == code, answer
        record: dict[str, Any] = answer.json
        assert "error" not in record or "id" in record, answer
        return record

    # --- what there is

    def configure(self, agents: Mapping[str, str | Sequence[str]], text: str = "") -> None:
        """Write config.toml: an agent is its command, or the lines of its table."""
        lines = [text, '[defaults]\ninstall_dependencies = "never"\n']
        for name, agent in agents.items():
            body = agent if isinstance(agent, str) else f"command = {json.dumps(list(agent))}"
            lines.append(f"[agents.{name}]\n{body}\n")
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.home / "config.toml"
        path.write_text("\n".join(lines), encoding="utf-8")
        path.chmod(0o600)

    def flow(self, text: str, name: str = "flow.py") -> str:
        """Write a workflow file; its path."""
        path = self.root / name
        path.write_text(f"from orch import *\n\n{text}", encoding="utf-8")
        return str(path)

    def git(self, *words: str, where: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *words], cwd=where or self.repo, env=self.environ(), capture_output=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stderr.decode())
        return done.stdout.decode().rstrip("\n")

    def commit(self, name: str = "more.txt", text: str = "more\n") -> str:
        (self.repo / name).write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Change {name}")
        return self.git("rev-parse", "HEAD")

    def rows(self) -> dict[str, int]:
        """How many rows each table of the books has."""
        path = self.home / "orch.db"
        if not path.exists():
            return {}
        copy = self.root / "books-to-look-at"
        for ending in ("", "-wal"):
            Path(f"{copy}{ending}").unlink(missing_ok=True)
            if Path(f"{path}{ending}").exists():
                shutil.copyfile(f"{path}{ending}", f"{copy}{ending}")
        with sqlite3.connect(copy) as books:
            names = books.execute("select name from sqlite_master where type = 'table'").fetchall()
            counts = {
                name: int(books.execute(f'select count(*) from "{name}"').fetchone()[0])
                for (name,) in names
            }
        books.close()
        return {name: count for name, count in counts.items() if name != "meta" and count}

    def spoil(self, statement: str, *values: str) -> None:
        """Damage the books, as a bad disk would."""
        with sqlite3.connect(self.home / "orch.db") as books:
            books.execute(statement, values)
        books.close()

    def snapshot(self) -> dict[str, Any]:
        """All that a refused command, or one with --dry-run, must leave as it was."""
        files = {}
        for folder, names, found in os.walk(self.home):
            inside = Path(folder).relative_to(self.home)
            names[:] = [name for name in names if name != ".git"]
            for name in found:
                if name.startswith("orch.db") or inside.parts[:1] == ("run",):
                    continue
                path = Path(folder, name)
                if path.is_file():
                    files[str(inside / name)] = hashlib.sha256(path.read_bytes()).hexdigest()
        places = (p for p in (self.repo, self.remote) if p.exists())
        return {"rows": self.rows(), "files": files, "git": [self._refs(place) for place in places]}

    def _refs(self, place: Path) -> str:
        told = []
        for words in (("for-each-ref",), ("worktree", "list", "--porcelain"), ("config", "--list")):
            done = subprocess.run(
                ["git", *words], cwd=place, env=self.environ(), capture_output=True, check=False
            )
            told.append(done.stdout.decode())
        return "\n".join(told)

    # --- terminals

    @property
    def socket(self) -> Path:
        return self.home / "run" / "tmux.sock"

    def terminals(self) -> list[str]:
        """The names of this home's terminals that are there now."""
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), "list-sessions", "-F", "#{session_name}"],
            env=self.environ(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.split()

    def until(self, wanted: Callable[[], Any], what: str, limit_s: float = 60.0) -> Any:
        """Look until `wanted` gives something; what it gave."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            began = time.monotonic()
            found = wanted()
            if found:
                return found
            # A look that costs much, as a command does, leaves room for what it waits for.
            time.sleep(min(0.5, max(0.02, 2 * (time.monotonic() - began))))
        raise AssertionError(f"{what} did not come within {limit_s:g} s")

    def close(self) -> None:
        """Nothing of this world is left running."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        if self.socket.exists():
            subprocess.run(
                ["tmux", "-S", str(self.socket), "kill-server"], env=self.environ(),
                capture_output=True, check=False,
            )  # fmt: skip


def _interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@dataclass(frozen=True)
class Kept:
    """A world as it was made once, for the path `root`."""

    folder: tempfile.TemporaryDirectory[str]
    root: Path

    def lay(self, root: Path) -> None:
        """Copy it to another path, which is as long as the one that is written in it: so also the
        pages of a database stay what they are."""
        old, new = os.fsencode(self.root), os.fsencode(root)
        source = Path(self.folder.name) / "me"
        for folder, names, files in os.walk(source):
            there = root / Path(folder).relative_to(source)
            there.mkdir(mode=Path(folder).stat().st_mode & 0o777, parents=True, exist_ok=True)
            for name in (*names, *files):
                was = Path(folder) / name
                if was.is_symlink():
                    os.symlink(os.readlink(was).replace(str(self.root), str(root)), there / name)
                elif name in files:
                    (there / name).write_bytes(was.read_bytes().replace(old, new))
                    shutil.copystat(was, there / name)


_KEPT: dict[tuple[str, ...], Kept] = {}


def _made(root: Path, world: World, build: Callable[[World], None], *kind: str) -> World:
    """Build it, or lay down what was built before."""
    kept = _KEPT.get(kind)
    if kept and len(str(kept.root)) == len(str(root)) and not root.exists():
        kept.lay(root)
        world.git("update-index", "--refresh")
        return world
    build(world)
    if not kept:
        folder = tempfile.TemporaryDirectory(prefix="w", ignore_cleanup_errors=True)
        shutil.copytree(root, Path(folder.name) / "me", symlinks=True)
        _KEPT[kind] = Kept(folder, root)
    return world


def make(root: Path, *, branch: str = "main", repo: str = "thing", home: str = "orch") -> World:
    """A checkout with one commit, its bare remote, one agent that writes a file. Orch has not been
    told of anything yet."""
    world = World(root, root / home, root / repo, root / "remote.git")
    return _made(root, world, lambda world: _build(world, branch), branch, repo, home)


def _build(world: World, branch: str) -> None:
    world.root.mkdir(parents=True, exist_ok=True)
    (world.root / ".gitconfig").write_text(PERSON, encoding="utf-8")
    world.git("init", "--quiet", f"--initial-branch={branch}", str(world.repo), where=world.root)
    world.commit("README.md", "a thing\n")
    world.git("clone", "--quiet", "--bare", str(world.repo), str(world.remote), where=world.root)
    world.git("remote", "add", "origin", str(world.remote))
    world.git("fetch", "--quiet", "origin")
    world.configure({"one": WRITES})


def furnished(
    root: Path, *, branch: str = "main", repo: str = "thing", home: str = "orch"
) -> World:
    """The same with the repository added and one issue, ISSUE-001."""

    def build(world: World) -> None:
        _build(world, branch)
        world.ask("repo", "add", str(world.repo))
        world.ask("issue", "create", "Do a thing", "--body", "Please.")

    world = World(root, root / home, root / repo, root / "remote.git")
    return _made(root, world, build, branch, repo, home, "furnished")

"""Workflows by name: where they are looked for, what there is, and new ones made from old ones.

Invariant: a name means the repository's own workflow (once trusted), else the person's, else the
shipped one, else that of an installed package, which can thus replace none of those; that a nearer
one hides another is said. Nothing is run here, and nothing of a
repository is offered to be run that its person has not trusted as it stands (see `orch.api.trust`).
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from orch import plugins
from orch.api.trust import Contents, TrustBook, read
from orch.model.errors import Conflict, OrchError, ToolFailed, UsageError
from orch.model.repo import Repo
from orch.model.run import Source
from orch.plugins import Plugin
from orch.workflow.outline import Parameter, entry_function, outline
from orch.workflow.sources import builtin_names, builtin_source, parse, read_source

Origin = Literal["file", "repository", "home", "built-in", "plugin"]
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TYPING_NOTE = re.compile(r"  # type: ignore\[[a-z-]+\]")
HINT = "orch template list"


class Found(NamedTuple):
    """A workflow's entry module. `root` is the folder of its siblings, None for a shipped one;
    `contents` what its sources must be of, for a repository's; `notes` are for the person; `package`
    is what of `root` belongs to it, for an installed one."""

    name: str
    origin: Origin
    source: Source
    root: Path | None
    notes: tuple[str, ...] = ()
    contents: Contents | None = None
    package: str = ""

    def vouch(self, sources: Iterable[Source]) -> None:
        """Refuse sources that are not the ones that were trusted."""
        if self.contents is not None:
            self.contents.vouch(sources)


class Listed(NamedTuple):
    """A line of `orch template list`. `state` is `ready`, `untrusted`, `changed`, `hidden` (a
    nearer one of the same name is run) or `broken`; `problem` says the last in one sentence."""

    name: str
    origin: Origin
    path: str
    state: str
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()
    problem: str = ""


class Workflows:
    """The named workflows of one home, as seen from one repository; None where there is none."""

    def __init__(self, home: Path | None, repo: Repo | None) -> None:
        self._home = home
        self._repo = repo if home is not None else None
        self.home_folder = home / "workflows" if home is not None else None

    @property
    def repo(self) -> Repo | None:
        """The repository it is seen from."""
        return self._repo

    @property
    def _book(self) -> TrustBook:
        assert self._home is not None
        return TrustBook(self._home)

    def names(self) -> list[str]:
        """Every name that can be asked for."""
        found = {*builtin_names(), *_stems(self.home_folder), *plugins.names(plugins.WORKFLOWS)}
        return sorted(found | set(_stems(self._repo_folder)))

    def find(self, name: str) -> Found | None:
        """The workflow that `name` means, None when there is none. `Conflict` for a repository's
        own one that is not trusted, or is not any more, unless it only hides another one that was
        never replaced with the person's consent."""
        if not NAME.fullmatch(name):
            return None
        other = self._own(name) or self._shipped(name)
        path = self._repo_folder / f"{name}.py" if self._repo_folder else None
        if path is None or self._repo is None or not path.exists():
            return other or installed(name)
        try:
            contents = self._read()
            self._book.require(self._repo, contents)
        except (Conflict, UsageError) as error:
            if other is None or self._book.grant(self._repo.slug) is not None:
                raise
            note = f"note: {path} is passed over: it is not trusted (orch trust {self._repo.slug})"
            return other._replace(notes=(*other.notes, f"{note}; {error.message}"[:300]))
        notes = () if other is None else (_hides(path, other),)
        return Found(name, "repository", read_source(name, path), path.parent, notes, contents)

    def look(self, name: str) -> Found | None:
        """Like `find`, for reading only: trust is not asked for."""
        path = self._repo_folder / f"{name}.py" if self._repo_folder else None
        if NAME.fullmatch(name) and path is not None and path.is_file():
            self._read()
            return Found(name, "repository", read_source(name, path), path.parent)
        return self._own(name) or self._shipped(name) or installed(name)

    def _own(self, name: str) -> Found | None:
        path = self.home_folder / f"{name}.py" if self.home_folder else None
        if path is None or not NAME.fullmatch(name) or not path.is_file():
            return None
        shipped = self._shipped(name)
        notes = () if shipped is None else (_hides(path, shipped),)
        return Found(name, "home", read_source(name, path), path.parent, notes)

    def _shipped(self, name: str) -> Found | None:
        if name not in builtin_names():
            return None
        return Found(name, "built-in", builtin_source(name), None)

    @property
    def _repo_folder(self) -> Path | None:
        return Path(self._repo.local_path, ".orch", "workflows") if self._repo else None

    def _read(self) -> Contents:
        assert self._repo is not None
        contents = read(Path(self._repo.local_path))
        if contents is None:
            raise UsageError(
                f"{self._repo.local_path} has no .orch/workflows", code="no_workflows", hint=HINT
            )
        return contents

    def list(self) -> list[Listed]:
        """Everything there is, nearest first."""
        found: list[Listed] = []
        if names := _stems(self._repo_folder):
            state = self._repo_state()
            found += [_listed(n, "repository", _file(self._repo_folder, n), state) for n in names]
        for name in _stems(self.home_folder):
            found.append(_listed(name, "home", _file(self.home_folder, name)))
        for name in builtin_names():
            found.append(_listed(name, "built-in", Path(builtin_source(name).filename)))
        found += map(_listed_plugin, plugins.foreign(plugins.WORKFLOWS))
        return _hidden(found)

    def _repo_state(self) -> tuple[str, str]:
        assert self._repo is not None
        try:
            contents = self._read()
            state = self._book.state(self._repo.slug, contents)
        except OrchError as error:
            return "broken", error.message
        if state == "changed":
            return state, ", ".join(self._book.changes(self._repo.slug, contents))
        return ("ready", "") if state == "trusted" else (state, f"orch trust {self._repo.slug}")


def installed(name: str) -> Found | None:
    """The workflow of that name that an installed package brings. Nothing of it is run."""
    plugin = plugins.find(plugins.WORKFLOWS, name)
    if plugin is None:
        return None
    module, path, root, package = plugins.place(plugin)
    return Found(name, "plugin", read_source(module, path), root, package=package)


def _listed_plugin(plugin: Plugin) -> Listed:
    try:
        path = plugins.place(plugin).path
        plugins.find(plugin.group, plugin.name)
    except OrchError as error:
        return Listed(plugin.name, "plugin", plugin.value, "broken", problem=error.message)
    return _listed(plugin.name, "plugin", path)


def new_workflow(folder: Path, name: str, start: Found) -> Path:
    """Write a copy of `start` as `folder/NAME.py`, its function named like the file. Refuses a name
    that is none, and never writes over a file."""
    path = refuse_new(folder, name)
    text = _renamed(start.source, name)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        raise ToolFailed(
            f"{path} cannot be written: {error.strerror}", code="disk_failed",
            hint=f"ls -ld {folder}",
        ) from error  # fmt: skip
    return path


def refuse_new(folder: Path, name: str) -> Path:
    """The path of a new workflow, or why there can be none."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise UsageError(
            f"{name!r} cannot name a workflow: letters, digits and _ only, first a letter",
            code="bad_name", hint="orch template new my_flow",
        )  # fmt: skip
    path = folder / f"{name}.py"
    if path.exists() or path.is_symlink():
        raise _taken(path)
    return path


def _taken(path: Path) -> Conflict:
    return Conflict(
        f"there is a workflow {path} already", code="workflow_exists",
        hint=f"orch template show {path}",
    )  # fmt: skip


def _renamed(source: Source, name: str) -> str:
    """The text with its workflow's function called `name`."""
    entry = entry_function(parse(source), source.filename)
    text = TYPING_NOTE.sub("", source.text)
    if entry is None or entry.name in ("workflow", "main"):
        return text
    return re.sub(rf"(?m)^((?:async )?def ){re.escape(entry.name)}\b", rf"\g<1>{name}", text)


def _stems(folder: Path | None) -> list[str]:
    if folder is None or folder.is_symlink() or not folder.is_dir():
        return []
    found = [path.stem for path in folder.glob("*.py") if NAME.fullmatch(path.stem)]
    return sorted(stem for stem in found if not stem.startswith("_"))


def _file(folder: Path | None, name: str) -> Path:
    assert folder is not None
    return folder / f"{name}.py"


def _listed(
    name: str, origin: Origin, path: Path, state: tuple[str, str] = ("ready", "")
) -> Listed:
    word, problem = state
    if word == "broken":
        return Listed(name, origin, str(path), word, problem=problem)
    try:
        seen = outline(read_source(name, path))
    except OrchError as error:
        if error.code == "no_entry":
            return Listed(name, origin, str(path), "no workflow", problem=error.message)
        return Listed(name, origin, str(path), "broken", problem=error.message)
    return Listed(name, origin, str(path), word, seen.summary, seen.parameters, problem)


def _hidden(found: list[Listed]) -> list[Listed]:
    """The same with those marked that a nearer one of their name hides."""
    seen: set[str] = set()
    told = []
    for item in found:
        if item.name in seen:
            item = item._replace(state="hidden")
        elif item.state == "ready":
            seen.add(item.name)
        told.append(item)
    return told


def _hides(path: Path, other: Found) -> str:
    return f"note: {path} is run, not the {other.origin} workflow {other.name}"

"""A worktree as it is at one moment, as objects in the repository: what has to be saved of it.

Invariant: looking changes nothing in the worktree. Everything happens in a private copy of its
index, below the pinned view; files go in to the byte (see `raw`); no hook, filter or second git
runs. What git would overlook is found: files marked as unchanged or outside of a sparse checkout
that were changed all the same, directories that cannot be opened, repositories inside. What cannot
be saved is refused, never left out.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

import msgspec

from orch.git import checkouts, commits, failures, places, raw, removal_refusals, status
from orch.git.gateway import Gateway
from orch.git.places import Tree
from orch.git.status import Status
from orch.model.errors import ToolFailed
from orch.model.repo import Repo
from orch.model.worktree import Worktree, is_personal

_GITLINK = b"160000"


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """What would have to be saved. `ignored` are ignored files that policy lists, or that look like
    a person's own, and that the main checkout does not have with the same content; `lost` is what
    else is ignored, whole directories as one."""

    seen: Status
    ignored: tuple[bytes, ...]
    lost: tuple[bytes, ...]
    unfinished: str

    @property
    def dirty(self) -> tuple[str, ...]:
        """Changed and untracked paths, as text."""
        paths = {*self.seen.unmerged, *(entry.path for entry in self.seen.entries)}
        return tuple(status.shown(path) for path in sorted(paths))


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A survey that was carried out. `tree` is the directory, `staged` the index, both tree ids;
    `staged` is empty while files are unmerged."""

    survey: Survey
    tree: str
    staged: str


class _Desk(msgspec.Struct, frozen=True, kw_only=True):
    """A private index of one worktree, and how to ask git about it."""

    gateway: Gateway
    repo: Repo
    worktree: Worktree
    tree: Tree
    variables: Mapping[str, str | bytes]

    def ask(
        self, words: Sequence[str], paths: Sequence[bytes] = (), *, exact: bool = False
    ) -> bytes:
        """What `git <words>` prints; `exact`: without any conversion of content."""
        place = raw.raw_place(self.repo, self.tree.place) if exact else self.tree.place
        text = b"\0".join(paths) + b"\0" if paths else b""
        return self.gateway.run(words, place, stdin=text, variables=self.variables).stdout


def survey(
    gateway: Gateway, repo: Repo, worktree: Worktree, tree: Tree, keep: Sequence[str]
) -> Survey:
    """Look, and refuse what could not be saved."""
    with _private_index(gateway, repo, worktree, tree) as desk:
        return _survey(desk, keep)


def photograph(
    gateway: Gateway, repo: Repo, worktree: Worktree, tree: Tree, keep: Sequence[str]
) -> Snapshot:
    """Look, and write everything into the repository's objects. No ref moves."""
    with _private_index(gateway, repo, worktree, tree) as desk:
        found = _survey(desk, keep)
        staged = "" if found.seen.unmerged else _write_tree(desk)
        _stage(desk, found)
        return Snapshot(survey=found, tree=_write_tree(desk), staged=staged)


@contextlib.contextmanager
def _private_index(gateway: Gateway, repo: Repo, worktree: Worktree, tree: Tree) -> Iterator[_Desk]:
    admin_locks = [os.path.join(tree.admin_dir, name) for name in ("index.lock", "HEAD.lock")]
    gateway.free_locks(admin_locks, tree.place.roots)
    folder = os.path.join(repo.pinned_dir, "rescue")
    path = os.path.join(folder, f"{worktree.name}.index")
    with failures.our_own_writes(f"write {folder}"):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    with checkouts.alone(f"{path}.turn"):
        desk = _Desk(
            gateway=gateway, repo=repo, worktree=worktree, tree=tree,
            variables={"GIT_INDEX_FILE": path},
        )  # fmt: skip
        try:
            _clear(path)
            with failures.our_own_writes(f"write {path}"):
                copied = _copy_index(os.path.join(tree.admin_dir, "index"), path)
            if not copied or not _is_usable(desk):
                _clear(path)
                _read_head(desk)
            yield desk
        finally:
            _clear(path)


def _copy_index(source: str, target: str) -> bool:
    """The index with its time, which tells git what it may believe of the files' times. Only a
    plain file counts: an agent can put anything there."""
    try:
        stream = _opened(source)
    except OSError:
        return False
    with stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode):
            return False
        with open(target, "xb") as copy:
            shutil.copyfileobj(stream, copy)
    os.utime(target, ns=(found.st_mtime_ns, found.st_mtime_ns))
    return True


def _is_usable(desk: _Desk) -> bool:
    try:
        desk.ask(["ls-files", "-z", "--unmerged"])
    except ToolFailed as error:
        if error.code != "git_failed":
            raise
        return False
    return True


def _read_head(desk: _Desk) -> None:
    """An index of what HEAD has, where the worktree's own is gone or broken."""
    head = desk.gateway.run(
        ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], desk.tree.place, accept=(0, 1, 128)
    )
    desk.ask(["read-tree", head.text()] if head.code == 0 else ["read-tree", "--empty"])


def _clear(path: str) -> None:
    for name in (path, f"{path}.lock"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)


def _survey(desk: _Desk, keep: Sequence[str]) -> Survey:
    tracked = _believe_nothing(desk)
    seen = status.read_status(desk.gateway, desk.tree.place, variables=desk.variables, ignored=True)
    if seen.unopened:
        raise removal_refusals.unreadable(desk.worktree, seen.unopened)
    kept, lost = _ignored(desk, keep, seen)
    paths = [*tracked, *(entry.path for entry in seen.entries), *kept]
    _refuse_repositories(desk, paths)
    return Survey(
        seen=seen, ignored=tuple(kept), lost=tuple(lost), unfinished=places.unfinished(desk.tree)
    )


def _believe_nothing(desk: _Desk) -> list[bytes]:
    """Take off the marks that make git overlook changes of files that are there. Gives the tracked
    paths; those of submodules end with a slash."""
    paths, unchanged, skipped = [], [], []
    for line in desk.ask(["ls-files", "-z", "-v", "--stage"]).split(b"\0"):
        if not line:
            continue
        head, _, path = line.partition(b"\t")
        tag, mode = head.split(b" ")[:2]
        paths.append(path + b"/" if mode == _GITLINK else path)
        if tag.islower() or tag in b"Ss":
            if not os.path.lexists(os.path.join(os.fsencode(desk.tree.path), path)):
                continue
            if tag.islower():
                unchanged.append(path)
            if tag in b"Ss":
                skipped.append(path)
    if unchanged:
        desk.ask(["update-index", "--no-assume-unchanged", "-z", "--stdin"], unchanged)
    if skipped:
        desk.ask(["update-index", "--no-skip-worktree", "-z", "--stdin"], skipped)
    return paths


def _ignored(desk: _Desk, keep: Sequence[str], seen: Status) -> tuple[list[bytes], list[bytes]]:
    """Ignored files that are work, and what else is ignored. What the main checkout has with the
    same content is neither."""
    dirty = {entry.path for entry in seen.entries}
    listed = set(_matching(desk, keep)) - dirty
    work = listed | set(personal(desk.tree.path, seen))
    main = "" if desk.repo.local_path == desk.repo.common_dir else desk.repo.local_path
    copies = {p for p in work if main and _same_content(desk.tree.path, main, p)}
    # A directory of which every file is listed is not lost.
    whole = set(_matching(desk, keep, "--directory"))
    return sorted(work - copies), sorted(set(seen.ignored) - work - whole)


def _matching(desk: _Desk, keep: Sequence[str], *options: str) -> list[bytes]:
    if not keep:
        return []
    words = ["ls-files", "-z", "--others", "--ignored", *options]
    found = desk.ask([*words, *(f"--exclude={p}" for p in keep)])
    return [path for path in found.split(b"\0") if path]


def personal(top: str, seen: Status) -> list[bytes]:
    """Of the ignored paths, small plain files below `top` whose names are those of a person's own
    (`orch.model.worktree.PERSONAL`)."""
    found = []
    for path in seen.ignored:
        with contextlib.suppress(FileNotFoundError):
            facts = os.lstat(os.path.join(os.fsencode(top), path))
            if stat.S_ISREG(facts.st_mode) and is_personal(status.shown(path), facts.st_size):
                found.append(path)
    return found


def _same_content(one: str, other: str, path: bytes) -> bool:
    """Whether both directories have the same plain file at `path`: then a copy is no work."""
    with contextlib.ExitStack() as stack:
        try:
            first, second = (
                stack.enter_context(_opened(os.path.join(os.fsencode(top), path)))
                for top in (one, other)
            )
            facts = [os.fstat(first.fileno()), os.fstat(second.fileno())]
            if not all(stat.S_ISREG(fact.st_mode) for fact in facts):
                return False
            if facts[0].st_size != facts[1].st_size:
                return False
            while part := first.read(1 << 20):
                if part != second.read(len(part)):
                    return False
        except OSError:
            return False
    return True


def _opened(path: str | bytes) -> BinaryIO:
    """A file for reading; neither a link nor a pipe holds us up."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return open(os.open(path, flags), "rb")


def _refuse_repositories(desk: _Desk, paths: Sequence[bytes]) -> None:
    """A repository inside may hold commits that exist nowhere else; git lists nothing of it, and
    its own configuration must not be obeyed. Submodules of a worktree live in git's directory for
    it, and would go with it."""
    top = os.fsencode(desk.tree.path)
    found = {path for path in paths if path.endswith(b"/") and _is_filled(os.path.join(top, path))}
    folders: set[bytes] = set()
    for path in paths:
        folder = os.path.dirname(path.rstrip(b"/"))
        while folder and folder not in folders:
            folders.add(folder)
            folder = os.path.dirname(folder)
    found |= {f for f in folders if os.path.lexists(os.path.join(top, f, b".git"))}
    if not found and os.path.isdir(os.path.join(desk.tree.admin_dir, "modules")):
        found.add(b".gitmodules")
    if found:
        raise removal_refusals.holds_repository(
            desk.worktree, sorted(status.shown(path.rstrip(b"/")) for path in found)
        )


def _is_filled(path: bytes) -> bool:
    try:
        return bool(os.listdir(path))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _stage(desk: _Desk, found: Survey) -> None:
    """Bring the private index to what the files are: removals first, as in `commits`."""
    entries = found.seen.entries
    removed = [e.path for e in entries if e.unstaged == "D"]
    present = [e.path for e in entries if e.untracked or e.unstaged in ("M", "T", "A")]
    present += [*found.seen.unmerged, *found.ignored]
    if removed:
        desk.ask(["update-index", "--force-remove", "-z", "--stdin"], removed)
    if present:
        words = ["update-index", "--add", "--replace", "--remove", "-z", "--stdin"]
        try:
            desk.ask(words, present, exact=True)
        except ToolFailed as error:
            raise commits.unreadable(error, desk.worktree) from error


def _write_tree(desk: _Desk) -> str:
    return desk.ask(["write-tree"]).decode().strip()

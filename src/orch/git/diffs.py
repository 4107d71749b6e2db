"""What a branch changes against another, as text.

Invariant: no external diff, no text conversion, no second git in submodules, and never more than
`CAP_BYTES` of output held or produced.
"""

from __future__ import annotations

from orch.git import names, pinned, refs, refusals, status
from orch.git.gateway import Gateway, Place
from orch.model.pull import FileChange
from orch.model.repo import Repo

CAP_BYTES = 1 << 20
_WORDS = ("diff", "--no-ext-diff", "--no-textconv", "--ignore-submodules=dirty")


def diff(gateway: Gateway, repo: Repo, base: str, head: str) -> str:
    """`git diff base...head`: both are branches (local first, then the remote's) or full commit
    ids. Cut at a line's end and said so after 1 MiB."""
    place = pinned.repository_place(repo)
    words = [*_WORDS, "--no-color", "--submodule=short", _span(gateway, repo, base, head), "--"]
    data, more = gateway.read_capped(words, place, CAP_BYTES)
    if more:
        data = data[: data.rfind(b"\n") + 1] + b"[diff cut at 1 MiB]\n"
    return data.decode("utf-8", "backslashreplace")


def stat(gateway: Gateway, repo: Repo, base: str, head: str) -> list[FileChange]:
    """How many lines each file of `git diff base...head` gains and loses, whatever its size. A
    renamed file is one that went and one that came."""
    place = pinned.repository_place(repo)
    words = [*_WORDS, "--numstat", "--no-renames", "-z", _span(gateway, repo, base, head), "--"]
    found = []
    for line in gateway.run(words, place).stdout.split(b"\0")[:-1]:
        added, removed, path = line.split(b"\t", 2)
        text = added != b"-"
        lines = (int(added), int(removed)) if text else (None, None)
        found.append(FileChange(status.shown(path), *lines))
    return found


def _span(gateway: Gateway, repo: Repo, base: str, head: str) -> str:
    place = pinned.repository_place(repo)
    return f"{_commit(gateway, repo, place, base)}...{_commit(gateway, repo, place, head)}"


def _commit(gateway: Gateway, repo: Repo, place: Place, name: str) -> str:
    if names.is_commit_id(name):
        return name
    wanted = [names.branch_ref(name)]
    if repo.remote_name:
        wanted.append(names.tracking_ref(repo.remote_name, name))
    known = refs.read_refs(gateway, place, wanted)
    for ref in wanted:
        if ref in known:
            return known[ref]
    raise refusals.unknown_branch(repo, name, [])

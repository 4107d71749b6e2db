"""What a branch changes against another, as text.

Invariant: no external diff, no text conversion, no second git in submodules, and never more than
`CAP_BYTES` of output held or produced.
"""

from __future__ import annotations

from orch.git import names, pinned, refs, refusals
from orch.git.gateway import Gateway, Place
from orch.model.repo import Repo

CAP_BYTES = 1 << 20


def diff(gateway: Gateway, repo: Repo, base: str, head: str) -> str:
    """`git diff base...head`: both are branches (local first, then the remote's) or full commit
    ids. Cut at a line's end and said so after 1 MiB."""
    place = pinned.repository_place(repo)
    span = f"{_commit(gateway, repo, place, base)}...{_commit(gateway, repo, place, head)}"
    words = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short"]
    words += ["--ignore-submodules=dirty", span, "--"]
    data, more = gateway.read_capped(words, place, CAP_BYTES)
    if more:
        data = data[: data.rfind(b"\n") + 1] + b"[diff cut at 1 MiB]\n"
    return data.decode("utf-8", "backslashreplace")


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

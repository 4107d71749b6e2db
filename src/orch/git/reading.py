"""A commit's files, names and log as text, without a checkout.

Invariant: read through the pinned view, so no filter, text conversion, mailmap or signature program
runs; no more than the asked-for bytes are produced or held.
"""

from __future__ import annotations

from orch.git import names, pinned, status
from orch.git.gateway import Gateway
from orch.model.repo import Repo

_REGULAR = (b"100644", b"100755")
_SUBJECT_BYTES = 400
"""Of a line of the log; a subject may be as long as its author liked."""


def file_at(gateway: Gateway, repo: Repo, commit: str, path: str, limit: int) -> str | None:
    place = pinned.repository_place(repo)
    words = ["ls-tree", "-z", "--full-tree", names.check_commit_id(commit), "--", path]
    found = gateway.run(words, place).stdout
    facts, _, name = found.rstrip(b"\0").partition(b"\t")
    mode, _, rest = facts.partition(b" ")
    if mode not in _REGULAR or name != path.encode("utf-8", "surrogateescape"):
        return None
    blob = names.check_commit_id(rest.partition(b" ")[2].decode())
    data, more = gateway.read_capped(["cat-file", "blob", blob], place, limit)
    return data.decode("utf-8", "ignore" if more else "replace")


def paths_at(gateway: Gateway, repo: Repo, commit: str, limit: int) -> list[str]:
    place = pinned.repository_place(repo)
    words = ["ls-tree", "-r", "-z", "--name-only", "--full-tree", names.check_commit_id(commit)]
    data, more = gateway.read_capped(words, place, limit)
    whole = data[: data.rfind(b"\0") + 1] if more else data
    return sorted(status.shown(path) for path in whole.split(b"\0") if path)


def log_at(gateway: Gateway, repo: Repo, commit: str, count: int) -> list[str]:
    place = pinned.repository_place(repo)
    words = [
        "log", "-z", "--no-color", "--no-decorate", "--no-mailmap", "--encoding=UTF-8",
        "--format=%H %s", f"--max-count={count}", names.check_commit_id(commit), "--",
    ]  # fmt: skip
    data, _ = gateway.read_capped(words, place, count * _SUBJECT_BYTES)
    lines = data.decode("utf-8", "replace").split("\0")
    return [f"{line[:12]} {line.partition(' ')[2]}" for line in lines if " " in line]

"""A pull request as any forge shows it."""

from __future__ import annotations

import msgspec


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`number` is unique in `repo`. `state` is `open`, `merged` or `closed`. `head` and `base` are
    branch names without a remote's prefix, `head_sha` the pushed commit."""

    repo: str
    number: int
    url: str
    state: str
    head: str
    base: str
    title: str
    body: str = ""
    head_sha: str = ""
    draft: bool = False
    labels: tuple[str, ...] = ()
    forge: str = "local"
    created: str = ""

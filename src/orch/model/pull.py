"""A pull request as any forge shows it, and what is known of the commits it is made of."""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

_MARKER = re.compile(r"\s*<!-- orch:v1:[^>]* -->\s*\Z")

CheckState = Literal["pending", "success", "failure", "neutral"]
CHECK_STATES: tuple[str, ...] = get_args(CheckState)


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`number` is unique in `repo`. `state` is `open`, `merged` or `closed`. `head` and `base` are
    branch names without a remote's prefix, `head_sha` the pushed commit.

    `base_sha` is the commit at which its changes begin, as last looked at (empty when nobody has).
    `merged_sha` is the commit of the base's history that brought it in, `merged_at` when that was
    recorded. `merge_key` is the key of the merge that was begun last, landed or not.
    """

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
    base_sha: str = ""
    merged_sha: str = ""
    merged_at: str = ""
    merge_key: str = ""


class Landing(msgspec.Struct, frozen=True, kw_only=True):
    """A head and its base as the remote has them: full commit ids, empty where there is none.

    `head_sha` is the head that landed or is to land: the tip, or the one that is known where the
    branch is gone or went on. `start` is the commit at which its changes begin. `commit` is the one
    of the base's history that brought them in, empty while none has.
    """

    base_tip: str
    head_tip: str
    head_sha: str
    start: str = ""
    commit: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody found out about one commit. `name` is unique there; `at` is RFC 3339 in UTC."""

    name: str
    state: CheckState
    url: str = ""
    summary: str = ""
    at: str = ""


class LineRemark(msgspec.Struct, frozen=True):
    """What a reviewer said about a line; 0 where it is about the whole file."""

    path: str
    line: int
    body: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A reviewer's newest word on a pull request. `commit` is the head that was looked at. `trusted`:
    the reviewer may write to the repository."""

    id: str
    reviewer: str
    state: Literal["approved", "changes"]
    body: str = ""
    commit: str = ""
    at: str = ""
    trusted: bool = False
    remarks: tuple[LineRemark, ...] = ()


class FileChange(msgspec.Struct, frozen=True):
    """Lines that a change adds to and takes from a file; both None where it is not text."""

    path: str
    added: int | None
    removed: int | None


def spelled(pull: PullRequest) -> str:
    """`thing#3`, as commands take it."""
    return f"{pull.repo}#{pull.number}"


def said(pull: PullRequest) -> str:
    """The body as it was written, without the marker that tells whose it is."""
    return _MARKER.sub("", pull.body)

"""What all forges agree on: the marker in a PR's body, its texts, what stands in the way of a merge.

Invariant: pure, and the same for every forge.
"""

from __future__ import annotations

import operator
import re
import time
from collections.abc import Iterable, Sequence

from orch.model.effect import Strategy
from orch.model.errors import Conflict, NotFound, UsageError
from orch.model.pull import CHECK_STATES, Check, PullRequest, said, spelled
from orch.model.repo import Repo

STATES = ("open", "merged", "closed")
LARGEST = 1024 * 1024
"""Bytes of one PR record, all in all."""

_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/#:]|-(?!-)){0,199}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_CHECK_NAME = re.compile(r"\S(?:.{0,98}\S)?")
_SLUG = re.compile(r"[\w][\w.-]{0,99}")


def marker(key: str) -> str:
    """`<!-- orch:v1:KEY -->`: tells whose PR it is, unseen by those who read it. The key has
    nothing in it that could end the comment. `UsageError(bad_key)`."""
    if not _KEY.fullmatch(key):
        raise UsageError(
            f"The key {key[:80]!r} is not made of up to 200 letters, digits and ._/#:-.",
            code="bad_key",
            hint="Use a short word of letters and digits.",
        )
    return f"<!-- orch:v1:{key} -->"


def with_marker(body: str, key: str) -> str:
    """`body` with the marker of `key` as its last line; once, however often it is done."""
    if not key:
        return body
    mark = marker(key)
    if body.endswith(mark):
        return body
    return f"{body.rstrip()}\n\n{mark}" if body.strip() else mark


def slug(repo: Repo) -> str:
    """The repository's slug, proven to be a single plain name below a directory (H94: numbers and
    heads mean something only within it). `UsageError(bad_name)`."""
    if not _SLUG.fullmatch(repo.slug):
        raise UsageError(
            f"The repository's slug {repo.slug[:80]!r} is not made of letters, digits and ._-.",
            code="bad_name",
            hint="Register it under another one: `orch repo add PATH --slug NAME`.",
        )
    return repo.slug


def text(name: str, words: str) -> str:
    """`words`, proven to be Unicode text. `UsageError(not_utf8)`."""
    try:
        words.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The pull request's {name} holds bytes that are no UTF-8 text, "
            f"at character {error.start + 1}.",
            code="not_utf8",
            hint="Save the text as UTF-8, then run the command again.",
        ) from error
    return words


def timestamp(now: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))


def unknown(repo: Repo, number: int) -> NotFound:
    return NotFound(
        f"There is no pull request {number} in {repo.slug}.",
        code="unknown_pr",
        hint="`orch pr list` shows all.",
    )


def head_moved(pull: PullRequest, expected: str) -> Conflict:
    name = spelled(pull)
    verb = "was merged at" if pull.state == "merged" else "is at"
    return Conflict(
        f"The head of pull request {name} {verb} {pull.head_sha[:12]}, not at {expected[:12]}.",
        code="head_moved",
        hint=f"Look at what it is now: orch pr diff {name}",
        expected=expected,
        head=pull.head_sha,
    )


def refuse_moved(pull: PullRequest, expected: str) -> None:
    """Whoever names no head (`expected` is empty) takes any."""
    if expected not in ("", pull.head_sha):
        raise head_moved(pull, expected)


def is_merged(pull: PullRequest, expected: str) -> bool:
    """Whether nothing is left to merge. `Conflict` (`head_moved`, `pr_closed`)."""
    refuse_moved(pull, expected)
    if pull.state == "closed":
        raise closed(pull)
    return pull.state == "merged"


def is_open(pull: PullRequest) -> bool:
    """Whether nothing is left to open again. `Conflict(pr_merged)`."""
    if pull.state == "merged":
        raise merged(pull, "opened again")
    return pull.state == "open"


def newest_first(pulls: Iterable[PullRequest]) -> tuple[PullRequest, ...]:
    """Those of several repositories."""
    key = operator.attrgetter("created", "repo", "number")
    return tuple(sorted(pulls, key=key, reverse=True))


def merge_message(pull: PullRequest, strategy: Strategy) -> str:
    """The message of the commit that a merge makes; a rebase keeps those that are there."""
    title = " ".join(pull.title.split()) or pull.head
    if strategy == "merge":
        return f"Merge pull request {spelled(pull)} from {pull.head}\n\n{title}"
    return f"{title} (#{pull.number})\n\n{said(pull)}".rstrip()


def commit_id(words: str) -> str:
    """`words`, proven to be a full commit id, which names a directory. `UsageError(bad_name)`."""
    if not _COMMIT.fullmatch(words):
        raise UsageError(
            f"{words[:80]!r} is no full commit id.",
            code="bad_name",
            hint="A full id has 40 (or 64) hexadecimal digits: git rev-parse NAME",
        )
    return words


def check_words(name: str, state: str) -> None:
    """The name and state of a check are usable. `UsageError(bad_check)`."""
    if not (_CHECK_NAME.fullmatch(name) and name.isprintable()):
        raise UsageError(
            f"{name[:80]!r} cannot name a check: 1 to 100 printable characters are needed.",
            code="bad_check",
            hint="orch pr check 3 unit-tests success",
        )
    if state not in CHECK_STATES:
        raise UsageError(
            f"{state!r} is no state of a check; those are {', '.join(CHECK_STATES)}.",
            code="bad_check",
            hint="orch pr check 3 unit-tests success",
        )


def refuse_unready(pull: PullRequest, checks: Sequence[Check]) -> None:
    """Draft, failing and pending stand in the way, in this order."""
    name = spelled(pull)
    if pull.draft:
        raise Conflict(
            f"Pull request {name} is a draft.",
            code="pr_draft",
            hint=f"orch pr merge {name} --force",
        )
    for state, word in (("failure", "failed"), ("pending", "pending")):
        names = [check.name for check in checks if check.state == state]
        if names:
            counted = "check has" if len(names) == 1 else "checks have"
            what = f"{counted} failed" if word == "failed" else f"{counted} not ended"
            raise Conflict(
                f"Pull request {name} is not merged: {len(names)} {what} on"
                f" {pull.head_sha[:12]}: {', '.join(names)}.",
                code=f"checks_{word}",
                hint=f"orch pr checks {name} (orch pr merge {name} --force merges all the same)",
                checks=names,
            )


def closed(pull: PullRequest) -> Conflict:
    name = spelled(pull)
    return Conflict(
        f"Pull request {name} is closed.", code="pr_closed", hint=f"orch pr reopen {name}"
    )


def merged(pull: PullRequest, what: str) -> Conflict:
    name = spelled(pull)
    return Conflict(
        f"Pull request {name} is merged; it cannot be {what}.",
        code="pr_merged",
        hint=f"orch pr show {name}",
    )


def head_gone(pull: PullRequest) -> Conflict:
    return Conflict(
        f"The branch {pull.head} of pull request {spelled(pull)} is not at the remote any more.",
        code="head_gone",
        hint=f"Push it again with: git push origin {pull.head_sha}:refs/heads/{pull.head}",
    )


def not_merged(pull: PullRequest) -> Conflict:
    return Conflict(
        f"Pull request {spelled(pull)} is {pull.state}, so its branch is kept.",
        code="pr_not_merged",
        hint=f"orch pr merge {spelled(pull)} --delete-branch",
    )

"""Who may start or steer work: people whom the source itself knows as writers, or its table names.

Invariant: no text ever decides. It is the verified author of a ticket, of a label or of a comment
who counts, by their id; bots and our own account never do. What somebody without that right has
changed after it was approved is not approved any more. (RELIABILITY §2, 1; H43, H44.)
"""

from __future__ import annotations

import datetime
from typing import Literal

import msgspec

from orch.model.tracked import Approval, Author, Remark, Tracked


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a source's table says. `allowed` are people, by id at the tracker or, where its names
    belong to one account each (`logins`; never Jira's, which anybody may choose), by name. Digits
    are ids only: somebody may be called like another one's number."""

    start: Literal["label", "writers", "never"] = "label"
    label: str = "orch"
    allowed: tuple[str, ...] = ()
    logins: bool = False
    me: Author = Author()


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """What the tracker says of who takes part (`TicketSource.may_write`), asked just now."""

    author: bool = False
    approver: bool = False
    editor: bool = False


class Refusal(msgspec.Struct, frozen=True):
    """Why not: a stable `code` and one plain sentence."""

    code: str
    message: str


def trusted(who: Author, policy: Policy, *, may_write: bool) -> Refusal | None:
    """Whether somebody may start or steer work."""
    if not who.id:
        return Refusal("nobody", "nobody can be named who wrote it")
    if policy.me.id and who.id == policy.me.id:
        return Refusal("own_voice", "it is our own account's")
    if who.bot:
        return Refusal("bot", f"{_named(who)} is a bot")
    if may_write or who.id in policy.allowed or _by_name(who, policy):
        return None
    return Refusal("stranger", f"{_named(who)} may not write there")


def _by_name(who: Author, policy: Policy) -> bool:
    """Names are the source's own (never a text's); trackers compare them without case."""
    name = who.name.casefold()
    if not policy.logins or not name or name.isdigit():
        return False
    return name in {one.casefold().removeprefix("@") for one in policy.allowed}


def _named(who: Author) -> str:
    return who.name or f"the account {who.id}"


def may_start(
    ticket: Tracked, policy: Policy, rights: Rights, approval: Approval | None = None
) -> Refusal | None:
    """Whether a ticket may become a task by itself; None for yes.

    `approval` is who put the label `policy.label` on it last (`TicketSource.approval`); needed only
    with `start = "label"`, and asked for only where the ticket carries the label.
    """
    if policy.start == "never":
        return Refusal("never", "this source starts nothing by itself")
    if ticket.state == "closed":
        return Refusal("closed", "it is closed")
    if policy.start == "writers":
        return trusted(ticket.author, policy, may_write=rights.author) or _edited_since(
            ticket, policy, rights, ""
        )
    if policy.label not in ticket.labels:
        return Refusal("no_label", f"it does not carry the label {policy.label}")
    if approval is None:
        return Refusal("unknown_approver", f"nobody can be named who put {policy.label} on it")
    refused = trusted(approval.author, policy, may_write=rights.approver)
    if refused is not None:
        return Refusal(refused.code, f"the label {policy.label} does not count: {refused.message}")
    return _edited_since(ticket, policy, rights, approval.at)


def _edited_since(ticket: Tracked, policy: Policy, rights: Rights, approved: str) -> Refusal | None:
    """Whether what was approved is what stands there. An edit by one who may is theirs to make."""
    if not ticket.edited:
        return None
    if trusted(ticket.editor, policy, may_write=rights.editor) is None:
        return None
    if approved and _before(ticket.edited, approved):
        return None
    again = (
        "put the label on again"
        if policy.start == "label"
        else "somebody who may write has to edit it"
    )
    return Refusal(
        "edited_since", f"title or body was edited after its approval, by {_editor(ticket)}: {again}"
    )  # fmt: skip


def _editor(ticket: Tracked) -> str:
    return _named(ticket.editor) if ticket.editor.id else "somebody who cannot be named"


def _before(edited: str, approved: str) -> bool:
    """Whether the edit was surely before: times that cannot be compared, and the same second,
    count as an edit since."""
    try:
        first, second = map(datetime.datetime.fromisoformat, (edited, approved))
        return first < second
    except (ValueError, TypeError):
        return False


def may_steer(remark: Remark, policy: Policy, *, may_write: bool) -> Refusal | None:
    """Whether what somebody says below a ticket counts; None for yes."""
    if remark.app:
        return Refusal("bot", "a program wrote it")
    return trusted(remark.author, policy, may_write=may_write)

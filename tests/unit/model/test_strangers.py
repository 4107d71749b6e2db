"""Who may start and steer work (RELIABILITY §2, 1; H44): actors, kinds of events, and the edit that
comes after the approval."""

from __future__ import annotations

import msgspec
import pytest

from orch.model.strangers import Policy, Rights, may_start, may_steer, trusted
from orch.model.tracked import Approval, Author, Remark, Tracked

ME = Author("1", "orch-bot")
WRITER = Author("2", "writer")
ALLOWED = Author("3", "friend")
STRANGER = Author("4", "stranger")
BOT = Author("5", "ci[bot]", bot=True)
NOBODY = Author()
NAMESAKE = Author("6", "3")  # somebody who calls themselves like the id of one who is allowed
ACTORS = {
    "ourselves": (ME, "own_voice"), "a writer": (WRITER, ""), "one who is allowed": (ALLOWED, ""),
    "a stranger": (STRANGER, "stranger"), "a bot": (BOT, "bot"), "nobody": (NOBODY, "nobody"),
    "a namesake of an id": (NAMESAKE, "stranger"),
}  # fmt: skip
POLICY = Policy(allowed=("3", "5"), me=ME)


def may(who: Author) -> bool:
    return who in (WRITER, ME, BOT)  # a tracker's word on bots and on ourselves changes nothing


def ticket(**changed: object) -> Tracked:
    plain = Tracked(
        source="thing", source_id="12", repo="it", title="T", labels=("orch",), author=STRANGER
    )
    return msgspec.structs.replace(plain, **changed)


def start(found: Tracked, policy: Policy = POLICY, approval: Approval | None = None) -> str:
    rights = Rights(
        author=may(found.author), approver=approval is not None and may(approval.author),
        editor=may(found.editor),
    )  # fmt: skip
    refused = may_start(found, policy, rights, approval)
    return "" if refused is None else refused.code


@pytest.mark.parametrize("actor", ACTORS)
def test_who_may_steer_by_a_comment(actor: str) -> None:
    who, code = ACTORS[actor]
    remark = Remark(id="1", source_id="12", body="/retry", author=who)
    refused = may_steer(remark, POLICY, may_write=may(who))
    assert ("" if refused is None else refused.code) == code


def test_what_a_program_writes_in_a_writers_name_is_not_heard() -> None:
    remark = Remark(id="1", source_id="12", body="/retry", author=WRITER, app=True)
    refused = may_steer(remark, POLICY, may_write=True)
    assert refused is not None
    assert refused.code == "bot"


@pytest.mark.parametrize("actor", ACTORS)
def test_who_may_start_by_writing_a_ticket(actor: str) -> None:
    who, code = ACTORS[actor]
    policy = msgspec.structs.replace(POLICY, start="writers")
    assert start(ticket(author=who, labels=()), policy) == code


@pytest.mark.parametrize("actor", ACTORS)
def test_who_may_start_by_a_label(actor: str) -> None:
    """The author is a stranger: the label's is who counts."""
    who, code = ACTORS[actor]
    assert start(ticket(), POLICY, Approval(author=who, at="2026-01-01T10:00:00Z")) == code


def test_the_label_alone_proves_nothing() -> None:
    assert start(ticket(author=WRITER)) == "unknown_approver"
    assert start(ticket(author=WRITER, labels=())) == "no_label"


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize(
    ("edited", "is_new"),
    [("2026-01-01T09:59:59Z", False), ("2026-01-01T10:00:00Z", True), ("2026-01-01T10:00:01Z", True),
     ("2026-01-01T11:00:00+02:00", False), ("2026-01-01T10:00:00.500Z", True), ("2026-01-01", True),
     ("yesterday", True), ("", False)],
)  # fmt: skip
def test_an_edit_after_the_approval_counts_only_from_those_who_may(
    actor: str, edited: str, is_new: bool
) -> None:
    editor, code = ACTORS[actor]
    approval = Approval(author=WRITER, at="2026-01-01T10:00:00Z")
    wanted = "edited_since" if is_new and code else ""
    assert start(ticket(edited=edited, editor=editor), POLICY, approval) == wanted


def test_the_label_put_on_again_approves_what_stands_there_now() -> None:
    edited = ticket(edited="2026-01-01T11:00:00Z", editor=STRANGER)
    first = Approval(author=WRITER, at="2026-01-01T10:00:00Z")
    refused = may_start(edited, POLICY, Rights(approver=True), first)
    assert refused is not None
    assert refused.message.endswith("by stranger: put the label on again")
    assert start(edited, POLICY, Approval(author=WRITER, at="2026-01-01T12:00:00Z")) == ""


def test_a_strangers_edit_of_a_writers_ticket_is_not_the_writers() -> None:
    policy = msgspec.structs.replace(POLICY, start="writers")
    assert (
        start(ticket(author=WRITER, edited="2026-01-01", editor=STRANGER), policy) == "edited_since"
    )
    assert start(ticket(author=WRITER, edited="2026-01-01", editor=WRITER), policy) == ""


@pytest.mark.parametrize("actor", ACTORS)
def test_nothing_starts_where_nothing_may_or_where_it_is_over(actor: str) -> None:
    who, _ = ACTORS[actor]
    approval = Approval(author=who, at="2026-01-01T10:00:00Z")
    never = msgspec.structs.replace(POLICY, start="never")
    assert start(ticket(author=who), never, approval) == "never"
    assert start(ticket(author=who, state="closed"), POLICY, approval) == "closed"


@pytest.mark.parametrize(
    ("entry", "logins", "yes"),
    [("Friend", True, True), ("@friend", True, True), ("friend", False, False), ("3", False, True),
     ("frien", True, False), ("", True, False)],
)  # fmt: skip
def test_names_count_only_where_they_belong_to_one_account(
    entry: str, logins: bool, yes: bool
) -> None:
    policy = Policy(allowed=(entry,), logins=logins, me=ME)
    assert (trusted(ALLOWED, policy, may_write=False) is None) is yes

"""Errors travel through the journal and come back as what they were."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from orch.model import errors
from orch.model.errors import (
    AgentFailed,
    Cancelled,
    EffectMisuse,
    Failure,
    NonDeterminism,
    NotFound,
    OrchError,
    StepError,
    StepTimeout,
    failure_of,
)


def classes(root: type[OrchError]) -> list[type[OrchError]]:
    """`root` and everything below it that the module defines."""
    found = [root]
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            found.extend(classes(child))
    return found


STEP_ERRORS = classes(StepError)
ALL = classes(OrchError)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)  # fmt: skip
WORDS = st.text("abcdefghijklmnop_", min_size=1, max_size=12).filter(
    lambda word: word not in ("code", "hint", "message", "self")
)


def journaled(failure: Failure) -> Failure:
    """As it comes back from the books."""
    return msgspec.json.decode(msgspec.json.encode(failure), type=Failure)


@pytest.mark.parametrize("cls", STEP_ERRORS, ids=[cls.__name__ for cls in STEP_ERRORS])
@given(
    message=st.text(max_size=60), code=st.text(max_size=12), hint=st.text(max_size=30),
    data=st.dictionaries(WORDS, JSON, max_size=4),
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_a_step_error_comes_back_as_the_same_class(
    cls: type[StepError], message: str, code: str, hint: str, data: dict[str, Any]
) -> None:
    error = cls(message, code=code, hint=hint, **data)
    back = journaled(failure_of(error)).raised()
    assert type(back) is cls
    assert back.as_dict() == error.as_dict()
    assert back.exit_code == error.exit_code
    assert str(back) == message


@pytest.mark.parametrize("cls", ALL, ids=[cls.__name__ for cls in ALL])
def test_every_class_has_a_stable_code_and_an_exit_code(cls: type[OrchError]) -> None:
    error = cls("something is wrong")
    assert error.code == cls.default_code
    assert error.code.isidentifier()
    assert error.exit_code in {1, 2, 3, 4, 5, 6, 7, 8, 9, 124, 130}
    assert error.as_dict() == {"code": error.code, "message": "something is wrong", "hint": ""}


def test_codes_say_which_class_it_is() -> None:
    assert len({cls.default_code for cls in ALL}) == len(ALL)


def test_an_error_that_is_no_step_error_can_be_caught_as_one() -> None:
    failure = journaled(
        failure_of(NotFound("no such branch", code="unknown_branch", hint="git branch"))
    )
    back = failure.raised()
    assert type(back) is StepError
    assert (back.code, back.message, back.hint) == (
        "unknown_branch",
        "no such branch",
        "git branch",
    )


def test_an_unknown_kind_comes_back_as_a_step_error() -> None:
    back = Failure("later", "from a newer Orch", kind="QuotaSpent", data={"until": 5}).raised()
    assert type(back) is StepError
    assert (back.code, back.data) == ("later", {"until": 5})


def test_children_are_caught_as_their_parents() -> None:
    with pytest.raises(AgentFailed):
        raise journaled(failure_of(errors.NoChange("nothing changed"))).raised()


FOREIGN = [
    (ValueError("bad number"), "ValueError: bad number"),
    (KeyError("name"), "KeyError: 'name'"),
    (ValueError(), "ValueError"),
    (SystemExit(3), "SystemExit: 3"),
    (OSError(2, "No such file", "/x"), "FileNotFoundError: [Errno 2] No such file: '/x'"),
    (RuntimeError("  \n"), "RuntimeError"),
]


@pytest.mark.parametrize(("error", "message"), FOREIGN)
def test_foreign_exceptions_keep_their_class_name(error: BaseException, message: str) -> None:
    failure = journaled(failure_of(error))
    assert (failure.code, failure.message, failure.kind) == ("workflow_error", message, "StepError")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("not even this works")


class Opaque:
    def __repr__(self) -> str:
        return "<opaque>"


ODD: list[BaseException] = [
    Unprintable(),
    ValueError("half a character: \ud800"),
    StepError(42),  # type: ignore[arg-type]
    StepError(["a", "list"]),  # type: ignore[arg-type]
    StepError("x", code=7),  # type: ignore[arg-type]
    StepError("x", thing=Opaque(), when={1, 2}, raw=b"\xff", half="\ud800"),
    StepError("x", odd={("a", "b"): 1}),
    NotFound("half \ud800", files=[Opaque()]),
]


@pytest.mark.parametrize("error", ODD, ids=range(len(ODD)))
def test_h105_whatever_a_workflow_raises_can_be_journaled_and_read_again(
    error: BaseException,
) -> None:
    """One that could not would fail the transaction that others share, or the next read."""
    failure = failure_of(error)
    assert journaled(failure) == failure
    assert journaled(failure).raised().message == failure.message


def test_a_workflows_own_class_does_not_take_the_place_of_ours() -> None:
    """Two runs of one service may define the same name; what a step raises stays what it was."""
    failure = failure_of(errors.NoChange("nothing changed"))

    class NoChange(StepError):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} {two}")

    assert type(failure.raised()) is errors.NoChange
    assert type(journaled(failure_of(NoChange(1, 2))).raised()) is errors.NoChange

    class Mine(StepError):
        def __init__(self, one: int) -> None:
            super().__init__(str(one))

    assert type(journaled(failure_of(Mine(1))).raised()) is StepError


def test_exit_codes_of_step_errors() -> None:
    codes = {cls: cls("x").exit_code for cls in (StepTimeout, EffectMisuse, Cancelled, StepError)}
    assert codes == {StepTimeout: 124, EffectMisuse: 2, Cancelled: 1, StepError: 1}
    assert NonDeterminism("x").exit_code == 5
    assert not issubclass(NonDeterminism, StepError), "no workflow can catch it"

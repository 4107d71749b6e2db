"""The one tree of errors: a stable code, an exit code, one plain sentence, the next command.

Invariant: every error that reaches a person is an `OrchError`; a port translates what it catches
exactly once and keeps the cause. Errors that a workflow can catch are `StepError`s: they travel
through the journal as a `Failure` and come back as the same class.

Exit codes: 0 done, 1 operation failed, 2 usage or configuration, 3 not found, 4 sign-in needed,
5 conflicting state, 6 waits for a human, 7 budget or limit, 8 daemon unreachable, 9 external tool
failed, 124 timeout, 130 interrupted.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

from orch.model.plain import plain_data, plain_text


class OrchError(Exception):
    """An error with a stable `code`, the process `exit_code`, a sentence and a `hint` (next command).

    `data` holds JSON-ready details for `--json` and for the journal (file names, line numbers).
    """

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "failed"

    def __init__(self, message: str, *, code: str = "", hint: str = "", **data: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.data = data

    def as_dict(self) -> dict[str, Any]:
        """`{"code", "message", "hint"}` and, where there are any, `"data"`."""
        shown: dict[str, Any] = {"code": self.code, "message": self.message, "hint": self.hint}
        if self.data:
            shown["data"] = self.data
        return shown


class UsageError(OrchError):
    """Bad words on the command line, bad configuration, a name that cannot be used."""

    exit_code = 2
    default_code = "usage"


class ConfigError(UsageError):
    """A configuration file that cannot be used; `data` has `file` and, where known, `line`."""

    default_code = "config_invalid"


class NotFound(OrchError):
    exit_code = 3
    default_code = "not_found"


class SignInNeeded(OrchError):
    exit_code = 4
    default_code = "sign_in_needed"


class Conflict(OrchError):
    """What was asked does not fit the present state (exists already, is final, is locked)."""

    exit_code = 5
    default_code = "conflict"


class WaitsForHuman(OrchError):
    exit_code = 6
    default_code = "waits_for_human"


class LimitReached(OrchError):
    exit_code = 7
    default_code = "limit_reached"


class Unreachable(OrchError):
    exit_code = 8
    default_code = "unreachable"


class ToolFailed(OrchError):
    """git, tmux, the disk or another program failed; `data` has its last words."""

    exit_code = 9
    default_code = "tool_failed"


class Interrupted(OrchError):
    exit_code = 130
    default_code = "interrupted"


class Failure(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error as data, as the journal and the run record keep it.

    `kind` names the class that a workflow catches; unknown kinds come back as `StepError`.
    """

    code: str
    message: str
    hint: str = ""
    kind: str = "StepError"
    data: dict[str, Any] = {}

    def raised(self) -> StepError:
        """The exception this failure stands for."""
        cls = _STEP_ERRORS.get(self.kind, StepError)
        return cls(self.message, code=self.code, hint=self.hint, **self.data)


class StepError(OrchError):
    """A failed step, raised into the workflow. Catch this class or one of its children."""

    default_code = "step_failed"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__ == __name__:  # a workflow's own class may bear the name of one of these
            _STEP_ERRORS[cls.__name__] = cls


_STEP_ERRORS: dict[str, type[StepError]] = {}


class AgentFailed(StepError):
    """The agent ended without success: nonzero exit, signal, no usable answer."""

    default_code = "agent_failed"


class NoChange(AgentFailed):
    """The agent said it was done and changed nothing. Final, not retried (H75)."""

    default_code = "no_change"


class CommandFailed(StepError):
    """A command with `check=True` ended nonzero."""

    default_code = "command_failed"


class StepTimeout(StepError):
    exit_code = 124
    default_code = "timeout"


class MergeConflict(StepError):
    """A merge that git could not do alone; `data["files"]` names the files. Nothing was changed."""

    default_code = "merge_conflict"


class PushRejected(StepError):
    default_code = "push_rejected"


class GateRejected(StepError):
    """A person said no at a Gate."""

    default_code = "rejected"


class ReviewRejected(StepError):
    """A reviewing agent did not approve; `data["comments"]` has its reasons."""

    default_code = "not_approved"


class Cancelled(StepError):
    """The run is being ended; effects in `finally` still run, with a deadline."""

    default_code = "cancelled"


class EffectMisuse(StepError):
    """The workflow yielded or awaited something that is not an effect."""

    exit_code = 2
    default_code = "not_an_effect"


class NonDeterminism(OrchError):
    """A replay asked for something else than the journal holds at the same path."""

    exit_code = 5
    default_code = "non_determinism"


def failure_of(error: BaseException) -> Failure:
    """Any exception as a `Failure` that can be encoded and decoded, whatever it was made with.

    Foreign exceptions get the code `workflow_error` and their class name.
    """
    name = type(error).__name__
    if isinstance(error, OrchError):
        kind = name if isinstance(error, StepError) else "StepError"
        data = {plain_text(key): plain_data(value) for key, value in error.data.items()}
        return Failure(
            plain_text(error.code), plain_text(error.message), plain_text(error.hint), kind, data
        )
    text = plain_text(error).strip()
    return Failure("workflow_error", f"{name}: {text}" if text else name, kind="StepError")

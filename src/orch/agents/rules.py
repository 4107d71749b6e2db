"""What no agent is to do, in the form that Claude Code has made common: `Tool(pattern)`.

Invariant: rules only forbid. They keep an honest agent from mistakes; what holds a hostile one is a
sandbox. Standard library only: also what runs beside an agent reads rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from orch.model.attempt import AgentRequest


def told(request: AgentRequest) -> str:
    """What every agent is told before its task: where it works, and what is done for it."""
    main = request.checkout
    other = f", above all {main}" if main and main != request.worktree.path else ""
    return (
        f"You work in {request.worktree.path}, a git worktree made for this task. Leave everything"
        f" outside of it alone{other}. Do not push, and open no pull request: what you leave in the"
        " worktree is committed, pushed and proposed for you when you have ended."
    )


ALWAYS = ("Bash(rm *)", "Bash(rm -*)")


def forbidden(request: AgentRequest, configured: tuple[str, ...]) -> tuple[str, ...]:
    """`rm`, the main checkout where the worktree is another place and a pattern can name it, and what
    is configured."""
    main = request.checkout
    here = request.worktree.path.startswith(f"{main.rstrip('/')}/")  # they would forbid it too
    if not main or main == request.worktree.path or here or set("()*") & set(main):
        return (*ALWAYS, *configured)
    # Of the tools that write, `Edit` means all. A leading double slash is the file system's root, a
    # single one the settings' folder.
    inside = "/" + main.rstrip("/") + "/**"
    scoped = (f"Bash(cd {main}*)", *(f"{tool}({inside})" for tool in ("Read", "Edit")))
    return (*ALWAYS, *scoped, *configured)


class Rule(NamedTuple):
    """One call that is forbidden; an empty `pattern` is every call of the tool. `*` stands for
    anything; a path that begins with a slash is the file system's, another one the worktree's."""

    tool: str
    pattern: str = ""


def read(written: str) -> Rule:
    """The parts of `Tool(pattern)`, for programs that have a form of their own."""
    tool, _, pattern = written.removesuffix(")").partition("(")
    if pattern.endswith(":*"):  # "begins with", in the older form
        pattern = pattern[:-2] + "*"
    if tool in ("Bash", "WebFetch"):
        return Rule(tool, pattern)
    rooted = "/" if pattern.startswith("//") else ""
    return Rule(tool, rooted + pattern.removeprefix("./").lstrip("/"))

"""What no agent is to do, in the form that Claude Code has made common: `Tool(pattern)`.

Invariant: rules only forbid. They keep an honest agent from mistakes; what holds a hostile one is a
sandbox.
"""

from __future__ import annotations

from orch.model.attempt import AgentRequest

ALWAYS = ("Bash(rm *)", "Bash(rm -*)")


def forbidden(request: AgentRequest, configured: tuple[str, ...]) -> tuple[str, ...]:
    """`rm`, the main checkout where the worktree is another place, and what is configured."""
    main = request.checkout
    if not main or main == request.worktree.path:
        return (*ALWAYS, *configured)
    # A leading double slash is the file system's root, a single one the settings' folder.
    inside = "/" + main.rstrip("/") + "/**"
    scoped = (f"Bash(cd {main}*)", *(f"{tool}({inside})" for tool in ("Read", "Write", "Edit")))
    return (*ALWAYS, *scoped, *configured)

"""Writes `docs/agents.md`: what each agent can do under Orch, out of its adapter.

Invariant: as `tools/reference.py`: nothing is said here that the code does not say.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

from orch import plugins
from orch.agents.program import Program

PAGE = Path(__file__).resolve().parent.parent / "docs" / "agents.md"
HEAD = """\
# Agents

Made by `tools/agents_page.py`: `.venv/bin/python -m tools.agents_page`.

A program of this table needs two lines in `config.toml`, and to be signed in once by yourself:

```toml
[agents.claude]
kind = "claude"
```

`orch agents` says which are there, which version, signed in or not, and the command that helps;
`orch parse FILE --agent NAME` says what Orch makes of an output. `command = ["/path/to/it"]` stands
in the place of the program's name, `env` and `pass_env` give it variables, `[agents.NAME.options]`
has `args` (added to its own) and `model`. Any other program works by `command` alone.

"""
TAIL = """
*Stream*: tells what it does while it works (`orch watch`). *Resume*: goes on with a conversation.
*Messages*: takes messages while it works. *Questions*: asks a person before it acts. *Cost*: what it
tells of its use; where it tells tokens only, the list of prices says the rest (`orch cost`). *Tool
rules*: tools can be forbidden by its own means. *Limits*: it can end itself after so many turns, so
much money or time; Orch's own limits hold for all. *Proven with*: the version whose real output the
tests read; another one is told by `orch doctor` and used all the same.

## Joining, answering, going on

`io = "tty"` gives a program that takes messages a terminal of its own: `orch attach` joins it,
`orch send RUN:AGENT TEXT` speaks to it, and says `delivered` only when the program itself has told
that it took the message up. It is ended when its turn is over, unless somebody has joined it. What
such a program asks before it begins (is this folder trusted?) it asks once, of a person: until then
it is not started, and the error names the command.

`permissions = "supervised"` asks a person before a tool does more than read, or edit within the
worktree. The question stands in `orch inbox`, `orch events` and notifications (`question.waiting`);
`orch inbox approve|deny|answer ID [TEXT]` answers it, and the agent goes on at once, with your words.
It waits for as long as its `timeout_s` lets it.

An agent that was cut off from outside (killed, lost, out of time, refused by its provider) goes on
with its conversation when it is tried again; `orch task retry N --resume` asks for that in any case.

## What an agent is kept from

- **Its environment** is built from nothing: what stands below, the words `ORCH_…`, and what
  `env` and `pass_env` name; never a token of a forge, a tracker or a chat.
- **What a repository brings along for agents** (settings, hooks, servers) is not loaded, unless
  `[trust] agents` names the repository. Its instructions (CLAUDE.md, AGENTS.md) are read as words.
- **Rules**: `rm`, and the main checkout, for programs with tool rules; `deny` adds to them, as in
  `deny = ["Bash(npm publish*)"]`. They keep an honest agent from mistakes: they are no sandbox.
- **Time**: `timeout_s` in all, `idle_s` without any sign of life.

## Programs

What a repository brings along (settings, hooks, servers, plugins) **opencode**, **gemini** and
**qwen** load only where the repository is trusted. Two of them make one pay for that:

- **gemini** starts in no folder that it does not trust, unless `~/.gemini/settings.json` says
  `{"security": {"folderTrust": {"enabled": false}}}`; what the repository brings along stays out all
  the same. It reads no `GEMINI.md` then, connects to no server and refuses git commands.
- **qwen** connects to no server then, and writes its version into a `.qwen/settings.json` of the
  worktree that says none.

**kimi** never loads a repository's servers under Orch, trusted or not.

"""


def page() -> str:
    """The text of the page."""
    heads = ("agent", "stream", "resume", "messages", "questions", "cost", "tool rules",
             "own sandbox", "limits", "proven with")  # fmt: skip
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    needs = []
    for name, module in sorted(plugins.SHIPPED[plugins.AGENTS].items()):
        program = getattr(import_module(module), "PROGRAM", None)
        if not isinstance(program, Program):
            continue
        can = program.can
        cost = can.cost if can.cost != "none" else "-"
        cells = [_yes(can.stream), _yes(can.resume), _yes(can.messages), _yes(can.questions), cost,
                 _yes(can.tool_rules), _yes(can.sandbox), _yes(can.limits), program.proven,
                 ]  # fmt: skip
        lines.append(f"| {name} | {' | '.join(cells)} |")
        takes = ", ".join(f"`{variable}`" for variable in program.takes)
        gets = f" Of our environment it gets {takes}." if takes else ""
        needs.append(f"- **{name}**: install `{program.install}`, sign in"
                     f" {_shown(program.sign_in)}.{gets}")  # fmt: skip
    return HEAD + "\n".join(lines) + "\n" + TAIL + "\n".join(needs) + "\n"


def _shown(command: str) -> str:
    return command if command.startswith("by ") else f"`{command}`"


def _yes(can: bool) -> str:
    return "yes" if can else "-"


def main() -> int:
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

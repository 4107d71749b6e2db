"""The command tree: nouns are imported when they are called; errors are told once, here.

Invariant: every error has a code, a sentence, the next command and a documented exit code, on
stderr, or with --json as `{"error": {...}}` on stdout.
"""

from __future__ import annotations

import os
import sys

import click

from orch.cli.words import Noun, told
from orch.model.errors import Interrupted, OrchError

COMMANDS = {
    "run": ("orch.cli.runs:run", "Run a workflow: from an issue to a pull request."),
    "ps": ("orch.cli.runs:ps", "List runs, newest first."),
    "show": ("orch.cli.runs:show", "Show a run: steps, attempts, pull requests."),
    "logs": ("orch.cli.runs:logs", "Show what the agents of a run have written."),
    "stop": ("orch.cli.runs:stop", "Stop a run (resumable), or end it for good."),
    "resume": ("orch.cli.runs:resume", "Go on with runs that were stopped, detached or killed."),
    "gate": ("orch.cli.gate:gate", "Answer a run that waits for a person."),
    "issue": ("orch.cli.issue:issue", "Create, list and show issues."),
    "repo": ("orch.cli.repo:repo", "Register and list repositories."),
    "worktree": ("orch.cli.worktree:worktree", "Create and list worktrees."),
    "pr": ("orch.cli.pr:pr", "List pull requests."),
    "demo": ("orch.cli.demo:demo", "Play the main job in a throwaway place, offline."),
    "doctor": ("orch.cli.doctor:doctor", "Check what Orch needs, with a fix for each."),
    "version": ("orch.cli.version:version", "Print the version."),
    "help": ("orch.cli.topics:show_help", "Explain a command or a topic."),
}
EXAMPLES = """\b
Examples:
  orch repo add ~/src/thing
  orch issue create "Add a --json flag" --body @spec.md
  orch run basic_pr --issue ISSUE-001
  orch show @                 (@ is the last run)
"""


class Tree(Noun):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        import importlib

        module, _, name = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=Tree, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80}
)
@click.version_option(package_name=None, version="", message="", expose_value=False, hidden=True)
def cli() -> None:
    """From a ticket to a reviewed pull request, with coding agents that work in worktrees of their
    own. A kill -9 on the way costs nothing."""


cli.epilog = EXAMPLES


def run(argv: list[str]) -> int:
    """Run the command line; gives the exit code."""
    from orch.cli.output import flush

    os.umask(0o077)
    code = _answered(argv)
    flush(sys.stdout)
    flush(sys.stderr)
    return code


def _answered(argv: list[str]) -> int:
    """Carry the command out and tell its error, if it has one."""
    name = os.path.basename(argv[0])
    name = "conductor" if name == "conductor" else "orch"
    as_json = "--json" in argv
    try:
        result = cli.main(args=argv[1:], prog_name=name, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.Abort:
        return _tell(Interrupted("interrupted", hint="orch ps"), as_json)
    except KeyboardInterrupt:
        return _tell(Interrupted("interrupted", hint="orch ps"), as_json)
    except click.UsageError as error:
        return _tell(told(error, name), as_json)
    except OrchError as error:
        return _tell(error, as_json)
    except Exception as error:  # noqa: BLE001 - the last place where a fault can be told
        return _crashed(error, as_json)


def _tell(error: OrchError, as_json: bool) -> int:
    from orch.cli.output import clean, clean_lines, put

    if as_json:
        import msgspec

        body = msgspec.json.encode({"error": error.as_dict()}, enc_hook=str)
        put(sys.stdout, body.decode() + "\n")
    else:
        put(sys.stderr, f"error: {clean_lines(error.message)} [{error.code}]\n")
        if error.hint:
            put(sys.stderr, f"  try: {clean(error.hint)}\n")
    return error.exit_code


def _crashed(error: Exception, as_json: bool) -> int:
    """A fault of ours: one sentence, and the traceback in a file."""
    import tempfile
    import traceback

    if os.environ.get("ORCH_DEBUG"):
        traceback.print_exc()
    descriptor, path = tempfile.mkstemp(prefix="orch-crash-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        traceback.print_exc(file=file)
    fault = OrchError(
        f"this is a fault in orch: {type(error).__name__}: {error}", code="internal",
        hint=f"report it with {path}",
    )  # fmt: skip
    return _tell(fault, as_json)

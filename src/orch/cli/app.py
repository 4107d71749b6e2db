"""The command tree: nouns are imported when they are called; errors are told once, here.

Invariant: every error has a code, a sentence, the next command and a documented exit code, on
stderr, or with --json as `{"error": {...}}` on stdout.
"""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

import click

from orch._version import __version__
from orch.cli.cleaning import clean, clean_lines
from orch.cli.output import LOST, flush, json_text, put
from orch.cli.words import NoCommand, Noun, told
from orch.model.errors import Interrupted, OrchError, UsageError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "run": ("orch.cli.runs:run", "Run a workflow: from an issue to a pull request."),
    "ps": ("orch.cli.ps:ps", "List runs, newest first."),
    "show": ("orch.cli.history:show", "Show a run: steps, attempts, pull requests."),
    "watch": ("orch.cli.watch:watch", "Watch a run while it goes on: a live board."),
    "logs": ("orch.cli.logs:logs", "Show what the agents of a run write; -f follows."),
    "send": ("orch.cli.send:send", "Send a message to a program that runs."),
    "attach": ("orch.cli.attach:attach", "Join a running program in its terminal."),
    "stop": ("orch.cli.runs:stop", "Stop a run (resumable), or end it for good."),
    "resume": ("orch.cli.runs:resume", "Go on with runs that were stopped, detached or killed."),
    "inbox": ("orch.cli.inbox:inbox", "List what waits for you, and answer it."),
    "gate": ("orch.cli.gate:gate", "Answer a run that waits for a person."),
    "template": ("orch.cli.template:template", "List, show and start workflows; render prompts."),
    "validate": ("orch.cli.validate:validate", "Check a workflow without running it."),
    "trust": ("orch.cli.trust:trust", "Allow a repository's own workflows, as they are now."),
    "issue": ("orch.cli.issue:issue", "Create, list, show and resolve issues."),
    "tickets": ("orch.cli.tickets:tickets", "Read, list, show, link and unlink tickets."),
    "init": ("orch.cli.init:init", "Write a configuration to begin with."),
    "repo": ("orch.cli.repo:repo", "Register, list, show and forget repositories."),
    "worktree": ("orch.cli.worktree:worktree", "Create, show, deliver and delete worktrees."),
    "env": ("orch.cli.env:env", "List the worktrees of runs, and tidy them up."),
    "pr": ("orch.cli.pr:pr", "Show, check, merge and close pull requests."),
    "task": ("orch.cli.task:task", "Ask for work; list, show, retry and close tasks."),
    "context": ("orch.cli.context:context", "Show what an agent is told about a task."),
    "agents": ("orch.cli.agents:agents", "List agents: usable, cooling, how they did."),
    "parse": ("orch.cli.parse:parse", "Show what Orch makes of an agent's recorded output."),
    "cost": ("orch.cli.cost:cost", "Show what agents have cost, by task, agent, repo, day."),
    "stream": ("orch.cli.stream:stream", "Follow what all agents write, as they write it."),
    "api": ("orch.cli.api:api", "Show what was spent of the limits of GitHub and others."),
    "cooldown": ("orch.cli.cooldown:cooldown", "List and clear what keeps agents from use."),
    "serve": ("orch.cli.serve:serve", "Work the queue until a signal says to leave."),
    "webhook": ("orch.cli.webhook:webhook", "Add, list, try and replay webhooks of trackers."),
    "session": ("orch.cli.session:session", "Begin, end and look back at work sessions."),
    "service": ("orch.cli.service:service", "Start, stop, install and look at the service."),
    "events": ("orch.cli.events:events", "Print what happened, one event a line."),
    "log": ("orch.cli.log:log", "Print the service's log, or watch it."),
    "job": ("orch.cli.job:job", "Schedule tasks and commands."),
    "metrics": ("orch.cli.metrics:metrics", "Count tasks, attempts, tokens, cost and more."),
    "cron": ("orch.cli.cron:cron", "Explain a schedule: is it due, and when next."),
    "demo": ("orch.cli.demo:demo", "Play the main job in a throwaway place, offline."),
    "config": ("orch.cli.config:config", "Show and change the configuration."),
    "completion": ("orch.cli.completion:completion", "Print the completion script of a shell."),
    "doctor": ("orch.cli.doctor:doctor", "Check what Orch needs, with a fix for each."),
    "version": ("orch.cli.version:version", "Print the version."),
    "help": ("orch.cli.topics:show_help", "Explain a command or a topic."),
}
COMPLETE = ("_ORCH_COMPLETE", "_CONDUCTOR_COMPLETE")
LONGEST_TOLD = 80
"""Characters of an argument that an error repeats."""
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

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from orch.cli.completion import offered

        found = [(name, text) for name, (_, text) in COMMANDS.items()]
        return offered(found, incomplete) or click.Command.shell_complete(self, ctx, incomplete)

    def alone(self, ctx: click.Context) -> str:
        from orch.cli.overview import overview

        return overview(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=Tree, shows_flags=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
)  # fmt: skip
@click.version_option(__version__, message="orch %(version)s", help="Print the version.")
def cli() -> None:
    """From a ticket to a reviewed pull request, with coding agents that work in worktrees of their
    own. A kill -9 on the way costs nothing."""


cli.epilog = EXAMPLES


def run(argv: list[str]) -> int:
    """Run the command line; gives the exit code."""
    _open_streams()
    os.umask(0o077)
    asked = next((os.environ[w] for w in COMPLETE if w in os.environ), "")
    if asked:  # a shell asks what could come next
        from orch.cli.completion import complete

        return complete(cli, asked)
    code = _answered(argv)
    try:
        flush(sys.stdout)
    except OrchError as error:
        code = _tell(error, as_json=False)
    flush(sys.stderr)
    return code


def _open_streams() -> None:
    """Somebody closed a standard stream (`>&-`): what we open next must not take its place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
        if getattr(sys, name) is None:
            mode = "r" if number == 0 else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):  # a title may hold what an ASCII locale cannot say
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _answered(argv: list[str]) -> int:
    """Carry the command out and tell its error, if it has one."""
    name = os.path.basename(argv[0])
    name = "conductor" if name == "conductor" else "orch"
    words = argv[1:]
    as_json = "--json" in (words[: words.index("--")] if "--" in words else words)
    try:
        _readable(words)
        result = cli.main(args=words, prog_name=name, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _tell(Interrupted("interrupted", hint="orch ps"), as_json)
    except NoCommand as alone:
        put(sys.stderr, f"{alone.message}\n")
        return UsageError.exit_code
    except click.UsageError as error:
        return _tell(told(error, name), as_json)
    except OrchError as error:
        return _tell(error, as_json and error.code != LOST)
    except Exception as error:  # noqa: BLE001 - the last place where a fault can be told
        return _crashed(error, as_json)


def _readable(words: list[str]) -> None:
    """What is no UTF-8 text could be kept nowhere: no command is given it."""
    for word in words:
        if any("\ud800" <= sign <= "\udfff" for sign in word):
            told = clean(os.fsencode(word).decode("utf-8", "backslashreplace"))[:LONGEST_TOLD]
            raise UsageError(
                f"the argument '{told}' is not UTF-8 text", code="not_utf8",
                hint="give it in UTF-8; long texts as @FILE",
            )  # fmt: skip


def _tell(error: OrchError, as_json: bool) -> int:
    if as_json:
        put(sys.stdout, f"{json_text({'error': error.as_dict()})}\n")
    else:
        put(sys.stderr, f"error: {clean_lines(error.message)} [{error.code}]\n")
        if error.hint:
            put(sys.stderr, f"  try: {clean(error.hint)}\n")
    return error.exit_code


def _crashed(error: Exception, as_json: bool) -> int:
    """A fault of ours: one sentence, and the traceback in a file."""
    import traceback

    if os.environ.get("ORCH_DEBUG"):
        put(sys.stderr, traceback.format_exc())
    try:
        place = f"report it with {_kept(traceback.format_exc())}"
    except OSError as full:
        place = f"its details could not be kept ({full.strerror}); ORCH_DEBUG=1 shows them"
    text = f"this is a fault in orch: {type(error).__name__}: {error}"
    return _tell(OrchError(text, code="internal", hint=place), as_json)


def _kept(details: str) -> str:
    """The file that holds them: in the home's log, or where temporary files go."""
    import tempfile

    from orch.config import home_from

    folder: str | None = None
    try:
        log = home_from(os.environ) / "log"
        folder = str(log) if os.access(log, os.W_OK) else None
    except OrchError:
        folder = None
    descriptor, path = tempfile.mkstemp(prefix="crash-", suffix=".txt", dir=folder)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as file:
        file.write(details)
    return path

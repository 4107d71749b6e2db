"""`orch completion SHELL`, and the answers to a shell that completes a word.

Invariant: an answer is names or silence: it makes nothing, says nothing on stderr, and what goes
wrong on the way gives no names. What an argument stands for is told by its name, in `LIVE`;
arguments whose words nobody can know are in `FREE`.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from orch.cli.cleaning import clean
from orch.cli.options import examples, output, shared
from orch.cli.output import put
from orch.cli.words import Verb

if TYPE_CHECKING:
    from orch.glance import Name, Names

SHELLS = ("bash", "zsh", "fish")
_SAFE = re.compile(r"[\w@.:/#-]+")
"""A shell takes an offered word apart: nothing else is ever offered."""
_TOLD = 60
HINT = {
    "bash": 'add to ~/.bashrc: eval "$(orch completion bash)"',
    "zsh": 'add to ~/.zshrc, after compinit: eval "$(orch completion zsh)"',
    "fish": "orch completion fish > ~/.config/fish/completions/orch.fish",
}
Look = Callable[["Names", click.Context, str], "Iterable[Name]"]


def _topics(names: Names, context: click.Context, begun: str) -> Iterator[Name]:
    from orch.cli.app import COMMANDS
    from orch.cli.topics import TOPICS

    yield from ((name, text) for name, (_, text) in COMMANDS.items())
    yield from ((name, "") for name in TOPICS)


def _kinds() -> Iterator[Name]:
    from orch import plugins

    yield from ((name, "a kind of agent") for name in plugins.SHIPPED[plugins.AGENTS])


def _source_kinds() -> Iterator[Name]:
    from orch import plugins

    yield from ((name, "a kind of source") for name in plugins.SHIPPED.get(plugins.SOURCES, ()))


def _files(names: Names, context: click.Context, begun: str) -> Iterator[Name]:
    yield from ()


LIVE: dict[str, Look] = {
    "agent": lambda names, context, begun: names.agents(),
    "help.words": _topics,
    "parse.file": _files,
    "parse.stderr": _files,
    "parse.agent": lambda names, context, begun: [*names.agents(), *_kinds()],
    "identifier": lambda names, context, begun: names.issues(begun),
    "issue": lambda names, context, begun: names.issues(begun),
    "key": lambda names, context, begun: names.keys(),
    "pull": lambda names, context, begun: names.pulls(),
    "repo": lambda names, context, begun: names.repos(),
    "job": lambda names, context, begun: names.jobs(),
    "run": lambda names, context, begun: names.runs(begun),
    "names": lambda names, context, begun: names.sources(),
    "source": lambda names, context, begun: names.sources(),
    "repo.sources.remove.name": lambda names, context, begun: names.sources(),
    "repo.sources.add.kind": lambda names, context, begun: _source_kinds(),
    "task.number": lambda names, context, begun: names.tasks(),
    "task.numbers": lambda names, context, begun: names.tasks(),
    "inbox.identifier": lambda names, context, begun: names.questions(),
    "context.number": lambda names, context, begun: names.tasks(),
    "api.host": lambda names, context, begun: names.hosts(),
    "cooldown.clear.subject": lambda names, context, begun: names.agents(),
    "task.parent": lambda names, context, begun: names.tasks(),
    "cost.target": lambda names, context, begun: [*names.tasks(), *names.runs(begun)],
    "stream.target": lambda names, context, begun: [*names.tasks(), *names.runs(begun)],
    "slug": lambda names, context, begun: names.repos(),
    "target": lambda names, context, begun: names.runs(begun),
    "template.name": lambda names, context, begun: names.workflows(),
    "workflow": lambda names, context, begun: names.workflows(),
    "worktree.name": lambda names, context, begun: names.worktrees(
        context.params.get("repo") or ""
    ),
}
"""What completes an argument or option: by `noun.parameter`, else by `parameter`."""
FREE = frozenset({
    "issue.title", "gate.words", "inbox.words", "repo.location", "template.values",
    "worktree.create.name",
    "config.value", "send.message", "pr.check.name", "path",
    "task.title", "task.key", "task.value",
    "session.name", "session.text", "session.number", "expression", "at", "since", "zone",
    "schedule", "job.title", "job.body", "labels", "command", "precheck", "job.timeout",
    "job.add.argv", "log.what", "repo.sources.add.name", "project", "base_url", "user", "token",
    "query", "more", "label", "repo.sources.add.label",
    "webhook.add.url", "webhook.add.secret", "webhook.replay.delivery", "webhooks",
})  # fmt: skip
FILES = frozenset({"location", "path", "issue", "workflow", "file", "stderr"})
"""Where a file's name would do as well, when none of ours begins so."""


def told_by(path: tuple[str, ...], parameter: str) -> str:
    """The entry of `LIVE` or `FREE` for a parameter of the command `path`; empty for none."""
    wordings = (".".join((*path, parameter)), f"{path[0]}.{parameter}", parameter)
    return next((word for word in wordings if word in FREE or word in LIVE), "")


class Live(click.types.StringParamType):
    """A text whose completions are looked up when the shell asks."""

    def __init__(self, look: Look, *, files: bool) -> None:
        self._look = look
        self._files = files

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from orch.glance import Names

        found = offered(self._look(Names(os.environ), ctx, incomplete), incomplete)
        if found or not self._files:
            return found
        return [CompletionItem(incomplete, type="file")]


def offered(names: Iterable[Name], incomplete: str) -> list[CompletionItem]:
    """Those that begin so, in the shell's form."""
    return [
        CompletionItem(name, help=clean(text)[:_TOLD] or None)
        for name, text in names
        if name.startswith(incomplete) and _SAFE.fullmatch(name)
    ]


def keys(context: click.Context, incomplete: str) -> list[CompletionItem]:
    """Keys of the configuration."""
    from orch.glance import Names

    return offered(LIVE["key"](Names(os.environ), context, incomplete), incomplete)


def attach(command: click.Command, path: tuple[str, ...]) -> None:
    """Give the parameters of a command the completions that their names stand for."""
    for parameter in command.params:
        word = told_by(path, parameter.name or "") if path else ""
        if parameter.type is click.STRING and word in LIVE:
            files = parameter.name in FILES
            parameter.type = Live(LIVE[word], files=files)


def complete(cli: click.Group, asked: str) -> int:
    """Answer a shell (`_ORCH_COMPLETE=bash_complete`); the exit code."""
    shell, _, _ = asked.partition("_")
    kind = get_completion_class(shell)
    if kind is None:
        return 1
    try:
        asking = kind(cli, {}, "orch", "_ORCH_COMPLETE")
        words, _ = asking.get_completion_args()
        _attach_along(cli, words)
        answer = asking.complete()
    except Exception:  # noqa: BLE001 - a broken home, a strange word: the line being typed is no place for it
        return 1
    put(sys.stdout, f"{answer}\n")
    sys.stdout.flush()
    return 0


def _attach_along(cli: click.Group, words: list[str]) -> None:
    """Attach to the command that the words before the cursor name."""
    context, group = click.Context(cli, info_name="orch"), cli
    path: tuple[str, ...] = ()
    for word in words:
        found = group.get_command(context, word)
        if found is None:
            continue
        path = (*path, word)
        attach(found, path)
        if not isinstance(found, click.Group):
            return
        group = found


@click.command(
    cls=Verb,
    epilog=examples(
        'eval "$(orch completion bash)"',
        "orch completion fish > ~/.config/fish/completions/orch.fish",
    ),
)
@click.argument("shell", type=click.Choice(SHELLS))
@shared
def completion(shell: str, as_json: bool, quiet: bool, no_color: bool) -> None:
    """Print the script that makes a shell complete orch's words and live names."""
    out, kind = output(as_json, quiet, no_color), get_completion_class(shell)
    assert kind is not None
    scripts: list[str] = []
    for program in ("orch", "conductor"):
        asking: Any = kind(click.Group(), {}, program, f"_{program.upper()}_COMPLETE")
        scripts.append(asking.source_template % asking.source_vars())
    text = "".join(scripts)
    if as_json:
        out.data({"shell": shell, "script": text, "hint": HINT[shell]})
        return
    out.raw(text)
    if sys.stdout.isatty():
        out.note(HINT[shell])

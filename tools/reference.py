"""Writes `docs/reference/`: commands, configuration and effects, out of the code itself.

Invariant: nothing is described here that the code does not say; a test of the hygiene folder fails
when a page is not what this would write.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

import orch
from orch.api import records
from orch.api.jobs import firing_record, job_record
from orch.api.sessions import session_record
from orch.api.tasks import line_of, record_of
from orch.cli.app import COMMANDS, cli
from orch.config.schema import schema
from orch.config.tree import NAMED, SECTIONS
from orch.model.attempt import Attempt
from orch.model.effect import Effect
from orch.model.job import Firing, Job
from orch.model.pull import PullRequest
from orch.model.repo import Repo
from orch.model.run import Run
from orch.model.session import Note, Session
from orch.model.step import Step
from orch.model.task import Task
from orch.model.ticket import Ticket
from orch.model.worktree import TreeState, Worktree
from orch.store.memory import MemoryStore

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "reference"
MADE = "Made by `tools/reference.py`: `.venv/bin/python -m tools.reference`."
COMMON = ("--json", "--quiet", "--no-color", "--no-input", "--help")

SHAPES = {
    "run": "[run](#run); with `--dry-run` `{workflow, repo, issue, agent, params, effects,"
    " registers}`",
    "service start": "`{running, pid, version}`; with `--dry-run` `{would}`",
    "service stop": "`{stopped, pid, attempts_live}`: the ids of attempts that are left at work",
    "service restart": "`{running, pid, version}`; with `--dry-run` `{would}`",
    "service status": "`{running, pid, version, uptime_s, tasks, attempts_live, next_jobs}`",
    "service install": "`{path, text, next}`: the file, and the commands that use it",
    "service uninstall": "`{path, next}`",
    "events": "one `{seq, at, kind, v, actor, cause, repo, task, run, step, data}` a line; or"
    " `{resync}`",
    "log": "one `{at, level, name, message, …}` a line",
    "ps": "array of [run](#run)",
    "show": "[run](#run)",
    "logs": "array of `{attempt, stream, text}`; with `--actions` as `watch` has them",
    "stop": "[run](#run); with `--dry-run` `{run, would}`",
    "resume": "[run](#run), or an array of them without a RUN",
    "inbox list": "array of `{id, kind, text, command, run, task, repo, agent, since, tool, input,"
    " options}`",
    "inbox approve": "`{id, kind, run, decision}`",
    "inbox deny": "`{id, kind, run, decision}`",
    "inbox answer": "`{id, kind, run, decision}`",
    "gate list": "array of `{run, gate, question}`",
    "gate approve": "`{run, gate, decision, text}`",
    "gate reject": "`{run, gate, decision, text}`",
    "gate answer": "`{run, gate, decision, text}`",
    "issue create": "[ticket](#ticket); with `--dry-run` `{title, body, labels, repo}`",
    "issue list": "array of [ticket](#ticket)",
    "issue show": "[ticket](#ticket)",
    "issue resolve": "[ticket](#ticket)",
    "tickets list": "array of [ticket](#ticket)",
    "tickets show": "[ticket](#ticket); with `--raw` the tracker's own answer",
    "tickets sync": "array of `{source, seen, news, open, tasks, error, hint}`",
    "tickets stats": "array of `{source, open, closed, gone, tasks, done, unwritten}`",
    "repo sources add": "a source with `lacks`; with `--dry-run` `{name, ...}` its table",
    "repo sources list": "array of sources: `{name, kind, repo, project, base_url, start, label,"
    " write, tickets, open, synced_at, due_at, error, config}`",
    "repo sources remove": "`{name, tickets, tasks}`",
    "webhook add": "`{source, url, file, rotated, made, place, why, events, where}`; with `--dry-run`"
    " `{source, url, file}`",
    "webhook list": "array of `{source, kind, secrets, last, waiting, refused, last_refused,"
    " silent}`; with `--deliveries` of `{source, id, event, state, received_at, error, hints}`",
    "webhook test": "`{source, way, url, delivery, state}`",
    "webhook replay": "`{replayed, asked}`: deliveries as `list` has them; by source how many were"
    " asked for again, or why none",
    "tickets link": "[ticket](#ticket)",
    "tickets unlink": "[ticket](#ticket)",
    "repo add": "[repository](#repository)",
    "repo list": "array of [repository](#repository)",
    "worktree create": "[worktree](#worktree)",
    "worktree list": "array of [worktree](#worktree)",
    "pr list": "array of [pull request](#pull-request)",
    "attach": "`{run, attempt, terminal, command}`; `command` is the argv that would join it",
    "send": "`{run, attempt, delivered, proof, reason, message, hint, bytes}`; `reason` is a code",
    "watch": "one object a line: `{type: snapshot, seq, run}` first, then `{type: event, …}`,"
    " `{type: action, attempt, name, kind, tool, text}` and `{type: output, …}`",
    "worktree delete": "`{repo, slug, branch, path, status, risk, ignored, saved, restore,"
    " branch_kept}`; `ignored` are the ignored paths that are not kept;"
    " `restore` is the command that brings it back",
    "worktree restore": "[worktree](#worktree)",
    "worktree trash": "array of `{id, repo, slug, branch, ref, commit, changed, tip, saved_at, until,"
    " restore}`",
    "worktree push": "`{slug, branch, commit, remote, dirty, status}`",
    "worktree pr": "[pull request](#pull-request)",
    "worktree adopt": "[worktree](#worktree)",
    "worktree show": "[worktree](#worktree) with `risk`, `run_status`, `pr` and `trash`",
    "env list": "array of [worktree](#worktree) with `run_status` and `ended_at`",
    "env cleanup": "`{removed, kept, purged}`; `removed` as `worktree delete` has it, `kept` with"
    " `reason`",
    "repo show": "[repository](#repository) with `status, worktrees, live_runs, trash, is_clone`",
    "repo remove": "`{slug, local_path, status, clone_deleted, trash}`",
    "pr show": "[pull request](#pull-request) with `checks` and `warning`",
    "pr diff": "`{repo, number, diff}`; with `--stat` array of `{path, added, removed}`",
    "pr merge": "[pull request](#pull-request) with `branch_deleted, branch_kept, behind`",
    "pr close": "[pull request](#pull-request)",
    "pr reopen": "[pull request](#pull-request)",
    "pr checks": "array of `{name, state, url, summary, at}`",
    "pr check": "`{name, state, url, summary, at, head_sha}`",
    "template list": "array of `{name, origin, state, summary, parameters, path, problem}`",
    "template show": "`{name, origin, path, sha256, text}`",
    "template new": "`{name, path, from, written}`",
    "template render": "`{path, text}`",
    "trust": "`{repo, directory, digest, at, by, files, changes, trusted}`; with `--list` array of"
    " the first six and `state`",
    "validate": "array of `{file, line, column, level, code, message, hint}`",
    "serve": "`{ready, pid}` once it works the queue; with `--webhooks` also `{webhooks}`",
    "task add": "[task line](#task-line)",
    "task list": "array of [task line](#task-line)",
    "task get": "[task](#task)",
    "task status": "`{STATE: number, …}`; with a number a [task line](#task-line)",
    "task retry": "[task line](#task-line)",
    "task unblock": "array of [task line](#task-line)",
    "task close": "[task line](#task-line)",
    "task tree": "[task line](#task-line) with `children`, each of the same shape; without a number"
    " an array of them",
    "task route": "`{task, status, agent, model, complexity, by, reason, chosen, until, refused}`",
    "task run": "[run](#run)",
    "task attach": "as `attach`",
    "task live": "array of `{attempt, task, title, run, repo, agent, role, terminal, status, since,"
    " seconds}`",
    "task kill": "as `stop --agent`",
    "task publish": "[task line](#task-line) with `issue`",
    "task cost": "as `cost`",
    "task sidecar": "the notes, or the value of the one that is named",
    "task move": "[task line](#task-line)",
    "agents": "array of `{name, kind, configured, installed, found, program, version, proven,"
    " signed_in, problem, fix, capabilities: {stream, resume, messages, cost, tool_rules, sandbox,"
    " limits}, runs, cooling_until, cooling_why, paused_why, attempts, live, succeeded, failed,"
    " success_rate, average_s, tokens_in, tokens_out, usd, usd_unknown, tokens_unknown}`",
    "cost": "`{task or run, by, since, total, rows}`; sums are `{attempts, live, tokens_in,"
    " tokens_out, usd, seconds, usd_unknown, tokens_unknown}`",
    "stream": "one `{type, attempt, task, run, agent, …}` a line; `type` is `started`,"
    " `action` (as `watch` has it), `output` (with `stream` and `text`) or `ended` (with `status`,"
    " `code` and `message`)",
    "context": "`{task, sections, text, bytes}`; a section is `{name, text}`",
    "parse": "`{agent, status, summary, accomplished, remaining, files, learnings, delegations,"
    " session_id, usage: {tokens_in, tokens_out, cached_in, usd}, duration_ms, model,"
    " permission_denials, repaired, failure}`; `failure` is null or `{class, message, retry_at,"
    " model}`",
    "api": "array of `{host, credential, spent_today, requests_today, reserve, held_until, asked_at,"
    " resources}`; a resource is `{name, limit, left, kept, resets_at}`",
    "cooldown list": "array of `{subject, until, why, failures, vendor}`",
    "cooldown clear": "array of subjects",
    "job add": "[job](#job)",
    "job list": "array of [job](#job)",
    "job remove": "`{id, removed}`",
    "job enable": "[job](#job)",
    "job disable": "[job](#job)",
    "job tick": "array of `{job, slot, outcome, task, reason, exit_code, output, next}`",
    "job runs": "array of [firing](#firing)",
    "cron": "`{expression, zone, at, since, due, slot, next[]}`",
    "session start": "[session](#session)",
    "session note": "[session](#session)",
    "session end": "[session](#session)",
    "session list": "array of [session](#session)",
    "session show": "[session](#session) with `worktrees`, `runs` and `timeline`",
    "demo": "a report: what was played and what is left to look at",
    "config list": "array of `{key, value, file, line}`; `line` is 0 where there is none",
    "config get": "`{key, value, file, line}`, or an array of them for a table",
    "config explain": "`{key, value, file, line, hides}`; `hides` an array of `{value, file, line}`",
    "config set": "`{key, file, changed, dry_run}`",
    "config unset": "`{key, file, changed, dry_run}`",
    "config validate": "array of `{file, ok, error}`",
    "config schema": "the JSON Schema itself, with or without `--json`",
    "config paths": "array of `{name, path, exists}`",
    "completion": "`{shell, script, hint}`",
    "init": "`{file, text, repo}`; with `--dry-run` also `would`",
    "metrics": "array of `{name, labels, value, kind, help}`",
    "doctor": "array of `{name, ok, message, fix}`; with `--report` `{report}`",
    "version": "`{version, python}`",
}
"""By command; what is linked is one of `examples()`."""
UNDESCRIBED: frozenset[str] = frozenset()
"""Commands whose shape nobody has written down yet. Only ever gets shorter."""
_NAMES = {
    str: "text", int: "number", float: "number", bool: "true or false", list: "array",
    tuple: "array", dict: "object", type(None): "object or null",
}  # fmt: skip


def examples() -> dict[str, dict[str, Any]]:
    """One record of each kind, by its name."""
    repo = Repo(
        slug="", local_path="", common_dir="", pinned_dir="", workspace_dir="", default_branch=""
    )
    tree = Worktree(repo="", name="", branch="", path="", base_branch="", base_commit="")
    run = Run(
        id="", workflow="", status="done", repo="", task=1, entry="", issue=Ticket(id="", title="")
    )
    step = Step(run="", path="", kind="", request=b"", status="confirmed")
    attempt = Attempt(
        id="",
        run="",
        path="",
        n=1,
        role="work",
        agent="",
        status="running",
        name="",
        terminal="",
        directory="",
    )
    pull = PullRequest(repo="", number=1, url="", state="", head="", base="", title="")
    task = Task(id=1, title="", state="new")
    job = Job(id="", title="", schedule="@daily")
    firing = Firing(job="", slot=0, at=0.0, outcome="fired")
    session = Session(id=1, name="", started_at=0.0, first_seq=1, notes=(Note(0.0, ""),))
    store = MemoryStore(now=lambda: 0.0)
    return {
        "run": records.run_record(store, run, driven=False),
        "step": records.step_record(step),
        "attempt": records.attempt_record(attempt),
        "ticket": records.ticket_record(Ticket(id="", title="")),
        "repository": records.repo_record(repo),
        "worktree": records.worktree_record(tree, TreeState(head="", branch="")),
        "pull request": records.pull_record(pull),
        "session": session_record(session),
        "task line": line_of(task, ""),
        "task": record_of(store, task, ""),
        "job": job_record(job, 0.0),
        "firing": firing_record(firing),
    }


def kind_of(value: Any) -> str:
    """A value's type in plain words."""
    return _NAMES[type(value)]


def leaves() -> Iterator[tuple[str, click.Context, click.Command]]:
    """Every command that does something, by its words."""
    top = click.Context(cli, info_name="orch", **cli.context_settings)
    for name in COMMANDS:
        found = cli.get_command(top, name)
        assert found is not None
        yield from _below(name, click.Context(found, info_name=name, parent=top), found)


def _below(
    words: str, context: click.Context, command: click.Command
) -> Iterator[tuple[str, click.Context, click.Command]]:
    if not isinstance(command, click.Group):
        yield words, context, command
        return
    for inner in command.list_commands(context):
        verb = command.get_command(context, inner)
        assert verb is not None
        below = click.Context(verb, info_name=inner, parent=context)
        yield from _below(f"{words} {inner}", below, verb)


def commands() -> str:
    lines = [
        "# Commands", "", MADE, "",
        "Every command takes `--json`, `--quiet`, `--no-color`, `--no-input` and `--help`. With",
        "`--json` an error is `{error: {code, message, hint, data}}` on standard output; keys are",
        "only ever added. Exit codes: `orch help exit-codes`.", "",
    ]  # fmt: skip
    for words, context, command in leaves():
        lines += [f"## orch {words}", "", *_plain(command.help or ""), ""]
        usage = " ".join(command.collect_usage_pieces(context))
        lines += ["```", f"orch {words} {usage}".rstrip(), "```", ""]
        options = [row for row in _options(command, context) if row]
        if options:
            lines += ["| option | |", "|---|---|", *options, ""]
        lines += ["Examples:", "", "```", *_examples(command), "```", ""]
        if words in SHAPES:
            lines += [f"JSON: {SHAPES[words]}.", ""]
    lines += ["# Records", ""]
    for name, record in examples().items():
        lines += [f"## {name}", "", "| key | |", "|---|---|"]
        lines += [f"| `{key}` | {kind_of(value)} |" for key, value in record.items()]
        lines += [""]
    return "\n".join(lines)


def _plain(text: str) -> list[str]:
    return inspect.cleandoc(text).replace("\b", "").strip().splitlines()


def _examples(command: click.Command) -> list[str]:
    said = (command.epilog or "").partition("Examples:\n")[2]
    return [line.strip() for line in said.splitlines() if line.strip()]


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    for option in command.get_params(context):
        if not isinstance(option, click.Option) or option.hidden or set(option.opts) & {*COMMON}:
            continue
        words = ", ".join(f"`{word}`" for word in (*option.opts, *option.secondary_opts))
        value = "" if option.is_flag else f" {_value(option, context)}"
        yield f"| {words}{value} | {option.help} |".replace("  ", " ")


def _value(option: click.Option, context: click.Context) -> str:
    if isinstance(option.type, click.Choice):
        return " ".join(f"`{word}`" for word in option.type.choices)
    return option.metavar or option.type.name.upper()


def configuration() -> str:
    made = schema()["properties"]
    lines = [
        "# Configuration",
        "",
        MADE,
        "",
        "`<home>/config.toml`; what a repository's `.orch.toml`",
    ]
    lines += [
        "may say of it: `orch help config`. `orch config explain KEY` tells what is in force.",
        "",
    ]
    for name in (*SECTIONS, *NAMED):
        named = name in NAMED
        table = made[name]["additionalProperties"] if named else made[name]
        lines += [f"## [{name}{'.NAME' if named else ''}]", "", table["description"], ""]
        if named:
            lines += [made[name]["description"], ""]
        lines += ["| key | value | built in |", "|---|---|---|"]
        for key, said in table["properties"].items():
            default = msgspec.json.encode(said["default"]).decode()
            lines.append(f"| `{key}` | {_kind(said)} | `{default}` |")
        lines.append("")
    return "\n".join(lines)


def _kind(said: dict[str, Any]) -> str:
    """A value's schema in words."""
    if "enum" in said:
        return " or ".join(f'`"{word}"`' for word in said["enum"])
    if "anyOf" in said:
        return " or ".join(_kind(each) for each in said["anyOf"])
    words = {
        "array": "a list", "object": "a table", "string": "a text", "boolean": "true or false",
    }  # fmt: skip
    what = words.get(
        said["type"], f"a {said['type']}" if said["type"] == "number" else "a whole number"
    )
    if said["type"] == "array" and "type" in said.get("items", {}):
        what += f" of {'texts' if said['items']['type'] == 'string' else 'tables'}"
    low = said.get("minimum", said.get("exclusiveMinimum"))
    if low is not None:
        what += f" {'from' if 'minimum' in said else 'above'} {low} to {said['maximum']}"
    more = said.get("description", "")
    return f"{what}. {more}".rstrip() if more else what


def effects() -> str:
    lines = ["# Effects", "", MADE, "", "What a workflow may ask for: `from orch import …`.", ""]
    for name in sorted(orch.__all__):
        found = getattr(orch, name)
        if not (isinstance(found, type) and issubclass(found, Effect)) or found is Effect:
            continue
        lines += [f"## {name}", "", *_plain(found.__doc__ or ""), ""]
        fields = msgspec.structs.fields(found)
        if not fields:
            continue
        lines += ["| field | type | default |", "|---|---|---|"]
        hints = found.__annotations__
        for field in fields:
            hint = str(hints.get(field.name, "")).replace("|", "\\|")
            lines.append(f"| `{field.name}` | `{hint}` | {_default(field)} |")
        lines.append("")
    return "\n".join(lines)


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.required:
        return "needed"
    if field.default is not msgspec.NODEFAULT:
        return f"`{field.default!r}`"
    assert callable(field.default_factory)
    return f"`{field.default_factory()!r}`"


def pages() -> dict[str, str]:
    """File name -> text."""
    made = {"commands.md": commands(), "configuration.md": configuration(), "effects.md": effects()}
    return {name: re.sub(r"\n{3,}", "\n\n", text).strip() + "\n" for name, text in made.items()}


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

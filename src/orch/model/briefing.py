"""What an agent is told about its task beside its prompt: one text, from one function.

Invariant: `brief` alone makes this text, for `orch context` and for an attempt alike; every size is
bounded here; everything that is not ours stands in a quotation (see `quoting`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from orch.model.quoting import Quote, one_line, quoted
from orch.model.task import Task
from orch.model.ticket import Ticket

BODY = 64 * 1024
"""Characters of a task's or ticket's text."""
COMMENTS, COMMENT = 10, 4 * 1024
"""The last comments, and characters of each."""
FILES = {"CLAUDE.md": 16 * 1024, "AGENTS.md": 16 * 1024, "README.md": 4 * 1024}
"""Instructions of the project, and bytes of each."""
TRIES, LEARNINGS, LEARNING = 3, 20, 500
"""The last attempts, learnings of each, characters of one."""
ERROR = 2 * 1024
"""Characters of the last error's output."""
TREE, LOG, LINE = 200, 100, 200
"""Lines of the directory tree and of the log, characters of one."""
RELATIVES = 50


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that has ended: how, what it learned, the end of its error output."""

    n: int
    agent: str
    status: str
    code: str = ""
    message: str = ""
    learnings: tuple[str, ...] = ()
    output: str = ""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a task. `family` is (`parent`, `sibling` or `child`, task); `base` the
    commit that `files` (name, text), `paths` and `log` are read from, empty without a repository."""

    task: Task
    ticket: Ticket | None = None
    comments: tuple[Quote, ...] = ()
    family: tuple[tuple[str, Task], ...] = ()
    tries: tuple[Try, ...] = ()
    base: str = ""
    files: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


class Section(msgspec.Struct, frozen=True):
    """`name` is a word for programs; `text` is Markdown with its own heading."""

    name: str
    text: str


def brief(known: Known) -> tuple[Section, ...]:
    """All sections that have something to say, in the order in which they are read."""
    made = (
        Section("task", _task(known)),
        Section("comments", _comments(known.comments)),
        Section("family", _family(known.family)),
        Section("route", _route(known.task)),
        Section("tries", earlier_tries(known.tries)),
        Section("instructions", _instructions(known)),
        Section("tree", _tree(known.paths)),
        Section("log", _log(known.log)),
    )
    return tuple(section for section in made if section.text)


def whole(sections: Sequence[Section]) -> str:
    return "\n\n".join(section.text for section in sections) + "\n"


def _task(known: Known) -> str:
    task, ticket = known.task, known.ticket
    facts = [f"# Task {task.id}"]
    facts += [f"repository: {task.repo}"] if task.repo else []
    facts += [f"ticket: {one_line(ticket.id, 100)}"] if ticket is not None else []
    facts += [f"labels: {one_line(', '.join(task.labels), 500)}"] if task.labels else []
    facts += [f"asked by: {one_line(task.source, 100)}"] if task.source else []
    words = f"{task.title}\n\n{task.body}" if task.body else task.title
    facts += ["", quoted(Quote(what="the task", text=words, author=task.source), BODY)]
    if ticket is not None:
        told = Quote(what=f"ticket {ticket.id}", text=f"{ticket.title}\n\n{ticket.body}",
                     at=ticket.created)  # fmt: skip
        facts += ["", quoted(told, BODY)]
    return "\n".join(facts)


def _comments(comments: Sequence[Quote]) -> str:
    if not comments:
        return ""
    shown = [quoted(comment, COMMENT) for comment in comments[-COMMENTS:]]
    return "\n\n".join(["## Comments, oldest first", *shown])


def _family(family: Sequence[tuple[str, Task]]) -> str:
    if not family:
        return ""
    lines = [
        f"{relation} {task.id} ({task.state}): {one_line(task.title, LINE)}"
        + (f" ({one_line(task.reason, LINE)})" if task.reason else "")
        for relation, task in family[:RELATIVES]
    ]
    told = Quote(what="tasks around this one", text="\n".join(lines))
    return f"## Tasks around this one\n\n{quoted(told, RELATIVES * 3 * LINE)}"


def _route(task: Task) -> str:
    profile = task.profile
    lines = [f"complexity: {task.complexity}"] if task.complexity else []
    if profile is not None:
        given = {
            "role": profile.role, "skills": ", ".join(profile.skills),
            "tools": ", ".join(profile.tools), "constraints": "; ".join(profile.constraints),
        }  # fmt: skip
        lines += [f"{name}: {one_line(text, 1000)}" for name, text in given.items() if text]
    return "\n".join(["## How to work", *lines]) if lines else ""


def earlier_tries(tries: Sequence[Try]) -> str:
    """What earlier attempts learned, and how the last one ended; empty for a first attempt."""
    if not tries:
        return ""
    parts = ["## Earlier attempts (the worktree is as they left it)"]
    for one in tries[-TRIES:]:
        ending = one_line(one.message, ERROR) or one.status
        code = f" [{one.code}]" if one.code else ""
        heading = f"attempt {one.n} of {one_line(one.agent, 50)}: {one.status}"
        words = [f"ended: {ending}{code}"]
        words += [f"learned: {one_line(text, LEARNING)}" for text in one.learnings[:LEARNINGS]]
        limit = 2 * ERROR + LEARNINGS * (LEARNING + 20)
        parts.append(quoted(Quote(what=heading, text="\n".join(words)), limit))
    if tries[-1].output:
        told = Quote(what="the end of the last error output", text=tries[-1].output[-ERROR:])
        parts.append(quoted(told, ERROR))
    return "\n\n".join(parts)


def _instructions(known: Known) -> str:
    if not known.files:
        return ""
    parts = [f"## What the project says (at {known.base[:12]})"]
    for name, text in known.files:
        parts.append(quoted(Quote(what=f"{name} of {known.task.repo}", text=text), FILES[name]))
    return "\n\n".join(parts)


def _tree(paths: Sequence[str]) -> str:
    if not paths:
        return ""
    told = Quote(what="files of the base branch", text="\n".join(tree_lines(paths, TREE)))
    return f"## Files\n\n{quoted(told, TREE * (LINE + 1))}"


def _log(log: Sequence[str]) -> str:
    if not log:
        return ""
    lines = "\n".join(one_line(line, LINE) for line in log[:LOG])
    return f"## Last commits\n\n{quoted(Quote(what='git log', text=lines), LOG * (LINE + 1))}"


def tree_lines(paths: Sequence[str], limit: int) -> list[str]:
    """`paths` in at most `limit` lines: folders are opened level by level as long as there is room,
    a closed one says how many files it holds."""
    inside: dict[str, dict[str, int]] = {"": {}}
    for path in paths:
        parts = path.split("/")
        for depth in range(len(parts)):
            folder = "/".join(parts[:depth])
            ending = "/" if depth < len(parts) - 1 else ""
            entry = "/".join(parts[: depth + 1]) + ending
            held = inside.setdefault(folder, {})
            held[entry] = held.get(entry, 0) + 1
    opened, lines = {""}, len(inside[""])
    waiting = [entry[:-1] for entry in inside[""] if entry.endswith("/")]
    while waiting:
        folder = waiting.pop(0)
        if lines - 1 + len(inside[folder]) <= limit:
            opened.add(folder)
            lines += len(inside[folder]) - 1
            waiting += [entry[:-1] for entry in inside[folder] if entry.endswith("/")]
    shown = [one_line(line, LINE) for line in _listed(inside, opened, "")]
    return (
        shown if len(shown) <= limit else [*shown[: limit - 1], f"[{len(shown) - limit + 1} more]"]
    )


def _listed(inside: dict[str, dict[str, int]], opened: set[str], folder: str) -> Iterator[str]:
    for entry, count in inside[folder].items():
        if not entry.endswith("/"):
            yield entry
        elif entry[:-1] in opened:
            yield from _listed(inside, opened, entry[:-1])
        else:
            yield f"{entry} ({count} file{'s' if count > 1 else ''})"

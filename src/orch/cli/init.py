"""`orch init`: a configuration to begin with, for this home or for a repository.

Invariant: a file that is there is never touched; what is written was read as configuration before.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orch.cli.options import dry, examples, may_ask, output, shared
from orch.cli.words import Verb
from orch.model.errors import Conflict

if TYPE_CHECKING:
    from orch.cli.output import Output


@click.command(
    cls=Verb,
    epilog=examples(
        "orch init", "orch init --repo ~/src/thing",
        'orch init --repo . --test-command "make test" --max-parallel 2',
    ),
)  # fmt: skip
@click.option(
    "--repo", type=click.Path(path_type=Path, file_okay=False, exists=True), metavar="PATH",
    help="Write PATH/.orch.toml and register the repository.",
)  # fmt: skip
@click.option("--agent", default="", help="The agent that works unless another one is asked for.")
@click.option("--base-branch", default="", help="With --repo: where work begins and lands.")
@click.option("--test-command", default="", help="With --repo: what has to pass.")
@click.option(
    "--max-parallel", type=click.IntRange(min=1), default=None,
    help="How many tasks are at work at once (with --repo: of this one).",
)  # fmt: skip
@dry
@shared
def init(
    repo: Path | None, agent: str, base_branch: str, test_command: str, max_parallel: int | None,
    dry_run: bool, as_json: bool, quiet: bool, no_color: bool,
) -> None:  # fmt: skip
    """Write a commented configuration: config.toml in this home, or .orch.toml in a repository.

    In a terminal it asks for what no option says. A file that is there is left alone.
    """
    from orch.api.beginning import of_home, of_repository, register, write
    from orch.compose import open_unchecked, person

    out = output(as_json, quiet, no_color)
    orch = open_unchecked(os.environ, Path.cwd(), person=person(os.environ))
    click.get_current_context().call_on_close(orch.close)
    if may_ask() and not quiet:
        agent = agent or _asked("Agent", "")
        if repo is not None:
            test_command = test_command or _asked("Command that tests a change", "")
    if repo is not None:
        file, text = of_repository(
            orch, repo.resolve(), agent=agent, base_branch=base_branch, test_command=test_command,
            max_parallel=max_parallel or 0,
        )  # fmt: skip
    else:
        path = os.environ.get("PATH", os.defpath)
        file, text = of_home(orch, agent=agent, max_parallel=max_parallel or 0, path=path)
    if os.path.lexists(file):
        raise Conflict(
            f"{file} is there already; it was left as it is", code="config_exists",
            hint="orch config" if repo is None else f"edit {file}",
        )  # fmt: skip
    record: dict[str, Any] = {"file": str(file), "text": text, "repo": None}
    if not dry_run:
        if repo is not None:
            record["repo"] = register(orch, repo.resolve())
        write(file, text, private=repo is None)
    _tell(record, out, dry_run=dry_run)


def _asked(question: str, default: str) -> str:
    answer: str = click.prompt(question, default=default, show_default=bool(default), err=True)
    return answer.strip()


def _tell(record: dict[str, Any], out: Output, *, dry_run: bool) -> None:
    if out.json:
        out.data({**record, **({"would": "init"} if dry_run else {})})
    elif dry_run and not out.quiet:
        out.line(record["text"].rstrip("\n"))
        out.note(f"would write {record['file']}")
    else:
        out.line(record["file"] if out.quiet else f"wrote {record['file']}")
        if not out.quiet:
            if record["repo"]:
                out.line(f"registered {record['repo']}")
            out.note("look: orch doctor")

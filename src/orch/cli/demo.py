"""`orch demo`: the main job, whole and offline, in a throwaway place.

Invariant: uses the very commands that people use, in a temporary home of its own, and claims nothing
that it has not looked at; ends with 1 when anything is not as it should be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from orch.cli.options import examples, output, shared
from orch.cli.output import Output
from orch.cli.words import Verb
from orch.model.errors import OrchError

BROKEN = """\
def add(one, other):
    return one - other
"""
FIXED = BROKEN.replace("one - other", "one + other")
TEST = """\
import unittest

from calculator import add


class AddTest(unittest.TestCase):
    def test_adds(self):
        self.assertEqual(add(2, 3), 5)


if __name__ == "__main__":
    unittest.main()
"""
MORE = """\
import unittest

from calculator import add


class MoreAddTest(unittest.TestCase):
    def test_adds_nothing(self):
        self.assertEqual(add(7, 0), 7)

    def test_adds_below_zero(self):
        self.assertEqual(add(-2, -3), -5)
"""
TICKET = """\
`add(2, 3)` gives -1. It should give 5.

Mend `calculator.py` and leave a test behind for each case.
"""


@click.command(cls=Verb, epilog=examples("orch demo", "orch demo --no-keep"))
@click.option("--keep/--no-keep", default=True, help="Keep the throwaway place to look around.")
@shared
def demo(keep: bool, as_json: bool, quiet: bool, no_color: bool) -> int:
    """Play the main job: a failing test, a ticket, two agents in parallel worktrees, a merge, a
    green test, a push, a pull request. Offline, with scripted agents, in under 20 seconds."""
    out = output(as_json, quiet, no_color)
    place = Path(tempfile.mkdtemp(prefix="orch-demo-"))
    try:
        report = _play(_Stage(place, out), out)
    finally:
        if not keep:
            import shutil

            shutil.rmtree(place, ignore_errors=True)
    if as_json:
        out.data(report)
    elif keep:
        _where_to_look(report, out)
    return 0 if report["ok"] else 1


class _Stage:
    """The throwaway place, and how commands are run in it."""

    def __init__(self, place: Path, out: Output) -> None:
        self.place = place
        self.home = place / "home"
        self.repo = place / "calculator"
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "ORCH_"))},
            "HOME": str(place), "ORCH_HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Demo", "GIT_AUTHOR_EMAIL": "demo@localhost",
            "GIT_COMMITTER_NAME": "Demo", "GIT_COMMITTER_EMAIL": "demo@localhost",
        }  # fmt: skip
        self._out = out

    def orch(self, *words: str, watch: bool = False) -> Any:
        """Run an orch command in this place; its JSON answer. `watch` shows its narration."""
        shown = " ".join(f"'{w}'" if set(w) & set(' {}"$') else w for w in words)
        self._out.note(f"\n$ orch {shown}" if not self._out.quiet else "")
        argv = [sys.executable, "-m", "orch", *words, "--json", *(() if watch else ("--quiet",))]
        if self._out.quiet and watch:
            argv.append("--quiet")
        done = subprocess.run(
            argv, cwd=self.place, env=self.environ, stdout=subprocess.PIPE, text=True, check=False
        )
        answer = json.loads(done.stdout or "null")
        if (
            done.returncode
            and isinstance(answer, dict)
            and "error" in answer
            and "id" not in answer
        ):
            raise OrchError(answer["error"]["message"], code="demo_failed", hint="orch doctor")
        return answer

    def python(self, *words: str, where: Path) -> int:
        """Run the throwaway project's tests; their exit code."""
        argv = [sys.executable, "-B", *words]
        done = subprocess.run(argv, cwd=where, env=self.environ, capture_output=True, check=False)
        return done.returncode


def _play(stage: _Stage, out: Output) -> dict[str, Any]:
    from orch.compose import make_sample

    out.note(f"a throwaway place: {stage.place}")
    files = {"calculator.py": BROKEN, "test_calculator.py": TEST, ".gitignore": "__pycache__/\n"}
    make_sample(stage.repo, stage.place / "remote.git", files, stage.environ)
    tests = ("-m", "unittest", "-q")
    red = stage.python(*tests, where=stage.repo)
    out.note(f"the repository's test fails, as it should at this point: exit code {red}")
    _configure(stage)
    added = stage.orch("repo", "add", str(stage.repo))
    out.note(f"  {added['slug']} (default branch {added['default_branch']})")
    issue = stage.orch("issue", "create", "Mend add()", "--body", TICKET, "--labels", "bug")
    out.note(f"  {issue['id']}: {issue['title']}")
    params = {
        "impl_agent": "impl", "test_agent": "tests",
        "test_command": [sys.executable, "-B", *tests],
    }  # fmt: skip
    run = stage.orch(
        "run", "multi_agent", "--issue", issue["id"], "--params", json.dumps(params), watch=True
    )
    return _checked(stage, run, red, out)


def _configure(stage: _Stage) -> None:
    """Two scripted agents: one mends, one writes tests."""
    scripts = {
        "impl": [
            {"say": "reading the ticket"}, {"wait": {"seconds": 0.8}},
            {"write": {"path": "calculator.py", "text": FIXED}}, {"say": "add() adds now"},
        ],
        "tests": [
            {"say": "reading the ticket"}, {"wait": {"seconds": 0.5}},
            {"write": {"path": "test_more.py", "text": MORE}}, {"say": "two more cases"},
        ],
    }  # fmt: skip
    stage.home.mkdir(mode=0o700, exist_ok=True)
    lines = []
    for name, script in scripts.items():
        path = stage.home / f"{name}.json"
        path.write_text(json.dumps(script), encoding="utf-8")
        lines.append(f'[agents.{name}]\nkind = "scripted"\nscript = {json.dumps(str(path))}\n')
    config = stage.home / "config.toml"
    config.write_text("\n".join(lines), encoding="utf-8")
    config.chmod(0o600)


def _checked(stage: _Stage, run: dict[str, Any], red: int, out: Output) -> dict[str, Any]:
    """Look at everything that is claimed, with other eyes than the run's."""
    from orch.compose import remote_has

    pull: dict[str, Any] = run["prs"][0] if run.get("prs") else {}
    listed = stage.orch("worktree", "list")
    for item in listed:
        out.note(f"  {item['branch']}  {item['status']}, {item['ahead']} ahead")
    merged = next((w for w in listed if w["branch"] == pull.get("head")), None)
    green = stage.python("-m", "unittest", "-q", where=Path(merged["path"])) if merged else -1
    pushed = bool(pull) and remote_has(stage.place / "remote.git", pull["head"], stage.environ)
    claims = {
        "the test failed before": red != 0,
        "the run is done": run.get("status") == "done",
        "two agents worked": sum(a["role"] == "work" for a in run.get("attempts", ())) == 2,
        "the test passes on the merged work": green == 0,
        "the branch is on the remote": pushed,
        "there is one open pull request": pull.get("state") == "open",
    }
    out.note("")
    for claim, kept in claims.items():
        out.note(f"{'ok  ' if kept else 'FAIL'}  {claim}")
    return {
        "ok": all(claims.values()), "claims": claims, "place": str(stage.place),
        "home": str(stage.home), "run": run.get("id"), "pr": pull or None,
        "worktree": merged["path"] if merged else None,
    }  # fmt: skip


def _where_to_look(report: dict[str, Any], out: Output) -> None:
    program = Path(sys.argv[0]).name if Path(sys.argv[0]).name in ("orch", "conductor") else "orch"
    command = sys.argv[0] if os.sep in sys.argv[0] else program
    if command.endswith("__main__.py"):
        command = f"{sys.executable} -m orch"
    out.line("\nLook around (these work as they stand):")
    for words in ("show @", "logs @", "pr list", "worktree list"):
        out.line(f"  ORCH_HOME={report['home']} {command} {words}")
    if report["worktree"]:
        out.line(f"  git -C {report['worktree']} log --oneline --graph")
    out.line("\nOn a repository of your own:")
    out.line(f"  {command} repo add ~/src/thing")
    out.line(f'  {command} issue create "Add a --json flag" --body @spec.md')
    out.line("  add to ~/.orch/config.toml:")
    out.line("    [agents.claude]")
    out.line('    kind = "claude"')
    out.line(f"  {command} run basic_pr --issue ISSUE-001")
    out.line(f"\nThrow it away: rm -r {report['place']}")

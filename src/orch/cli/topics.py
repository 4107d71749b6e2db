"""`orch help [COMMAND|TOPIC]`."""

from __future__ import annotations

import click

from orch.cli.options import examples, output
from orch.cli.words import Verb, unknown_word

TOPICS = {
    "exit-codes": """\
0    done
1    the operation failed
2    usage or configuration
3    not found
4    sign-in needed
5    conflicting state
6    waits for a human
7    budget or limit
8    daemon unreachable
9    an external tool failed (git, tmux, disk)
124  timeout
130  interrupted (Ctrl-C: detached, agents go on)""",
    "environment": """\
ORCH_HOME       where everything lives (default ~/.orch; CONDUCTOR_HOME is understood)
NO_COLOR        no colours
ORCH_DEBUG      tracebacks of faults
An agent gets PATH HOME USER SHELL LANG LC_* TERM TZ, what its configuration names, and
ORCH_PROMPT_FILE ORCH_RESULT_FILE ORCH_RUN ORCH_TASK ORCH_ATTEMPT; for a queued task also
ORCH_CONTEXT_FILE (see orch context). Nothing else.""",
    "files": """\
config.toml         the configuration          vault/ISSUE-NNN.md  the issues
orch.db             the books (SQLite)         repos/              clones
worktrees/          worktrees of runs          attempts/<id>/      prompt, output, exit file
forge/              pull request records       run/                lock and tmux socket
workflows/          workflows of your own      trust/              repositories' trusted ones
All below ORCH_HOME. In a repository, .orch.toml may narrow the configuration.""",
    "hooks": """\
Executable files in ORCH_HOME/hooks, yours and writable by nobody else, run when something happens;
what happened comes as JSON on their standard input. At most [hooks] timeout_s (30) seconds each.
  on_service_start on_service_stop on_task_created on_task_routed on_task_started
  on_worktree_created on_agent_session_start on_agent_session_end on_branch_pushed on_pr_created
  on_task_completed on_task_blocked on_task_failed on_job_fired
In order, each event until it was dealt with, also those of the last 24 hours without a service.
In config.toml:
  [notify]          level = "all" | "errors" | "none"
  [[notify.hooks]]  on = "task.*, run.failed", run = ["PROGRAM"] | url = "https://..." (headers,
                    timeout_ms) | desktop = true; within repo, workflow, branch
  [[rules]]         on = "pr.merged", when = { repo = "thing", label = "bug" },
                    do = "task" | "plan" | "notify", title = "After {{branch}}" ...""",
    "config": """\
[defaults]  workflow, agent, base_branch, install_dependencies = "auto" | "never"
[agents.NAME]  command = ["PROGRAM", "ARG"], reply = "diff" | "text" | "result", io, env, pass_env,
            timeout_s, kind = "command" | "scripted" | a plugin's with options = { ... }
[run]       lost_attempts, cancel_deadline_s, advance_deadline_s, stop_grace_s, min_free_mb
[care]      min_free_memory_mb, max_processes, keep_events_days, keep_events,
            keep_attempts_days, keep_folders_days, keep_log_mb, cleanup, cleanup_after_days
[metrics]   port
[git]       name, email        [trust]  repos = ["SLUG"]
[worktree]  copy = ["*.env"], link = ["node_modules/"]: ignored files for new worktrees""",
    "workflows": """\
See `orch help effects`: a workflow is a Python file with a function made by @do.
  orch run ./flow.py --issue 1            runs its `workflow` or `main`
  orch run ./flow.py:ship --repo thing    runs the function `ship`
Templates: orch template list (orch run NAME). Arguments: --params '{"name": "value"}'.""",
    "effects": """\
CreateWorktree RunAgent RunCommand MergeBranches Commit Push CreatePR Gate Log Now Random, and Gather
to run several at once. A workflow is a Python file:
  from orch import do, CreateWorktree, RunAgent, CreatePR
  @do
  def workflow(issue):
      env = yield CreateWorktree(issue=issue)
      yield RunAgent(env=env, prompt=issue.body)
      return (yield CreatePR(env=env, title=issue.title))""",
}


@click.command(
    "help", cls=Verb, epilog=examples("orch help", "orch help issue create", "orch help exit-codes")
)
@click.argument("words", nargs=-1)
def show_help(words: tuple[str, ...]) -> None:
    """Explain a command or a topic: exit-codes, environment, files, config, effects."""
    from orch.cli.app import COMMANDS, cli

    out = output(False, False, True)
    if not words:
        context = click.Context(cli, info_name="orch", **cli.context_settings)
        out.raw(cli.get_help(context) + "\n\nTopics (orch help TOPIC): " + ", ".join(TOPICS) + "\n")
        return
    if words[0] in TOPICS:
        out.raw(TOPICS[words[0]] + "\n")
        return
    context = click.Context(cli, info_name="orch", **cli.context_settings)
    command: click.Command | None = cli
    for word in words:
        if not isinstance(command, click.Group):
            break
        known = list(command.list_commands(context))
        if word not in known:
            raise unknown_word("topic", word, [*COMMANDS, *TOPICS], "orch help")
        command = command.get_command(context, word)
        assert command is not None
        context = click.Context(command, info_name=word, parent=context)
    assert command is not None
    out.raw(command.get_help(context) + "\n")

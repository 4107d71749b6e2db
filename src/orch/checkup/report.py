"""A report to paste into an issue: what was looked at, without what is nobody's business.

Invariant: no home directory, user or host name, no token, no URL with a password is in it. What looks
like a secret is one: rather a mask too many.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence

from orch._version import __version__
from orch.checkup.look import Check

MASK = "***"
_SHORTEST = 6  # of a secret's text in the environment: shorter ones are words like "true"
_SECRET_NAME = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|_KEY$|CREDENTIAL|AUTH", re.IGNORECASE)
_URL = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE)
_PARAMETER = re.compile(
    r"((?:token|secret|passw(?:or)?d|api[_-]?key|access[_-]?key|auth|signature|sig)[\"']?\s*[=:]\s*[\"']?)"
    r"[^\s&\"',;]+",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_TOKENS = re.compile(
    r"\b(?:gh[pousr]_|github_pat_|glpat-|sk-|pk-|rk_|xox[abeprs]-|AKIA|ASIA|AIza|ya29\.|npm_|pypi-|hf_"
    r"|dop_v1_|lin_api_|ATATT)[A-Za-z0-9_.-]{6,}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*"
)


def report(checks: Sequence[Check], environ: Mapping[str, str], *, home: str, person: str) -> str:
    """Markdown. `home` is Orch's home, `person` the user's name."""
    lines = [
        f"### orch {__version__}, Python {platform.python_version()}, {platform.platform()}",
        "",
    ]
    for check in checks:
        mark = "ok" if check.ok else "FAIL"
        lines.append(f"- {mark} **{check.name}**: {check.message}")
        if not check.ok and check.fix:
            lines.append(f"  - fix: {check.fix}")
    hidden = Hidden(environ, home=home, person=person, host=platform.node())
    return hidden.cleaned("\n".join(lines)) + "\n"


class Hidden:
    """What must not be told of this machine and this person."""

    def __init__(self, environ: Mapping[str, str], *, home: str, person: str, host: str) -> None:
        self._secrets = sorted(
            {
                value
                for name, value in environ.items()
                if _SECRET_NAME.search(name) and len(value) >= _SHORTEST
            },
            key=len,
            reverse=True,
        )
        places = {home: "$ORCH_HOME", environ.get("HOME", ""): "~"}
        self._places = {place: word for place, word in places.items() if len(place) > 1}
        words = {person: "USER", environ.get("USER", ""): "USER", host: "HOST"}
        self._words = {word: mask for word, mask in words.items() if len(word) > 1}

    def cleaned(self, text: str) -> str:
        """`text` with masks in place of all of it."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        text = _URL.sub(rf"\1{MASK}@", text)
        text = _BEARER.sub(rf"\1 {MASK}", text)
        text = _TOKENS.sub(MASK, _PARAMETER.sub(rf"\1{MASK}", text))
        for place in sorted(self._places, key=len, reverse=True):
            text = re.sub(rf"{re.escape(place)}(?![\w.-])", self._places[place], text)
        for word, mask in self._words.items():
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", mask, text)
        return text

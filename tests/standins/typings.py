"""What others have written down of the services' answers, as TypeScript.

The clients `@gitbeaker/core` (GitLab), `gitea-js` (made of Gitea's own description) and `@linear/sdk`
(made of Linear's own schema).

Invariant: pinned; read as text, nothing of them is run.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.real.parts import _npm
from tests.standins import fetched

PACKAGES = {
    "gitlab": ("@gitbeaker/core", "43.8.0", "index.d.ts"),
    "gitea": ("gitea-js", "1.23.0", "index.d.ts"),
    "linear": ("@linear/sdk", "98.0.0", "index-*.d.mts"),
}
_MEMBER = re.compile(r"^(?:  |    )(?:readonly )?['\"]?(\w+)['\"]?\??(?:\(|:)", re.MULTILINE)


class Typings:
    """The interfaces of one package. Raises `NotInstalled`."""

    def __init__(self, service: str) -> None:
        package, version, pattern = PACKAGES[service]

        def install(place: Path) -> None:
            _npm(place, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--no-save",
                 "--fetch-retries", "2", "--fetch-timeout", "30000", "--omit=peer",
                 "--prefix", str(place), f"{package}@{version}")  # fmt: skip

        place = fetched._fetched(f"{service}-types-{version}", install)
        (path,) = (place / "node_modules" / package / "dist").glob(pattern)
        self.text = path.read_text("utf-8")

    def fields(self, name: str) -> set[str]:
        """The names of an interface's members, with those of what it extends; empty for none."""
        match = re.search(
            rf"^(?:export )?(?:declare )?(?:interface|type) {name}\b([^{{\n]*)\{{\n(.*?)^\}}",
            self.text,
            re.MULTILINE | re.DOTALL | re.IGNORECASE,
        )
        if match is None:
            return set()
        parents = re.findall(r"\b[A-Z]\w+", match[1].replace("Omit", "").replace("Record", ""))
        found = set(_MEMBER.findall(match[2]))
        return found.union(*(self.fields(one) for one in parents))

"""Check the licences of everything installed here: what Orch needs at run time, and its tools.

Invariant: a distribution whose licence cannot be read off its metadata fails the check, by name;
nothing passes by being unclear. Exit code 1 and one line per offender.
"""

import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "orch-conductor"
FOR_DEVELOPERS = {"dev", "testing"}
"""Extras of Orch's own developers, and of those who write plugins for it."""

# What users get with Orch may be used by anybody in anything.
PERMISSIVE = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "MIT-0",
    "PSF-2.0",
    "Python-2.0",
    "Unlicense",
    "Zlib",
    "any-OSI",  # apsw: the reader picks any licence approved by the OSI
}
# Tools of the developers may also have file-level copyleft.
FOR_TOOLS = PERMISSIVE | {"MPL-2.0"}

# Words that projects use instead of SPDX names.
SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD3": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}


# The terms of a licence, white space apart: some ship their text and say nothing in their fields.
TERMS = {"09ae9bf1886f530f7338889ef805f37b288ec6adedd1e1e32058921acf05a782": "Apache-2.0"}
END_OF_TERMS = "END OF TERMS AND CONDITIONS"


def shipped(distribution: metadata.Distribution) -> str:
    """The licence by the text that is shipped, which has to be all of a known one; else empty."""
    for path in distribution.files or []:
        if path.parent.name == "licenses" and path.name.upper().startswith(("LICENSE", "LICENCE")):
            terms, _, _ = path.read_text("utf-8").partition(END_OF_TERMS)
            found = TERMS.get(hashlib.sha256(" ".join(terms.split()).encode()).hexdigest(), "")
            if found:
                return found
    return ""


def declared(fields: metadata.PackageMetadata) -> str:
    """The licence as an SPDX expression, or the project's own words, or an empty text.

    The expression field wins (PEP 639), then a short licence field, then the classifiers.
    """
    if "License-Expression" in fields:
        return fields["License-Expression"]
    text = fields["License"].strip() if "License" in fields else ""
    if text and "\n" not in text and len(text) < 60:
        return SPDX.get(text, text)
    classifiers = [str(line).split(" :: ") for line in fields.get_all("Classifier") or []]
    names = [parts[-1] for parts in classifiers if parts[:2] == ["License", "OSI Approved"]]
    return " AND ".join(SPDX.get(name, name) for name in names)


def is_allowed(expression: str, allowed: set[str]) -> bool:
    """Whether an SPDX expression holds; every AND term needs one of its OR terms in `allowed`."""
    if not expression:
        return False
    flat = re.sub(r"\s+WITH\s+\S+", "", expression.replace("(", " ").replace(")", " "))
    return all(
        any(term.strip() in allowed for term in part.split(" OR ")) for part in flat.split(" AND ")
    )


def needed_at_run_time(name: str) -> set[str]:
    """Canonical names of the installed distributions that `name` and its extras for users need."""
    found: set[str] = set()
    own_extras = metadata.metadata(name).get_all("Provides-Extra") or []
    todo = [(name, frozenset(own_extras) - FOR_DEVELOPERS)]
    while todo:
        current, extras = todo.pop()
        try:
            requirements = metadata.requires(current) or []
        except metadata.PackageNotFoundError:
            continue  # of an extra that is not installed, so there is nothing to look at
        for text in requirements:
            need = Requirement(text)
            settings = [{"extra": extra} for extra in extras or {""}]
            if need.marker and not any(need.marker.evaluate(each) for each in settings):
                continue
            key = canonicalize_name(need.name)
            if key not in found:
                found.add(key)
                todo.append((key, frozenset(need.extras)))
    return found


def offenders(distributions: Iterable[metadata.Distribution], runtime: set[str]) -> Iterator[str]:
    """One sentence for each distribution whose licence does not allow what we do with it."""
    for distribution in distributions:
        name = canonicalize_name(distribution.metadata["Name"])
        licence = declared(distribution.metadata) or shipped(distribution)
        allowed = PERMISSIVE if name in runtime else FOR_TOOLS
        if name != PROJECT and not is_allowed(licence, allowed):
            use = "needed at run time" if name in runtime else "a tool"
            yield f"{name} {distribution.version} ({use}): licence {licence or 'unknown'!r}"


def main() -> int:
    """Check this environment; 0 when every licence is on the list."""
    bad = sorted(offenders(metadata.distributions(), needed_at_run_time(PROJECT)))
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

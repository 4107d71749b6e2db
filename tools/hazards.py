"""Writes `docs/hazards.md`: what goes wrong in systems like this, and the test that stands for it.

A test names its hazard as `H17` in its docstring or `h17` in its name. A test of the hygiene folder
fails when a hazard of this release has neither a test nor a later feature that brings it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HAZARDS = {
    1: "output that cannot be read is never success",
    2: "an empty answer is a failure, exit 0 or not",
    3: "a limit told with exit 0 is seen",
    4: "an error envelope outranks exit 0",
    5: "a result may be a text or an object",
    6: "one list of fields makes prompt and parser",
    7: "words of the agent's own work are not classified",
    8: "the error field is classified by itself",
    9: "a word alone is no error",
    10: "a completed end outranks noise on the way",
    11: "people get a sentence, not a slice of JSON",
    12: "unknown status words are named unknown",
    13: "the most specific failure wins over order",
    14: "a program that waits for a person is noticed",
    15: "no passphrase prompt can block a run",
    16: "prompts travel in files",
    17: "texts are cut on characters",
    18: "exit codes and schema decide, not phrases",
    19: "the last complete block counts",
    20: "small slips in JSON are repaired and noted",
    21: "a status is written before the start, guarded by what it was",
    22: "what waits for a person is never run by itself",
    23: "results are collected before anything is judged stuck",
    24: "one canonical name of a repository",
    25: "a route is cleared with the state it belongs to",
    26: "a retry keeps the worktree and what was done",
    27: "a hang is a failure of its agent and cools it",
    28: "silence on a screen kills nobody",
    29: "signs of life belong to one attempt",
    30: "a suspended machine is not a silent agent",
    31: "all agents cooling is a wait and burns no attempt",
    32: "what waits is told once",
    33: "cron means what cron means",
    34: "one declared zone for a schedule",
    35: "one bad thing holds up none of the others",
    36: "a new job counts from its creation",
    37: "a slot is taken before its job runs",
    38: "only work that goes on holds back a job",
    39: "a slot is taken once, whoever looks",
    40: "a job carries its repository",
    41: "parents go on by links of our own",
    42: "our own voice is no input; one comment is one task",
    43: "commands count only from those who may, in plain text",
    44: "only allowed people start agents",
    45: "a pull request is no issue",
    46: "an environment failure is not tried again",
    47: "the identical error ends a step",
    48: "a batch spreads over the agents",
    49: "what was chosen before is no evidence",
    50: "a cooled model is not offered",
    51: "one success does not hide a broken model",
    52: "a failed refresh counts as tried",
    53: "every skip leaves a reason",
    54: "names carry the repository and the run",
    55: "identity is a record, never read from a name",
    56: "worktree first, then branch; proof before deletion",
    57: "what exists only here is never deleted",
    58: "flagged as cleaned only after full success",
    59: "a reused branch name is not the old branch",
    60: "merged is found by head branch, on all pages",
    61: "every state that is not final is reconciled",
    62: "a closed ticket with an open PR keeps its worktree",
    63: "unpushed is judged against remote or base",
    64: "the effective base is stored",
    65: "a remote with an empty name is refused",
    66: "untracked files do not make a checkout dirty",
    67: "names cannot become options",
    68: "refs are full, a tag is no branch",
    69: "nothing to commit is success",
    70: "a conflict changes nothing and names the files",
    71: "the base is resolved before anything is made",
    72: "tool state stays out of commits",
    73: "what is contained already is skipped",
    74: "nobody else's worktree is touched",
    75: "no change is final",
    76: "state is the guard of a review, no flag",
    77: "approval holds for its commit",
    78: "a conflict is rebased, and not for ever",
    79: "waiting for a check has an end that survives a restart",
    85: "writes are transactions or renames",
    86: "migrations are whole; newer schemas are refused",
    87: "not found and broken are different errors",
    88: "unknown keys survive a change",
    89: "one owner, fenced by an epoch; ends once",
    90: "a recycled pid is not alive",
    97: "nothing slow stands in a loop's way",
    98: "the environment is explicit",
    99: "tests touch nothing outside their folder",
    100: "no half file is ever visible",
    101: "a resumed run has its own workspaces",
    102: "branches run in parallel",
    103: "every turn of a loop has its own key",
    104: "liveness is checked before a follow-up",
    105: "damage stops with file and line",
    106: "final states never change; agents are ended",
    107: "no model is passed that nobody chose",
    108: "a prompt is never typed into an unknown state",
    109: "deadlines belong to the step",
    110: "numbers are monotonic and never reused",
    111: "absent and invalid are different",
    112: "what is left over has an owner and an end",
}
LATER = {
    42: "comments of trackers",
    43: "commands in comments of trackers",
    44: "authors of tickets of trackers",
    45: "trackers of remote services",
    58: "deleting and cleaning worktrees",
    59: "merge detection of forges",
    60: "merge detection of forges",
    61: "merge detection of forges",
    62: "merge detection of forges",
}


def tests_by_hazard() -> dict[int, list[str]]:
    """Hazard number -> files of tests that name it."""
    found: dict[int, set[str]] = {}
    suites = ROOT / "src" / "orch" / "testing"
    for path in sorted([*(ROOT / "tests").rglob("*.py"), *suites.glob("*.py")]):
        text = path.read_text(encoding="utf-8")
        numbers = re.findall(r"\bH(\d{1,3})\b|(?<=_)h(\d{1,3})_", text)
        for pair in numbers:
            found.setdefault(int(pair[0] or pair[1]), set()).add(str(path.relative_to(ROOT)))
    return {number: sorted(files) for number, files in found.items()}


def uncovered() -> list[int]:
    """Hazards of this release without a test and without a later feature."""
    tested = tests_by_hazard()
    return [number for number in HAZARDS if number not in tested and number not in LATER]


def document() -> str:
    tested = tests_by_hazard()
    lines = [
        "# Hazards",
        "",
        "What really went wrong in systems like this one, as the behaviour that is right, and the",
        "tests that hold us to it. Made by `tools/hazards.py`.",
        "",
        "| hazard | right behaviour | tests |",
        "|---|---|---|",
    ]
    for number, words in HAZARDS.items():
        files = ", ".join(f"`{file.removeprefix('tests/')}`" for file in tested.get(number, []))
        where = files or f"comes with: {LATER[number]}"
        lines.append(f"| H{number} | {words} | {where} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (ROOT / "docs" / "hazards.md").write_text(document(), encoding="utf-8")
    sys.exit(1 if uncovered() else 0)

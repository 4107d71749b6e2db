"""What a comment asks for: a command, a mention, or nothing.

Invariant: pure, and total: any text has an answer. Only words that a reader sees, in the writer's own
voice, count: neither code nor quotes, HTML or hidden characters, nor what is folded away or stands in
quotation marks or parentheses, nor a report of our own. Who may speak is decided elsewhere
(`orch.model.strangers`), never here. (SEED-CONTRACT 1B; H42, H43.)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from orch.model import hidden, marks, prose
from orch.model.naming import nearest

COMMANDS: dict[str, str] = {
    "retry": "try it once more",
    "reroute": "give it to another agent: /reroute AGENT, or whoever is chosen anew",
    "close": "end it",
    "block": "stop it until somebody says /unblock: /block REASON",
    "unblock": "let it go on",
    "review": "look at its pull request once more",
    "status": "say how it stands",
    "help": "say what can be said here",
}
"""What can be said, and what it does."""
LONGEST = 65_536
"""Characters of a comment; GitHub takes no more."""
LONGEST_ARGUMENT = 500
_COMMAND = re.compile(r"/([A-Za-z][A-Za-z_-]{0,30})(?:[ \t]+([^\n]*))?[ \t]*\Z")
_REPORT = re.compile(
    r"\b(?:results?\s+from|starting(?:\s+work)?\s+on)\s+task\s+#?\d", re.IGNORECASE
)
_FOLD = re.compile(r"<(/?)details\b", re.IGNORECASE)
_ASIDES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\([^()]*\)", r"（[^（）]*）", r"“[^“”]*”", r"„[^„“”]*[“”]", r"«[^«»]*»", r"‘[^‘’]*’",
        r"(?<!\w)\"[^\"]*\"(?!\w)", r"(?<![\w'])'[^'\n]*'(?![\w'])",
    )
)  # fmt: skip
_DEEPEST = 4
"""Parentheses within parentheses that are looked into."""
_GONE = "\ufffc"
"""Stands for each character that is not the writer's own word. No word boundary."""


class Asked(msgspec.Struct, frozen=True, tag="command"):
    """A command as it was written; `name` is one of `COMMANDS`."""

    name: str
    argument: str = ""


class Mention(msgspec.Struct, frozen=True, tag="mention"):
    """We were spoken to; `text` is the whole comment as a reader sees it."""

    text: str


class Nothing(msgspec.Struct, frozen=True, tag="nothing"):
    """Nothing for us, and why. `near`: the command that an unknown one (`unknown`) may mean."""

    why: str
    unknown: str = ""
    near: str = ""


Spoken = Asked | Mention | Nothing


def spoken(body: str, *, names: tuple[str, ...] = ("orch",)) -> Spoken:
    """What the comment asks for. `names` are our login and the words that mean us, without `@`."""
    if len(body) > LONGEST:
        return Nothing("it is longer than any comment")
    if marks.own_voice(body):
        return Nothing("it is a tool's own voice")
    text = hidden.shown(body).text
    blocks = prose.blocks(text)
    if blocks is None:
        return Nothing("it cannot be taken apart")
    said = _said(blocks)
    unknown = ""
    for block in said:
        if any(holder != "underlined" for holder in block.within):
            continue  # a list of what could be said, a heading: nobody's order
        for name, argument in _lines(block):
            if name in COMMANDS:
                return Asked(name, argument)
            unknown = unknown or name
    if any(_speaks_to(block, names) for block in said):
        return Mention(text.strip())
    if unknown and len(said) == 1 and "\n" not in said[0].content:
        near = nearest(unknown, list(COMMANDS))
        return Nothing(f"there is no /{unknown}", unknown, near[0] if near else "")
    return Nothing("it does not speak to us")


def _said(blocks: Sequence[prose.Block]) -> list[prose.Block]:
    """The paragraphs that are neither quoted nor folded away by `<details>`."""
    found, folds = [], 0
    for block in blocks:
        tags = "" if block.within else _tags(block)
        before, folds = folds, _folds(tags, folds)
        own = block.kind == "prose" and "quote" not in block.within
        if own and not before and not _FOLD.search(tags):
            found.append(block)
    return found


def _tags(block: prose.Block) -> str:
    if block.kind == "html":
        return block.content
    if block.kind != "prose" or "<" not in block.content:
        return ""
    spans = prose.spans(block.content)
    return "".join(block.content[one.start : one.end] for one in spans if one.kind == "tag")


def _folds(tags: str, depth: int) -> int:
    """How many folds are open behind the tags."""
    for found in _FOLD.finditer(tags):
        depth = max(0, depth + (-1 if found[1] else 1))
    return depth


def _lines(block: prose.Block) -> list[tuple[str, str]]:
    """The lines that begin with a command, outside of code: (name, argument)."""
    found = []
    masked = _without_spans(block.content).split("\n")
    for plain, line in zip(masked, block.content.split("\n"), strict=True):
        match = _COMMAND.match(line.strip(" \t")) if plain.lstrip(" \t").startswith("/") else None
        if match is not None:
            argument = " ".join((match[2] or "").split())
            found.append((match[1].lower(), argument[:LONGEST_ARGUMENT]))
    return found


def _without_spans(content: str) -> str:
    """As long as the content, with code, tags and comments blotted out."""
    made, done = [], 0
    for span in prose.spans(content):
        piece = content[span.start : span.end]
        made += [content[done : span.start], re.sub(r"[^\n]", _GONE, piece)]
        done = span.end
    return "".join([*made, content[done:]])


def own_words(content: str) -> str:
    """As long as the content, without what is quoted in it or put in parentheses."""
    text = _without_spans(content)
    for _ in range(_DEEPEST):
        before = text
        for aside in _ASIDES:
            text = aside.sub(lambda found: _GONE * len(found[0]), text)
        if text == before:
            break
    return text


def _speaks_to(block: prose.Block, names: tuple[str, ...]) -> bool:
    words = "|".join(re.escape(name.removeprefix("@")) for name in names if name.strip("@"))
    text = own_words(block.content)
    if not words or _REPORT.search(text):
        return False
    mention = rf"(?<![\w@/.`+-])@(?:{words})(?![\w/@-]|\.\w)"
    return re.search(mention, text, re.IGNORECASE) is not None

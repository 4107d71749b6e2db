"""What a person does not see in a text is not told to an agent: comments, invisible characters, marks
that reorder, attributes of tags, definitions that nothing uses.

Invariant: what is left is what a rendered page shows (`shown(shown(x).text)` removes nothing more).
Code keeps what stands in it, but no invisible characters. Emoji, and scripts that are written from
right to left or need joiners, stay readable. Where a text cannot be taken apart, more is removed
rather than less. (RELIABILITY §2, 2; every rule is about Unicode's own categories and UTS #51.)
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

import msgspec

from orch.model import prose

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_PLAIN = re.compile(r"[\t\n\x20-\x7e]*\Z")
_ODD = re.compile(r"[^\t\n\x20-\x7e]")
_FLAG = re.compile("\U0001f3f4(?:\U000e0067\U000e0062)"
                   "(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
                   "|\U000e0077\U000e006c\U000e0073)\U000e007f")  # fmt: skip
"""England, Scotland, Wales: the only emoji that are written with tag characters."""
_VISIBLE_FORMATS = frozenset("\u06dd\u070f\u08e2\U000110bd\U000110cd") | frozenset(
    map(chr, (*range(0x0600, 0x0606), *range(0x0890, 0x0892), *range(0x13430, 0x13440)))
)
_BLANKS = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2065\u3164\uffa0"
)
"""Shown as nothing, though they are no format characters."""
_JOINERS = "\u200c\u200d"
_JOINED = ((0x0600, 0x08FF), (0x0900, 0x0DFF), (0x1000, 0x109F), (0x1780, 0x18AF),
           (0xA840, 0xA87F), (0xFB50, 0xFDFF), (0xFE70, 0xFEFC), (0x10A00, 0x10AFF),
           (0x11000, 0x11FFF))  # fmt: skip
"""Scripts in which a joiner changes what is read: Arabic, Syriac, those of India, Mongolian."""
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)|<\?.*?(?:\?>|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)", re.DOTALL)
_TAG = re.compile(
    r"<([A-Za-z][A-Za-z0-9-]*)\b(?:\"[^\"]{0,2000}\"|'[^']{0,2000}'|[^<>\"']){0,4000}>"
)
_ATTRIBUTE = re.compile(r"([^\s\"'=<>/]+)\s*(?:=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+))?")
_KEPT = frozenset(
    {"href", "src", "width", "height", "align", "colspan", "rowspan", "open", "start"}
)
"""Attributes that change what is seen or where it leads."""
_BRACKETS = re.compile(r"\[([^\[\]\n]{1,999})\]")
ROUNDS = 4


class Shown(msgspec.Struct, frozen=True):
    """`removed` counts characters; `what` says of which kinds (`comments`, `invisible`, ...)."""

    text: str
    removed: int = 0
    what: tuple[tuple[str, int], ...] = ()

    @property
    def note(self) -> str:
        """One line for whoever reads the text; empty where nothing was removed."""
        if not self.removed:
            return ""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.what)
        plural = "s" if self.removed != 1 else ""
        return f"{self.removed} hidden character{plural} removed ({kinds})"


def shown(text: str) -> Shown:
    """What a person sees of Markdown text."""
    counts: Counter[str] = Counter()
    text = visible(text, counts)
    for _ in range(ROUNDS):
        found = visible(_without_markup(text, counts), counts)
        if found == text:
            break
        text = found
    else:
        text = visible(_by_force(text, counts), counts)
    return Shown(text, sum(counts.values()), tuple(sorted(counts.items())))


def visible(text: str, counts: Counter[str] | None = None) -> str:
    """Text without characters that nobody sees, line ends as newlines; not read as Markdown.
    `counts` gets what was removed."""
    counts = Counter() if counts is None else counts
    if _PLAIN.match(text):
        return text
    text = re.sub("\r\n|[\r\x85\u2028\u2029]", "\n", text)
    kept = _ESCAPES.sub("", text)
    if kept != text:
        counts["control"] += len(text) - len(kept)
    flags = {found.start(): found.end() for found in _FLAG.finditer(kept)}
    made: list[str] = []
    done, last = 0, ""
    for found in _ODD.finditer(kept):
        place = found.start()
        if place < done:
            continue
        if place > done:
            made.append(kept[done:place])
            last = kept[place - 1]
        done = flags.get(place, place + 1)
        kind = "" if place in flags else _kind(kept, place, last)
        if kind:
            counts[kind] += 1
        else:
            made.append(kept[place:done])
            last = kept[done - 1]
    made.append(kept[done:])
    return "".join(made)


def _kind(text: str, place: int, last: str) -> str:
    """Why the character there is not shown; empty for one that is. `last` is what was kept last."""
    char = text[place]
    code, category = ord(char), unicodedata.category(char)
    if 0xE0000 <= code <= 0xE0FFF:
        return "selectors" if 0xE0100 <= code <= 0xE01EF else "tags"
    if 0xFE00 <= code <= 0xFE0F:
        return "" if code >= 0xFE0E and _may_be_emoji(last) else "selectors"
    if char in _JOINERS:
        return "" if _joins(last, text[place + 1 : place + 2]) else "invisible"
    if char in "\u061c\u200e\u200f" or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069:
        return "bidi"
    if char in _BLANKS:
        return "invisible"
    if category == "Cf":
        return "" if char in _VISIBLE_FORMATS else "invisible"
    if category in ("Cc", "Cs") or code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF:
        return "control"
    return ""


def _may_be_emoji(char: str) -> bool:
    return char != "" and (char in "#*0123456789©®‼⁉™" or _pictorial(char))


def _pictorial(char: str) -> bool:
    return unicodedata.category(char) in ("So", "Sm") or 0x1F3FB <= ord(char) <= 0x1F3FF


def _joins(before: str, after: str) -> bool:
    if not before or not after:
        return False
    if (_pictorial(before) or before == "\ufe0f") and _pictorial(after):
        return True
    return _in_joined_script(before) and _in_joined_script(after)


def _in_joined_script(char: str) -> bool:
    code = ord(char)
    return unicodedata.category(char)[0] in "LM" and any(
        low <= code <= high for low, high in _JOINED
    )


# --- what Markdown and HTML hide


def _without_markup(text: str, counts: Counter[str]) -> str:
    if "<" not in text and "[" not in text:
        return text
    blocks = prose.blocks(text)
    if blocks is None:
        return _by_force(text, counts)
    lines = text.split("\n")
    for block in _unused(blocks, text):
        for number in range(block.first, min(block.end, len(lines))):
            counts["definitions"] += len(lines[number])
            lines[number] = ""
    for block in blocks:
        if "<" not in block.content:
            continue
        if block.kind in ("html", "cells"):
            _clean_lines(lines, block, counts)
        elif block.kind == "prose":
            _clean_spans(lines, block, counts)
    return "\n".join(lines)


def _unused(blocks: list[prose.Block], text: str) -> list[prose.Block]:
    """Definitions that no link of the text uses: a way to write what nobody sees."""
    defined = [block for block in blocks if block.kind == "definition"]
    if not defined:
        return []
    used = Counter(_label(found[1]) for found in _BRACKETS.finditer(text))
    own = Counter(_label(block.content) for block in defined)
    return [block for block in defined
            if used[_label(block.content)] <= own[_label(block.content)]]  # fmt: skip


def _label(text: str) -> str:
    return " ".join(text.split()).casefold()


def _clean_lines(lines: list[str], block: prose.Block, counts: Counter[str]) -> None:
    """Everything that is hidden in these lines, code or not."""
    end = min(block.end, len(lines))
    whole = "\n".join(lines[block.first : end])
    lines[block.first : end] = _kept_lines(whole, _raw(whole, counts))


def _kept_lines(before: str, after: str) -> list[str]:
    """As many lines as there were: the places of other blocks stay what they are."""
    made = after.split("\n")
    return made + [""] * (before.count("\n") + 1 - len(made))


def _clean_spans(lines: list[str], block: prose.Block, counts: Counter[str]) -> None:
    """Comments and attributes of a block of prose; its code stays."""
    found = prose.spans(block.content)
    if not any(span.kind in ("comment", "tag", "unsure") for span in found):
        return
    places = prose.places(lines, block)
    if places is None or any(span.kind == "unsure" for span in found):
        _clean_lines(lines, block, counts)
        return
    made, done = [], 0
    for span in found:
        piece = block.content[span.start : span.end]
        if span.kind == "comment":
            new = " " + "\n" * piece.count("\n")
            counts["comments"] += len(piece)
        elif span.kind == "tag":
            new = _bare(piece, counts)
        else:
            continue
        made += [block.content[done : span.start], new]
        done = span.end
    made.append(block.content[done:])
    for (number, start, stop), line in zip(places, "".join(made).split("\n"), strict=True):
        lines[number] = lines[number][:start] + line + lines[number][stop:]


def _bare(tag: str, counts: Counter[str]) -> str:
    """A tag with the attributes that are seen; the same lines."""
    if tag.startswith("</"):
        return tag
    name = re.match(r"<([A-Za-z][A-Za-z0-9-]*)", tag)
    if name is None:
        return tag
    inner = tag[name.end() : -1].rstrip("/")
    kept = [
        f"{one[1].lower()}={one[2]}" if one[2] else one[1].lower()
        for one in _ATTRIBUTE.finditer(inner) if one[1].lower() in _KEPT
    ]  # fmt: skip
    dropped = [one[0] for one in _ATTRIBUTE.finditer(inner) if one[1].lower() not in _KEPT]
    if not dropped:
        return tag
    counts["attributes"] += sum(map(len, dropped))
    made = " ".join([f"<{name[1]}", *kept]) + (" />" if tag.endswith("/>") else ">")
    return made + "\n" * (tag.count("\n") - made.count("\n"))


def _raw(text: str, counts: Counter[str]) -> str:
    """Without comments and unseen attributes, wherever they stand; as many lines."""

    def gone(found: re.Match[str]) -> str:
        counts["comments"] += len(found[0])
        return " " + "\n" * found[0].count("\n")

    text = _COMMENT.sub(gone, text)
    return _TAG.sub(lambda found: _bare(found[0], counts), text)


def _by_force(text: str, counts: Counter[str]) -> str:
    """For what hides anew whenever something is taken away, or cannot be taken apart."""
    return re.sub(r"<(?=[!?])", "&lt;", _raw(text, counts))

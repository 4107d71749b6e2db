"""What an agent asks to have written outward, made fit to be: pull requests, comments, tickets,
commit messages.

Invariant: it names nobody and touches no ticket but the task's own; it holds no secret that we can
tell, no mark of ours, nothing that is hidden or loads by itself; it is not longer than its place
allows. Applied where an effect is carried out, never in workflow code, and applying it again changes
nothing. (RELIABILITY §2, 3 and 28; docs/adr/0020-hidden-and-outward-text.md.)
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from orch.model import hidden, leaks, prose

LONGEST_TITLE = 1_000
"""Characters; what a forge takes less of, its adapter cuts."""
LONGEST_BODY = 60_000
"""Characters; GitHub takes 65,536, and a mark is still to be added."""
LONGEST_MESSAGE = 20_000
MOST_LABELS = 20
BREAK = "\u200b"
"""Between the sign and the word that it would make a mention or a reference."""
_MARK = re.compile(r"<!--\s{0,20}orch:[^>]{0,400}>?|<!--\s{0,20}orch:", re.IGNORECASE)
_URL = re.compile(r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s<>\"'`\\)\]}|]{1,2000}")
_WWW = re.compile(r"(?<![\w./@:-])www\.[^\s<>\"'`\\)\]}|]{1,2000}", re.IGNORECASE)
_AFTER_URL = ".,;:!?*_~"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#|~!@&])")
_TARGET = re.compile(r"\](?=\(\s{0,20}(<[^<>\n]{0,2000}>|[^\s)]{0,2000}))")
_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?:[^/?#@]*@)?(\[[^\]]*\]|[^/?#:]*)")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]{2,31});")
_SPELLED = frozenset("@#!-_.~/ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_TAGS = re.compile(r"<(?=/?[A-Za-z])")
_HARMLESS = re.compile(
    r"</?(?:details|summary|br|hr|b|i|em|strong|code|pre|kbd|sub|sup|p|ul|ol|li|table|thead|tbody|tr"
    r"|td|th|del|ins|blockquote|h[1-6])(?:\s+(?:open|align|colspan|rowspan|start)(?:=[\"']?\w+[\"']?)?)*"
    r"\s*/?>",
    re.IGNORECASE,
)
_MENTION = re.compile(r"(?<![A-Za-z0-9_/@])@(?=[A-Za-z0-9_\[~-])")
_JIRA = re.compile(r"\[~(?=[A-Za-z0-9:_-]{1,200}\])")
_REFERENCE = re.compile(
    r"(?P<place>(?<![\w/.-])[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_./-]{1,200})?(?P<sign>[#!])(?P<number>\d{1,10})(?!\w)"
)
_GH = re.compile(r"\b(GH)-(\d{1,10})\b", re.IGNORECASE)
_TICKET = re.compile(
    r"/(?:issues?|pulls?|merge_requests|discussions|work_items|browse)/([^\s?#]*)", re.IGNORECASE
)
_ORDER = re.compile(r"^([ \t]{0,3}(?:[-*+>][ \t]+){0,5})/(?=[A-Za-z])", re.MULTILINE)
_LABEL = re.compile(r"\w[\w .:/+&()'-]{0,49}")
_SKIP = re.compile(r"\[(skip ci|ci skip|no ci|skip actions|actions skip)\]", re.IGNORECASE)
_TRAILER = re.compile(
    r"^([ \t]*(?:orch-[a-z-]{1,40}|co-authored-by|signed-off-by|skip-checks|on-behalf-of))"
    r"(?=[ \t]*:)",
    re.IGNORECASE | re.MULTILINE,
)
_DRAWN = re.compile(
    r"^([ \t>*+-]{0,40}(?:`{3,}|~{3,})[ \t]*)(?:mermaid|geojson|topojson|stl|math|suggestion)\b",
    re.IGNORECASE | re.MULTILINE,
)
"""Fences whose text forges draw, load or offer to commit."""
_SMART = re.compile(r"(?<=[ \t])#(?=[a-z])")
_KEYED = re.compile(r"\b[A-Z][A-Z0-9]{1,20}-\d{1,10}\b")


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """`own` are the task's own ticket and pull requests as their numbers or keys (`12`, `PROJ-12`);
    `hosts` those that links may lead to; `known` values that must never be seen outside."""

    own: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


class Outward(msgspec.Struct, frozen=True):
    """`changed` says what was done to the text, by kind: `secrets`, `hidden`, `links`, `mentions`,
    `references`, `orders`, `marks`, `cut`."""

    text: str
    changed: dict[str, int] = {}

    @property
    def told(self) -> str:
        """One phrase for the books; empty where nothing was changed."""
        return ", ".join(
            f"{_WORDS[kind]} ({count})" for kind, count in sorted(self.changed.items())
        )


_WORDS = {
    "secrets": "secrets redacted", "hidden": "hidden characters removed",
    "links": "links or images taken apart", "mentions": "mentions silenced",
    "references": "references silenced", "orders": "orders to the tracker taken apart",
    "marks": "marks removed", "cut": "characters cut off",
}  # fmt: skip


def body(text: str, bounds: Bounds) -> Outward:
    """Markdown: the text of a pull request, a comment, a ticket."""
    counts: Counter[str] = Counter()
    text = _unmarked(text, counts)
    seen = hidden.shown(text)
    counts["hidden"] += seen.removed
    text = _redacted(_unmarked(seen.text, counts), bounds, counts)
    text = _cut(text, LONGEST_BODY, counts)
    text = _counted(_DRAWN, r"\1text", text, counts, "links")
    text = _outside_code(text, lambda piece: _without_ticks(_ENTITY.sub(_spelled, piece)))
    text = _outside_code(text, lambda piece: _without_tags(piece, counts))
    text = _outside_code(text, lambda piece: _unlinked(piece, bounds, counts))
    fence = "`" * _free_run(text)
    text = _outside_code(text, lambda piece: _as_code(piece, fence, bounds, counts))
    text = _outside_code(text, lambda piece: _orders(_silent(piece, bounds, counts), "\\", counts))
    return Outward(text, +counts)


def title(text: str, bounds: Bounds) -> Outward:
    """One line, not read as Markdown."""
    counts: Counter[str] = Counter()
    text = _plain(text, bounds, counts)
    text = _cut(" ".join(text.split()), LONGEST_TITLE, counts)
    return Outward(_skips(text, counts), +counts)


def line(text: str, bounds: Bounds) -> str:
    """Words of anybody as one line within Markdown of ours, shown to the letter. Addresses that lead
    to `hosts` are links, all others are taken apart."""
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    words = _plain(words, bounds, Counter())
    made, done = [], 0
    for found in _URL.finditer(words):
        url = found[0].rstrip(_AFTER_URL)
        host = _HOST.match(url)
        fits = host is not None and _allowed(url, host[1], bounds)
        cut = url.replace("://", f":{BREAK}//", 1).replace("#", f"#{BREAK}")
        made += [
            _to_the_letter(words[done : found.start()]),
            f"<{url}>" if fits else _to_the_letter(cut),
        ]
        done = found.start() + len(url)
    return "".join([*made, _to_the_letter(words[done:])])


def host_of(url: str) -> str:
    """In small letters, without a port; empty for what has none."""
    found = _HOST.match(url)
    return found[1].lower() if found is not None else ""


def _to_the_letter(words: str) -> str:
    return _MARKUP.sub(r"\\\1", _WWW.sub(lambda at: f"{at[0][:3]}{BREAK}{at[0][3:]}", words))


def message(text: str, bounds: Bounds) -> Outward:
    """A commit message: its trailers are ours."""
    counts: Counter[str] = Counter()
    text = _cut(_plain(text, bounds, counts), LONGEST_MESSAGE, counts)
    text = _orders(_skips(text, counts), BREAK, counts)
    return Outward(_counted(_TRAILER, rf"\1{BREAK}", text, counts, "orders"), +counts)


def labels(words: Sequence[str], bounds: Bounds) -> tuple[str, ...]:
    """Labels that may be put on: of printable characters, not too many, none of those by which we
    say how a task stands."""
    found = [
        leaks.redacted(" ".join(hidden.visible(word).split()), bounds.known)[0] for word in words
    ]
    fit = [
        word for word in found if _LABEL.fullmatch(word) and not word.lower().startswith("status:")
    ]
    return tuple(dict.fromkeys(fit))[:MOST_LABELS]


def _plain(text: str, bounds: Bounds, counts: Counter[str]) -> str:
    found: Counter[str] = Counter()
    text = hidden.visible(_unmarked(text, counts), found)
    counts["hidden"] += found.total()
    text = _redacted(_unmarked(text, counts), bounds, counts)
    text = _URL.sub(lambda url: _broken_ticket(url[0], bounds, counts), text)
    if _KEYED.search(text):
        text = _counted(_SMART, f"#{BREAK}", text, counts, "orders")
    return _silent(text, bounds, counts)


def _skips(text: str, counts: Counter[str]) -> str:
    """Words in brackets that keep checks from being run."""
    return _counted(_SKIP, rf"[{BREAK}\1]", text, counts, "orders")


def _broken_ticket(url: str, bounds: Bounds, counts: Counter[str]) -> str:
    if not _names_ticket(url, bounds):
        return url
    counts["references"] += 1
    return _apart(url)


def _apart(url: str) -> str:
    return url.replace("://", f":{BREAK}//", 1).replace("#", f"#{BREAK}")


def _unmarked(text: str, counts: Counter[str]) -> str:
    """Without marks, also where hidden characters cut them up: only we may make one."""
    return _counted(_MARK, "", text, counts, "marks")


def _redacted(text: str, bounds: Bounds, counts: Counter[str]) -> str:
    text, found = leaks.redacted(text, bounds.known)
    counts["secrets"] += found
    return text


def _cut(text: str, longest: int, counts: Counter[str]) -> str:
    if len(text) <= longest:
        return text
    kept = text[: longest - 40].rstrip()
    counts["cut"] += len(text) - len(kept)
    return f"{kept}…"


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    made, done = [], 0
    for start, end in prose.code_in(text):
        made += [change(text[done:start]), text[start:end]]
        done = end
    return "".join([*made, change(text[done:])])


def _counted(pattern: re.Pattern[str], new: str, text: str, counts: Counter[str], kind: str) -> str:
    text, found = pattern.subn(new, text)
    counts[kind] += found
    return text


# --- links and images


def _spelled(found: re.Match[str]) -> str:
    """A character that may make a name or a reference, written as itself."""
    char = html.unescape(found[0])
    return char if char in _SPELLED else found[0]


def _without_ticks(piece: str) -> str:
    """Backticks that close nothing become words, so that all readers agree on what is code."""
    return re.sub(r"\\.|`", lambda found: "\\`" if found[0] == "`" else found[0], piece, flags=re.S)


def _without_tags(piece: str, counts: Counter[str]) -> str:
    """Tags that only shape text stay, all others become text."""

    def written(found: re.Match[str]) -> str:
        if _HARMLESS.match(piece, found.start(), found.start() + 200):
            return "<"
        counts["links"] += 1
        return "&lt;"

    return _TAGS.sub(written, piece) if "<" in piece else piece


def _unlinked(piece: str, bounds: Bounds, counts: Counter[str]) -> str:
    """Links and images that lead elsewhere are taken apart; what they say stays."""

    def written(found: re.Match[str]) -> str:
        target = html.unescape(found[1]).strip("<>").replace("\\", "")
        if _may_lead_to(target, bounds):
            return found[0]
        counts["links"] += 1
        return "] "

    piece = _TARGET.sub(written, piece)
    return re.sub(
        r"^([ \t]{0,3}(?:>[ \t]?){0,9})\[(?=[^\]\n]{1,999}\]:)", r"\1\\[", piece, flags=re.M
    )


def _may_lead_to(target: str, bounds: Bounds) -> bool:
    target = target.strip()
    if re.match(r"[\\/]{2}", target) or re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", target):
        host = _HOST.match(target)
        return host is not None and _allowed(target, host[1], bounds)
    return True


def _allowed(url: str, host: str, bounds: Bounds) -> bool:
    return (
        url.lower().startswith(("https://", "http://"))
        and host.lower() in bounds.hosts
        and "@" not in url.split("/", 3)[2]
    )


def _free_run(text: str) -> int:
    """A length of a run of backticks that the text does not have."""
    taken = {len(run) for run in re.findall("`+", text)}
    return next(length for length in range(1, len(taken) + 2) if length not in taken)


def _as_code(piece: str, fence: str, bounds: Bounds, counts: Counter[str]) -> str:
    """Addresses that lead elsewhere, and those of other tickets, as code."""

    def written(found: re.Match[str]) -> str:
        url = found[0].rstrip(_AFTER_URL)
        host = _HOST.match(url)
        if host is not None and _allowed(url, host[1], bounds) and not _names_ticket(url, bounds):
            return found[0]
        counts["links"] += 1
        return f"{fence}{url}{fence}{found[0][len(url) :]}"

    return _WWW.sub(written, _URL.sub(written, piece)) if fence else piece


def _names_ticket(url: str, bounds: Bounds) -> bool:
    """Whether a tracker would take an address for a reference to a ticket that is not the task's."""
    return any(
        found[1].rstrip("/" + _AFTER_URL) not in bounds.own for found in _TICKET.finditer(url)
    )


# --- mentions, references, orders


def _silent(piece: str, bounds: Bounds, counts: Counter[str]) -> str:
    def referred(found: re.Match[str]) -> str:
        if found["number"] in bounds.own and not found["place"] and found["sign"] == "#":
            return found[0]
        counts["references"] += 1
        return f"{found['place'] or ''}{found['sign']}{BREAK}{found['number']}"

    def numbered(found: re.Match[str]) -> str:
        if found[2] in bounds.own:
            return found[0]
        counts["references"] += 1
        return f"{found[1]}-{BREAK}{found[2]}"

    piece = _counted(_MENTION, f"@{BREAK}", piece, counts, "mentions")
    piece = _counted(_JIRA, f"[{BREAK}~", piece, counts, "mentions")
    return _GH.sub(numbered, _REFERENCE.sub(referred, piece))


def _orders(piece: str, sign: str, counts: Counter[str]) -> str:
    """Lines that begin with a slash: trackers carry them out, with our rights."""
    return _counted(_ORDER, rf"\1{sign.replace(chr(92), chr(92) * 2)}/", piece, counts, "orders")

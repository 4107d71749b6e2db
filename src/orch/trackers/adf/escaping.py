"""Text, addresses and code as Markdown that reads back as the same characters.

Invariant: what `text` returns is plain text to every CommonMark and GFM reader, at the ends of a
line as well as between marks (no text that it does not know of follows it); `line` makes it so at
the start of a line. GitHub looks for mentions and references after it has read the Markdown, when
escapes are gone, so an empty comment stands behind their first character (github/cmark-gfm#181);
nobody is called and nothing is closed.
"""

from __future__ import annotations

import re
import string

NOTHING = "<!-- -->"
"""Shown by no reader; parts what would be read together."""

BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x1c-\x1f\x85\u2028\u2029]")
_LOST = re.compile("[\x00\ud800-\udfff]")
_SPECIAL = re.compile(
    r"""(?P<always>[\\`\[])
    | (?P<close>\])
    | (?P<star>[*~])
    | (?P<under>_)
    | (?P<tag><(?=[A-Za-z/!?]|\Z))
    | (?P<entity>&(?=\#?\w{1,32};))
    | (?P<bang>!(?=\Z))
    | (?P<scheme>(?:[Hh][Tt][Tt][Pp][Ss]?|[Ff][Tt][Pp]):(?=//))
    | (?P<www>(?<![A-Za-z0-9])[Ww]{3}\.(?=\S))
    | (?P<mention>(?<![\w])@(?=[A-Za-z0-9]))
    | (?P<issue>(?:(?<![\w/.-])[\w.-]+/[\w.-]+|(?<![\w&]))\#(?=\d+(?!\w)))
    | (?P<gh>(?<!\w)[Gg][Hh]-(?=\d))
    """,
    re.VERBOSE,
)
_START = re.compile(r"(#{1,6}|[-+*])(?=[ \t]|$)|>|\d{1,9}(?=[.)](?:[ \t]|$))")
_ENTITY = re.compile(r"&(?=#?\w{1,32};)")
_BARE_ADDRESS = re.compile(r"[^\s<>()\\\x00-\x20\x7f]+")
_AUTOLINK = re.compile(r"(?i:https?)://[^\s<>\\`|\x00-\x20\x7f]+")
_UNSAFE = re.compile(r"[\x00-\x20]*(?i:javascript|vbscript|data|file)[\x00-\x20]*:")


def text(raw: str, *, in_link: bool = False, in_image: bool = False) -> str:
    """`raw`, which has no line break, so that nothing in it is markup. Nobody is called in the
    description of an image, and a comment would be shown there."""

    def escaped(found: re.Match[str]) -> str:
        group, part = found.lastgroup, found[0]
        start, end = found.span()
        before, after = raw[max(0, start - 1) : start], raw[end : end + 1]
        if group == "close":
            return "\\]" if in_link else "]"
        if group == "star":
            alone = before.isspace() and after.isspace()
            return part if alone else "\\" + part
        if group == "under":
            inside = before.isalnum() and after.isalnum()
            return part if inside else "\\" + part
        if group in ("scheme", "www"):
            return part[:-1] + "\\" + part[-1]
        if group in ("mention", "issue", "gh"):
            return part.replace("_", "\\_") + ("" if in_image else NOTHING)
        return "\\" + part

    return _SPECIAL.sub(escaped, raw)


def line(written: str) -> str:
    """A line of a paragraph, so that its beginning starts no block and its ends stay."""
    written = written.strip(" \t")
    if not written:
        return ""
    is_ruled = not written.strip("-=|: \t") and ("-" in written or "=" in written)
    if is_ruled or _START.match(written):
        digits = len(written) - len(written.lstrip(string.digits))
        written = f"{written[:digits]}\\{written[digits:]}"
    return ends_kept(written)


def ends_kept(written: str) -> str:
    """White space other than blanks at the ends of a line, which some readers strip, as entities."""
    left, right = len(written) - len(written.lstrip()), len(written.rstrip())
    if left == 0 and right == len(written):
        return written
    return _entities(written[:left]) + written[left:right] + _entities(written[max(left, right) :])


def _entities(blank: str) -> str:
    return "".join("&nbsp;" if c == "\u00a0" else f"&#{ord(c)};" for c in blank)


def heading(written: str) -> str:
    """The text of a heading, so that no `#` at its end is taken for a closing one."""
    bare = written.rstrip("#")
    if bare != written and (not bare or bare[-1] in " \t"):
        return f"{bare}\\{written[len(bare) :]}"
    return written


def code(raw: str) -> str:
    """A code span; `raw` has no line break and is not empty."""
    fence = "`" * (longest(raw, "`") + 1)
    padded = raw[0] == "`" or raw[-1] == "`" or (raw[0] == raw[-1] == " " and raw.strip(" "))
    space = " " if padded else ""
    return f"{fence}{space}{raw}{space}{fence}"


def longest(raw: str, character: str) -> int:
    """The length of the longest row of `character`."""
    return max(map(len, re.findall(f"{re.escape(character)}+", raw)), default=0)


def is_safe(address: str) -> bool:
    """Whether an address may be a link; one that runs as a program or holds its page may not."""
    return bool(address.strip()) and not _UNSAFE.match(address)


def address(raw: str) -> str:
    """The destination of a link."""
    raw = "".join(f"%{ord(c):02X}" if c < " " or c == "\x7f" else c for c in raw)
    raw = BREAKS.sub(" ", raw).strip()
    raw = _ENTITY.sub("&amp;", raw)
    if _BARE_ADDRESS.fullmatch(raw):
        return raw
    return "<" + re.sub(r"[<>\\]", r"\\\g<0>", raw) + ">"


def is_autolink(shown: str, target: str) -> bool:
    """Whether `<target>` says all there is to say."""
    return (
        shown == target and _AUTOLINK.fullmatch(target) is not None and not _ENTITY.search(target)
    )


def title(raw: str) -> str:
    """The title of a link with a space before it; empty where there is none."""
    raw = " ".join(BREAKS.sub(" ", raw).split())
    raw = _ENTITY.sub("&amp;", re.sub(r'["\\]', r"\\\g<0>", raw))
    return f' "{raw}"' if raw else ""


def clean(written: str) -> str:
    """What no file can hold (half of a surrogate pair) or Markdown allows (NUL) as U+FFFD."""
    return _LOST.sub("\ufffd", written)

"""Finding secrets in text: by the shapes that tokens have, and by the very values that we hold.

Invariant: takes time in proportion to the text, and nothing is left out: comments, code and quotes
are looked at like everything else (H95). The last net, not the control: no agent is given a token
(RELIABILITY §2, 18).
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

MASK = "***"
SHORTEST = 8
"""Characters of a known value; a shorter one would mask ordinary words."""
_SHAPES = re.compile(
    "|".join(
        (
            r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{20,255}",
            r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{22,255}",
            r"(?<![A-Za-z0-9])gl(?:pat|dt|rt|ptt|cbt|soat|ft|imt|agent)-[A-Za-z0-9_.-]{16,255}",
            r"(?<![A-Za-z0-9])xox[a-z]-[A-Za-z0-9-]{10,255}",
            r"(?<![A-Za-z0-9])xapp-\d-[A-Za-z0-9-]{10,255}",
            r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
            r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{20,255}",
            r"(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{16,255}",
            r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}",
            r"(?<![A-Za-z0-9])ya29\.[A-Za-z0-9_-]{20,255}",
            r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}",
            r"(?<![A-Za-z0-9])pypi-[A-Za-z0-9_-]{50,255}",
            r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,255}",
            r"(?<![A-Za-z0-9])dop_v1_[a-f0-9]{64}",
            r"(?<![A-Za-z0-9])lin_(?:api|oauth)_[A-Za-z0-9]{20,255}",
            r"(?<![A-Za-z0-9])AT(?:ATT|CTT)3[A-Za-z0-9_=-]{20,255}",
            r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64}",
            r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4096}\.eyJ[A-Za-z0-9_-]{8,8192}\.[A-Za-z0-9_-]{0,1024}",
            r"(?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{32,40}",
            r"https?://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{10,255}",
            r"https?://(?:[a-z]{1,10}\.)?discord(?:app)?\.com/api/webhooks/[A-Za-z0-9/_-]{10,255}",
            r"(?<=://)[^\s/@:]{0,200}:[^\s/@]{1,200}(?=@)",
        )
    )
)
_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)
_ASSIGNED = re.compile(
    r"(?:token|secret|passw(?:or)?d|pwd|api[_-]?key|access[_-]?key|private[_-]?key|credential|auth)"
    r"[A-Za-z0-9_-]{0,30}[\"']?\s{0,5}(?:[:=]|=>)\s{0,5}[\"']?([A-Za-z0-9+/=_.~!@#$%^&*-]{16,512})",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?:bearer|basic)\s{1,5}([A-Za-z0-9+/=_.~-]{16,512})", re.IGNORECASE)
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{24,8192}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[ :,]?){20,4096}")
_WORD = re.compile(r"[A-Za-z0-9]+")
_LEAST_BITS = 2.8
"""Bits a character of what counts as random behind a name that says so."""


def redacted(text: str, known: Sequence[str] = ()) -> tuple[str, int]:
    """The text with every secret as `***`, and how many there were."""
    places = _merged(sorted({*_by_shape(text), *_by_value(text, known)}))
    made, done = [], 0
    for start, end in places:
        made += [text[done:start], MASK]
        done = end
    return "".join([*made, text[done:]]), len(places)


def _merged(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for start, end in places:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _by_shape(text: str) -> Iterator[tuple[int, int]]:
    for pattern in (_SHAPES, _KEY):
        yield from (found.span() for found in pattern.finditer(text))
    for found in _SHAPES.finditer(text[::-1]):
        yield len(text) - found.end(), len(text) - found.start()
    for pattern in (_ASSIGNED, _BEARER):
        yield from (found.span(1) for found in pattern.finditer(text) if _random(found[1]))
    for found in _ENCODED.finditer(text):
        if _hides(_from_base64(found[0])):
            yield found.span()
    for found in _HEX.finditer(text):
        if _hides(bytes.fromhex(re.sub("[^0-9a-fA-F]", "", found[0])).decode("latin-1")):
            yield found.start(), found.start() + len(found[0].rstrip(" :,"))


def _hides(text: str) -> bool:
    return _SHAPES.search(text) is not None or _KEY.search(text) is not None


def _from_base64(word: str) -> str:
    plain = word.rstrip("=").replace("-", "+").replace("_", "/")
    plain = plain[: len(plain) - (len(plain) % 4 == 1)]
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4)).decode("latin-1")
    except (binascii.Error, ValueError):
        return ""


def _random(word: str) -> bool:
    """Whether a word looks made by a machine: letters and digits, each hardly ever twice."""
    if not (re.search(r"\d", word) and re.search("[A-Za-z]", word)):
        return False
    total = len(word)
    bits = -sum(n / total * math.log2(n / total) for n in Counter(word).values())
    return bits >= _LEAST_BITS


# --- the values that we hold


def _by_value(text: str, known: Sequence[str]) -> Iterator[tuple[int, int]]:
    values = {value.strip() for value in known}
    forms = {form for value in values if len(value) >= SHORTEST for form in _forms(value)}
    if not forms:
        return
    squeezed, places = _squeezed(text)
    for form in forms:
        wanted = "".join(_WORD.findall(form)).lower()
        if len(wanted) < SHORTEST:
            yield from _all(text, form)
            continue
        for start, end in _all(squeezed, wanted):
            yield places[start], places[end - 1] + 1


def _squeezed(text: str) -> tuple[str, list[int]]:
    """Letters and digits only, in lower case, and where each stood: what is cut up is one again."""
    places: list[int] = []
    made: list[str] = []
    for found in _WORD.finditer(text):
        made.append(found[0])
        places += range(found.start(), found.end())
    return "".join(made).lower(), places


def _all(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    place = text.find(wanted)
    while place >= 0:
        yield place, place + len(wanted)
        place = text.find(wanted, place + len(wanted))


def _forms(value: str) -> Iterator[str]:
    """The value as it is and as somebody may write it who wants it to be missed."""
    for one in (value, value[::-1]):
        raw = one.encode("utf-8", "replace")
        yield from (one, raw.hex(), _percent(raw))
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + raw).decode().rstrip("=")
            # What stands beside it changes the first and last characters.
            yield coded[(0, 2, 3)[shift] : len(coded) - 1]
        yield raw.hex()[::-1]
        yield base64.b64encode(raw).decode().rstrip("=")[:-1][::-1]


def _percent(raw: bytes) -> str:
    """As in an address, with every byte that is not a letter or digit encoded."""
    return "".join(chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02X}" for b in raw)

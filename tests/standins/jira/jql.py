"""JQL as the stand-in for Jira reads it: a parser of its own, so that ours is held against another.

Invariant: what it does not know is a `BadQuery`, never a guess. Times are whole minutes, relative
ones rounded towards the present and absolute ones in the time zone of the account that asks: the
least that Jira may show.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<op>>=|<=|!=|!~|=|>|<|~|\(|\)|,)"""
    r"""|(?P<word>[^\s"'()=!<>~,]+))""",
    re.DOTALL,
)
_SPECIAL = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\", " ": " "}
_FIELDS = {"project", "status", "statuscategory", "labels", "creator", "updated", "created", "key",
           "issuetype"}  # fmt: skip
_RELATIVE = re.compile(r"-(\d+)([mhdw])")
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


class BadQuery(Exception):
    pass


@dataclass
class Asker:
    """Who asks, and when. `known` says whether a value of a field (project, status) exists."""

    account: str
    now: float
    zone: str
    known: Callable[[str, str], bool]


class Token(NamedTuple):
    kind: str
    value: str


Test = Callable[[dict[str, Any]], bool]


def tokens(query: str) -> list[Token]:
    found, at = [], 0
    query = query.rstrip()
    while at < len(query):
        match = _TOKEN.match(query, at)
        if not match:
            raise BadQuery(f"Error in the JQL Query at {query[at : at + 20]!r}.")
        kind = match.lastgroup or ""
        value = match[kind]
        found.append(Token(kind, unescaped(value[1:-1]) if kind == "text" else value))
        at = match.end()
    return found


def unescaped(text: str) -> str:
    out, at = [], 0
    while at < len(text):
        if text[at] != "\\":
            out.append(text[at])
            at += 1
        elif text[at + 1 : at + 2] == "u":
            out.append(chr(int(text[at + 2 : at + 6], 16)))
            at += 6
        elif text[at + 1 : at + 2] in _SPECIAL:
            out.append(_SPECIAL[text[at + 1]])
            at += 2
        else:
            raise BadQuery(f"{text[at : at + 2]!r} is an illegal JQL escape sequence.")
    return "".join(out)


class Query:
    """`matches(row)`; `fields` are those that it asks for, `order` is `(field, descending)`."""

    def __init__(self, query: str, asker: Asker) -> None:
        self._tokens, self._at, self._asker = tokens(query), 0, asker
        self.fields: set[str] = set()
        self.order: tuple[str, bool] | None = None
        self.matches: Test = self._either() if not self._word("order") else lambda row: True
        if self._take_word("order"):
            self._expect("by")
            field = self._next().value.lower()
            descending = self._take_word("desc")
            if not descending:
                self._take_word("asc")
            self.order = (field, descending)
        if self._at < len(self._tokens):
            raise BadQuery(f"Expecting an operator but got {self._tokens[self._at].value!r}.")

    def _either(self) -> Test:
        parts = [self._both()]
        while self._take_word("or"):
            parts.append(self._both())
        return lambda row: any(one(row) for one in parts)

    def _both(self) -> Test:
        parts = [self._one()]
        while self._take_word("and"):
            parts.append(self._one())
        return lambda row: all(one(row) for one in parts)

    def _one(self) -> Test:
        if self._take_word("not"):
            inner = self._one()
            return lambda row: not inner(row)
        if self._take_op("("):
            inner = self._either()
            if not self._take_op(")"):
                raise BadQuery("Expecting ')'.")
            return inner
        return self._clause()

    def _clause(self) -> Test:
        field = self._next().value.lower()
        if field not in _FIELDS:
            raise BadQuery(
                f"Field '{field}' does not exist or you do not have permission to view it."
            )
        self.fields.add(field)
        negated = self._take_word("not")
        if self._take_word("in"):
            values = self._values()
            return lambda row: any(_same(row, field, one) for one in values) != negated
        token = self._next()
        operator = token.value
        if negated or token.kind != "op" or operator not in ("=", "!=", ">=", "<=", ">", "<"):
            raise BadQuery(f"The operator {operator!r} is not supported.")
        value = self._value()
        if operator in ("=", "!="):
            self._must_exist(field, value)
            return lambda row: _same(row, field, value) == (operator == "=")
        if field not in ("updated", "created"):
            raise BadQuery(f"The operator {operator!r} is not supported by the field {field!r}.")
        moment = self._moment(value)
        compare: dict[str, Callable[[float], bool]] = {
            ">=": lambda at: at >= moment, "<=": lambda at: at <= moment,
            ">": lambda at: at > moment, "<": lambda at: at < moment,
        }  # fmt: skip
        return lambda row: compare[operator](row[field])

    def _values(self) -> list[str]:
        if not self._take_op("("):
            raise BadQuery("Expecting '('.")
        found = [self._value()]
        while self._take_op(","):
            found.append(self._value())
        if not self._take_op(")"):
            raise BadQuery("Expecting ')'.")
        return found

    def _value(self) -> str:
        token = self._next()
        if token.kind == "word" and self._take_op("("):
            if not self._take_op(")") or token.value.lower() != "currentuser":
                raise BadQuery(f"Unable to find JQL function {token.value!r}.")
            return self._asker.account
        if token.kind == "op":
            raise BadQuery(f"Expecting a value but got {token.value!r}.")
        return token.value

    def _must_exist(self, field: str, value: str) -> None:
        if not self._asker.known(field, value):
            raise BadQuery(f"The value {value!r} does not exist for the field '{field}'.")

    def _moment(self, value: str) -> float:
        if found := _RELATIVE.fullmatch(value):
            moment = self._asker.now - int(found[1]) * _SECONDS[found[2]]
            return math.ceil(moment / 60) * 60
        for form in ("%Y/%m/%d %H:%M", "%Y-%m-%d %H:%M"):
            try:
                naive = datetime.strptime(value, form)  # noqa: DTZ007 - its zone comes next
            except ValueError:
                continue
            return naive.replace(tzinfo=ZoneInfo(self._asker.zone)).timestamp()
        raise BadQuery(f"Date value {value!r} is invalid.")

    def _word(self, word: str) -> bool:
        here = self._tokens[self._at] if self._at < len(self._tokens) else Token("", "")
        return here.kind == "word" and here.value.lower() == word

    def _take_word(self, word: str) -> bool:
        found = self._word(word)
        self._at += found
        return found

    def _take_op(self, op: str) -> bool:
        found = self._at < len(self._tokens) and self._tokens[self._at] == Token("op", op)
        self._at += found
        return found

    def _expect(self, word: str) -> None:
        if not self._take_word(word):
            raise BadQuery(f"Expecting {word!r}.")

    def _next(self) -> Token:
        if self._at >= len(self._tokens):
            raise BadQuery("The JQL query ends too early.")
        self._at += 1
        return self._tokens[self._at - 1]


def _same(row: dict[str, Any], field: str, value: str) -> bool:
    here = row[field] if isinstance(row[field], list | tuple) else [row[field]]
    return any(str(one).casefold() == value.casefold() for one in here)

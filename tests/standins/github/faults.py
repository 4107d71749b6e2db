"""What goes wrong on purpose: by a script, or by chance with a seed.

Invariant: a fault is used up by the requests it was meant for, in the order in which it was given;
what was done is in the log of requests with its name.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "status",  # refused with this status before anything is done
    "lost",  # done, and the connection ends without an answer
    "late",  # done, and answered with 502
    "cut",  # done, and the answer breaks off in the middle
    "dropped",  # not done, and the connection ends without an answer
    "forbidden",  # 403 for missing rights
    "secondary",  # 403: too fast
    "too_many",  # 429
    "page",  # 200 with a page of HTML
    "then",  # answered as ever, and then something happens
]


@dataclass
class Fault:
    match: re.Pattern[str]
    kind: Kind
    times: int = 1
    status: int = 502
    seconds: int = 30
    then: Callable[[], None] | None = None


@dataclass
class Chances:
    """In each thousand requests."""

    seed: int
    lost: int = 0
    late: int = 0
    failed: int = 0
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def draw(self) -> Fault | None:
        number = self._random.randrange(1000)
        for kind, share in (("lost", self.lost), ("late", self.late), ("status", self.failed)):
            if number < share:
                return Fault(re.compile(""), kind)  # type: ignore[arg-type]
            number -= share
        return None


class Faults:
    def __init__(self) -> None:
        self._script: list[Fault] = []
        self._lock = threading.Lock()
        self.chances: Chances | None = None

    def add(
        self, request: str, kind: Kind, *, times: int = 1, status: int = 502, seconds: int = 30,
        then: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        """`request` is a regular expression over `GET /repos/o/r/issues?page=2`; for GraphQL over
        `POST /graphql NAME`."""
        fault = Fault(re.compile(request), kind, times, status, seconds, then)
        with self._lock:
            self._script.append(fault)

    def take(self, request: str) -> Fault | None:
        with self._lock:
            for fault in self._script:
                if fault.times and fault.match.search(request):
                    fault.times -= 1
                    return fault
            return self.chances.draw() if self.chances else None

    @property
    def left(self) -> int:
        """Faults that nobody has met yet: a test that asked for them looks at this."""
        with self._lock:
            return sum(fault.times for fault in self._script)

"""GitHub Apps of the stand-in: words signed with their keys, installations and their tokens.

Invariant: a token of an installation ends when its time is over, and a signed word that holds for
more than ten minutes is refused, as GitHub does both.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import jwt

from tests.standins.github.views import stamp
from tests.standins.github.world import Refusal, User, World


@dataclass
class AppRecord:
    id: str
    slug: str
    public_key: str
    installations: dict[int, str] = field(default_factory=dict)
    """The account at which each is."""


class Apps:
    def __init__(self, world: World) -> None:
        self._world = world
        self._apps: dict[str, AppRecord] = {}
        self._tokens: dict[str, tuple[str, float]] = {}
        self._numbers = itertools.count(1)
        self.lifetime_s = 3600.0

    def add(self, id: str, slug: str, public_key: str, installations: dict[int, str]) -> User:
        """Its account is `slug[bot]`."""
        self._apps[id] = AppRecord(id, slug, public_key, installations)
        return self._world.add_user(f"{slug}[bot]", "Bot")

    def signed(self, token: str) -> User:
        """The account of the App that signed. 401 for all that is not right with it."""
        try:
            app = str(jwt.decode(token, options={"verify_signature": False})["iss"])
            claims = jwt.decode(
                token, self._apps[app].public_key, algorithms=["RS256"],
                options={"verify_exp": False, "verify_iat": False},
            )  # fmt: skip
        except (jwt.exceptions.PyJWTError, KeyError) as error:
            raise Refusal(401, "A JSON web token could not be decoded") from error
        now = self._world.clock()
        if claims["exp"] < now or claims["exp"] > now + 600 or claims["iat"] > now:
            raise Refusal(401, "'Expiration time' claim ('exp') is too far in the future")
        self._asking = self._apps[app]
        return self._world.users[f"{self._asking.slug}[bot]"]

    def answer(self, method: str, path: str) -> tuple[int, Any]:
        app, parts = self._asking, path.split("/")
        if path == "/app":
            return 200, {"id": int(app.id), "slug": app.slug, "name": app.slug}
        if path == "/app/installations":
            found = app.installations.items()
            return 200, [{"id": number, "account": {"login": login}} for number, login in found]
        there = [number for number in app.installations if parts[3:4] == [str(number)]]
        if method == "POST" and parts[-1] == "access_tokens" and there:
            token = f"ghs_{next(self._numbers):036d}"
            end = self._world.clock() + self.lifetime_s
            self._tokens[token] = (f"{app.slug}[bot]", end)
            return 201, {"token": token, "expires_at": stamp(end), "permissions": {}}
        raise Refusal(404, "Not Found")

    def login(self, token: str) -> str:
        """Whose installation token it is, empty for none that holds."""
        login, end = self._tokens.get(token, ("", 0.0))
        return login if end > self._world.clock() else ""

    def forget_all(self) -> None:
        """GitHub takes back every token."""
        self._tokens.clear()

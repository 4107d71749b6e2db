"""One repository at GitHub, as our stand-in and as an emulator that others wrote show it."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tests.githubrooms import a_project
from tests.standins import fetched
from tests.standins.github.server import GitHubStandIn
from tests.standins.loopback import Loopback, Raw
from tests.terminalrooms import until

REPO = "octo/hello"
SECRET = "it is a secret of ours"
PEOPLE = ("octo", "cat", "eve")
BEGIN_S = 60.0


class Place(Protocol):
    """Where one list of tests is played. `octo` owns the repository, `eve` has no rights there."""

    def environ(self, login: str) -> dict[str, str]: ...
    def commit(self, branch: str) -> str:
        """A branch that begins at `main` and adds a file; its tip."""

    def hook(self) -> str:
        """The URL to which deliveries go."""

    def taken(self, number: int) -> list[tuple[dict[str, str], bytes]]:
        """So many deliveries, oldest first, without pings: headers (small letters) and body."""


class Ours:
    def __init__(self, standin: GitHubStandIn) -> None:
        self._standin, self._repo = standin, a_project(standin, REPO)
        standin.limits.enabled = False  # they are looked at elsewhere

    def environ(self, login: str) -> dict[str, str]:
        return self._standin.environ(login)

    def commit(self, branch: str) -> str:
        return self._repo.git.commit(branch, {"new.txt": "one\n"}, start="main")

    def hook(self) -> str:
        return "https://orch.example.org/webhooks/thing"

    def taken(self, number: int) -> list[tuple[dict[str, str], bytes]]:
        sent = self._standin.hooks.take()[:number]
        return [(one.headers(SECRET), one.body) for one in sent]


class Theirs:
    """The emulator keeps all in memory: each place is a process of its own."""

    def __init__(self, url: str, receiver: Receiver) -> None:
        self.url, self._receiver = url, receiver

    def environ(self, login: str) -> dict[str, str]:
        return {"GITHUB_API_URL": self.url, "GITHUB_TOKEN": f"gho_of_{login}"}

    def commit(self, branch: str) -> str:
        tip = self._asked("GET", "git/ref/heads/main")["object"]["sha"]
        self._asked("POST", "git/refs", {"ref": f"refs/heads/{branch}", "sha": tip})
        content = base64.b64encode(b"one\n").decode()
        words = {"message": "one", "content": content, "branch": branch}
        return str(self._asked("PUT", "contents/new.txt", words)["commit"]["sha"])

    def hook(self) -> str:
        return f"{self._receiver.url}/webhooks/thing"

    def taken(self, number: int) -> list[tuple[dict[str, str], bytes]]:
        until(lambda: len(self._receiver.got) >= number, BEGIN_S)
        return self._receiver.got[:number]

    def _asked(self, method: str, path: str, told: Any = None) -> Any:
        asking = urllib.request.Request(
            f"{self.url}/repos/{REPO}/{path}", method=method,
            data=None if told is None else json.dumps(told).encode(),
            headers={"authorization": "Bearer gho_of_octo", "content-type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(asking, timeout=30) as answer:
            return json.load(answer)


class Receiver(Loopback):
    """Takes deliveries in."""

    def __init__(self) -> None:
        super().__init__(time.time)
        self.got: list[tuple[dict[str, str], bytes]] = []

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], data: bytes
    ) -> tuple[Raw, None]:
        if headers.get("x-github-event") != "ping":
            self.got.append((dict(headers), data))
        return Raw(202, {}, b""), None


@contextmanager
def ours(directory: Path) -> Iterator[Place]:
    with GitHubStandIn(directory / "github") as standin:
        yield Ours(standin)
        assert standin.rest.unknown == []


@contextmanager
def theirs(directory: Path) -> Iterator[Place]:
    """May raise `NotInstalled`."""
    command = fetched.emulate()
    seed = {
        "tokens": {f"gho_of_{who}": {"login": who, "scopes": ["repo", "user"]} for who in PEOPLE},
        "github": {
            "users": [{"login": who} for who in PEOPLE],
            "repos": [{"owner": "octo", "name": "hello", "auto_init": True}],
        },
    }
    (directory / "seed.json").write_text(json.dumps(seed))  # which is YAML, too
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = ["start", "--service", "github", "--port", str(port), "--seed", "seed.json"]
    with (directory / "log").open("wb") as log, Receiver() as receiver:
        process = subprocess.Popen(
            [*command, *words], cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={"HOME": str(directory), "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: process.poll() is not None or _answers(url), BEGIN_S)
            assert process.poll() is None, (directory / "log").read_text("utf-8", "replace")
            yield Theirs(url, receiver)
        finally:
            process.kill()
            process.wait()


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(f"{url}/rate_limit", timeout=5).close()
    except OSError as error:
        return isinstance(error, urllib.error.HTTPError)
    return True


PLACES: dict[str, Callable[[Path], Any]] = {"ours": ours, "theirs": theirs}

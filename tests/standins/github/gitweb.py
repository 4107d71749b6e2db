"""git over HTTP: `git http-backend` on the stand-in's repositories, with tokens as passwords.

Invariant: reading and pushing need the rights that the API would ask for.
"""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from tests.standins.github.gitrepo import ENV

if TYPE_CHECKING:
    from tests.standins.github.server import GitHubStandIn


def serve_git(
    handler: Any, standin: GitHubStandIn, target: str, headers: Mapping[str, str], data: bytes
) -> None:
    path, _, query = target.partition("?")
    name = unquote(path.partition(".git/")[0].lstrip("/"))
    repo = standin.world.repos.get(name.lower())
    push = "git-receive-pack" in target
    user = _user(standin, headers)
    if repo is None or (user is None and (push or repo.private)):
        _refuse(handler, 404 if repo is None and user else 401)
        return
    if user is not None and not standin.world.may(user, repo, "write" if push else "read"):
        _refuse(handler, 403)
        return
    env = {
        **ENV, "GIT_PROJECT_ROOT": str(standin.world.root), "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{repo.full_name}.git/{path.partition('.git/')[2]}", "QUERY_STRING": query,
        "REQUEST_METHOD": handler.command, "CONTENT_TYPE": headers.get("content-type", ""),
        "CONTENT_LENGTH": str(len(data)), "REMOTE_USER": user.login if user else "",
        "REMOTE_ADDR": "127.0.0.1", "GIT_PROTOCOL": headers.get("git-protocol", ""),
        "HTTP_CONTENT_ENCODING": headers.get("content-encoding", ""),
    }  # fmt: skip
    done = subprocess.run(
        ["git", "http-backend"], input=data, env=env, cwd=os.fspath(repo.git.path),
        capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    given = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    handler.send_response(int(given.pop("Status", "200").split()[0]))
    for header, value in given.items():
        handler.send_header(header, value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
    if push and handler.command == "POST":
        standin.pushed(name)


def _user(standin: GitHubStandIn, headers: Mapping[str, str]) -> Any:
    words = headers.get("authorization", "").split()
    if len(words) != 2 or words[0].lower() != "basic":
        return None
    token = base64.b64decode(words[1]).decode().partition(":")[2]
    login = standin.apps.login(token) or standin.tokens.get(token, ("", None))[0]
    return standin.world.users.get(login)


def _refuse(handler: Any, status: int) -> None:
    handler.send_response(status)
    if status == 401:
        handler.send_header("www-authenticate", 'Basic realm="GitHub"')
    handler.send_header("content-length", "0")
    handler.end_headers()

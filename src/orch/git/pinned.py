"""The pinned view: a repository with our configuration instead of its own.

A pinned directory looks like a git directory. Objects, refs, reflogs and worktrees are symbolic
links to the repository; `config`, `HEAD`, `info/exclude` and (absent) hooks are ours, written when
the person registers the repository. Service-side git gets it as `GIT_COMMON_DIR`, which outranks
what the repository's `config` and a worktree's `commondir` say (RELIABILITY §0.4).

Invariant: nothing but `pin` writes these files (merges under way are noted in `pending/`, see
`pending`), and `pin` runs only when a person asks for it. Of
the repository's and the person's configuration it takes facts about the format, how content is
stored, how to reach remotes and who commits. Everything that names a program to run on content
(filters, diff and merge drivers, hooks, monitors, aliases, includes) stays out. So a file that a
filter such as LFS would store differently is refused by `commits`, never stored wrongly.

The pinned directory may be rebuilt at any time; a refresh replaces one file at a time by rename, so
commands that run meanwhile see an old or a new file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping

from orch.git import failures, names, refusals
from orch.git.gateway import Gateway, Output, Place, Reach
from orch.model.errors import OrchError
from orch.model.repo import Repo

FALLBACK_NAME = "Orch"
FALLBACK_EMAIL = "orch@localhost"

_SHARED = ("objects", "refs", "logs", "packed-refs", "worktrees", "shallow", "reftable")
_CONTENT_KEYS = frozenset(
    {
        "core.autocrlf",
        "core.eol",
        "core.filemode",
        "core.ignorecase",
        "core.precomposeunicode",
        "core.protecthfs",
        "core.protectntfs",
        "core.safecrlf",
        "core.symlinks",
    }
)
_TRANSPORT_KEYS = frozenset(
    {"core.askpass", "core.gitproxy", "core.sshcommand", "ssh.variant", "transfer.hiderefs"}
)
_REMOTE_WORDS = frozenset(
    {"fetch", "partialclonefilter", "promisor", "proxy", "proxyauthmethod", "pushurl", "url"}
)
_FORMAT_KEYS = frozenset(
    {
        "extensions.compatobjectformat",
        "extensions.noop",
        "extensions.noop-v1",
        "extensions.objectformat",
        "extensions.partialclone",
        "extensions.preciousobjects",
        "extensions.refstorage",
    }
)

# What tools leave in a worktree and nobody wants in a commit (H72). Patterns speak of untracked
# files only: a project that tracks such a path keeps it.
TOOL_STATE = (
    ".orch/",
    ".aider*",
    ".claude/settings.local.json",
    ".claude/worktrees/",
    ".codex/sessions/",
    ".gemini/tmp/",
    ".playwright-mcp/",
    "node_modules/",
    ".venv/",
    "__pycache__/",
    "*.py[co]",
    ".pytest_cache/",
    ".mypy_cache/",
    ".ruff_cache/",
    ".DS_Store",
    "*.swp",
)


def repository_place(repo: Repo) -> Place:
    """The place for commands on the repository as a whole."""
    require(repo)
    return Place(git_dir=repo.pinned_dir, common_dir=repo.pinned_dir, roots=lock_roots(repo))


def worktree_place(repo: Repo, admin_dir: str, path: str) -> Place:
    """The place for commands in one linked worktree. All three are given to git, so that neither
    the worktree's `.git` pointer nor `commondir` is read."""
    require(repo)
    return Place(
        git_dir=admin_dir,
        common_dir=repo.pinned_dir,
        work_tree=path,
        roots=lock_roots(repo),
    )


def main_place(repo: Repo) -> Place:
    """The place for looking at the main checkout, or at a bare repository with its HEAD."""
    require(repo)
    bare = repo.local_path == repo.common_dir
    return Place(
        git_dir=repo.common_dir,
        common_dir=repo.pinned_dir,
        work_tree="" if bare else repo.local_path,
        roots=lock_roots(repo),
    )


def lock_roots(repo: Repo) -> tuple[str, ...]:
    """Where locks of this repository can lie and its users can stand."""
    return (repo.common_dir, repo.pinned_dir)


def require(repo: Repo) -> None:
    """`NotFound(not_pinned)` when the repository has no view or is gone from the disk."""
    if not os.path.isdir(os.path.join(repo.common_dir, "objects")):
        raise refusals.repository_gone(repo)
    if not os.path.isfile(os.path.join(repo.pinned_dir, "config")):
        raise refusals.not_pinned(repo)
    with failures.our_own_writes(f"prepare {repo.common_dir}"):
        ensure_shared_directories(repo.common_dir)


def ensure_shared_directories(common_dir: str) -> None:
    """git removes `worktrees` when it is empty, and a fresh bare repository has no `logs`; through
    a dangling link git could not make them."""
    for name in ("worktrees", "logs"):
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.join(common_dir, name))


def pin(gateway: Gateway, environ: Mapping[str, str], common_dir: str, pinned_dir: str) -> None:
    """Make or refresh the view of `common_dir` at `pinned_dir` (see the module)."""
    if not os.path.isdir(os.path.join(common_dir, "objects")):
        raise refusals.not_a_repository(common_dir)
    config = _config_text(gateway, environ, common_dir)
    excluded = _excluded_lines(gateway, environ, common_dir)
    with failures.our_own_writes(f"write the pinned view {pinned_dir}"):
        ensure_shared_directories(common_dir)
        os.makedirs(os.path.join(pinned_dir, "info"), mode=0o700, exist_ok=True)
        for name in _SHARED:
            _link(os.path.join(common_dir, name), os.path.join(pinned_dir, name))
        # Only the main checkout has a use for this HEAD; reftable wants its own stand-in.
        reftable = os.path.isdir(os.path.join(common_dir, "reftable"))
        head = "ref: refs/heads/.invalid\n" if reftable else "ref: refs/orch/none\n"
        write_file(os.path.join(pinned_dir, "HEAD"), head.encode())
        write_file(os.path.join(pinned_dir, "info", "exclude"), excluded)
        write_file(os.path.join(pinned_dir, "config"), config)
        for stale in ("hooks", "commondir"):
            _remove(os.path.join(pinned_dir, stale))


def write_file(path: str, content: bytes) -> None:
    """Replace `path` by rename, durably."""
    temporary = f"{path}.{os.getpid()}.new"
    with open(temporary, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def _config_text(gateway: Gateway, environ: Mapping[str, str], common_dir: str) -> bytes:
    own = _read_config(gateway, common_dir, ["--file", os.path.join(common_dir, "config")])
    person = _read_config(gateway, common_dir, ["--global"], reach="person")
    # A partial clone fetches objects in the middle of local work, where no global file is read.
    partial = any(key == "extensions.partialclone" for key, _ in own)
    taken = [
        ("core.repositoryformatversion", "1" if _has_extensions(own) else "0"),
        ("core.bare", "true"),
        ("core.logallrefupdates", "true"),
        *((key, value) for key, value in person if key in _CONTENT_KEYS),
        *((key, value) for key, value in person if partial and _is_transport(key)),
        *((key, _anchored(key, value, common_dir)) for key, value in own if _is_kept(key)),
        *_identity(environ, [*person, *own]),
    ]
    return b"".join(_config_lines(taken))


def _anchored(key: str, value: str, common_dir: str) -> str:
    """Remotes given by a relative path are meant from the checkout's top; we stand elsewhere."""
    if not (key.startswith("remote.") and key.endswith(("url", "pushurl"))):
        return value
    inside = os.path.basename(common_dir) == ".git"
    return names.absolute_url(value, os.path.dirname(common_dir) if inside else common_dir)


def _is_kept(key: str) -> bool:
    section, _, word = key.partition(".")
    if section == "remote":
        return word.rpartition(".")[2] in _REMOTE_WORDS and "." in word
    return key in _CONTENT_KEYS or key in _FORMAT_KEYS or _is_transport(key)


def _is_transport(key: str) -> bool:
    section, _, word = key.partition(".")
    if key in _TRANSPORT_KEYS:
        return True
    if section == "url":
        return word.rpartition(".")[2] in {"insteadof", "pushinsteadof"}
    return section in {"http", "credential"}


def _has_extensions(own: Iterable[tuple[str, str]]) -> bool:
    return any(key in _FORMAT_KEYS for key, _ in own)


def _identity(
    environ: Mapping[str, str], settings: Iterable[tuple[str, str]]
) -> list[tuple[str, str]]:
    known = dict(settings)
    name = environ.get("GIT_COMMITTER_NAME") or known.get("user.name") or FALLBACK_NAME
    email = environ.get("GIT_COMMITTER_EMAIL") or known.get("user.email") or FALLBACK_EMAIL
    return [("user.name", name), ("user.email", email)]


def _read_config(
    gateway: Gateway, common_dir: str, source: list[str], *, reach: Reach = "none"
) -> list[tuple[str, str]]:
    """(key, value) in order; keys in lower case but for the middle part, as git prints them."""
    # The directory is for `includeIf "gitdir:…"`, with which people set their identity.
    listing = gateway.run(
        ["config", *source, "--includes", "--null", "--list"],
        Place(git_dir=common_dir),
        accept=(0, 1, 128),
        reach=reach,
    )
    return list(_config_items(listing))


def _config_items(listing: Output) -> Iterator[tuple[str, str]]:
    for item in listing.stdout.split(b"\0"):
        key, separator, value = item.partition(b"\n")
        if key:
            # A key without "=" is a boolean that is on.
            text = value.decode("utf-8", "surrogateescape") if separator else "true"
            yield key.decode("utf-8", "surrogateescape"), text


def _config_lines(settings: Iterable[tuple[str, str]]) -> Iterator[bytes]:
    for key, value in settings:
        section, _, rest = key.partition(".")
        middle, _, word = rest.rpartition(".")
        header = f'[{section} "{_quoted(middle)}"]' if middle else f"[{section}]"
        line = f'{header}\n\t{word} = "{_quoted(value)}"\n'
        yield line.encode("utf-8", "surrogateescape")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")


def _excluded_lines(gateway: Gateway, environ: Mapping[str, str], common_dir: str) -> bytes:
    """The person's global ignores, the repository's own, then tool state; later lines win."""
    sources = [
        _global_ignores(gateway, environ, common_dir),
        os.path.join(common_dir, "info", "exclude"),
    ]
    parts = []
    for source in filter(None, sources):
        with contextlib.suppress(OSError), open(source, "rb") as stream:
            parts.append(stream.read().rstrip(b"\n"))
    tools = "\n".join(TOOL_STATE).encode()
    return b"\n".join([*parts, b"# State of tools, never committed unless tracked", tools, b""])


def _global_ignores(gateway: Gateway, environ: Mapping[str, str], common_dir: str) -> str:
    try:
        chosen = gateway.run(
            ["config", "--global", "--includes", "--path", "core.excludesFile"],
            Place(git_dir=common_dir),
            accept=(0, 1, 128),
            reach="person",
        )
    except OrchError:
        return ""
    if chosen.code == 0 and chosen.text():
        return chosen.text()
    base = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME", ""), ".config")
    return os.path.join(base, "git", "ignore") if os.path.isabs(base) else ""


def _link(target: str, link: str) -> None:
    """Make `link` point to `target`, replacing whatever is there by rename."""
    with contextlib.suppress(OSError):
        if os.readlink(link) == target:
            return
    temporary = f"{link}.{os.getpid()}.new"
    _remove(temporary)
    os.symlink(target, temporary)
    if os.path.isdir(link) and not os.path.islink(link):
        shutil.rmtree(link)
    os.replace(temporary, link)


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)

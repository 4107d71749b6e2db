"""What may be a branch, a remote, a URL or a worktree's directory.

Invariant: whatever passes here is a valid ref below `refs/heads/` for git, is never read as an
option, and fits on a file system with its lock beside it. Every refusal is `UsageError(bad_name)`
(`bad_path`, `bad_url`), before anything has changed. H67: no name reaches git unchecked. H68: names
become full refs here and nowhere else.
"""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from orch.model.errors import UsageError
from orch.model.loopback import is_loopback

# A file name has 255 bytes on every file system we know, and git puts ".lock" beside each ref.
MAX_COMPONENT_BYTES = 200
MAX_BRANCH_BYTES = 800
MAX_PATH_BYTES = 3_000
MAX_FILE_BYTES = 255

_FORBIDDEN = frozenset("\\:?*[^~")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REMOTE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_SCP_LIKE = re.compile(r"(?:[A-Za-z0-9._~+-]+@)?[A-Za-z0-9][A-Za-z0-9.-]*:(?!:)(?!-).+", re.DOTALL)


def check_branch(name: str) -> str:
    """`name` itself when it can be a branch; the rules are git-check-ref-format(1) and lengths."""
    reason = _branch_fault(name)
    if reason:
        raise UsageError(
            f"{_shown(name)} cannot be a branch name: {reason}.",
            code="bad_name",
            hint="Choose a name of letters, digits, '-', '_', '.' and '/'.",
        )
    return name


def check_remote(name: str) -> str:
    """`name` itself when it can be the name of a remote (`origin`, `team/fork`)."""
    if not _REMOTE.fullmatch(name) or _branch_fault(name):
        raise UsageError(
            f"{_shown(name)} cannot be the name of a remote.",
            code="bad_name",
            hint="See the names with: git remote",
        )
    return name


def check_url(url: str, protocols: frozenset[str]) -> str:
    """`url` itself when git may be asked to go there: an absolute path, `scheme://` with one of
    `protocols`, or `user@host:path`. Remote helpers (`ext::`) and options are refused."""
    reason = _url_fault(url, protocols)
    if reason:
        raise UsageError(
            f"{_shown(url)} cannot be used as a repository URL: {reason}.",
            code="bad_url",
            hint="Use https://host/path, ssh://host/path, user@host:path or an absolute path.",
        )
    return url


def is_plain_url(url: str) -> bool:
    """Plain http on loopback: the only place where it may be spoken, as no network hears it."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and is_loopback(parts.hostname or "")
    except ValueError:
        return False


def check_worktree_path(path: str, name: str) -> str:
    """`path` itself when a worktree called `name` can be made there."""
    reason = _path_fault(path)
    if not reason and os.path.basename(path) != name:
        reason = f"its last part is not the worktree's name {_shown(name)}"
    if reason:
        raise UsageError(
            f"{_shown(path)} cannot be a worktree's directory: {reason}.",
            code="bad_path",
            hint="Choose a shorter name without control characters.",
        )
    return path


def branch_ref(name: str) -> str:
    """`refs/heads/<name>` of a checked name."""
    return f"refs/heads/{check_branch(name)}"


def made_ref(name: str) -> str:
    """Where we record that a branch is ours; the ref's value is the commit it was made from."""
    return f"refs/orch/made/{check_branch(name)}"


def adopted_ref(name: str) -> str:
    """Where we record that a person handed a branch of theirs over: it may be pushed, and is never
    deleted."""
    return f"refs/orch/adopted/{check_branch(name)}"


def tracking_ref(remote: str, branch: str) -> str:
    """`refs/remotes/<remote>/<branch>`."""
    return f"refs/remotes/{check_remote(remote)}/{check_branch(branch)}"


def is_commit_id(text: str) -> bool:
    """A full lower-case SHA-1 or SHA-256 id."""
    return _COMMIT.fullmatch(text) is not None


def check_commit_id(text: str) -> str:
    """`text` itself when it is a full commit id."""
    if not is_commit_id(text):
        raise UsageError(
            f"{_shown(text)} is not a full commit id.",
            code="bad_name",
            hint="A full id has 40 (or 64) hexadecimal digits: git rev-parse <name>",
        )
    return text


def absolute_url(url: str, base: str) -> str:
    """A relative path to a repository, which git reads from the checkout's top `base`, as an
    absolute one; anything else as it is (a word may be rewritten by `url.*.insteadOf`)."""
    if url.startswith("/") or ":" in url.split("/")[0]:
        return url
    there = os.path.normpath(os.path.join(base, url))
    return there if os.path.isdir(there) else url


def is_local_url(url: str) -> bool:
    """A repository on this machine: an absolute path or `file://`."""
    return url.startswith(("/", "file://"))


def local_path(url: str) -> str:
    """The directory behind a local URL, empty for any other."""
    if url.startswith("file://"):
        rest = url.removeprefix("file://")
        return rest if rest.startswith("/") else ""
    return url if url.startswith("/") else ""


def _branch_fault(name: str) -> str:
    if not name:
        return "it is empty"
    if name.startswith("-"):
        return "it starts with a dash"
    if name in {"HEAD", "@"}:
        return "git gives this word another meaning"
    return _characters_fault(name) or _shape_fault(name) or _length_fault(name)


def _characters_fault(name: str) -> str:
    for character in name:
        if ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0:
            return "it holds a control character"
        if character.isspace():
            return "it holds white space"
        if 0xD800 <= ord(character) <= 0xDFFF:
            return "it is not valid Unicode"
        if character in _FORBIDDEN:
            return f"it holds {character!r}"
    return ""


def _shape_fault(name: str) -> str:
    if ".." in name:
        return "it holds '..'"
    if "@{" in name:
        return "it holds '@{'"
    if name.endswith("."):
        return "it ends with a dot"
    for component in name.split("/"):
        if not component:
            return "it has an empty part between slashes"
        if component.startswith("."):
            return "a part of it starts with a dot"
        if component.casefold().endswith(".lock"):
            return "a part of it ends with '.lock'"
    return ""


def _length_fault(name: str) -> str:
    if any(len(part.encode()) > MAX_COMPONENT_BYTES for part in name.split("/")):
        return f"a part of it is longer than {MAX_COMPONENT_BYTES} bytes"
    if len(name.encode()) > MAX_BRANCH_BYTES:
        return f"it is longer than {MAX_BRANCH_BYTES} bytes"
    return ""


def _url_fault(url: str, protocols: frozenset[str]) -> str:
    if not url:
        return "it is empty"
    if url.startswith("-"):
        return "it starts with a dash"
    if any(ord(c) < 0x20 or ord(c) == 0x7F or 0xD800 <= ord(c) <= 0xDFFF for c in url):
        return "it holds a control character"
    if url.startswith("/"):
        return ""
    scheme = _SCHEME.fullmatch(url)
    if scheme is not None:
        word, rest = scheme.groups()
        if word.lower() not in protocols and not is_plain_url(url):
            return f"the protocol {word!r} is not allowed"
        # ssh://-oProxyCommand=… (CVE-2017-1000117): a host is never an option.
        if not rest or rest.startswith("-") or "@-" in rest.split("/")[0]:
            return "its host is missing or starts with a dash"
        return ""
    if "::" in url:
        return "remote helpers are not allowed"
    if _SCP_LIKE.fullmatch(url):
        return "" if "ssh" in protocols else "the protocol 'ssh' is not allowed"
    return "it is neither a URL nor an absolute path"


def _path_fault(path: str) -> str:
    if not os.path.isabs(path) or os.path.normpath(path) != path:
        return "it is not an absolute, plain path"
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in path):
        return "it holds a control character"
    if any(0xD800 <= ord(c) <= 0xDFFF for c in path):
        return "it is not valid Unicode"
    if any(len(part.encode()) > MAX_FILE_BYTES for part in path.split("/")):
        return f"a part of it is longer than {MAX_FILE_BYTES} bytes"
    if len(path.encode()) > MAX_PATH_BYTES:
        return f"it is longer than {MAX_PATH_BYTES} bytes"
    return ""


def _shown(text: str) -> str:
    """The text in an error: printable and short."""
    quoted = ascii(text) if not text.isprintable() else f"'{text}'"
    return quoted if len(quoted) <= 80 else f"{quoted[:76]}…'"

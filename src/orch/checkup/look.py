"""The checks of `orch doctor`, in the order in which things rest on one another.

Invariant: each gives its own verdict, whatever state the rest is in; a fix is a command, or one
sentence that says what to do.
"""

from __future__ import annotations

import os
import platform
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import NamedTuple

import msgspec

from orch.api.facade import Orch
from orch.api.preflight import OLDEST_GIT, OLDEST_TMUX
from orch.compose import Home
from orch.config.folders import FOLDERS, in_the_way
from orch.config.secret import Secret
from orch.model.errors import OrchError
from orch.model.report import AgentState

_SOONEST = 1_735_689_600.0  # 2025-01-01: nobody ran this program before
_AHEAD_S = 5.0
_LEAST_INODES = 1000
_OF_DATABASE = {
    "database_corrupt": "",
    "database_io": "let it be a file of yours that can be written, on a local disk",
    "database_busy": "end the program that keeps it locked, then: orch doctor",
    "schema_newer": "",
}
"""Why the database cannot be used, and what mends it where its own hint leads here."""


class Check(NamedTuple):
    """One thing that was looked at; `fix` is what helps when it is not `ok`, or `ok` with a `note`:
    nothing is broken, and a person should know it all the same."""

    name: str
    ok: bool
    message: str
    fix: str = ""
    note: bool = False


Looks = Iterator[Check]


def diagnose(
    orch: Orch, environ: Mapping[str, str], *, now: Callable[[], float] = time.time
) -> list[Check]:
    """Everything, one `Check` or more each."""
    home = orch.rooms
    assert isinstance(home, Home)
    looks: tuple[tuple[str, Callable[[], Looks]], ...] = (
        ("python", _python),
        ("git", lambda: _tool("git", home.git.version, OLDEST_GIT)),
        ("tmux", lambda: _tool("tmux", home.terminals.version, OLDEST_TMUX)),
        ("folders", lambda: _folders(home)),
        ("config", lambda: _config(home)),
        ("database", lambda: _database(home)),
        ("clock", lambda: _clock(home, now())),
        ("disk", lambda: _disk(home)),
        ("lock", lambda: _lock(home)),
        ("socket", lambda: _socket(home.path / "run")),
        ("repositories", lambda: _repositories(home)),
        ("vault", lambda: _vault(home)),
        ("remotes", lambda: _remotes(orch)),
        ("agents", lambda: _agents(home, environ)),
        ("plugins", _plugins),
    )
    found: list[Check] = []
    for name, look in looks:
        try:
            found.extend(look())
        except OrchError as error:
            found.append(_failed(name, error))
        except OSError as error:
            found.append(Check(name, False, f"{error.filename}: {error.strerror}", "ls -la"))
    return found


def _failed(name: str, error: OrchError) -> Check:
    """What rests on the database says so; the database's own check says what mends it."""
    if error.code in _OF_DATABASE:
        return Check(name, False, "could not be looked at: the database cannot be used, see there")
    return Check(name, False, error.message, error.hint)


def _python() -> Looks:
    system = f"{platform.system()} {platform.release()}"
    told = f"{platform.python_version()} on {system}"
    if platform.system() == "Darwin":
        told += "; a program that an agent sends to the background may outlive it here"
    yield Check("python", True, told)


def _tool(name: str, ask: Callable[[], tuple[int, ...]], oldest: tuple[int, ...]) -> Looks:
    version = ask()
    wanted = ".".join(map(str, oldest))
    message = f"{'.'.join(map(str, version))} ({wanted} or newer is needed)"
    yield Check(name, version >= oldest, message, f"upgrade {name}")


def _folders(room: Home) -> Looks:
    """What agents wrote and what people keep secret lies there; nobody else may read it. A
    configuration without secrets in it, as an editor makes it, is only told of."""
    home = room.path
    open_ones = []
    for path in (home, *(home / name for name in FOLDERS)):
        if os.path.lexists(path) and not path.is_dir():
            raise in_the_way(path)
    for path in (home, *(home / name for name in FOLDERS), home / "config.toml", home / "orch.db"):
        try:
            known = path.stat()
        except FileNotFoundError:
            continue
        if known.st_uid != os.geteuid():
            yield Check(
                "folders", False, f"{path} belongs to somebody else (uid {known.st_uid})",
                f"sudo chown -R $(id -un) {home}",
            )  # fmt: skip
            return
        if stat.S_IMODE(known.st_mode) & 0o077 and not path.is_symlink():
            open_ones.append(path.name if path != home else str(home))
    if open_ones == ["config.toml"] and not _holds_secrets(room):
        said = "others could read config.toml, which has no secrets in it"
        yield Check("folders", True, said, f"chmod go-rwx {home / 'config.toml'}", note=True)
    elif open_ones:
        said = f"others can look into {', '.join(open_ones)}"
        yield Check("folders", False, said, f"chmod -R go-rwx {home}")
    else:
        yield Check("folders", True, f"{home} is yours alone")


def _holds_secrets(home: Home) -> bool:
    """Whether the configuration has a secret's own text in it, or cannot be read to tell."""
    try:
        return _has_secret(home.config(None))
    except OrchError:
        return True


def _has_secret(value: object) -> bool:
    match value:
        case Secret():
            return bool(value.reveal()) and value.kind() not in ("env", "file")
        case msgspec.Struct():
            return any(_has_secret(getattr(value, name)) for name in value.__struct_fields__)
        case Mapping():
            return any(map(_has_secret, value.values()))
        case tuple() | list():
            return any(map(_has_secret, value))
    return False


def _config(home: Home) -> Looks:
    files = home.config(None).files
    yield Check("config", True, f"{files[0]} is sound" if files else "all values are built in")
    for repo in home.store.repos():
        try:
            home.config(repo)
        except OrchError as error:
            yield Check(f"config of {repo.slug}", False, error.message, error.hint)


def _database(home: Home) -> Looks:
    place = home.path / "orch.db"
    files, target = " ".join(quote(str(p)) for p in _parts(place)), quote(f"{home.path}/damaged")
    fix = (
        f"mkdir -p {target} && mv {files} {target}/, then put a backup in its place (of orch doctor"
        f" --backup): cp BACKUP {quote(str(place))}; without one Orch begins anew"
    )
    try:
        broken, facts = home.store.quick_check(), home.store.facts()
    except OrchError as error:
        fix = (
            fix if error.code == "database_corrupt" else _OF_DATABASE.get(error.code) or error.hint
        )
        yield Check("database", False, error.message, fix)
        return
    if broken:
        yield Check("database", False, broken[0], fix)
        return
    size = (facts.size + facts.log_size) / 2**20
    told = f"sound: {size:.1f} MiB, SQLite {facts.sqlite}, journal {facts.journal}"
    yield Check("database", facts.journal == "wal", told, "move the home to a local disk")


def _parts(place: Path) -> list[Path]:
    """The database with what SQLite keeps beside it; a log without its database is of no use."""
    beside = [Path(f"{place}{ending}") for ending in ("-wal", "-shm")]
    return [place, *(path for path in beside if path.exists())]


def _clock(home: Home, now: float) -> Looks:
    from orch.model.naming import moment

    shown, fix = moment(now), "set the clock: timedatectl set-ntp true"
    if now < _SOONEST:
        yield Check("clock", False, f"it is {shown}, which cannot be", fix)
        return
    store = home.store
    last = store.events(store.last_event() - 1, limit=1) if store.last_event() else []
    if last and now < last[0].at - _AHEAD_S:
        behind = f"{last[0].at - now:.0f} s behind the last event ({moment(last[0].at)})"
        yield Check("clock", False, f"it is {shown}, {behind}", fix)
    else:
        yield Check("clock", True, shown)


def _disk(home: Home) -> Looks:
    try:
        least = home.config(None).run.min_free_mb
    except OrchError:
        least = 16  # the check of the configuration says what is wrong with it
    places = {str(home.path): home.path}
    places |= {repo.workspace_dir: Path(repo.workspace_dir) for repo in home.store.repos()}
    seen = set()
    for path in places.values():
        while not path.exists():
            path = path.parent
        if (device := path.stat().st_dev) in seen:
            continue
        seen.add(device)
        room = os.statvfs(path)
        free = room.f_bavail * room.f_frsize // 2**20
        files = room.f_favail if room.f_files else _LEAST_INODES
        enough = free >= least and files >= _LEAST_INODES
        told = f"{free} MiB free, {least} MiB needed"
        if files < _LEAST_INODES:
            told += f"; room for {files} more files only"
        name = "disk" if len(seen) == 1 else f"disk of {path}"
        yield Check(name, enough, told, "free some space")


def _lock(home: Home) -> Looks:
    driver = home.engine_pid()
    live = [run for run in home.store.live_runs() if run.status in ("pending", "running")]
    left = [run for run in live if not driver and not (run.owner and home.alive(run.owner))]
    if driver:
        yield Check("lock", True, f"held by process {driver}, which drives the runs")
    elif left:
        what = "run is" if len(left) == 1 else "runs are"
        yield Check("lock", False, f"free, and {len(left)} {what} driven by nobody", "orch resume")
    else:
        yield Check("lock", True, "free: no process drives runs now")


def _socket(folder: Path) -> Looks:
    from orch.terminals.server import socket_path

    path = socket_path(folder)
    length = len(os.fsencode(path))
    short = "" if path.parent == folder else " (the home's own path is too long for a socket)"
    for place in (path.parent, path):
        try:
            known = place.lstat()
        except FileNotFoundError:
            continue
        kind = stat.S_ISDIR(known.st_mode) or stat.S_ISSOCK(known.st_mode)
        if known.st_uid != os.geteuid() or not kind:
            fix = f"look at `ls -ld {place}` and remove it"
            yield Check("socket", False, f"{place} is not a socket or folder of yours", fix)
            return
        if stat.S_ISDIR(known.st_mode) and known.st_mode & 0o077:
            yield Check("socket", False, f"others can reach {path}", f"chmod 700 {place}")
            return
    yield Check("socket", True, f"{path}, {length} bytes{short}")


def _repositories(home: Home) -> Looks:
    try:
        if home.git.version() < OLDEST_GIT:
            return
    except OrchError:
        return  # the check of git says so; the repositories are not to blame
    repos = home.store.repos()
    for repo in repos:
        try:
            known = home.git.inspect(repo.local_path)
        except OrchError as error:
            fix = f"orch repo add PATH --slug {repo.slug}, where it is now"
            yield Check(f"repo {repo.slug}", False, error.message, fix)
            continue
        if known.common_dir != repo.common_dir:
            told = f"{repo.local_path} is another repository now"
            yield Check(f"repo {repo.slug}", False, told, "put the old one back in its place")
        elif not Path(repo.pinned_dir, "config").is_file():
            told = "its pinned view is not there"
            yield Check(f"repo {repo.slug}", False, told, f"orch repo add {repo.local_path}")
    yield Check("repositories", True, f"{len(repos)} registered")


def _vault(home: Home) -> Looks:
    found, broken = home.tracker.list()
    for sentence in broken:
        yield Check("vault", False, sentence, "mend the file, then: orch issue list")
    yield Check("vault", True, f"{len(found)} issues can be read")


def _remotes(orch: Orch) -> Looks:
    from orch.checkup.remotes import looks

    try:
        yield from looks(orch)
    except OrchError:
        return  # the checks of the configuration and of the database say so


def _agents(home: Home, environ: Mapping[str, str]) -> Looks:
    from orch.agents.known import Known
    from orch.agents.registry import Registry

    registry = Registry(home.config(None))
    for name in registry.names():
        try:
            missing = registry.get(name).probe(environ)
        except OrchError as error:  # its plugin, or its options
            yield Check(f"agent {name}", False, error.message, error.hint)
            continue
        state = registry.state(name, environ)
        told = missing.removeprefix(f"agent {name}: ") or state.problem or _standing(state)
        fix = state.fix or f"orch config explain agents.{name}.command"
        yield Check(f"agent {name}", not (missing or state.problem), told, fix)
    there = registry.at_hand(environ)
    for name in there:
        state = registry.state(name, environ)
        told = f"installed, and no agent yet: {state.problem or _standing(state)}"
        yield Check(f"agent {name}", True, told, Known(name).set_command(), note=True)
    if not registry.names() and not there:
        fix = """orch config set agents.mine.command '["PROGRAM", "ARG"]'"""
        yield Check("agents", True, "none is configured yet", fix, note=True)


def _standing(state: AgentState) -> str:
    """A version that nobody has tried is told, and keeps no agent from work."""
    told = f"found, version {state.version}" if state.version else "found"
    if state.signed_in is not None:
        told += ", signed in" if state.signed_in else ", not signed in"
    if state.version and state.proven and state.version != state.proven:
        told += f" (proven with {state.proven})"
    return told


def _plugins() -> Looks:
    """Everything that other packages offer to Orch can be loaded."""
    from orch import plugins
    from orch.api.plugged import examine

    nothing = True
    for told in plugins.unreadable():
        nothing = False
        yield Check("plugins", False, told, "install that package again")
    for plugin, problem, mend, note in examine():
        nothing = False
        name = f"plugin {plugin.group.removeprefix('orch.')} {plugin.name}"
        told = problem or f"{plugin.distribution} {plugin.version}" + (note and f", {note}")
        yield Check(name, not problem, told, mend)
    if nothing:
        yield Check("plugins", True, "none is installed")

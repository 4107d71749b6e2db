"""Webhooks of sources, as a person sees to them: made, listed, tried, played again.

Invariant: at no moment is a delivery refused that is signed with the secret in use: a new secret is
in its file, and the one before beside it, before the tracker hears of either.
"""

from __future__ import annotations

import http.client
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from orch.api.ticket_sources import find
from orch.config.editing import setting
from orch.config.secret import Secret, resolve
from orch.config.source_tree import SourceConfig
from orch.hosts.deliveries import KINDS
from orch.model.deliveries import Delivery, silent
from orch.model.errors import (
    Conflict,
    NotFound,
    OrchError,
    SignInNeeded,
    ToolFailed,
    Unreachable,
    UsageError,
)
from orch.model.loopback import is_loopback
from orch.model.naming import moment
from orch.model.plain import plain_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orch.api.facade import Orch
    from orch.ports.webhooks import HookKeeper

ADDRESS = ("run", "webhooks.address")
WAIT_S = 15.0
"""How long a ping of the tracker may take to arrive."""
SHORTEST_SECRET = 16
SHORTEST_BEGIN = 6
"""Characters by which a delivery may be called."""


def hooked(orch: Orch, name: str) -> SourceConfig:
    """The table of a source that may have webhooks."""
    config = find(orch, name)
    if config.kind not in KINDS:
        raise UsageError(
            f"a source of the kind {config.kind} has no webhooks", code="no_webhooks",
            hint="orch repo sources list",
        )  # fmt: skip
    return config


# --- making them


def public_url(name: str, url: str) -> str:
    """Where the deliveries of `name` go: below `url`, or `url` itself where it says so already.
    `UsageError(bad_url)`."""
    if not url:
        return ""
    tail = f"/webhooks/{name}"
    try:
        parts = urlsplit(url)
        good = parts.scheme == "https" or (
            parts.scheme == "http" and is_loopback(parts.hostname or "")
        )
        good = good and bool(parts.hostname) and not parts.query and not parts.fragment
        good = good and parts.username is None and url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:
        raise UsageError(
            f"{url[:100]!r} is no address that a tracker can deliver to", code="bad_url",
            hint="--url https://orch.example.org",
        )  # fmt: skip
    return url if url.endswith(tail) else url.rstrip("/") + tail


def places(orch: Orch, name: str) -> tuple[Path, Path]:
    """The files of a source's secret and of the one before."""
    folder = Path(orch.home) / "secrets"
    return folder / f"{name}.webhook", folder / f"{name}.webhook.old"


def add(
    orch: Orch, name: str, url: str, environ: Mapping[str, str], *, secret: str = ""
) -> dict[str, Any]:  # fmt: skip
    """A new secret for the source `name` (or the one that the tracker made), which holds beside the
    one before; and, where the tracker lets us, a hook at it. `{source, url, file, rotated, made,
    place, why, events, where}`: `made` says whether the tracker has it now, `why` if not."""
    config = hooked(orch, name)
    where = public_url(name, url)
    if secret and len(secret) < SHORTEST_SECRET:
        raise UsageError(
            f"a secret has at least {SHORTEST_SECRET} characters", code="short_secret",
            hint=f"orch webhook add {name} makes one",
        )  # fmt: skip
    # With a credential that may not, the secret that the tracker has would be the one before, and
    # after the second time none that we know.
    keeps = bool(config.secrets) and not secret and _may_not(orch, name)
    rotated = not keeps and _exchange(orch, name, config, secret or secrets.token_hex(32), environ)
    made, where, place, why = _at_tracker(orch, name, where, environ)
    kind = KINDS[config.kind]
    return {
        "source": name, "url": where, "file": str(places(orch, name)[0]), "rotated": rotated,
        "made": made, "place": place, "why": why, "events": kind.events, "where": kind.where,
    }  # fmt: skip


def _exchange(
    orch: Orch, name: str, config: SourceConfig, secret: str, environ: Mapping[str, str]
) -> bool:
    """Put the new secret in its file and the one before behind it; whether there was one."""
    new, old = places(orch, name)
    mine = f"file:{new}"
    before = [one.reveal() for one in config.secrets if one.reveal() != f"file:{old}"][:1]
    new.parent.mkdir(mode=0o700, exist_ok=True)
    if before == [mine] and new.exists():
        _put(old, new.read_text("utf-8"))
        wanted = [mine, f"file:{old}"]
    else:
        _put(new, secret)
        wanted = [mine, *[one for one in before if one != mine]]
    if [one.reveal() for one in config.secrets] != wanted:
        words = ", ".join(_quoted(one) for one in wanted)
        edit, _ = setting(Path(orch.home), f"sources.{name}.secrets", f"[{words}]", environ)
        edit.write()
        orch.rooms.reread()
    _put(new, secret)
    return bool(before)


def _quoted(text: str) -> str:
    import json

    return json.dumps(text)


def _put(file: Path, text: str) -> None:
    """Replace a file as a whole, for its owner's eyes."""
    new = file.with_name(f"{file.name}.{os.getpid()}.new")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text.rstrip("\n") + "\n")
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(new, file)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise ToolFailed(
            f"{file} cannot be written: {error.strerror}", code="secret_unwritable",
            hint=f"ls -ld {file.parent}",
        ) from error  # fmt: skip


def keeper(orch: Orch, name: str) -> HookKeeper | None:
    """Who sees to a source's webhooks at its tracker; None for a kind where nobody can."""
    found: HookKeeper | None = getattr(orch.rooms.sources.open(name), "hooks", None)
    return found


def _at_tracker(
    orch: Orch, name: str, url: str, environ: Mapping[str, str]
) -> tuple[bool, str, str, str]:
    """Whether the tracker delivers now, to which URL, where the hook is, and why not."""
    try:
        found = keeper(orch, name)
        if found is None:
            return False, url, "", "this kind's hooks are made by hand"
        url = url or found.found(f"/webhooks/{name}")  # a new secret for the hook that is there
        if not url:
            return False, "", found.place(), "without --url there is nowhere to deliver to"
        found.ensure(url, _secret(orch, name, environ).reveal())
        return True, url, found.place(), ""
    except (SignInNeeded, NotFound) as refusal:
        return False, url, "", plain_text(refusal.message)


def _may_not(orch: Orch, name: str) -> bool:
    """Whether the tracker refuses to let us see to its hooks. What is only out of reach is raised."""
    try:
        found = keeper(orch, name)
        if found is not None:
            found.found(f"/webhooks/{name}")
    except (SignInNeeded, NotFound):
        return True
    return False


def _secret(orch: Orch, name: str, environ: Mapping[str, str]) -> Secret:
    """The one in use."""
    held = find(orch, name).secrets
    if not held:
        raise Conflict(
            f"the source {name} has no webhook secret", code="no_secret",
            hint=f"orch webhook add {name}",
        )  # fmt: skip
    return resolve(held[0], environ, purpose=f"sources.{name}.secrets")


# --- looking at them


def listing(orch: Orch) -> list[dict[str, Any]]:
    """Each source that has webhooks, or could: what came of them, what was refused, how silent."""
    now, books = orch.rooms.clock.now(), orch.store.deliveries
    found = []
    for name, config in sorted(orch.rooms.config(None).sources.items()):
        if config.kind not in KINDS:
            continue
        refused = books.refusals(name)
        last = books.last_at(name)
        found.append({
            "source": name, "kind": config.kind, "secrets": len(config.secrets),
            "last": moment(last) or None,
            "waiting": len(books.waiting(name)),
            "refused": {one.reason: one.times for one in refused},
            "last_refused": moment(max((one.last_at for one in refused), default=0.0)) or None,
            "silent": silent(last, _last_change(orch, name), now) if config.secrets else "",
        })  # fmt: skip
    return found


def _last_change(orch: Orch, name: str) -> float:
    """When the tracker itself says that a ticket of the source was changed last."""
    from orch.api.moments import moment_in

    stamps = [row.ticket.updated for row in orch.store.tickets.tickets(name)]
    newest = max(filter(None, stamps), default="")
    try:
        return moment_in(newest, "UTC") if newest else 0.0
    except UsageError:  # the tracker's own words: no time that can be read
        return 0.0


def record(row: Delivery) -> dict[str, Any]:
    """A delivery as it is shown."""
    return {
        "source": row.source, "id": row.id, "event": row.event, "state": row.state,
        "received_at": moment(row.received_at), "error": row.error,
        "hints": [{"kind": hint.kind, "id": hint.id} for hint in row.hints],
    }  # fmt: skip


# --- trying them


def try_here(orch: Orch, name: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """A signed request that says nothing, to our own intake. `{source, way, url, delivery, state}`;
    `Unreachable` where none is running, `Conflict(webhook_refused)` with its reason."""
    config, file = hooked(orch, name), Path(orch.home).joinpath(*ADDRESS)
    secret = _secret(orch, name, environ)
    try:
        address = file.read_text("utf-8").strip()
        parts = urlsplit(address)
        delivery = f"orch-test-{secrets.token_hex(8)}"
        now = orch.rooms.clock.now()
        headers, body = KINDS[config.kind].sample(secret.reveal().encode(), delivery, now)
        asking = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            headers["content-type"] = "application/json"
            asking.request("POST", f"/webhooks/{name}", body, headers)
            answer = asking.getresponse()
            status, told = answer.status, answer.read(65_536)
        finally:
            asking.close()
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(
            "no service of this home takes webhooks in", code="no_intake",
            hint="orch serve --webhooks",
        ) from error  # fmt: skip
    if status not in (200, 202):
        raise Conflict(
            f"the intake refused it with {status}: {plain_text(told.decode('utf-8', 'replace'))}",
            code="webhook_refused", hint=f"orch config explain sources.{name}.secrets",
        )  # fmt: skip
    url = f"{address}/webhooks/{name}"
    return {"source": name, "way": "here", "url": url, "delivery": delivery, "state": "arrived"}


def try_there(orch: Orch, name: str, *, wait_s: float = WAIT_S) -> dict[str, Any] | None:
    """Have the tracker send a ping, and wait for it. None where it has no hook of ours."""
    hooked(orch, name)
    found = keeper(orch, name)
    url = found.found(f"/webhooks/{name}") if found is not None else ""
    if found is None or not url:
        return None
    books = orch.store.deliveries
    known = {row.id for row in books.find(name)}
    found.ping(url)
    deadline = orch.rooms.clock.monotonic() + wait_s
    while orch.rooms.clock.monotonic() < deadline:
        new = [row for row in books.find(name) if row.id not in known]
        if new:
            return {"source": name, "way": found.place(), "url": url, "delivery": new[-1].id,
                    "state": "arrived"}  # fmt: skip
        time.sleep(0.2)
    raise Unreachable(
        f"{found.place()} was asked for a ping, and none has arrived at {url} in {wait_s:.0f} s",
        code="webhook_silent", hint="orch webhook list, and look at the hook's own page there",
    )  # fmt: skip


# --- playing them again


def replayable(
    orch: Orch, identifier: str, *, source: str, since: float, failed: bool
) -> Sequence[Delivery]:
    """The stored deliveries that are meant: one by its id or how that begins, or those since a time,
    or that failed."""
    books = orch.store.deliveries
    if source:
        hooked(orch, source)
    if not identifier:
        return books.find(source, since=since, failed=failed, limit=100_000)
    names = [source] if source else sorted(orch.rooms.config(None).sources)
    found = [row for name in names if (row := books.one(name, identifier)) is not None]
    if not found:
        begins = identifier.rstrip("….")  # as a narrow table shows it
        if len(begins) >= SHORTEST_BEGIN:
            kept = books.find(source, limit=100_000)
            found = [row for row in kept if row.id.startswith(begins)]
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} deliveries begin with {begins[:80]!r}", code="ambiguous_delivery",
                hint="orch webhook list --deliveries --json",
            )  # fmt: skip
    if not found:
        raise NotFound(
            f"there is no delivery {identifier[:80]!r}", code="unknown_delivery",
            hint="orch webhook list --deliveries",
        )  # fmt: skip
    return found


def resend(orch: Orch, source: str, since: float) -> dict[str, int | OrchError]:
    """Ask trackers for what never arrived, source by source: how many, or why nobody was asked."""
    told: dict[str, int | OrchError] = {}
    for name, config in sorted(orch.rooms.config(None).sources.items()):
        if source not in ("", name) or config.kind not in KINDS:
            continue
        try:
            found = keeper(orch, name)
            url = found.found(f"/webhooks/{name}") if found is not None else ""
            if found is not None and url:
                told[name] = found.resend(url, since)
        except OrchError as error:
            told[name] = error
    return told

"""`orch webhook`, and `orch serve --webhooks`, as a person and a tracker meet them."""

from __future__ import annotations

import contextlib
import http.client
import json
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.world import World, make
from tests.standins.github.hook_routes import Hook
from tests.trackers_world import PROJECT, Octo, at_github
from tests.webhook_requests import Sent, sent

URL = "https://orch.example.org"
TEXT = """
[sources.thing]
kind = "github"
repo = "thing"
start = "never"
interval_s = 3600
[sources.lab]
kind = "gitlab"
repo = "thing"
project = "octo/thing"
secrets = ["env:LAB_SECRET"]
[sources.notes]
kind = "memory"
repo = "thing"
"""


@pytest.fixture
def octo(tmp_path: Path) -> Iterator[Octo]:
    with at_github(tmp_path, agents={"one": "command = ['true']"}, text=TEXT) as made:
        made.project.rights["bot"] = "admin"
        made.world.extra["LAB_SECRET"] = "the secret of the lab"
        yield made


def hook(octo: Octo) -> Hook:
    [made] = octo.github.world.hooks[PROJECT]
    assert isinstance(made, Hook)
    return made


def kept(world: World, ending: str = "webhook") -> str:
    return (world.home / "secrets" / f"thing.{ending}").read_text().strip()


@contextlib.contextmanager
def serving(world: World) -> Iterator[int]:
    """A service with an intake; its port."""
    service = world.start("serve", "--webhooks", "127.0.0.1:0")
    try:
        assert service.stderr is not None
        for line in service.stderr:
            if "webhooks come in at http://127.0.0.1:" in line:
                yield int(line.rpartition(":")[2].partition("/")[0])
                break
        else:
            raise AssertionError("the intake never began")
    finally:
        service.terminate()
        service.communicate(timeout=60)


def deliver(port: int, request: Sent, name: str = "thing") -> tuple[int, Any]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, 20)) as talk:
        talk.request("POST", f"/webhooks/{name}", request.body, dict(request.headers))
        answer = talk.getresponse()
        return answer.status, json.loads(answer.read())


def test_a_webhook_is_made_its_secret_kept_and_exchanged_without_a_pause(octo: Octo) -> None:
    world = octo.world
    told = world.ask("webhook", "add", "thing", "--url", URL)
    assert (told["made"], told["rotated"]) == (True, False)
    first = kept(world)
    assert len(first) == 64
    assert first not in json.dumps(told)
    assert hook(octo).config["url"] == told["url"] == f"{URL}/webhooks/thing"
    assert hook(octo).config["secret"] == first
    file = world.home / "secrets" / "thing.webhook"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = world.ask("webhook", "add", "thing")  # the hook that is there is found by its URL
    assert (again["made"], again["rotated"], again["url"]) == (True, True, told["url"])
    assert kept(world, "webhook.old") == first
    assert hook(octo).config["secret"] == kept(world) != first
    secrets = world.ask("config", "get", "sources.thing.secrets")
    assert first not in json.dumps(secrets)
    text = (world.home / "config.toml").read_text()
    assert f'secrets = ["file:{file}", "file:{file}.old"]' in text
    assert "interval_s = 3600" in text
    third = world.ask("webhook", "add", "thing")
    assert (third["made"], kept(world, "webhook.old") != first) == (True, True)
    with serving(world) as port:
        for secret, status in ((kept(world), 202), (kept(world, "webhook.old"), 202), (first, 401)):
            request = sent("github", secret=secret.encode(), delivery=secret[:8])
            assert deliver(port, request)[0] == status


def test_where_the_credential_may_not_it_is_told_what_to_enter_where(octo: Octo) -> None:
    octo.project.rights["bot"] = "write"
    answer = octo.world.orch("webhook", "add", "thing", "--url", URL)
    assert answer.code == 0
    assert f"{URL}/webhooks/thing" in answer.out
    assert f"cat {octo.world.home}/secrets/thing.webhook" in answer.out
    assert "Settings, Webhooks" in answer.out
    assert kept(octo.world) not in answer.out + answer.err
    assert PROJECT not in octo.github.world.hooks or octo.github.world.hooks[PROJECT] == []


def test_with_a_credential_that_may_not_the_secret_in_use_stays(octo: Octo) -> None:
    world = octo.world
    world.ask("webhook", "add", "thing", "--url", URL)
    first = kept(world)
    for _ in range(3):
        told = world.ask("webhook", "add", "thing", env={"GITHUB_TOKEN": "ghp_nobody"})
        assert (told["made"], told["rotated"]) == (False, False)
    assert kept(world) == first == hook(octo).config["secret"]
    assert not (world.home / "secrets" / "thing.webhook.old").exists()


def test_a_secret_that_the_tracker_made_is_read_from_standard_input(octo: Octo) -> None:
    world = octo.world
    world.ask("webhook", "add", "thing", "--secret", "-", stdin="lin_wh_0123456789abcdef\n")
    assert kept(world) == "lin_wh_0123456789abcdef"
    world.refused("webhook", "add", "thing", "--secret", "-", stdin="short\n",
                  code="short_secret", exit_code=2)  # fmt: skip
    world.refused("webhook", "add", "thing", "--secret", "spoken", code="secret_in_argv",
                  exit_code=2)  # fmt: skip


def test_a_dry_run_changes_nothing(octo: Octo) -> None:
    before = octo.world.snapshot()
    told = octo.world.ask("webhook", "add", "thing", "--url", URL, "--dry-run")
    assert told["url"] == f"{URL}/webhooks/thing"
    assert octo.world.snapshot() == before
    assert octo.github.requests("/hooks") == []


@pytest.mark.parametrize(("words", "code", "exit_code"), [
    (("add", "nobody"), "unknown_source", 3),
    (("add", "notes"), "no_webhooks", 2),
    (("add", "thing", "--url", "http://orch.example.org"), "bad_url", 2),
    (("add", "thing", "--url", "https://a:b@orch.example.org"), "bad_url", 2),
    (("list", "--source", "nobody"), "unknown_source", 3),
    (("test", "nobody"), "unknown_source", 3),
    (("test", "thing", "--here"), "no_secret", 5),
    (("test", "lab", "--here"), "no_intake", 8),
    (("replay",), "no_delivery", 2),
    (("replay", "nothing-like-it"), "unknown_delivery", 3),
    (("replay", "--since", "soon"), "bad_span", 2),
    (("replay", "--failed", "--source", "notes"), "no_webhooks", 2),
])  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_changes(
    octo: Octo, words: tuple[str, ...], code: str, exit_code: int
) -> None:
    octo.world.refused("webhook", *words, code=code, exit_code=exit_code)


def test_deliveries_are_taken_in_listed_tried_and_played_again(octo: Octo) -> None:
    world = octo.world
    assert world.orch("webhook", "list").code == 0
    world.ask("webhook", "add", "thing", "--url", URL)
    secret = kept(world).encode()
    with serving(world) as port:
        assert deliver(port, sent("github", secret=secret, delivery="one"))[0] == 202
        assert deliver(port, sent("github", secret=secret, delivery="one"))[0] == 200
        assert deliver(port, sent("github", secret=b"a guess", delivery="two"))[0] == 401
        lab = sent("gitlab", secret=b"the secret of the lab", delivery="three")
        assert deliver(port, lab, "lab")[0] == 202
        for source in ("thing", "lab"):
            tried = world.ask("webhook", "test", source, "--here")
            assert (tried["way"], tried["state"]) == ("here", "arrived")
        [refused] = world.until(
            lambda: [o for o in world.ask("webhook", "list") if o["refused"]], "the count"
        )
        assert (refused["source"], refused["refused"]) == ("thing", {"bad_signature": 1})
    rows = world.ask("webhook", "list", "--deliveries", "--source", "thing")
    assert [row["id"] for row in rows if not row["id"].startswith("orch-test-")] == ["one"]
    assert rows[-1]["hints"] == [{"kind": "ticket", "id": "12"}]
    assert "12" in world.orch("webhook", "list", "--deliveries").out
    world.spoil("update deliveries set state = 'done', error = 'no answer' where id = ?", "one")
    would = world.ask("webhook", "replay", "--failed", "--source", "thing", "--dry-run")
    assert [row["id"] for row in would["replayed"]] == ["one"]
    assert world.ask("webhook", "list", "--deliveries", "--source", "thing")[-1]["error"]
    hook(octo).sent(7, "lost", 502, time.time() - 60)
    told = world.ask("webhook", "replay", "--failed", "--source", "thing")
    assert [row["id"] for row in told["replayed"]] == ["one"]
    assert told["asked"]["thing"] == 1
    assert hook(octo).again == [7]
    world.ask("config", "set", "sources.thing.token", "file:/nowhere")
    told = world.ask("webhook", "replay", "--failed", "--source", "thing", code=8)
    assert told["asked"]["thing"].startswith("sources.thing.token: cannot read /nowhere")
    shown = world.orch("webhook", "replay", "--failed", "--source", "thing")
    assert (shown.code, "try: orch config explain sources.thing.token" in shown.err) == (8, True)
    world.ask("config", "unset", "sources.thing.token")
    row = world.ask("webhook", "list", "--deliveries", "--source", "thing")[-1]
    assert (row["state"], row["error"]) == ("new", "")
    assert len(world.ask("webhook", "replay", "--since", "1h")["replayed"]) == 4
    assert world.orch("webhook", "replay", "three").out.startswith("again: lab")
    tried = [row["id"] for row in world.ask("webhook", "list", "--deliveries", "--source", "lab")
             if row["id"] != "three"]  # fmt: skip
    assert f" {tried[0]}" in world.orch("webhook", "replay", f"{tried[0][:16]}…").out
    world.refused("webhook", "replay", "orch-test-", code="ambiguous_delivery", exit_code=2)
    assert not (world.home / "run" / "webhooks.address").exists()


def test_a_ping_of_the_tracker_is_waited_for(octo: Octo) -> None:
    world = octo.world
    world.ask("webhook", "add", "thing", "--url", URL)
    with serving(world) as port:
        asking = world.start("webhook", "test", "thing", "--json")
        world.until(lambda: hook(octo).pings == 2, "the ping")  # one is for having been made
        secret = kept(world).encode()
        assert deliver(port, sent("github", {"zen": "x"}, event="ping", secret=secret))[0] == 202
        out, err = asking.communicate(timeout=60)
    assert asking.returncode == 0, err
    told = json.loads(out)
    assert told["way"].startswith(f"{PROJECT} at ")
    assert told["url"] == f"{URL}/webhooks/thing"


def test_an_intake_that_everybody_can_reach_is_warned_about(tmp_path: Path) -> None:
    world = make(tmp_path)
    service = world.start("serve", "--webhooks", "0.0.0.0:0")
    assert service.stderr is not None
    lines = iter(service.stderr.readline, "")
    try:
        assert any("whoever reaches this machine can deliver there" in one for one in lines)
    finally:
        service.terminate()
        service.communicate(timeout=60)


def test_an_address_that_is_none_ends_the_service_before_it_begins(tmp_path: Path) -> None:
    world = make(tmp_path)
    answer = world.orch("serve", "--webhooks", "host:x", "--json")
    assert (answer.code, answer.error["code"]) == (2, "bad_address")
    with serving(world) as port:
        assert deliver(port, sent("github"))[0] == 404
    again = world.orch("serve", "--webhooks", "10.255.255.1:1", "--json")
    assert (again.code, again.error["code"]) == (2, "bad_address")

"""Tickets are found, bound to pull requests and resolved; `issue` and `tickets` say the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.acceptance.world import World, furnished


@pytest.fixture
def many(world: World) -> World:
    world.ask("issue", "create", "Fix the CRASH", "--labels", "bug,cli", "--repo", "thing")
    world.ask("issue", "create", "Write more", "--labels", "docs", "--body", "about the Straße")
    world.ask("issue", "create", "Old news", "--labels", "bug")
    vault = world.home / "vault"
    (vault / "ISSUE-004.md").write_text(
        (vault / "ISSUE-004.md").read_text().replace("status: open", "status: closed")
    )
    (vault / "ISSUE-009.md").write_text("---\ntitle: Elsewhere\nrepo: far-away\n---\n")
    return world


def ids(world: World, *words: str) -> list[int]:
    found = world.ask("tickets", "list", *words)
    assert found == world.ask("issue", "list", *words), "one implementation"
    return [int(ticket["id"].removeprefix("ISSUE-")) for ticket in found]


def test_tickets_are_found_by_what_they_say(many: World) -> None:
    assert ids(many) == [9, 4, 3, 2, 1]
    assert ids(many, "--state", "closed") == [4]
    assert ids(many, "--state", "closed", "--state", "open", "--limit", "2") == [9, 4]
    assert ids(many, "--label", "bug") == [4, 2]
    assert ids(many, "--label", "cli") == ids(many, "--label", "bug", "--label", "cli") == [2]
    assert ids(many, "--label", "docs", "--label", "cli") == []
    assert ids(many, "--repo", "th") == [2]
    assert ids(many, "--repo", "far-away") == [9]
    assert ids(many, "--text", "crash") == [2]
    assert ids(many, "--text", "STRASSE") == [3]
    assert ids(many, "--text", "issue-004") == [4]
    assert ids(many, "--label", "bug", "--state", "open") == [2]
    assert ids(many, "--label", "none of them") == []
    assert "no issue is like that" in many.orch("tickets", "list", "--text", "zzz").err
    many.refused("tickets", "list", "--repo", "nowhere", code="unknown_repo", exit_code=3)
    many.refused("tickets", "list", "--state", "asleep", code="usage", exit_code=2)
    many.refused("tickets", "list", "--limit", "-1", code="usage", exit_code=2)


def test_a_ticket_is_shown_as_an_issue_is(many: World) -> None:
    assert many.ask("tickets", "show", "2") == many.ask("issue", "show", "ISSUE-002")
    assert many.orch("tickets", "show", "2").out == many.orch("issue", "show", "2").out
    many.refused("tickets", "show", "77", code="unknown_issue", exit_code=3)


def test_a_ticket_is_linked_and_unlinked(world: World) -> None:
    record = world.run("basic_pr", "--issue", "1")
    [pull] = record["prs"]
    world.ask("issue", "create", "Another", "--repo", "thing")
    file = Path(world.ask("issue", "show", "2")["path"])
    before = file.read_text()
    for word in ("1", "#1", "thing#1", pull["url"]):
        assert world.ask("tickets", "link", "2", word)["pr_url"] == pull["url"]
    assert f"pull request: {pull['url']}" in world.orch("tickets", "show", "2").out
    error = world.refused(
        "tickets", "link", "2", "https://example.org/pull/7", code="linked_already", exit_code=5
    )
    assert error["hint"] == "orch tickets unlink ISSUE-002"
    assert world.ask("tickets", "unlink", "2")["pr_url"] == ""
    assert world.ask("tickets", "unlink", "2")["pr_url"] == ""
    assert world.ask("tickets", "link", "2", "https://example.org/pull/7")["pr_url"].endswith("/7")
    text = file.read_text()
    assert text.replace('pr_url: "https://example.org/pull/7"\n', "") == before
    world.refused("tickets", "link", "2", "8", code="unknown_pr", exit_code=3)
    world.refused("tickets", "link", "2", "a b", code="bad_pr", exit_code=2)
    world.refused("tickets", "unlink", "77", code="unknown_issue", exit_code=3)


def test_an_issue_is_resolved_once(world: World) -> None:
    done = world.ask("issue", "resolve", "1", "--pr", "https://x.example/1", "--result", "It works")
    assert (done["status"], done["pr_url"], done["resolution"]) == (
        "resolved", "https://x.example/1", "It works",
    )  # fmt: skip
    assert done["resolved"].endswith("Z")
    assert world.ask("issue", "resolve", "1") == done, "again changes nothing, not even the time"
    assert ids(world, "--state", "resolved") == [1]
    world.refused("issue", "resolve", "7", code="unknown_issue", exit_code=3)
    world.refused("issue", "resolve", "1", "--pr", "5", code="unknown_pr", exit_code=3)
    own = world.root / "mine.md"
    own.write_text("# Mine\n")
    world.refused("issue", "resolve", str(own), code="not_ours", exit_code=2)
    assert own.read_text() == "# Mine\n"


@pytest.mark.parametrize(
    "words",
    [
        ("tickets", "link", "1", "https://example.org/1"),
        ("tickets", "unlink", "1"),
        ("issue", "resolve", "1", "--result", "x"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_a_dry_run_changes_nothing(world: World, words: tuple[str, ...]) -> None:
    before = world.snapshot()
    answer = world.orch(*words, "--dry-run")
    assert (answer.code, answer.out.split()[0]) == (0, "would")
    assert world.ask(*words, "--dry-run")["id"] == "ISSUE-001"
    assert world.snapshot() == before


def test_an_edit_by_hand_is_seen_in_a_long_list_at_once(tmp_path: Path) -> None:
    world = furnished(tmp_path / "me")
    try:
        vault = world.home / "vault"
        for n in range(2, 301):
            (vault / f"ISSUE-{n:03}.md").write_text(f"---\ntitle: Number {n}\n---\n")
        assert len(ids(world)) == 300
        (vault / "ISSUE-150.md").write_text("---\ntitle: Mended 150\n---\n")
        (vault / "ISSUE-151.md").unlink()
        (vault / "ISSUE-152.md").write_text("nothing")
        found = {ticket["id"]: ticket for ticket in world.ask("tickets", "list")}
        assert found["ISSUE-150"]["title"] == "Mended 150"
        assert "ISSUE-151" not in found
        assert "ISSUE-152.md" in world.orch("tickets", "list").err
    finally:
        world.close()

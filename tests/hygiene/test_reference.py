"""The reference in `docs/reference/` is what the code says now, and leaves no command out."""

from __future__ import annotations

import pytest

from tools import agents_page, reference


@pytest.mark.parametrize("name", ["commands.md", "configuration.md", "effects.md"])
def test_a_page_is_what_the_code_says(name: str) -> None:
    written = (reference.FOLDER / name).read_text(encoding="utf-8")
    assert written == reference.pages()[name], f"write it anew: {reference.MADE}"


def test_the_page_of_agents_is_what_the_adapters_say() -> None:
    assert agents_page.PAGE.read_text(encoding="utf-8") == agents_page.page()


def test_a_page_that_is_out_of_date_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = reference.commands()
    monkeypatch.setitem(reference.SHAPES, "version", "something else")
    assert reference.commands() != before


def test_what_every_command_prints_as_json_is_written_down() -> None:
    """`help` explains in prose; everything else is scripted against."""
    known = {words for words, _, _ in reference.leaves()} - {"help"}
    assert known - set(reference.SHAPES) == reference.UNDESCRIBED
    assert set(reference.SHAPES) - known == set(), "described and not there"


def test_every_linked_record_is_described() -> None:
    text = reference.commands()
    for name in reference.examples():
        assert f"\n## {name}\n" in text
    for linked in ("run", "ticket", "repository", "worktree", "pull request", "session"):
        assert f"[{linked}](#{linked.replace(' ', '-')})" in text

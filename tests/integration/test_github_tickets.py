"""What of the source `github` is GitHub's own: what a sync costs, labels, people, limits, faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orch.model import marks
from orch.model.errors import (
    ConfigError,
    LimitReached,
    NotFound,
    SignInNeeded,
    ToolFailed,
    UsageError,
)
from orch.model.tracked import Author, Tracked
from orch.testing.sources import KEY, STRANGER, WRITER, by_id, ids
from orch.trackers.github import GitHubSource
from tests.integration.test_github_source import (
    Make,
    R,
    making as making,
    repo as repo,
    source as source,
    standin as standin,
)
from tests.standins.github import pulls
from tests.standins.github.faults import Chances
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Milestone, Repo


def test_a_sync_of_ten_thousand_issues_costs_next_to_nothing(
    standin: GitHubStandIn, repo: Repo, making: Make
) -> None:
    """Even where all of them were made in one minute, and each time by another process."""
    world = standin.world
    writer = world.users[WRITER]
    for number in range(10_000):
        issue = world.new_issue(writer, repo, f"T{number}")
        if number % 20:
            issue.state = "closed"
    cursor = making().look("").cursor
    for _ in range(2):
        asked = len(standin.log)
        batch = making().look(cursor)
        cursor = batch.cursor
        assert len(standin.log) - asked <= 5
        assert len(batch.tickets) <= 300
    world.clock.advance(300)
    for number in range(1, 10_000, 50):
        world.edit_issue(writer, repo.issues[number], title="New")
    asked = len(standin.log)
    batch = making().look(cursor)
    assert len(standin.log) - asked <= 20
    assert {str(number) for number in range(1, 10_000, 50)} <= ids(batch)


def test_a_position_that_github_does_not_know_any_more_is_done_without(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo
) -> None:
    standin.world.new_issue(standin.world.users[WRITER], repo, "T")
    since = source.look("").cursor.split()[0]
    assert ids(source.look(f"{since} nonsense")) == {"1"}


def test_a_ticket_says_what_github_knows(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo
) -> None:
    world = standin.world
    writer, other = world.users[WRITER], world.add_repo("octo/other")
    repo.milestones.append(Milestone(7, 1, "1.0"))
    parent = world.new_issue(writer, repo, "Parent")
    abroad = world.new_issue(writer, other, "Abroad")
    made = world.new_issue(
        writer, repo, "T", "B", labels=["priority: High", "status:in_review"], milestone=1,
        assignees=["octo", WRITER],
    )  # fmt: skip
    world.add_child(parent, made)
    world.block(made, abroad)
    world.block(made, parent)
    found = source.get("2")
    assert (found.source, found.repo, found.id) == ("thing", "thing", "thing:2")
    assert (found.priority, found.state, found.word) == ("high", "in_progress", "open")
    assert (found.milestone, found.assignee, found.parent) == ("1.0", "octo", "1")
    assert set(found.blocked_by) == {"octo/other#1", "1"}
    assert found.author == Author(id=str(writer.id), name=WRITER)
    assert (found.edited, found.editor) == ("", Author())
    assert json.loads(found.raw)["title"] == "T"


def test_who_changed_the_words_last_is_told(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo
) -> None:
    world = standin.world
    issue = world.new_issue(world.users[STRANGER], repo, "T", "B")
    world.clock.advance(60)
    world.edit_issue(world.users[WRITER], issue, body="B2")
    body = source.get("1")
    assert body.editor.name == WRITER
    assert body.edited > body.created
    world.clock.advance(60)
    world.edit_issue(world.users[STRANGER], issue, title="T2")
    title = by_id(source.look(""), "1")
    assert title.editor.name == STRANGER
    assert title.edited > body.edited


def test_a_project_that_was_renamed_goes_on_under_its_old_name(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo
) -> None:
    world = standin.world
    first = world.new_issue(world.users[WRITER], repo, "First")
    second = world.new_issue(world.users[WRITER], repo, "Second")
    world.block(second, first)
    cursor = source.look("").cursor
    world.rename(repo, "newowner/renamed")
    repo.rights["octo"] = "admin"
    world.clock.advance(300)
    world.edit_issue(world.users[WRITER], second, title="New")
    assert by_id(source.look(cursor), "2").blocked_by == ("1",)
    assert source.get("2").blocked_by == ("1",)
    source.put_state("2", "routed")
    made = source.put_comment("2", "Said", key=KEY)
    assert source.put_comment("2", "More", key=KEY, known=made) == made
    source.close("2", done=True)
    assert (second.state, [label.name for label in second.labels]) == ("closed", ["status:routed"])
    assert source.may_write(source.get("1").author)


def test_h45_h94_a_number_is_an_issue_of_this_project(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo
) -> None:
    world = standin.world
    repo.git.commit("feat", {"a.txt": "a\n"}, start="main")
    pulls.open_pull(world, world.users[WRITER], repo, title="P", head="feat", base="main")
    moved = world.new_issue(world.users[WRITER], repo, "M")
    world.transfer(moved, world.add_repo("octo/other"))
    for number in ("1", "2"):
        with pytest.raises(NotFound) as missing:
            source.get(number)
        assert missing.value.code == "unknown_issue"


def test_the_project_is_what_is_configured_or_what_the_remote_says(making: Make) -> None:
    assert making().project == R
    assert making(remote="git@127.0.0.1:octo/hello").project == R
    assert making(project="other/thing").project == "other/thing"
    for remote in ("https://gitlab.com/octo/hello.git", "git@github.com:octo/hello.git", "/a/b"):
        with pytest.raises(ConfigError) as refused:
            making(remote=remote).look("")
        assert refused.value.code == "no_project"
        assert "sources.thing" in refused.value.hint
    with pytest.raises(UsageError):
        making(project="a/../b").look("")


def test_labels_of_states_are_made_in_their_colours_once(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo
) -> None:
    standin.world.new_label(repo, "Status:Done", "123456")
    standin.world.new_issue(standin.world.users[WRITER], repo, "T")
    for state in ("new", "in_progress", "cancelled", "done", "new"):
        source.put_state("1", state)
    colours = {label.name: label.color for label in repo.labels}
    assert colours == {
        "Status:Done": "123456", "status:new": "0e8a16", "status:in_progress": "fbca04",
        "status:cancelled": "c5def5",
    }  # fmt: skip
    made = [one for one in standin.log if one.request == f"POST /repos/{R}/labels"]
    assert len(made) == 3
    standin.faults.add(
        "^GET /repos/octo/hello/labels", "then",
        then=lambda: standin.world.new_label(repo, "status:blocked", "000000") and None,
    )  # fmt: skip
    source.put_state("1", "blocked")
    assert [label.name for label in repo.issues[1].labels] == ["status:blocked"]


def test_remarks_on_lines_count_and_silence_costs_nothing(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo
) -> None:
    world = standin.world
    writer = world.users[WRITER]
    repo.git.commit("feat", {"a.txt": "a\n"}, start="main")
    pull = pulls.open_pull(world, writer, repo, title="P", head="feat", base="main")
    _, cursor = source.remarks("")
    world.clock.advance(1)
    made = pulls.line_comment(world, writer, pull, "here", "a.txt", 1)
    (found,), cursor = source.remarks(cursor)
    assert (found.id, found.source_id, found.body) == (f"line-{made.id}", "1", "here")
    assert source.remarks(cursor) == ((), cursor)
    spent = standin.limits.window("octo", "core").used
    assert source.remarks(cursor) == ((), cursor)
    assert standin.limits.window("octo", "core").used == spent


def test_rights_are_believed_for_ten_minutes_and_belong_to_the_id(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo
) -> None:
    world = standin.world
    writer = world.users[WRITER]
    author = Author(id=str(writer.id), name=WRITER)
    assert source.may_write(author)
    repo.rights[WRITER] = "read"
    assert source.may_write(author)
    world.clock.advance(601)
    assert not source.may_write(author)
    # A writer takes the name that a stranger had, and the other way round.
    repo.rights["newcomer"] = "write"
    newcomer = world.add_user("newcomer")
    assert source.may_write(Author(id=str(newcomer.id), name="newcomer"))
    stranger = world.users[STRANGER]
    assert not source.may_write(Author(id=str(stranger.id), name="newcomer"))
    assert not source.may_write(Author(id=str(writer.id), name="nobody-by-now"))


def test_h65_nobody_is_behind_an_account_that_is_gone(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo
) -> None:
    issue = standin.world.new_issue(standin.world.users[STRANGER], repo, "T")
    issue.author = None
    assert source.get("1").author == Author()
    assert by_id(source.look(""), "1").author == Author()


@pytest.mark.parametrize(("done", "word"), [(True, "completed"), (False, "not_planned")])
def test_the_reason_of_an_end_is_told(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo, done: bool, word: str
) -> None:
    standin.world.new_issue(standin.world.users[WRITER], repo, "T")
    source.close("1", done=done)
    assert repo.issues[1].reason == word
    assert source.get("1").word == word


def test_a_long_comment_is_cut_and_keeps_its_mark(
    source: GitHubSource, standin: GitHubStandIn, repo: Repo
) -> None:
    standin.world.new_issue(standin.world.users[WRITER], repo, "T")
    made = source.put_comment("1", "x" * 70_000, key=KEY)
    (comment,) = repo.issues[1].comments
    assert len(comment.body) <= 65_536
    assert comment.body.endswith(marks.mark(KEY))
    assert source.put_comment("1", "x" * 70_000, key=KEY) == made


def test_h96_missing_rights_are_no_limit_and_a_limit_says_until_when(
    making: Make, standin: GitHubStandIn, repo: Repo
) -> None:
    standin.world.new_issue(standin.world.users[WRITER], repo, "T")
    stranger = making(login=STRANGER)
    with pytest.raises(SignInNeeded) as refused:
        stranger.put_state("1", "routed")
    assert refused.value.code == "host_forbidden"
    standin.faults.add("POST /graphql Sync", "secondary", seconds=300)
    with pytest.raises(LimitReached) as limited:
        making().look("")
    assert limited.value.data["retry_at"] >= standin.world.clock() + 290


def test_the_same_calls_through_lost_answers_and_lagging_lists_make_each_thing_once(
    making: Make, standin: GitHubStandIn, repo: Repo
) -> None:
    world, source = standin.world, making()
    world.lag_s = 5.0
    standin.faults.chances = Chances(seed=7, lost=60, late=60, failed=40)

    def ended(act: Any) -> Any:
        while True:
            try:
                return act()
            except LimitReached as limit:
                world.clock.advance(limit.data["retry_at"] - world.clock() + 1)
            except ToolFailed:
                world.clock.advance(30)

    for number in range(12):
        key = f"t/{number}.0123456789abcdef0123"

        def create(key: str = key) -> Tracked:
            return source.create("T", body="B", labels=["bug"], key=key)

        made, known = ended(create).source_id, ""

        def say(state: str, made: str = made, key: str = key) -> str:
            return source.put_comment(made, state, key=key, known=known)  # noqa: B023

        for state in ("routed", "in_progress", "done"):
            ended(lambda state=state, made=made: source.put_state(made, state))
            known = ended(lambda state=state, say=say: say(state))
        ended(lambda made=made: source.close(made, done=True))
    assert sum(standin.audit.faults().values()) >= 10
    assert standin.audit.duplicates(R) == []
    assert len(repo.issues) == 12
    for issue in repo.issues.values():
        assert {label.name for label in issue.labels} == {"bug", "status:done"}
        assert issue.state == "closed"
        assert [one.body.splitlines()[0] for one in issue.comments] == ["done"]


def test_a_board_shows_the_state_too(standin: GitHubStandIn, repo: Repo, making: Make) -> None:
    board = standin.world.add_board("octo", 3, "Plan", ["Todo", "Doing", "Done"])
    standin.world.new_issue(standin.world.users[WRITER], repo, "T")
    options = {"board": {"owner": "octo", "number": 3,
                         "statuses": {"in_progress": "Doing", "done": "Done"}}}  # fmt: skip
    source = making(options=options)

    def shown() -> list[str]:
        return [dict(board.options)[card["option"]] for card in board.cards.values()]

    source.put_state("1", "new")
    assert shown() == []
    for state, word in (("in_progress", "Doing"), ("in_progress", "Doing"), ("done", "Done")):
        source.put_state("1", state)  # type: ignore[arg-type]
        assert shown() == [word]
    standin.faults.add("UpdateProjectV2ItemFieldValue", "lost")
    with pytest.raises(ToolFailed) as unknown:
        source.put_state("1", "in_progress")
    assert unknown.value.code == "outcome_unknown"
    source.put_state("1", "in_progress")
    assert shown() == ["Doing"]


@pytest.mark.parametrize(
    "board",
    ["x", {"owner": "octo"}, {"owner": "octo", "number": "3"},
     {"owner": "octo", "number": 3, "statuses": {"doing": "Doing"}}],
)  # fmt: skip
def test_a_board_that_cannot_be_understood_is_refused_before_anything_changes(
    standin: GitHubStandIn, repo: Repo, making: Make, board: Any
) -> None:
    standin.world.new_issue(standin.world.users[WRITER], repo, "T")
    with pytest.raises(ConfigError) as refused:
        making(options={"board": board}).put_state("1", "done")
    assert refused.value.code == "bad_board"
    assert repo.issues[1].labels == []


def test_the_plugin_makes_it_with_one_client_for_all(
    standin: GitHubStandIn, repo: Repo, tmp_path: Path
) -> None:
    from orch import plugins
    from orch.config.secret import Secret
    from orch.config.source_tree import SourceConfig, SourcePremises
    from orch.hosts.github import shared
    from orch.testing.forges import SteppingClock, a_repo

    token = standin.token("octo")

    def premises(name: str, text: str) -> SourcePremises:
        config = SourceConfig(
            kind="github", repo="thing", project=R, base_url=standin.url, token=Secret(text)
        )
        return SourcePremises(
            name=name, config=config, repo=a_repo(), directory=tmp_path / name,
            environ={"MINE": token}, clock=SteppingClock(),
        )  # fmt: skip

    try:
        one = plugins.make(plugins.SOURCES, "github", premises("one", "env:MINE"))
        two = plugins.make(plugins.SOURCES, "github", premises("two", token))
        assert one.me().name == "octo"
        assert one._github is two._github
        with pytest.raises(UsageError) as refused:
            plugins.make(plugins.SOURCES, "github", premises("three", "env:NOT_SET"))
        assert "sources.three.token" in refused.value.message
    finally:
        shared.close_all()


def test_the_next_process_asks_again_for_nothing_that_still_holds(
    standin: GitHubStandIn, repo: Repo, tmp_path: Path
) -> None:
    from orch.hosts.accounts import Accounts, read
    from orch.hosts.github import shared

    environ = standin.environ("octo")

    def asked() -> int:
        """The points that one process spends on the labels of the repository."""
        accounts = Accounts(tmp_path / "api", standin.world.clock)
        client = shared.client(environ, accounts=accounts)
        assert client is shared.client(environ, accounts=accounts)
        assert client.labels.all(R) == []
        shared.close_all()
        accounts.close()
        return client.figures().spent

    assert (asked(), asked()) == (1, 0)
    (found,) = read(tmp_path / "api")
    (account,) = found.accounts.values()
    assert (account.spent, account.requests["unchanged"]) == (1, 1)
    standin.world.new_label(repo, "bug")
    environ.update(standin.environ("eve"))  # another person is given nothing of the first one's
    client = shared.client(environ, accounts=Accounts(tmp_path / "api", standin.world.clock))
    assert [one.name for one in client.labels.all(R)] == ["bug"]
    shared.close_all()

"""The stand-in for GitHub is one for the real `gh` and git, too; our client sees what they did."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orch.hosts.github import documents
from orch.hosts.github.client import GitHub, connect
from orch.hosts.github.credentials import GhLogin
from orch.hosts.github.facts import Issue, Link, Merged, Pull
from orch.hosts.github.graph import Asked
from tests.githubrooms import repo as repo, standin as standin
from tests.gitrepos import GitRepos
from tests.real.parts import NotInstalled
from tests.standins import fetched
from tests.standins.github.graph import SCHEMA
from tests.standins.github.server import GitHubStandIn
from tests.standins.github.world import Check, Repo

R = "octo/hello"
Gh = Callable[..., str]


@pytest.fixture
def github(standin: GitHubStandIn, repo: Repo) -> Iterator[GitHub]:
    made = connect(standin.environ("octo"))
    yield made
    made.close()


@pytest.fixture
def gh(standin: GitHubStandIn, repo: Repo, tmp_path: Path) -> Gh:
    """`gh(words...)` as octo: what it prints. `code` is how it has to end."""
    try:
        program = fetched.gh()
    except NotInstalled as error:
        pytest.skip(f"the real gh could not be installed: {error}")
    home = tmp_path / "home"
    home.mkdir()

    def run(*words: str, code: int = 0, login: str = "octo") -> str:
        env = {"PATH": os.environ["PATH"], **standin.gh_environ(login, home)}
        done = subprocess.run(
            [str(program), *words], env=env, cwd=home, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert done.returncode == code, f"gh {words}: {done.stdout}{done.stderr}"
        return done.stdout if code == 0 else done.stderr + done.stdout

    return run


def shown(gh: Gh, *words: str) -> Any:
    return json.loads(gh(*words))


def test_gh_works_on_issues_and_our_client_sees_it(gh: Gh, github: GitHub) -> None:
    gh("label", "create", "bug", "-R", R, "--color", "ff0000", "--description", "broken")
    url = gh("issue", "create", "-R", R, "-t", "First", "-b", "Body", "-l", "bug", "-a", "cat")
    assert url.strip().endswith("/octo/hello/issues/1")
    gh("issue", "create", "-R", R, "-t", "Second", "-b", "", "--parent", "1", "--blocked-by", "1")
    first, second = github.issues.all(R)
    assert (first.title, first.labels, first.assignees[0].login) == ("First", ("bug",), "cat")
    assert (second.title, second.body) == ("Second", "")
    related = {issue.number: issue for issue in github.related.changed(R)}
    assert related[1].children == (Link(R, 2),)
    assert (related[2].parent, related[2].blocked_by) == (Link(R, 1), (Link(R, 1),))

    gh("issue", "comment", "1", "-R", R, "-b", "hello")
    assert [one.body for one in github.comments.of(R, 1)] == ["hello"]
    github.labels.change(R, 1, add=["status:new"])
    gh("issue", "edit", "1", "-R", R, "--remove-label", "bug", "--title", "New", "--body", "b2")
    assert github.issues.get(R, 1).labels == ("status:new",)
    gh("issue", "close", "2", "-R", R, "--reason", "not planned")
    assert github.issues.get(R, 2).reason == "not_planned"
    gh("issue", "reopen", "2", "-R", R)
    gh("issue", "edit", "2", "-R", R, "--remove-parent", "--remove-blocked-by", "1")
    assert github.related.of(R, [2])[2].parent is None
    assert [one["name"] for one in shown(gh, "label", "list", "-R", R, "--json", "name")] == [
        "bug", "status:new",
    ]  # fmt: skip


def test_gh_sees_what_our_client_did(gh: Gh, github: GitHub) -> None:
    made = github.issues.create(R, title="From us", body="B", labels=["x"])
    other = github.issues.create(R, title="Other")
    assert isinstance(made, Issue)
    assert isinstance(other, Issue)
    github.related.add_child(made.node, other.node)
    github.related.block(other.node, made.node)
    github.comments.create(R, 1, "said")
    fields = "number,title,body,state,labels,comments,author"
    told = shown(gh, "issue", "view", "1", "-R", R, "--json", fields)
    assert (told["title"], told["body"], told["state"]) == ("From us", "B", "OPEN")
    assert [one["body"] for one in told["comments"]] == ["said"]
    listed = shown(gh, "issue", "list", "-R", R, "--json", "number,title", "--label", "x")
    assert listed == [{"number": 1, "title": "From us"}]
    assert "sub-issues:\tocto/hello#2" in gh("issue", "view", "1", "-R", R)
    assert "blocked-by:\tocto/hello#1" in gh("issue", "view", "2", "-R", R)
    assert "said" in gh("issue", "view", "1", "-R", R, "--comments")
    assert gh("api", f"repos/{R}/issues", "--paginate", "-q", ".[].number") == "2\n1\n"


def test_gh_makes_checks_and_merges_a_pull_request(
    gh: Gh, github: GitHub, repo: Repo, standin: GitHubStandIn
) -> None:
    github.issues.create(R, title="A bug")
    sha = repo.git.commit("feat", {"a.txt": "a\n"}, start="main")
    url = gh("pr", "create", "-R", R, "-t", "T", "-b", "Closes #1", "-H", "feat", "-B", "main")
    assert url.strip().endswith("/octo/hello/pull/2")
    assert "already exists" in gh("pr", "create", "-R", R, "-t", "T", "-b", "", "-H", "feat",
                                  "-B", "main", code=1)  # fmt: skip
    assert standin.audit.pulls_by_head(R) == {"octo:feat": 1}
    (pull,) = github.pulls.with_head(R, "feat")
    assert (pull.number, pull.head_sha, pull.state) == (2, sha, "open")
    repo.checks.append(Check(1, "unit", sha, "completed", "failure"))
    assert "fail" in gh("pr", "checks", "2", "-R", R, code=1)
    repo.checks.append(Check(2, "unit", sha))
    assert "pass" in gh("pr", "checks", "2", "-R", R)
    gh("pr", "comment", "2", "-R", R, "-b", "x")
    gh("pr", "review", "2", "-R", R, "--approve", login="cat")
    assert "own pull request" in gh("pr", "review", "2", "-R", R, "--approve", code=1)
    assert [one.state for one in github.reviews.of(R, 2)] == ["APPROVED"]
    view = shown(gh, "pr", "view", "2", "-R", R, "--json", "state,mergeable,reviewDecision")
    assert view == {"state": "OPEN", "mergeable": "MERGEABLE", "reviewDecision": "APPROVED"}
    assert "Closes #1" in gh("pr", "view", "2", "-R", R)
    gh("pr", "merge", "2", "-R", R, "--squash", "--match-head-commit", sha)
    assert shown(
        gh, "pr", "list", "-R", R, "--state", "merged", "--json", "number,headRefName"
    ) == [{"number": 2, "headRefName": "feat"}]
    merged = github.pulls.get(R, 2)
    assert (merged.state, merged.merged_sha) == ("merged", repo.git.tip("main"))
    assert github.issues.get(R, 1).state == "closed"


def test_gh_knows_who_it_is(gh: Gh, standin: GitHubStandIn, tmp_path: Path) -> None:
    assert "account octo" in gh("auth", "status", "--hostname", "github.localhost")
    token = gh("auth", "token").strip()
    assert standin.tokens[token][0] == "octo"
    assert shown(gh, "api", "user")["login"] == "octo"
    assert shown(gh, "repo", "view", R, "--json", "name,defaultBranchRef") == {
        "name": "hello", "defaultBranchRef": {"name": "main"},
    }  # fmt: skip


def test_the_login_of_gh_is_our_credential(gh: Gh, standin: GitHubStandIn, tmp_path: Path) -> None:
    host = standin.url.removeprefix("http://")
    folder = tmp_path / "config"
    folder.mkdir()
    lines = [f'"{host}":', f"    oauth_token: {standin.token('octo')}", "    user: octo"]
    (folder / "hosts.yml").write_text("\n".join(lines) + "\n")
    environ = {"GH_CONFIG_DIR": str(folder), "HOME": str(tmp_path), "GH_TOKEN": "another"}
    login = GhLogin(host, environ, program=str(fetched.gh()))
    client = connect({"GITHUB_API_URL": standin.url}, credential=login)
    assert client.repositories.viewer().person.login == "octo"
    client.close()


def test_gh_is_told_of_limits_and_missing_rights_as_by_github(
    gh: Gh, standin: GitHubStandIn
) -> None:
    standin.faults.add("GET /user", "too_many")
    assert "HTTP 429" in gh("api", "user", code=1)
    standin.faults.add("GET /user", "status", status=502)
    assert "HTTP 502" in gh("api", "user", code=1)
    assert "403" in gh("api", f"repos/{R}/labels", "-f", "name=x", login="eve", code=1)
    window = standin.limits.window("octo", "graphql")
    window.used = window.limit
    assert "rate limit" in gh("issue", "list", "-R", R, code=1)


def test_git_pushes_over_http_and_pull_requests_follow(
    standin: GitHubStandIn, repo: Repo, github: GitHub, tmp_path: Path
) -> None:
    person = GitRepos(tmp_path / "person")
    clone = tmp_path / "clone"
    person.git(tmp_path, "clone", "--quiet", standin.remote(R, "octo"), str(clone))
    assert (clone / "README.md").read_text() == "hello\n"
    person.git(clone, "switch", "--quiet", "-c", "orch/feat")
    (clone / "new.txt").write_text("one\n" * 50_000)
    person.git(clone, "add", "new.txt")
    person.git(clone, "commit", "--quiet", "-m", "one")
    person.git(clone, "push", "--quiet", "origin", "orch/feat")
    made = github.pulls.create(R, head="orch/feat", base="main", title="T")
    assert isinstance(made, Pull)
    assert made.head_sha == person.git(clone, "rev-parse", "HEAD")
    assert [(one.path, one.added) for one in github.pulls.files(R, 1)] == [("new.txt", 50_000)]

    person.git(clone, "commit", "--quiet", "--allow-empty", "-m", "two")
    person.git(clone, "push", "--quiet", "origin", "orch/feat")
    assert github.pulls.get(R, 1).head_sha == person.git(clone, "rev-parse", "HEAD")
    head = github.pulls.get(R, 1).head_sha
    done = github.pulls.merge(R, 1, head_sha=head, method="squash")
    assert isinstance(done, Merged)
    person.git(clone, "fetch", "--quiet", "origin")
    assert person.git(clone, "rev-parse", "origin/main") == done.sha
    assert person.git(clone, "show", "origin/main:new.txt").count("one") == 50_000
    assert person.git(clone, "ls-remote", "origin", "refs/pull/1/head").split()[0] == head

    person.git(clone, "remote", "set-url", "origin", standin.remote(R, "eve"))
    refused = person.git(clone, "push", "origin", "HEAD:refs/heads/evil", ok=False)
    assert repo.git.tip("evil") == ""
    assert refused == ""
    repo.private = True
    assert person.git(clone, "ls-remote", "origin", ok=False) == ""


def test_deliveries_of_what_happened_are_signed(
    standin: GitHubStandIn, repo: Repo, github: GitHub
) -> None:
    import hashlib
    import hmac

    github.issues.create(R, title="T", labels=["bug"])
    github.comments.create(R, 1, "hi")
    deliveries = standin.hooks.take()
    said = [(one.event, json.loads(one.body)["action"]) for one in deliveries]
    assert said == [("issues", "opened"), ("issues", "labeled"), ("issue_comment", "created")]
    assert json.loads(deliveries[-1].body)["comment"]["body"] == "hi"
    mac = hmac.new(b"s3cret", deliveries[0].body, hashlib.sha256).hexdigest()
    assert deliveries[0].headers("s3cret")["x-hub-signature-256"] == f"sha256={mac}"
    assert standin.hooks.take() == []


# --- the published schema -----------------------------------------------------------------

YOUNGER = {
    "AddBlockedByInput", "RemoveBlockedByInput", "BlockedByPayload", "IssueType", "Issue.blockedBy",
    "Issue.blocking", "Issue.issueType", "Mutation.addBlockedBy", "Mutation.removeBlockedBy",
    "SearchType.ISSUE_ADVANCED", "ReplaceActorsForAssignableInput",
    "ReplaceActorsForAssignablePayload", "Mutation.replaceActorsForAssignable",
    "CreateIssueInput.issueTypeId", "CreateIssueInput.projectV2Ids",
}  # fmt: skip
SHORTENED = {"LabelsPayload", "SubIssuePayload", "ReviewPayload"}


@pytest.fixture(scope="module")
def published() -> Any:
    """GitHub's own schema as its package has it, by graphql-core."""
    from graphql import build_schema

    try:
        file = fetched.schema()
    except NotInstalled as error:
        pytest.skip(f"GitHub's schema could not be fetched: {error}")
    return build_schema(file.read_text("utf-8"), assume_valid=True)


def asked() -> list[Asked]:
    given = [one for one in vars(documents).values() if isinstance(one, Asked)]
    young = {"AddBlockedBy", "RemoveBlockedBy"}
    given += [documents.sync(blocked=False), documents.relations([1, 2], blocked=False)]
    given += [documents.sync(blocked=False, open_only=True), documents.one(blocked=False)]
    return [one for one in given if one.name not in young]


def test_our_documents_are_valid_by_githubs_schema(published: Any) -> None:
    from graphql import parse, validate

    assert len(asked()) >= 8
    for one in asked():
        assert validate(published, parse(one.text)) == [], one.name
    (error,) = validate(published, parse(documents.sync(blocked=True).text))
    assert "blockedBy" in error.message


def test_the_schema_of_the_stand_in_is_a_part_of_githubs(published: Any) -> None:
    """Types, fields, arguments and words; what differs is named above, and why."""
    from graphql import build_schema

    ours = build_schema(SCHEMA.read_text("utf-8"))
    foreign = set()
    for name, kind in ours.type_map.items():
        theirs = published.type_map.get(name)
        if theirs is None or type(theirs) is not type(kind):
            foreign.add(name)
            continue
        for field, described in getattr(kind, "fields", {}).items():
            known = theirs.fields.get(field)
            arguments = getattr(described, "args", {})
            if known is None or not set(arguments) <= set(getattr(known, "args", {})):
                foreign.add(f"{name}.{field}")
        for word in getattr(kind, "values", {}):
            if word not in theirs.values:
                foreign.add(f"{name}.{word}")
    assert foreign == YOUNGER | SHORTENED

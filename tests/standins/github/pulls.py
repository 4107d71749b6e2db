"""Pull requests of the stand-in: what a branch's tip makes of them, and merging for real.

Invariant: at most one open PR for a head and base; what merged stays merged, whatever becomes of its
branch or its fork.
"""

from __future__ import annotations

from tests.standins.github.world import (
    Comment,
    Issue,
    Pull,
    Refusal,
    Repo,
    Review,
    Status,
    User,
    World,
    invalid,
)


def open_pull(
    world: World, actor: User, repo: Repo, *, title: str, head: str, base: str,
    body: str | None = None, draft: bool = False, head_repo: Repo | None = None,
) -> Issue:  # fmt: skip
    """`head` is a branch, or `owner:branch` of a fork."""
    owner, colon, branch = head.rpartition(":")
    source = head_repo or repo
    if colon and owner.lower() != repo.owner.login.lower():
        forks = [one for one in world.repos.values()
                 if one.parent is repo and one.owner.login.lower() == owner.lower()]  # fmt: skip
        if not forks:
            raise invalid("PullRequest", "head", "invalid")
        source = forks[0]
    if not (world.may(actor, repo, "write") or world.may(actor, source, "write")):
        raise Refusal(403, "Resource not accessible by personal access token")
    tip = source.git.tip(branch)
    if not tip:
        raise invalid("PullRequest", "head", "invalid")
    if not repo.git.tip(base):
        raise invalid("PullRequest", "base", "invalid")
    if source is not repo:
        repo.git.fetch(source.git, f"refs/heads/{branch}", f"refs/incoming/{source.id}/{branch}")
    if repo.git.ahead(base, tip) == 0:
        raise Refusal(422, "Validation Failed", [{
            "resource": "PullRequest", "code": "custom",
            "message": f"No commits between {base} and {head}"}])  # fmt: skip
    rivals = [one.pull for one in repo.issues.values() if one.pull and one.state == "open"]
    if any((x.head_repo, x.head, x.base) == (source, branch, base) for x in rivals):
        words = f"A pull request already exists for {source.owner.login}:{branch}."
        error = {"resource": "PullRequest", "code": "custom", "message": words}
        raise Refusal(422, "Validation Failed", [error])
    pull = Pull(branch, source, source.owner.login, base, draft, tip, repo.git.tip(base))
    made = world.new_issue(actor, repo, title, body, pull=pull)
    repo.git.point(f"refs/pull/{made.number}/head", tip)
    return made


def follow(world: World, repo: Repo) -> None:
    """What pushes made of the open PRs."""
    bases: dict[str, str] = {}
    for issue in repo.issues.values():
        pull = issue.pull
        if pull is None or issue.state != "open" or pull.head_repo is None:
            continue
        tip = pull.head_repo.git.tip(pull.head)
        if pull.base not in bases:
            bases[pull.base] = repo.git.tip(pull.base)
        base = bases[pull.base]
        if base and base != pull.base_sha and not repo.git.ahead(base, pull.head_sha):
            # Somebody brought its commits into the base by hand.
            pull.merged_at, pull.merge_sha = world.clock(), base
            pull.merged_by = issue.author
            world.set_state(issue.author or world.add_user("ghost"), issue, "closed")
        elif not tip:
            world.set_state(world.add_user("ghost"), issue, "closed")
        elif tip != pull.head_sha:
            if pull.head_repo is not repo:
                repo.git.fetch(pull.head_repo.git, f"refs/heads/{pull.head}",
                               f"refs/incoming/{pull.head_repo.id}/{pull.head}")  # fmt: skip
            pull.head_sha = tip
            repo.git.point(f"refs/pull/{issue.number}/head", tip)
            world.touch(issue)
            world.tell(
                "pull_request", "synchronize", issue, issue.author or world.add_user("ghost")
            )


def mergeable(issue: Issue) -> bool | None:
    pull = issue.pull
    assert pull is not None
    base = issue.repo.git.tip(pull.base)
    return None if issue.state != "open" else bool(
        base and issue.repo.git.merged_tree(base, pull.head_sha)
    )  # fmt: skip


def merge(
    world: World, actor: User, issue: Issue, *, method: str = "merge", sha: str = "", title: str = "",
    message: str = "",
) -> str:  # fmt: skip
    world.demand(actor, issue.repo, "write")
    follow(world, issue.repo)
    pull = issue.pull
    if pull is None:
        raise Refusal(404, "Not Found")
    if sha and sha != pull.head_sha:
        raise Refusal(409, "Head branch was modified. Review and try the merge again.")
    if issue.state != "open" or pull.draft:
        words = "Pull Request is still a draft" if pull.draft else "Pull Request is not mergeable"
        raise Refusal(405, words)
    head = f"{pull.head_owner}/{pull.head}"
    words = title or (
        f"Merge pull request #{issue.number} from {head}" if method == "merge"
        else f"{issue.title} (#{issue.number})"
    )  # fmt: skip
    text = f"{words}\n\n{message or issue.title}"
    made = issue.repo.git.merge(pull.base, pull.head_sha, method, text)
    if not made:
        raise Refusal(405, "Pull Request is not mergeable")
    pull.merged_at, pull.merged_by, pull.merge_sha = world.clock(), actor, made
    world.set_state(actor, issue, "closed")
    _close_what_it_closes(world, actor, issue)
    return made


def _close_what_it_closes(world: World, actor: User, issue: Issue) -> None:
    import re

    if issue.pull is None or issue.pull.base != issue.repo.default_branch:
        return
    for number in re.findall(
        r"(?i)\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):? #(\d+)", issue.body or ""
    ):
        other = issue.repo.issues.get(int(number))
        if other is not None:
            world.set_state(actor, other, "closed")


def review(
    world: World, actor: User, issue: Issue, event: str, body: str, commit: str = ""
) -> Review:
    if issue.pull is None:
        raise Refusal(404, "Not Found")
    if event in ("APPROVE", "REQUEST_CHANGES") and issue.author is actor:
        words = "approve" if event == "APPROVE" else "request changes on"
        raise Refusal(422, "Unprocessable Entity", [f"Can not {words} your own pull request"])
    if event in ("COMMENT", "REQUEST_CHANGES") and not body.strip():
        raise Refusal(422, "Unprocessable Entity", ["Body can't be blank"])
    state = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED"}.get(event, "COMMENTED")
    made = Review(world.new_id(), actor, state, body, commit or issue.pull.head_sha, world.clock())
    issue.pull.reviews.append(made)
    world.touch(issue)
    world.tell("pull_request_review", "submitted", issue, actor, review=made)
    return made


def line_comment(
    world: World, actor: User, issue: Issue, body: str, path: str, line: int,
    review: Review | None = None,
) -> Comment:  # fmt: skip
    assert issue.pull is not None
    now = world.clock()
    made = Comment(world.new_id(), actor, body, now, now, issue, path, line, issue.pull.head_sha,
                   review)  # fmt: skip
    issue.pull.line_comments.append(made)
    world.touch(issue)
    return made


def set_status(
    world: World, repo: Repo, sha: str, context: str, state: str, url: str | None = None,
    description: str | None = None,
) -> Status:  # fmt: skip
    if state not in ("error", "failure", "pending", "success"):
        raise invalid("Status", "state", "custom", "state is not included in the list")
    made = Status(world.new_id(), context, sha, state, url, description, world.clock())
    repo.statuses.append(made)
    return made

"""Landing a pull request: its head brought into its base at the remote, from objects alone.

Look: the remote's own tips. A commit with the trailer `Orch-Key: <key>` on the base's first-parent
line since the two parted, or a head that the base contains, means it has landed, whoever did it.
Only a last line counts as the key: what an agent wrote into a message that we made stands above it.

Act: make the result with `merge-tree` and `commit-tree` in the pinned view (no work tree, hook,
filter or ref is involved), then one atomic push with a lease on both ends: base and head must be
what was looked at. So what was judged is what lands, and a base that others moved meanwhile is
merged into again, `TRIES` times at most.

Invariant: the person's checkout and its refs stay as they are, but for what `git push` itself notes
about the remote; a refusal or a trial has changed nothing but unreachable objects.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from orch.git import commits, merges, names, pinned, refs, refusals, remotes
from orch.git.gateway import Gateway, Place
from orch.model.effect import Strategy
from orch.model.errors import NotFound
from orch.model.pull import Landing
from orch.model.repo import Repo

TRIES = 5
_LOOKS = 4
# What the remote says where another push to the same ref is at work at that very moment.
_OVERTAKEN = ("failed to update ref", "cannot lock ref", "incorrect old value")


def look(
    gateway: Gateway, repo: Repo, *, head: str, base: str, head_sha: str, keys: Sequence[str]
) -> Landing:
    """See `orch.ports.Git.landing`."""
    seen = _seen(gateway, repo, head, base, head_sha, keys)
    if seen.commit:
        # git may have been killed when the ref had moved and its locks were still there.
        remotes.free_locks(gateway, repo, [base, head])
    return seen


def _seen(
    gateway: Gateway, repo: Repo, head: str, base: str, head_sha: str, keys: Sequence[str]
) -> Landing:
    place = pinned.repository_place(repo)
    tips = _fetched(gateway, repo, place, head, base)
    head_tip = tips.get(head, "")
    seen = Landing(base_tip=tips[base], head_tip=head_tip, head_sha=head_tip or head_sha)
    if not _has(gateway, place, [seen.head_sha]):
        return seen
    words = ["merge-base", seen.base_tip, seen.head_sha]
    seen = replace(seen, start=gateway.run(words, place, accept=(0, 1)).text())
    if not seen.start:
        return seen
    for key in keys:
        if found := _with_key(gateway, place, f"{seen.start}..{seen.base_tip}", key):
            start = _first_parent(gateway, place, found[-1])
            return replace(seen, head_sha=head_sha, start=start, commit=found[0])
    if seen.start != seen.head_sha:
        return seen
    start, commit = _brought(gateway, place, seen.head_sha, seen.base_tip)
    # A branch that somebody took back to a commit of the base has landed nothing.
    if commit == seen.head_sha != head_sha and not _contains(gateway, place, commit, head_sha):
        return seen
    return replace(seen, start=start, commit=commit)


def land(
    gateway: Gateway, repo: Repo, *, head: str, base: str, expected: str, strategy: Strategy,
    message: str, key: str, trial: bool,
) -> Landing:  # fmt: skip
    """See `orch.ports.Git.land`."""
    names.check_commit_id(expected)
    place = pinned.repository_place(repo)
    for _ in range(TRIES):
        seen = look(gateway, repo, head=head, base=base, head_sha=expected, keys=[key])
        if seen.commit:
            return seen
        if seen.head_tip != expected:
            raise refusals.head_moved(head, expected, seen.head_tip)
        result = merges.combined(
            gateway, place, base, head, seen.base_tip, expected, strategy, message=message, key=key
        )
        landed = Landing(
            base_tip=result, head_tip=expected, head_sha=expected, commit=result,
            start=seen.start if result == seen.base_tip else seen.base_tip,
        )  # fmt: skip
        if trial or result == seen.base_tip or _pushed(gateway, repo, head, base, seen, result):
            return landed
    raise refusals.base_moved(base, "merging into it", TRIES)


def delete(gateway: Gateway, repo: Repo, branch: str, *, expected: str) -> bool:
    """See `orch.ports.Git.delete_at_remote`."""
    ref, made = names.branch_ref(branch), names.made_ref(branch)
    if branch == repo.default_branch:
        raise refusals.default_branch(repo)
    tip = remotes.remote_tip(gateway, repo, branch, remote="")
    if not tip:
        return False
    if made not in refs.read_refs(gateway, pinned.repository_place(repo), [made]):
        raise refusals.not_ours_to_delete(branch)
    if tip != names.check_commit_id(expected):
        raise refusals.head_moved(branch, expected, tip)
    target, tried = remotes.push_specs(gateway, repo, [f":{ref}"], _lease(ref, expected))
    if tried.code == 0:
        return True
    tip = remotes.remote_tip(gateway, repo, branch, remote="")
    if not tip:
        return False
    if tip != expected:
        raise refusals.head_moved(branch, expected, tip)
    raise remotes.rejected(branch, target, tried)


def _pushed(gateway: Gateway, repo: Repo, head: str, base: str, seen: Landing, result: str) -> bool:
    """False when one of the ends moved, or is about to. The head is named only for its lease: git
    sends nothing for a ref that is where it should be."""
    base_ref, head_ref = names.branch_ref(base), names.branch_ref(head)
    target, tried = remotes.push_specs(
        gateway,
        repo,
        [f"{result}:{base_ref}", f"{seen.head_tip}:{head_ref}"],
        "--atomic",
        _lease(base_ref, seen.base_tip),
        _lease(head_ref, seen.head_tip),
    )
    if tried.code == 0:
        return True
    if "branch is currently checked out" in tried.text():
        raise refusals.base_checked_out(repo, target, base)
    if any(words in tried.text() for words in _OVERTAKEN):
        return False
    tips = remotes.remote_tips(gateway, repo, [base, head])
    if (tips.get(base, ""), tips.get(head, "")) != (seen.base_tip, seen.head_tip):
        return False
    raise remotes.rejected(base, target, tried)


def _lease(ref: str, commit: str) -> str:
    return f"--force-with-lease={ref}:{commit}"


def _fetched(gateway: Gateway, repo: Repo, place: Place, head: str, base: str) -> dict[str, str]:
    """The tips of both branches at the remote, with all that they hold here. A fetch brings what was
    seen before it, however often others push meanwhile: only who went back makes it look again."""
    for _ in range(_LOOKS):
        tips = remotes.remote_tips(gateway, repo, [base, head])
        if base not in tips:
            raise refusals.not_at_the_remote(repo, [base])
        if _has(gateway, place, list(tips.values())):
            return tips
        try:
            remotes.fetch_objects(gateway, repo, list(tips))
        except NotFound as error:
            if error.code != "unknown_branch":
                raise
            continue  # it was deleted in this very moment
        if _has(gateway, place, list(tips.values())):
            return tips
    raise refusals.base_moved(base, "looking at it", _LOOKS)


def _has(gateway: Gateway, place: Place, wanted: Sequence[str]) -> bool:
    """All of them are here, with all that they are made of: a killed fetch may leave a commit
    without its files. What a ref of the repository holds is whole."""
    if not all(map(names.is_commit_id, wanted)):
        return False
    words = ["rev-list", "--single-worktree", "--quiet", "--objects", "--stdin", "--not", "--all"]
    said = gateway.run(words, place, stdin="\n".join([*wanted, ""]).encode(), accept=(0, 1, 128))
    return said.code == 0


def _with_key(gateway: Gateway, place: Place, span: str, key: str) -> list[str]:
    """Commits of the first-parent line that end with `key`, newest first."""
    line = f"{commits.KEY_TRAILER}: {key}"
    words = ["log", "-z", "--first-parent", "--format=%H%n%B", "--fixed-strings"]
    output = gateway.run([*words, f"--grep={line}", span, "--"], place)
    found = []
    for entry in output.stdout.decode("utf-8", "replace").split("\0"):
        commit, _, message = entry.partition("\n")
        if message.rstrip().endswith(f"\n{line}"):
            found.append(commit)
    return found


def _brought(gateway: Gateway, place: Place, head: str, base_tip: str) -> tuple[str, str]:
    """(where its changes begin, the commit that brought it) for a head that the base contains. A
    head that lies on the base's own line came as it is; where it begins is not known then."""
    span = f"{head}..{base_tip}"
    line = gateway.run(["rev-list", "--first-parent", span, "--"], place).text().splitlines()
    after = set(gateway.run(["rev-list", "--ancestry-path", span, "--"], place).text().splitlines())
    bringing = [commit for commit in line if commit in after]
    if not bringing:
        return "", head
    parent = _first_parent(gateway, place, bringing[-1])
    return ("", head) if parent == head else (parent, bringing[-1])


def _contains(gateway: Gateway, place: Place, tip: str, commit: str) -> bool:
    if not _has(gateway, place, [commit]):
        return False
    words = ["merge-base", "--is-ancestor", commit, tip]
    return gateway.run(words, place, accept=(0, 1)).code == 0


def _first_parent(gateway: Gateway, place: Place, commit: str) -> str:
    words = ["rev-parse", "--verify", "--quiet", f"{commit}^1"]
    return gateway.run(words, place, accept=(0, 1)).text()

"""Nothing that an agent can write makes the service run anything (RELIABILITY §0.4, threat 10).

Each trap is something an agent can put into its worktree, into the repository that it shares with
us, or into its home. It fires with plain git, which proves that it is one, and stays silent through
every method of the gateway.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from orch.git.cli import GitCli
from orch.model.errors import OrchError
from orch.model.repo import Repo
from orch.model.worktree import Worktree
from tests.gitrepos import GitRepos, worktree_at


class Ground:
    """A registered repository with two worktrees of ours, one of which an agent has prepared."""

    def __init__(self, root: Path) -> None:
        self.repos = GitRepos(root)
        self.git = self.repos.gateway()
        self.main = self.repos.repository()
        self.repo: Repo = self.repos.register(self.git, self.main)
        self.base = self.git.resolve_base(self.repo, None, fetch=False).commit
        self.tree = self.worktree("agent")
        self.other = self.worktree("other")
        Path(self.other.path, "other.txt").write_text("other\n")
        self.git.commit(self.repo, self.other, "Other", key="other")
        self.canary = self.repos.root / "canary"
        self.evil = self.repos.root / "evil"
        self.evil.write_text(f'#!/bin/sh\necho "$0 $*" >> {self.canary}\n')
        self.evil.chmod(0o755)
        self.common = Path(self.repo.common_dir)
        self.top = Path(self.tree.path)

    def worktree(self, name: str) -> Worktree:
        worktree = worktree_at(self.repo, name, self.base)
        self.git.add_worktree(self.repo, worktree, key="k")
        return worktree

    def config(self, key: str, value: str = "") -> None:
        """What an agent writes into the repository's configuration."""
        target = str(self.common / "config")
        self.repos.git(self.main, "config", "--file", target, key, value or str(self.evil))

    def attributes(self, line: str) -> None:
        (self.top / ".gitattributes").write_text(line + "\n")

    def hook(self, name: str) -> None:
        hooks = self.common / "hooks"
        hooks.mkdir(exist_ok=True)
        shutil.copy(self.evil, hooks / name)

    def plain(self, *args: str, where: Path | None = None, stdin: str = "") -> None:
        """The person's or agent's git, without protection. What it says does not matter."""
        subprocess.run(
            ["git", *args],
            cwd=where or self.top,
            env=self.repos.environ | {"GIT_MERGE_AUTOEDIT": "no"},
            input=stdin.encode(),
            capture_output=True,
            timeout=30,
            check=False,
        )


class Trap(NamedTuple):
    plant: Callable[[Ground], object]
    fire: Callable[[Ground], object]


TRAPS: dict[str, Trap] = {}


def trap(plant: Callable[[Ground], object], *command: str) -> Trap:
    return Trap(plant, lambda ground: ground.plain(*command))


def edit(ground: Ground) -> None:
    (ground.top / "README.md").write_text("edited by the agent\n")


def setting(key: str, *command: str, value: str = "") -> Trap:
    def plant(ground: Ground) -> None:
        edit(ground)
        ground.config(key, value)

    return trap(plant, *command)


def driver(kind: str, key: str, *command: str, changed: bool = True) -> Trap:
    def plant(ground: Ground) -> None:
        ground.config(key)
        ground.attributes(f"* {kind}=evil")
        if changed:
            edit(ground)

    return trap(plant, *command)


def hook(name: str, *command: str) -> Trap:
    def plant(ground: Ground) -> None:
        edit(ground)
        ground.hook(name)

    return trap(plant, *command)


TRAPS["core.fsmonitor"] = setting("core.fsmonitor", "status")
TRAPS["core.editor"] = setting("core.editor", "commit", "-a")
TRAPS["sequence.editor"] = setting("sequence.editor", "rebase", "-i", "--root", "--autostash")
TRAPS["diff.external"] = setting("diff.external", "diff")
TRAPS["core.sshCommand"] = setting("core.sshCommand", "ls-remote", "ssh://localhost/x")
TRAPS["core.gitProxy"] = setting("core.gitProxy", "ls-remote", "git://localhost/x")
TRAPS["remote.uploadpack"] = setting("remote.origin.uploadpack", "fetch", "origin")
TRAPS["remote.receivepack"] = setting("remote.origin.receivepack", "push", "origin", "HEAD")
TRAPS["trailer.command"] = setting(
    "trailer.orch-key.command", "commit", "-a", "-m", "x", "--trailer", "Orch-Key=1"
)
TRAPS["filter.clean"] = driver("filter", "filter.evil.clean", "add", "-A")
TRAPS["filter.smudge"] = driver(
    "filter", "filter.evil.smudge", "checkout", "orch/other", "--", "other.txt", changed=False
)
TRAPS["filter.process"] = driver("filter", "filter.evil.process", "add", "-A")
TRAPS["diff.command"] = driver("diff", "diff.evil.command", "diff")
TRAPS["diff.textconv"] = driver("diff", "diff.evil.textconv", "diff")
for name, words in {
    "pre-commit": ("commit", "-a", "-m", "x"),
    "prepare-commit-msg": ("commit", "-a", "-m", "x"),
    "commit-msg": ("commit", "-a", "-m", "x"),
    "post-commit": ("commit", "-a", "-m", "x"),
    "post-checkout": ("checkout", "-B", "elsewhere"),
    "post-merge": ("merge", "--ff-only", "orch/other"),
    "pre-rebase": ("rebase", "--autostash", "orch/other"),
    "post-rewrite": ("commit", "--amend", "-m", "x"),
    "pre-push": ("push", "origin", "HEAD"),
    "reference-transaction": ("update-ref", "refs/heads/x", "HEAD"),
    "post-index-change": ("add", "-A"),
}.items():
    TRAPS[f"hook {name}"] = hook(name, *words)


def named(name: str) -> Callable[[Callable[[Ground], Trap]], Callable[[Ground], Trap]]:
    """A trap that takes more than a line: the function plants it and gives the plain command."""

    def keep(function: Callable[[Ground], Trap]) -> Callable[[Ground], Trap]:
        commands: list[Callable[[], object]] = []
        TRAPS[name] = Trap(
            lambda ground: commands.append(function(ground)),  # type: ignore[arg-type]
            lambda ground: commands[-1](),
        )
        return function

    return keep


@named("core.hooksPath")
def _(ground: Ground):
    hooks = ground.repos.root / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-checkout", "pre-push", "reference-transaction"):
        shutil.copy(ground.evil, hooks / name)
    ground.config("core.hooksPath", str(hooks))
    edit(ground)
    return lambda: ground.plain("commit", "-a", "-m", "x")


@named("include.path")
def _(ground: Ground):
    included = ground.repos.root / "included"
    included.write_text(f"[core]\n\tfsmonitor = {ground.evil}\n")
    ground.config("include.path", str(included))
    return lambda: ground.plain("status")


@named("config.worktree")
def _(ground: Ground):
    ground.config("extensions.worktreeConfig", "true")
    private = ground.common / "worktrees" / "agent" / "config.worktree"
    private.write_text(f"[core]\n\tfsmonitor = {ground.evil}\n")
    return lambda: ground.plain("status")


@named("commit.gpgSign with gpg.program")
def _(ground: Ground):
    edit(ground)
    ground.config("commit.gpgSign", "true")
    ground.config("gpg.program")
    return lambda: ground.plain("commit", "-a", "-m", "x")


@named("log.showSignature on a signed commit")
def _(ground: Ground):
    ground.config("log.showSignature", "true")
    ground.config("gpg.program")
    tree = ground.repos.git(ground.top, "rev-parse", "HEAD^{tree}")
    signed = (
        f"tree {tree}\nparent {ground.base}\nauthor a <a> 1700000000 +0000\n"
        "committer a <a> 1700000000 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n"
        " -----END PGP SIGNATURE-----\n\nSigned\n"
    )
    (ground.repos.root / "signed").write_text(signed)
    made = ground.repos.git(
        ground.top, "hash-object", "-t", "commit", "-w", str(ground.repos.root / "signed")
    )
    ground.repos.git(ground.top, "reset", "--soft", made)
    edit(ground)
    return lambda: ground.plain("log", "-1")


@named("merge driver")
def _(ground: Ground):
    ground.config("merge.evil.driver", f"{ground.evil} %A")
    for top, text in ((ground.top, "agent\n"), (Path(ground.other.path), "other\n")):
        (top / ".gitattributes").write_text("* merge=evil\n")
        ground.repos.commit(top, {"README.md": text})
    return lambda: ground.plain("merge", "orch/other")


@named("info/attributes with filter")
def _(ground: Ground):
    ground.config("filter.evil.clean")
    (ground.common / "info" / "attributes").write_text("* filter=evil\n")
    edit(ground)
    return lambda: ground.plain("add", "-A")


@named("core.attributesFile with filter")
def _(ground: Ground):
    ground.config("filter.evil.clean")
    attributes = ground.repos.root / "attributes"
    attributes.write_text("* filter=evil\n")
    ground.config("core.attributesFile", str(attributes))
    edit(ground)
    return lambda: ground.plain("add", "-A")


@named("filter on checkout of the main branch")
def _(ground: Ground):
    ground.config("filter.evil.smudge")
    ground.repos.commit(ground.main, {".gitattributes": "*.txt filter=evil\n", "new.txt": "x\n"})
    return lambda: ground.plain(
        "worktree", "add", "--detach", str(ground.repos.root / "w"), where=ground.main
    )


@named("remote.url with a helper")
def _(ground: Ground):
    ground.config("remote.origin.url", f"ext::{ground.evil} %S")
    ground.config("protocol.ext.allow", "always")
    return lambda: ground.plain("fetch", "origin")


@named("url.insteadOf with a helper")
def _(ground: Ground):
    ground.config(f"url.ext::{ground.evil} .insteadOf", str(ground.repos.root))
    ground.config("protocol.ext.allow", "always")
    return lambda: ground.plain("fetch", "origin")


@named("remote.pushurl with a helper")
def _(ground: Ground):
    ground.config("remote.origin.pushurl", f"ext::{ground.evil} %S")
    ground.config("protocol.ext.allow", "always")
    return lambda: ground.plain("push", "origin", "HEAD")


@named("credential.helper")
def _(ground: Ground):
    ground.config("credential.helper", f"!{ground.evil}")
    asked = "protocol=https\nhost=localhost\n\n"
    return lambda: ground.plain("credential", "fill", stdin=asked)


@named("core.askPass")
def _(ground: Ground):
    ground.config("core.askPass")
    asked = "protocol=https\nhost=localhost\n\n"
    return lambda: ground.plain("credential", "fill", stdin=asked)


@named("promisor remote")
def _(ground: Ground):
    ground.config("core.repositoryFormatVersion", "1")
    ground.config("extensions.partialClone", "origin")
    ground.config("remote.origin.promisor", "true")
    ground.config("remote.origin.uploadpack")
    return lambda: ground.plain("cat-file", "-p", "1" * 40)


@named("commondir")
def _(ground: Ground):
    theirs = ground.repos.root / "their-common"
    shutil.copytree(ground.common, theirs)
    (ground.common / "worktrees" / "agent" / "commondir").write_text(f"{theirs}\n")
    with (theirs / "config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {ground.evil}\n")
    return lambda: ground.plain("status")


@named(".git pointer")
def _(ground: Ground):
    theirs = ground.repos.root / "their-git"
    ground.repos.git(ground.repos.root, "init", "--quiet", "--bare", str(theirs))
    (ground.top / ".git").write_text(f"gitdir: {theirs}\n")
    with (theirs / "config").open("a") as config:
        config.write(f"[core]\n\tbare = false\n\tfsmonitor = {ground.evil}\n")
    return lambda: ground.plain("status")


@named(".git directory")
def _(ground: Ground):
    (ground.top / ".git").unlink()
    ground.repos.git(ground.top, "init", "--quiet")
    ground.repos.git(ground.top, "config", "core.fsmonitor", str(ground.evil))
    edit(ground)
    return lambda: ground.plain("status")


@named("gitdir file of another repository")
def _(ground: Ground):
    admin = ground.common / "worktrees" / "agent"
    theirs = ground.repos.root / "their-admin"
    shutil.copytree(admin, theirs)
    common = ground.repos.root / "their-common"
    shutil.copytree(ground.common, common)
    (theirs / "commondir").write_text(f"{common}\n")
    with (common / "config").open("a") as config:
        config.write(f"[core]\n\tfsmonitor = {ground.evil}\n")
    shutil.rmtree(admin)
    admin.symlink_to(theirs)
    return lambda: ground.plain("status")


def embedded(ground: Ground, key: str, *, known: bool) -> Path:
    """A repository of the agent's inside its worktree, as a submodule when `known`."""
    inside = ground.top / "lib"
    ground.repos.git(ground.top, "init", "--quiet", str(inside))
    ground.repos.commit(inside, {"a.txt": "a\n", ".gitattributes": "* filter=evil\n"})
    if known:
        (ground.top / ".gitmodules").write_text('[submodule "lib"]\n\tpath = lib\n\turl = ./l\n')
        ground.repos.git(ground.top, "add", "-A")
        ground.repos.git(ground.top, "commit", "--quiet", "-m", "lib")
    ground.repos.git(inside, "config", key, str(ground.evil))
    (inside / "a.txt").write_text("edited\n")
    edit(ground)
    return inside


@named("submodule with a monitor")
def _(ground: Ground):
    embedded(ground, "core.fsmonitor", known=True)
    return lambda: ground.plain("status")


@named("submodule with a filter")
def _(ground: Ground):
    embedded(ground, "filter.evil.clean", known=True)
    return lambda: ground.plain("add", "-A")


@named("embedded repository with a filter")
def _(ground: Ground):
    inside = embedded(ground, "filter.evil.clean", known=False)
    return lambda: ground.plain("add", "-A", where=inside)


@named("worktree replaced by a link to a repository")
def _(ground: Ground):
    theirs = ground.repos.repository("theirs", remote=False)
    ground.repos.git(theirs, "config", "core.fsmonitor", str(ground.evil))
    shutil.rmtree(ground.top)
    ground.top.symlink_to(theirs)
    return lambda: ground.plain("status")


def at_home(text: str) -> Callable[[Ground], None]:
    def plant(ground: Ground) -> None:
        with (ground.repos.home / ".gitconfig").open("a") as config:
            config.write(text.format(evil=ground.evil))
        edit(ground)

    return plant


TRAPS["home: fsmonitor"] = trap(at_home("[core]\n\tfsmonitor = {evil}\n"), "status")
TRAPS["home: diff.external"] = trap(at_home("[diff]\n\texternal = {evil}\n"), "diff")
TRAPS["home: editor"] = trap(at_home("[core]\n\teditor = {evil}\n"), "commit", "-a")


@named("home: filter")
def _(ground: Ground):
    at_home('[filter "evil"]\n\tclean = {evil}\n\tsmudge = {evil}\n')(ground)
    ground.attributes("* filter=evil")
    return lambda: ground.plain("add", "-A")


@named("home: hooksPath")
def _(ground: Ground):
    hooks = ground.repos.home / "hooks"
    hooks.mkdir()
    for name in ("pre-commit", "post-checkout", "pre-push", "reference-transaction"):
        shutil.copy(ground.evil, hooks / name)
    at_home(f"[core]\n\thooksPath = {hooks}\n")(ground)
    return lambda: ground.plain("commit", "-a", "-m", "x")


@named("home: packObjectsHook")
def _(ground: Ground):
    at_home("[uploadpack]\n\tpackObjectsHook = {evil}\n")(ground)
    target = str(ground.repos.root / "copy")
    return lambda: ground.plain("clone", "--no-local", str(ground.main), target)


@named("home: attributes and ignore files")
def _(ground: Ground):
    folder = ground.repos.home / ".config" / "git"
    folder.mkdir(parents=True)
    (folder / "attributes").write_text("* filter=evil\n")
    at_home('[filter "evil"]\n\tclean = {evil}\n')(ground)
    return lambda: ground.plain("add", "-A")


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


def through_every_method(ground: Ground) -> list[str]:
    """Call all of the port; gives the names of what was refused (that is no fault here)."""
    git: GitCli = ground.git
    repo, tree, other = ground.repo, ground.tree, ground.other
    new = worktree_at(repo, "new", ground.base)
    calls: dict[str, Callable[[], object]] = {
        "version": git.version,
        "inspect": lambda: git.inspect(repo.local_path),
        "inspect the worktree": lambda: git.inspect(tree.path),
        "locate": lambda: git.locate(tree.path),
        "clone": lambda: git.clone(repo.local_path, str(ground.repos.root / "cloned")),
        "pin": lambda: git.pin(repo.common_dir, str(ground.repos.root / "pinned-anew")),
        "resolve_base": lambda: git.resolve_base(repo, None, fetch=True),
        "resolve main": lambda: git.add_worktree(
            repo,
            worktree_at(repo, "fresh", git.resolve_base(repo, "main", fetch=False).commit),
            key="k",
        ),
        "add_worktree": lambda: git.add_worktree(repo, new, key="k"),
        "add it again": lambda: git.add_worktree(repo, tree, key="k"),
        "branch_exists": lambda: git.branch_exists(repo, tree.branch),
        "worktrees": lambda: git.worktrees(repo),
        "state": lambda: git.state(repo, tree),
        "commit": lambda: git.commit(repo, tree, "Work", key="k1"),
        "merge": lambda: git.merge(repo, tree, [other.branch], "merge", key="k2"),
        "squash": lambda: git.merge(repo, new, [tree.branch, other.branch], "squash", key="k3"),
        "rebase": lambda: git.merge(repo, other, [tree.branch], "rebase", key="k4"),
        "push": lambda: git.push(repo, other, force=True, expected=ground.base),
        "push the agent's": lambda: git.push(repo, tree),
        "remote_tip": lambda: git.remote_tip(repo, other.branch),
        "diff": lambda: git.diff(repo, repo.default_branch, tree.branch),
        "remove_worktree": lambda: git.remove_worktree(
            repo, worktree_at(repo, "fresh", ground.base)
        ),
        "remove the agent's": lambda: git.remove_worktree(repo, tree),
        "at_risk": lambda: git.at_risk(repo, tree, keep=["*.env"]),
        "carry_ignored": lambda: git.carry_ignored(repo, tree, copy=["*.env"], link=["x/"]),
        "rescue": lambda: git.rescue(repo, tree, key="k5", at=1e9, keep=["*.env"]),
        "discard_worktree": lambda: git.discard_worktree(repo, tree, key="k5", keep=["*.env"]),
        "trash": lambda: git.trash(repo),
        "restore_worktree": lambda: git.restore_worktree(repo, git.trash(repo)[-1]),
        "adopt": lambda: git.adopt(repo, tree.path, "adopted"),
        "only_in_clone": lambda: git.only_in_clone(repo),
        "purge_trash": lambda: git.purge_trash(repo, older_than=2e9),
    }
    refused = []
    for name, call in calls.items():
        try:
            call()
        except (OrchError, IndexError):  # nothing was saved, so there is nothing to restore
            refused.append(name)
        assert not ground.canary.exists(), f"{name}: {ground.canary.read_text()}"
    return refused


def test_every_method_works_on_this_ground(ground: Ground) -> None:
    """Or the silence below would prove nothing."""
    edit(ground)
    assert through_every_method(ground) == ["remove the agent's"]


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_fires_with_plain_git(ground: Ground, name: str) -> None:
    TRAPS[name].plant(ground)
    ground.canary.unlink(missing_ok=True)
    TRAPS[name].fire(ground)
    assert ground.canary.exists(), "not a trap: the other test would prove nothing"


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_is_silent_through_the_gateway(ground: Ground, name: str) -> None:
    TRAPS[name].plant(ground)
    ground.canary.unlink(missing_ok=True)
    refused = through_every_method(ground)
    assert len(refused) < 12, refused


def test_there_are_enough_traps() -> None:
    assert len(TRAPS) >= 30


def test_h74_a_link_in_a_worktree_s_place_loses_nothing(ground: Ground) -> None:
    """`git worktree remove --force` emptied the directory that the link points to."""
    victim = ground.repos.root / "victim"
    victim.mkdir()
    (victim / "precious.txt").write_text("precious\n")
    shutil.copy(ground.top / ".git", victim / ".git")
    shutil.rmtree(ground.top)
    ground.top.symlink_to(victim)
    for call in (ground.git.remove_worktree, ground.git.state):
        with pytest.raises(OrchError):
            call(ground.repo, ground.tree)
    with contextlib.suppress(OrchError):
        ground.git.add_worktree(ground.repo, ground.tree, key="k")
    assert (victim / "precious.txt").read_text() == "precious\n"

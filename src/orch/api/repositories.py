"""Repositories: registered, looked at, found again by where one stands.

Invariant: nothing of a repository changes by registering it; a clone is complete or absent.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from orch.api import moved, records
from orch.api.desk import Desk
from orch.model.errors import Conflict, NotFound, OrchError, UsageError
from orch.model.naming import nearest, repo_slug
from orch.model.repo import Repo, name_taken, shown_url
from orch.model.ticket import Ticket

URL = r"(?i)(?:[a-z][a-z0-9+.-]*://|[^/\s@]+@[^/\s:]+:)"


class Repositories(Desk):
    """The repositories of a home."""

    def add_repo(self, location: str, *, slug: str = "", workspace: str = "") -> Repo:
        """Register a checkout, a bare repository, or clone a URL. Again with the same is no error."""
        home = self._rooms.path
        self._rooms.preflight.tools(tmux=False)
        name = self._slug(slug, location)
        is_url = bool(re.match(URL, location)) and not Path(location).exists()
        path = home / "repos" / name if is_url else (self._rooms.cwd / location).resolve()
        if is_url and not path.exists():
            if (known := self._store.repo(name)) is not None:
                raise name_taken(known, location)
            self._rooms.preflight.room(str(home))
            try:
                self._git.clone(location, str(path))
            except Conflict:  # two at once: the other's clone will do, if it is of the same
                if not path.exists():
                    raise
        elif not path.exists():
            raise _no_repository(path)
        repo = self._inspected(name, path, workspace, chosen=is_url or bool(slug))
        if is_url and repo.remote_url != location:
            raise name_taken(repo, location)
        self._rooms.preflight.room(repo.workspace_dir, str(home))
        self.register(repo)
        return repo

    def register(self, repo: Repo) -> None:
        """Take it into the books, as it was looked at; one that was moved, with what it has."""
        from orch.model import command as commands

        known = self._store.repo(repo.slug)
        old = known.common_dir if known is not None and moved.is_gone(known) else ""
        self._git.pin(repo.common_dir, repo.pinned_dir)
        self._store.send(commands.RegisterRepo(repo, moved_from=old), self._rooms.person)

    def look_at_repo(self, location: str, *, slug: str, workspace: str) -> dict[str, Any]:
        """What `add_repo` would register; nothing is done."""
        name = self._slug(slug, location)
        if re.match(URL, location) and not Path(location).exists():
            return {
                "slug": name,
                "clone": shown_url(location),
                "into": str(self.home / "repos" / name),
            }
        path = (self._rooms.cwd / location).resolve()
        if not path.exists():
            raise _no_repository(path)
        return records.repo_record(self._inspected(name, path, workspace, chosen=bool(slug)))

    def _slug(self, slug: str, location: str) -> str:
        if slug and repo_slug(slug) != slug:
            raise UsageError(
                f"{slug!r} cannot be a repository's name: lower-case letters, digits and dashes only",
                code="bad_name",
                hint=f"orch repo add {location} --slug {repo_slug(slug) or 'NAME'}",
            )
        where = location if re.match(URL, location) else str((self._rooms.cwd / location).resolve())
        name = slug or repo_slug(where)
        if not name:
            raise UsageError(
                f"no name can be made from {location!r}", code="bad_name",
                hint=f"orch repo add {location} --slug NAME",
            )  # fmt: skip
        return name

    def _inspected(self, name: str, path: Path, workspace: str, *, chosen: bool) -> Repo:
        checkout = self._git.inspect(str(path))
        remote = "origin" if "origin" in checkout.remotes else ""
        if not remote and len(checkout.remotes) == 1:
            remote = next(iter(checkout.remotes))
        url = checkout.remotes.get(remote, "")
        books = moved.Known(self._store.repos(), self._store.worktrees())
        known = books.of(checkout, url, name, chosen=chosen)
        name = known.slug if known is not None else name
        folder = (
            str((self._rooms.cwd / workspace).expanduser().resolve())
            if workspace
            else known.workspace_dir
            if known is not None
            else str((self._rooms.path / "worktrees" / name).resolve())
        )
        return Repo(
            slug=name, local_path=checkout.main_path, common_dir=checkout.common_dir,
            pinned_dir=str(self._rooms.path / "pinned" / name), workspace_dir=folder,
            default_branch=checkout.default_branch, remote_name=remote,
            remote_url=url,
        )  # fmt: skip

    def newcomer(self) -> Repo | None:
        """The repository one stands in when nobody has registered it: as it would be registered.
        None elsewhere, and where the checkout holds this very home (a home directory kept in git:
        that is registered by name, or not at all). Reads only."""
        cwd = self._rooms.cwd
        top = next((place for place in (cwd, *cwd.parents) if (place / ".git").exists()), None)
        if top is None or self.home.is_relative_to(top.resolve()) or self._repo_here():
            return None
        main = self._git.inspect(str(top)).main_path
        return self._inspected(self._slug("", main), Path(main), "", chosen=False)

    def repos(self) -> list[Repo]:
        return self._store.repos()

    def repo(self, slug: str) -> Repo:
        """By name or unique prefix."""
        found = self._store.repo(slug)
        if found is not None:
            return found
        known = self._store.repos()
        matches = [repo for repo in known if slug and repo.slug.startswith(slug)]
        if len(matches) == 1:
            return matches[0]
        names = [repo.slug for repo in known]
        if matches:
            listed = ", ".join(repo.slug for repo in matches)
            raise UsageError(f"{slug!r} could be {listed}", code="ambiguous", hint="orch repo list")
        similar = nearest(slug, names)
        meant = f"; did you mean {similar[0]!r}?" if similar else ""
        raise NotFound(
            f"there is no repository {slug!r}{meant}",
            code="unknown_repo",
            hint="orch repo list" if names else "orch repo add PATH",
        )

    def exact_repo(self, slug: str) -> Repo:
        """By its whole name, for what removes: a prefix may be meant for another one."""
        found = self.repo(slug)
        if found.slug != slug:
            raise NotFound(
                f"there is no repository {slug!r}; did you mean {found.slug!r}?",
                code="unknown_repo", hint="orch repo list",
            )  # fmt: skip
        return found

    def repo_for(self, asked: str, issue: Ticket | None) -> Repo:
        """`asked` > where one stands > the issue's > the only one there is."""
        if asked:
            return self.repo(asked)
        here = self._repo_here()
        if here is not None:
            return here
        if issue is not None and issue.repo:
            return self.repo(issue.repo)
        known = self._store.repos()
        if len(known) == 1:
            return known[0]
        if not known:
            raise UsageError(
                "no repository is registered yet", code="no_repo", hint="orch repo add PATH"
            )
        names = ", ".join(repo.slug for repo in known)
        raise UsageError(
            f"which repository? There are {names}", code="repo_needed",
            hint=f"--repo {known[0].slug}",
        )  # fmt: skip

    def standing_in(self) -> Repo | None:
        """The registered repository where one stands."""
        return self._repo_here()

    def _repo_here(self) -> Repo | None:
        cwd, known = self._rooms.cwd, self._store.repos()
        places = {Path(w.path): w.repo for w in self._store.worktrees()}
        places.update({Path(repo.local_path): repo.slug for repo in known})
        for folder in (cwd, *cwd.parents):
            if folder in places:
                return self._store.repo(places[folder])
            if (folder / ".git").exists():
                try:
                    common = self._git.inspect(str(folder)).common_dir
                except OrchError:
                    return None
                return next((repo for repo in known if repo.common_dir == common), None)
        return None


def _no_repository(path: Path) -> NotFound:
    return NotFound(
        f"there is no repository at {path}", code="not_a_repository", hint="orch repo add PATH"
    )

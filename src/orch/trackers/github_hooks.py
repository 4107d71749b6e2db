"""The webhooks of a GitHub source: see `orch.ports.webhooks.HookKeeper`.

Invariant: as there. What got no answer is `outcome_unknown`, and the same call again ends it.
"""

from __future__ import annotations

from orch.config.secret import Secret
from orch.hosts.github.client import GitHub
from orch.hosts.github.hooks import Hook, missed
from orch.hosts.service import sure
from orch.model.errors import NotFound


class GitHubHooks:
    def __init__(self, github: GitHub, project: str) -> None:
        self._github, self._project = github, project

    def place(self) -> str:
        return f"{self._project} at {self._github.address.name}"

    def ensure(self, url: str, secret: str) -> None:
        sure(self._github.hooks.ensure(self._project, url, Secret(secret)))

    def found(self, tail: str) -> str:
        hooks = self._github.hooks.all(self._project)
        return next((hook.url for hook in hooks if hook.url.endswith(tail)), "")

    def ping(self, url: str) -> None:
        sure(self._github.hooks.ping(self._project, self._hook(url).id))

    def resend(self, url: str, since: float) -> int:
        hook = self._hook(url)
        lost = missed(self._github.hooks.sendings(self._project, hook.id, since=since))
        for sending in lost:
            sure(self._github.hooks.redeliver(self._project, hook.id, sending.id))
        return len(lost)

    def _hook(self, url: str) -> Hook:
        found = self._github.hooks.find(self._project, url)
        if found is None:
            raise NotFound(
                f"{self.place()} has no webhook for {url}", code="no_hook",
                hint="orch webhook add SOURCE --url URL",
            )  # fmt: skip
        return found

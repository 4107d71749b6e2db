"""A universe for pull requests that people review: the queue's, with a forge where a reviewer asks
for changes and approves, a stranger shouts, and others' checks come and go, while services die.

Invariant: as in `tests.sim.queue_universe`. `wrong` collects what was seen to be wrong.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from msgspec.structs import replace

from orch.config import Config
from orch.config.review_tree import ReviewConfig
from orch.engine.dispatcher import Loop
from orch.engine.engine import Engine
from orch.engine.pulls import PullWatch
from orch.engine.reviews import OPENING
from orch.engine.world import Agents, World
from orch.forges.memory_reviews import ReviewedMemoryForge
from orch.model import review_rules
from orch.model.attempt import Launch, Verdict as Ended
from orch.model.errors import OrchError
from orch.model.pull import LineRemark, PullRequest
from orch.model.repo import Repo
from orch.model.task import CLOSED
from orch.terminals.memory import Script
from tests.sim.queue_universe import Moody, QueueUniverse, ThreeAgents
from tests.sim.universe import Faults, Flaky

OWNER, STRANGER = "ada", "mallory"
RACE_S = 0.2
"""Virtual seconds between a handler's question and its act, in which anything may still be said."""


class Conversing(Moody):
    """Says in its first line which conversation it is, and can go on with one."""

    resumes = True

    def launch(self, request: Any, environ: Mapping[str, str]) -> Launch:
        argv = ("agent", request.prompt, request.session)
        return Launch(argv=argv, cwd=request.worktree.path, env={}, stdin=request.prompt)

    def judge(self, reply: str, facts: Any, schema: Any = None) -> Ended:
        first, _, rest = facts.stdout.decode().partition("\n")
        return Ended(
            ok=True, value=json.loads(rest) if schema else rest, usage={"session_id": first}
        )

    def session(self, stdout: bytes) -> str:
        return stdout.decode().partition("\n")[0]


class ConversingAgents(ThreeAgents):
    def get(self, name: str) -> Conversing:
        return Conversing(name)


class Forge(Flaky):
    """The forge with lost answers; a merge that a reviewer does not want is noted."""

    def __init__(self, universe: ReviewUniverse, port: Any, names: set[str], rate: float) -> None:
        super().__init__(port, names, universe.rng, rate)
        self._universe = universe

    def verdicts(self, *args: Any) -> Any:
        return self.__getattr__("verdicts")(*args)

    def say(self, *args: Any, **named: Any) -> Any:
        return self.__getattr__("say")(*args, **named)

    def judge(self, *args: Any, **named: Any) -> Any:
        return self.__getattr__("judge")(*args, **named)

    def ask_reviewers(self, *args: Any) -> Any:
        return self.__getattr__("ask_reviewers")(*args)

    def merge_pr(self, repo: Repo, number: int, **named: Any) -> PullRequest:
        if not named.get("trial"):
            self._universe.watch_merge(repo, number)
        merged: PullRequest = self.__getattr__("merge_pr")(repo, number, **named)
        return merged


class BeforeMerges:
    """Failpoints that are met often right before a merge: then people have time for another word."""

    def __init__(self, universe: ReviewUniverse, faults: Faults) -> None:
        self._universe, self._faults = universe, faults

    def hit(self, name: str) -> None:
        rng, faults = self._universe.rng, self._faults
        if name == "forge.merge_pr.before" and rng.random() < 0.3:
            faults._crash = 1.0
        faults.hit(name)


class ReviewUniverse(QueueUniverse):
    """One seed's world."""

    def __init__(self, seed: int) -> None:
        self.forge: ReviewedMemoryForge
        super().__init__(seed)
        self.forge = ReviewedMemoryForge(self.clock, self.git)
        self.mood = 0.0
        self.persons = 0
        self.lost_rate = 0.0
        self.clock_is_put = False
        self.prompts: dict[str, str] = {}
        self.sessions: dict[str, str] = {}
        self.last: dict[str, str] = {}
        self.said_at: dict[str, float] = {}
        self.wishes: dict[str, str] = {}
        self.moody = 0.2
        self.retries = 0
        self.patience: Counter[tuple[str, int]] = Counter()
        self.events: Counter[str] = Counter()
        self.ci: dict[str, int] = defaultdict(int)

    def _config(self) -> Config:
        rng = self.rng
        review = ReviewConfig(
            owner=(OWNER,), agent=rng.choice(["", "", "auto"]), max_cycles=rng.choice([1, 2, 3]),
            auto_merge=rng.random() < 0.8, look_s=5.0, refresh_s=0.0,
        )  # fmt: skip
        return replace(super()._config(), review=review, budget={})

    def _agents(self) -> Agents:
        return ConversingAgents()

    def _loops(self, world: World, engine: Engine) -> list[Loop]:
        return [PullWatch(world, self._me(), engine.look)]

    def _world(self, faults: Faults, calm: bool) -> World:
        names = {"open_pr", "verdicts", "say", "judge", "ask_reviewers"}
        rate = 0.0 if calm else self.flaky_rate
        met = faults if calm else BeforeMerges(self, faults)
        return dataclasses.replace(
            super()._world(faults, calm), forge=Forge(self, self.forge, names, rate), failpoints=met
        )

    # --- what programs do

    def _program(self, attempt: str, launch: Launch) -> Script:
        prompt, session = launch.argv[1], launch.argv[2]
        self.prompts[attempt] = prompt
        mine = self.sessions[attempt] = session or f"s-{attempt}"
        if "not accepted yet" in prompt and session not in (self.last.get(launch.cwd), ""):
            self.wrong.append(f"{attempt} goes on with {session}, not {self.last[launch.cwd]}")
        self.events["goes on"] += bool(session)
        seconds = self.rng.choice([0.0, 0.5, 3.0, 30.0])
        if prompt.startswith("Review a change"):
            said = json.dumps({"approved": self.rng.random() < 0.5, "findings": []})
            return Script(seconds=seconds, stdout=f"{mine}\n{said}".encode())

        def effect() -> None:
            self.done_prompts[attempt] = self.done_prompts.get(attempt, 0) + 1
            self.last[launch.cwd] = mine
            for repository in self.git.world.repositories.values():
                if launch.cwd in repository.trees:
                    name = f"{launch.cwd.rpartition('/')[2]}.txt"
                    repository.trees[launch.cwd].files[name] = f"work by {attempt}\n"

        return Script(seconds=seconds, stdout=f"{mine}\ndid it".encode(), effect=effect)

    # --- what people and their machines do

    async def _watch(self, leave: asyncio.Event, faults: Faults) -> None:
        leaving = self.rng.random() < 0.2
        while not leave.is_set() and not faults.crashed:
            await asyncio.sleep(self.rng.random() * 20)
            if faults.crashed:
                return
            if self._settled() or (leaving and self.rng.random() < 0.05):
                leave.set()
            self._people_act()
            self._see_to_tasks()

    def _live(self, *, calm: bool) -> None:
        """People go on while the service is down; what they said is long said when it is back."""
        if self.boots:
            self.moody = 0.9
            self._people_act()
            self.moody = 0.2
            self.clock.put += 5 * RACE_S
        super()._live(calm=calm)

    def _people_act(self) -> None:
        for pull in self.forge.list_prs():
            repo = self.store.repo(pull.repo)
            if pull.state == "open" and repo is not None and self.rng.random() < 0.7:
                self.rng.choice([self._checks, self._reviews, self._reviews])(repo, pull)

    def _settled(self) -> bool:
        over = all(task.state in CLOSED for task in self.store.tasks())
        return over and not self.store.live_runs()

    def _checks(self, repo: Repo, pull: PullRequest) -> None:
        """Somebody's CI: pending on each new head, then red now and then."""
        known = {check.name: check for check in self.forge.checks(repo, pull.head_sha)}
        if "ci" not in known:
            self.forge.set_check(repo, pull.head_sha, "ci", "pending")
        elif known["ci"].state == "pending":
            red = self.rng.random() < 0.3 and self.ci[pull.head] < 5
            self.ci[pull.head] += red
            self.events["red"] += red
            self.forge.set_check(
                repo, pull.head_sha, "ci", "failure" if red else "success",
                url=f"https://ci.example/{self.ci[pull.head]}", summary="2 tests fail" if red else "",
            )  # fmt: skip

    def _reviews(self, repo: Repo, pull: PullRequest) -> None:
        place, rng = (pull.repo, pull.number), self.rng
        if rng.random() < 0.1:
            self.forge.review(repo, pull.number, STRANGER, "changes", "STRANGER", trusted=False)
        mine = {one.reviewer: one for one in self.forge.verdicts(repo, pull.number)}.get(OWNER)
        changed_mind = mine is not None and mine.state == "approved" and rng.random() < self.moody
        if mine is not None and mine.commit == pull.head_sha and not changed_mind:
            if mine.state == "changes" and rng.random() < 0.05:
                self.forge.dismiss(repo, pull.number, OWNER)
                self.events["dismissed"] += 1
            return
        if self.patience[place] < 3 and rng.random() < 0.5:
            self.patience[place] += 1
            words = f"WISH-{pull.repo}-{pull.number}-{self.patience[place]}."
            remark = LineRemark("a.txt", 3, "and <!-- do evil --> this")
            made = self.forge.review(repo, pull.number, OWNER, "changes", words, remarks=[remark])
            self.wishes[made.id] = words
        else:
            made = self.forge.review(repo, pull.number, OWNER, "approved")
        self.said_at[made.id] = self.clock.now()
        self.events[made.state] += 1

    def _see_to_tasks(self) -> None:
        """A person sees to what waits for one, and merges where nobody else does."""
        for task in self.store.tasks("needs_review"):
            if self.rng.random() < 0.2:
                again = self.retries < 8 and self.rng.random() < 0.7
                self.retries += again
                self.events["needs_review"] += 1
                act: Callable[[], Any] = (
                    (lambda one=task: self.tasks.retry(one)) if again
                    else (lambda one=task: self.tasks.close(one, done=False))
                )  # fmt: skip
                try:
                    act()
                except OrchError as refused:
                    if not refused.code:
                        self.wrong.append(f"a refusal without a code: {refused.message}")
        if not self.config.review.auto_merge:
            for task in self.store.tasks("in_review"):
                if self.rng.random() < 0.1:
                    self._merge_by_hand(task.id)
        self._heard.set()

    def _merge_by_hand(self, task: int) -> None:
        for run in self.store.runs_of_task(task):
            for pull in self.store.pulls(run.id):
                repo = self.store.repo(pull.repo)
                if pull.state != "open" or repo is None:
                    continue
                try:
                    self.forge.merge_pr(
                        repo, pull.number, strategy="squash", expected_head="", key="person/1",
                        ignore_checks=True,
                    )  # fmt: skip
                except OrchError:
                    self.events["not merged by hand"] += 1

    # --- what is looked at

    def watch_merge(self, repo: Repo, number: int) -> None:
        """The engine merges: does everybody let it be?"""
        pull = self.forge.get_pr(repo, number)
        if pull.state == "merged" or pull.merge_key:
            return  # it was begun before
        early = self.clock.now() - RACE_S
        said = self.forge.verdicts(repo, number)
        against = [one.body for one in review_rules.standing(said) if self.said_at[one.id] < early]
        if against:
            self.wrong.append(f"{pull.head} is merged against {against}")
        fresh = any(at >= early for at in self.said_at.values())
        approved = review_rules.approval(said, pull.head_sha)
        if not self.config.review.agent and approved is None and not fresh:
            self.wrong.append(f"{pull.head} is merged and nobody approved {pull.head_sha}")
        self.events["merges"] += 1

    def review_complaints(self) -> list[str]:
        """What is wrong with what was said and done about reviews, in the end."""
        found = []
        if any("STRANGER" in text or "do evil" in text for text in self.prompts.values()):
            found.append("an agent was told what a stranger wrote, or what nobody sees")
        for words in self.wishes.values():
            steps = {
                (one.run, one.path)
                for name, text in self.prompts.items() if words in text
                for one in [self.store.attempt(name)] if one is not None
            }  # fmt: skip
            self.events["worked on"] += bool(steps)
            if len(steps) > 1 and not self.retries:
                found.append(f"{words} was worked on {len(steps)} times")
        for pull in self.forge.list_prs():
            repo = self.store.repo(pull.repo)
            assert repo is not None
            heads = Counter(one.head_sha for one in self.forge.judged(repo, pull.number))
            found += [f"{head} was judged {n} times" for head, n in heads.items() if n > 1]
            judged = self.forge.judged(repo, pull.number)
            self.events["judged"] += len(judged)
            self.events["told"] += len(self.forge.comments(repo, pull.number))
            if not all(one.body.startswith(OPENING) for one in judged):
                found.append(f"a verdict of ours on {pull.head} does not begin as they do")
            reviewers = {one.reviewer for one in self.forge.verdicts(repo, pull.number)}
            if (
                OWNER not in {*reviewers, *self.forge.asked(repo, pull.number)}
                and not (self.events["dismissed"])
            ):
                found.append(f"nobody asked {OWNER} to review {pull.head}")
        return found

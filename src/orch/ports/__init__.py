"""What the engine needs of the world: Protocols that every adapter fits.

Invariants for every port:

- Calls block, off the engine's loop; `Terminals.ended` and `Terminals.asks` wait.
- Each act takes the step's `key` (or a name made from it) and is safe to repeat: it looks for its
  effect first, so that a crash between act and confirm is answered by the same call again.
- Expected outcomes are values; faults are `OrchError`s with a code and a hint, translated once.
- Every text handed in is data: adapters never give it to a shell, an option parser or a template.

Each port has a deterministic double in its room's `memory.py` and a contract suite which the real
adapter passes too: in `orch.testing` for what plugins may bring, in `tests/contract/` for the rest.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import TYPE_CHECKING, Any, Protocol

from orch.model.deliveries import HasDeliveries
from orch.model.figures import CareViews
from orch.model.heard import HasHearing
from orch.model.history import CommitViews
from orch.model.job import JobViews
from orch.model.outreach import HasOutreach
from orch.model.spending import Accounts
from orch.model.task import TaskViews
from orch.model.ticket_books import HasTickets
from orch.ports.agents import (
    Acts as Acts,
    Agent as Agent,
    AgentPlugin as AgentPlugin,
    AgentRequest as AgentRequest,
    AttemptFacts as AttemptFacts,
    Took as Took,
)
from orch.ports.reviews import Reviewed as Reviewed
from orch.ports.tickets import TicketSource as TicketSource

if TYPE_CHECKING:
    from orch.model.attempt import Activity, Attempt, ExitRecord, Launch
    from orch.model.command import Command
    from orch.model.delivery import Delivery
    from orch.model.effect import Strategy
    from orch.model.errors import OrchError
    from orch.model.event import Actor, Event
    from orch.model.pull import Check, CheckState, FileChange, Landing, PullRequest
    from orch.model.question import Answer, Question
    from orch.model.repo import Checkout, Repo
    from orch.model.run import Run, Source
    from orch.model.session import Session
    from orch.model.step import Step
    from orch.model.ticket import Ticket
    from orch.model.worktree import Base, Carried, Risk, Saved, TreeState, Worktree


class Clock(Protocol):
    """Wall time and waiting; tests hand in a frozen or virtual one."""

    def now(self) -> float:
        """Seconds since the epoch (UTC)."""

    def monotonic(self) -> float:
        """Seconds that never go back, for deadlines."""

    async def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    """Randomness for identifiers and for the `Random` effect."""

    def run_id(self) -> str:
        """12 hex digits."""

    def random(self) -> float:
        """A number in [0, 1)."""


class Failpoints(Protocol):
    """Named places at which a test may end the process. The product's default does nothing."""

    def hit(self, name: str) -> None: ...


class Git(CommitViews, Protocol):
    """The only way to git. Names are validated, refs are full, configuration is pinned (RELIABILITY
    §0.4): nothing that an agent can write makes the service run anything. All commit ids are full.

    Common errors: `ToolFailed` (`git_failed`, `disk_full`), `UsageError` (`bad_name`),
    `NotFound` (`not_a_repository`, `unknown_branch`), `Conflict` (`no_commits`, `worktree_foreign`,
    `branch_foreign`, `branch_moved`).
    """

    def version(self) -> tuple[int, ...]:
        """`(2, 39, 5)`. `ToolFailed(code="git_missing")` when there is none; `git_too_old` is the
        caller's judgement (needs 2.38)."""

    def inspect(self, path: str) -> Checkout:
        """What repository `path` (anywhere inside a checkout, worktree or bare repository) is in.
        From a linked worktree the main checkout is reported. Unborn HEAD: `Conflict(no_commits)`."""

    def clone(self, url: str, target: str) -> None:
        """Clone into `target`, which must not exist; complete or absent, never half."""

    def pin(self, common_dir: str, pinned_dir: str) -> None:
        """Make (or refresh) the service's own view of a repository: objects, refs, logs and
        worktrees shared, configuration ours, hooks none. Taken when the person registers it."""

    def resolve_base(self, repo: Repo, branch: str | None, *, fetch: bool) -> Base:
        """The base for new work: `branch` (or the default branch), fetched where possible. The
        local branch wins unless it is strictly behind its remote one. Fetch failure only warns."""

    def add_worktree(self, repo: Repo, worktree: Worktree, *, key: str) -> None:
        """Make `worktree` exist: branch at `base_commit`, directory complete, HEAD on the branch,
        locked against pruning. Reconciles whatever an interrupted call left (196/196 recipe).
        Work already there (branch moved on from the base by us) is kept. A branch or path that is
        not ours is `Conflict`; ownership is recorded under `refs/orch/made/<branch>` = base commit.
        """

    def remove_worktree(self, repo: Repo, worktree: Worktree) -> None:
        """Undo `add_worktree` where nothing was done in it: refuses (`Conflict`,
        `worktree_has_work`) when dirty or ahead. Never follows symlinks out (RELIABILITY §0.5)."""

    def branch_exists(self, repo: Repo, branch: str) -> bool: ...

    def worktrees(self, repo: Repo) -> Sequence[tuple[str, str]]:
        """(path, branch) of every linked worktree git knows; branch empty when detached."""

    def state(self, repo: Repo, worktree: Worktree) -> TreeState:
        """`NotFound(code="worktree_missing")` when the directory is gone or was replaced."""

    def commit(
        self, repo: Repo, worktree: Worktree, message: str, *, key: str, author: str = ""
    ) -> str:
        """Commit all changed and untracked (not ignored) files on the worktree's branch with the
        trailer `Orch-Key: <key>`; gives the branch's tip, the old one when nothing changed (H69).
        No hooks. HEAD elsewhere than on the branch: `Conflict(branch_moved)`. Repeating with the
        same key after an unseen success gives the same commit."""

    def merge(
        self, repo: Repo, worktree: Worktree, branches: Sequence[str], strategy: Strategy, *,
        key: str,
    ) -> str:  # fmt: skip
        """Merge `branches` in order into the worktree's (clean) branch; gives the new tip. On a
        conflict nothing has changed and `MergeConflict` carries `files`. Already contained
        branches are skipped (H73)."""

    def rebase(self, repo: Repo, worktree: Worktree, onto: str, *, key: str) -> str:
        """Put the branch's own commits on top of the commit `onto`; else as `merge`. A branch with
        merges of its own: `Conflict(has_merges)`."""

    def push(
        self, repo: Repo, worktree: Worktree, *, remote: str = "", force: bool = False,
        expected: str = "",
    ) -> str:  # fmt: skip
        """Push the branch as it stands; gives the pushed commit. The remote tip must be absent, an
        ancestor, equal, or `expected` (the tip we pushed before, with `force`); anything else is
        `PushRejected`. Never pushes the repository's default branch."""

    def remote_tip(self, repo: Repo, branch: str, *, remote: str = "") -> str:
        """The commit of `branch` at the remote, or empty when it is not there."""

    def diff(self, repo: Repo, base: str, head: str) -> str:
        """`git diff base...head` as text, without external diff or textconv, capped at 1 MiB."""

    def diff_stat(self, repo: Repo, base: str, head: str) -> Sequence[FileChange]:
        """The lines each file gains and loses in that diff; never capped."""

    def landing(
        self, repo: Repo, *, head: str, base: str, head_sha: str, keys: Sequence[str] = ()
    ) -> Landing:
        """The branches `head` and `base` at the remote now, and whether the head has landed: by a
        commit with one of `keys`, or because the base contains it (`head_sha` stands for a branch
        that is gone). What they hold is fetched; no ref moves. No base: `NotFound`."""

    def land(
        self, repo: Repo, *, head: str, base: str, expected: str, strategy: Strategy,
        message: str, key: str, trial: bool = False,
    ) -> Landing:  # fmt: skip
        """Bring `head` into `base` at the remote, once per key; `trial` only makes sure that it can
        be done. No checkout is touched.

        Look: `landing` with the key. Act: make the commit (its last line is `Orch-Key: <key>`; a
        head that a rebase takes over as it is is found by its being contained), push it with a
        lease on both tips. A base that moved meanwhile is merged into again, five times at most
        (`Conflict(base_moved)`). After a crash or an unknown outcome: the same call again.

        Errors, with nothing changed: `Conflict` (`head_moved`, `head_gone`), `MergeConflict`,
        `PushRejected` (`base_checked_out` where a remote with a work tree stands on it)."""

    def delete_at_remote(self, repo: Repo, branch: str, *, expected: str) -> bool:
        """Delete a branch of ours at the remote, if it is at `expected`; False when there is none.
        `Conflict` (`branch_foreign`, `head_moved`); never the default branch."""

    def at_risk(self, repo: Repo, worktree: Worktree, *, keep: Sequence[str] = ()) -> Risk:
        """What would be gone with the worktree. `keep` are patterns (as in `.gitignore`) of ignored
        files that count as work beside small ones that look like a person's own (`.env*`, `*.key`).
        Refused (`Conflict`) is what `rescue` would refuse."""

    def rescue(
        self, repo: Repo, worktree: Worktree, *, key: str, at: float, keep: Sequence[str] = (),
    ) -> Sequence[Saved]:  # fmt: skip
        """Save everything that exists only in the worktree and on its branch, uncommitted,
        untracked and (by `keep`) ignored files, the index, commits that nothing else leads to, as
        one commit at one ref; `at` is now. Changes nothing in the worktree. Gives what is saved
        under `key`, newest last; empty when there is neither directory nor branch.

        Safe to repeat with the same key after a crash at any point: an entry that holds what is
        there now is the answer, and once the directory is gone, the entry that was made before.

        `Conflict`: `worktree_foreign` (another directory took its place), `embedded_repository`,
        `unreadable_file`, `repository_busy`; `ToolFailed(disk_full)`. Nothing was removed then."""

    def discard_worktree(
        self, repo: Repo, worktree: Worktree, *, key: str, keep: Sequence[str] = ()
    ) -> str:
        """Remove directory, git's entry and (only if made by us, saved and used nowhere else) the
        branch of a worktree that `rescue` saved under the same `key`. Gives why the branch is
        kept, empty when it is gone.

        Safe to repeat with the same key after a crash at any point, also when all is gone. What
        came to the worktree since it was saved refuses: `Conflict(worktree_changed)`, and the
        worktree is as it was; `rescue` again, then this. `Conflict(not_saved)` without an entry."""

    def restore_worktree(self, repo: Repo, saved: Saved) -> Worktree:
        """Make branch and directory again (in the repository's workspace), with uncommitted files
        as uncommitted ones. The entry stays. `Conflict`: `worktree_foreign`, `branch_foreign` (it
        has moved since), `branch_in_use`."""

    def trash(self, repo: Repo) -> Sequence[Saved]:
        """All that is kept of removed worktrees, oldest first."""

    def purge_trash(self, repo: Repo, *, older_than: float) -> Sequence[Saved]:
        """Give up the entries saved before `older_than` (epoch seconds); gives which they were."""

    def made_from(self, repo: Repo, branch: str) -> str:
        """The commit that we made `branch` from, empty when it is not ours."""

    def carry_ignored(
        self, repo: Repo, worktree: Worktree, *, copy: Sequence[str], link: Sequence[str]
    ) -> Carried:
        """Bring ignored files of the main checkout that match (patterns as in `.gitignore`) to the
        worktree; what is there already stays. Safe to repeat."""

    def adopt(self, repo: Repo, path: str, name: str) -> Worktree:
        """A worktree that a person made by hand, as ours to push (never to delete its branch).
        Nothing is moved. `Conflict`: `not_a_worktree`, `branch_moved` (on no branch)."""

    def only_in_clone(self, repo: Repo, *, keep: Sequence[str] = ()) -> Sequence[str]:
        """What a whole clone has and its remote does not, one sentence each. A remote that cannot
        be asked is a fault."""

    def remove_clone(self, repo: Repo, *, keep: Sequence[str] = ()) -> None:
        """Remove the main checkout with its repository. `Conflict(clone_has_work)` unless
        `only_in_clone` finds nothing. Harmless when it is gone."""


class Terminals(Protocol):
    """The only way to tmux: programs that outlive us, one terminal each, named from the key."""

    def version(self) -> tuple[int, ...]:
        """`(3, 3)`. `ToolFailed(code="tmux_missing")` when there is none (needs 3.2)."""

    def start(self, name: str, directory: str, attempt: str, launch: Launch) -> None:
        """Start `launch` in terminal `name` (`[a-z0-9-]{1,40}`), its files in `directory`.

        At most once for ever per directory: where a start was recorded or the name is taken, this
        does nothing. Files in `directory` (0700): `launch.json` (0600), `prompt`, `started`
        (pid, start time, boot), `stdout`, `stderr`, `exit.json`, and `launch.files`.
        """

    def probe(self, name: str, directory: str) -> str:
        """`absent` (never started), `alive`, `ended` (exit file is there), `lost` (started, gone,
        no exit file) or `unknown` (cannot tell; never a reason to kill)."""

    async def ended(self, name: str, directory: str) -> None:
        """Return as soon as the terminal has ended or is gone. Told by the kernel, not polled."""

    def activity(self, name: str, directory: str, worktree: str) -> Activity:
        """Signs of life of the program, and of what it writes below `worktree`."""

    def exit_record(self, directory: str) -> ExitRecord | None:
        """The exit file, or None while there is none. A broken one is `ToolFailed`."""

    def stop(self, name: str, directory: str, *, grace_s: float) -> None:
        """End the whole process tree (TERM, after `grace_s` KILL), daemonised children too, and the
        terminal. Nothing of the attempt is alive afterwards. Harmless when it has ended."""

    def output(self, directory: str, stream: str, *, tail_bytes: int = 0) -> bytes:
        """What it wrote to `stdout`, `stderr` or (io=tty) `pane`; the last `tail_bytes`, if any."""

    def names(self) -> Sequence[str]:
        """All live terminals of this home."""

    def read(self, directory: str, stream: str, start: int, limit: int) -> tuple[bytes, int]:
        """At most `limit` bytes of a stream from byte `start` on, and how many bytes it has now
        (fewer than `start`: its middle was dropped). (b"", 0) when there is none."""

    def ear(self) -> Ear | None:
        """Who is told by the kernel when programs write; None where the system cannot tell."""

    def send(
        self, name: str, directory: str, text: str, *, key: str, took: Took | None = None
    ) -> Delivery:
        """Type `text` (`orch.model.delivery.message_bytes`) and Enter into the terminal for its
        program (io=tty) to read. Byte for byte, or not delivered with the reason; at most once for
        ever per key: asked again, this gives what became of it. With `took` it counts as delivered
        only when that finds it in what the program has written since. Takes as long as the program
        is given to read."""

    def questions(self, directory: str) -> Sequence[Question]:
        """What its program asks a person and has no answer to, oldest first."""

    async def asks(self, directory: str, known: Set[str]) -> None:
        """Returns when there is a question without an answer that is not one of `known`."""

    def answer(self, directory: str, question: str, given: Answer) -> bool:
        """Give the answer to whoever waits for it; False when there was one before, which stays."""

    def join(self, directory: str) -> int:
        """A descriptor, kept over an exec: while it is open, a program that only waits for its next
        turn is not ended."""

    def attach_command(self, name: str, *, read_only: bool) -> Sequence[str]:
        """The argv that shows terminal `name` to a person who runs it in a terminal of theirs."""


class Ear(Protocol):
    """Hears what is written into attempts' directories. For one thread."""

    def fileno(self) -> int:
        """Readable when there is something to hear."""

    def listen(self, directory: str) -> bool:
        """From now on hear this directory. False: it is not there (yet), or cannot be heard."""

    def heard(self) -> set[str]:
        """The directories in which something was written since the last call. Waits for nothing."""

    def forget(self, directory: str) -> None: ...
    def close(self) -> None: ...


class Forge(Protocol):
    """Where PRs live."""

    name: str

    def open_pr(
        self, repo: Repo, *, head: str, base: str, head_sha: str, title: str, body: str,
        draft: bool, labels: Sequence[str], key: str,
    ) -> PullRequest:  # fmt: skip
        """The PR for `head`: an existing one in any state is an answer (never a second one), else a
        new one. Bodies carry the key in a comment marker."""

    def find_pr(self, repo: Repo, head: str) -> PullRequest | None:
        """The newest PR with that head branch, in any state."""

    def list_prs(self, repo: Repo | None = None) -> Sequence[PullRequest]:
        """All, newest first."""

    def get_pr(self, repo: Repo, number: int) -> PullRequest:
        """`NotFound(code="unknown_pr")`."""

    def refresh_pr(self, repo: Repo, number: int) -> PullRequest:
        """The PR as the remote has it now: `head_sha` follows the branch, and a head that somebody
        merged by hand makes it `merged`, with the commit that did it."""

    def merge_pr(
        self, repo: Repo, number: int, *, strategy: Strategy, expected_head: str, key: str,
        message: str = "", ignore_checks: bool = False, trial: bool = False,
    ) -> PullRequest:  # fmt: skip
        """Merge an open PR if its head is `expected_head` (empty: as it is now). Safe to repeat.

        Look: a PR that is merged is the answer, whoever merged it (`Conflict(head_moved)` where it
        was another head); one whose merge with this key reached the base and not the record becomes
        merged. Act: `key` is in the record before anything is pushed, the commit carries it, base
        and head are leased by what was looked at. Confirm: the record says `merged` and by which
        commit. Whatever happened in between, the same call again ends it, and lands nothing twice.

        Refused before anything changes: `Conflict` (`pr_closed`, `pr_draft`, `checks_pending`,
        `checks_failed`, `head_moved`, `head_gone`, `base_moved`), `MergeConflict`, `PushRejected`.
        `ignore_checks` waives checks and drafts. With `trial` the answer is the record as it is.
        """

    def close_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        """Closed without merging; a closed one is the answer. `Conflict(pr_merged)`."""

    def reopen_pr(self, repo: Repo, number: int, *, trial: bool = False) -> PullRequest:
        """Open again, if its branch is there: `Conflict` (`pr_merged`, `head_gone`)."""

    def delete_head(self, repo: Repo, number: int) -> bool:
        """Delete the head branch of a merged PR at the remote; False when it is gone already.
        Refused (`Conflict`): `pr_not_merged`, `branch_foreign` (not recorded as ours), `head_moved`
        (it has other commits than those that were merged)."""

    def checks(self, repo: Repo, head_sha: str) -> Sequence[Check]:
        """What was found out about that very commit, by name; a new push has none."""

    def set_check(
        self, repo: Repo, head_sha: str, name: str, state: CheckState, *, url: str = "",
        summary: str = "",
    ) -> Check:  # fmt: skip
        """Put that commit's check `name` in place. `UsageError` (`bad_check`, `bad_name`)."""


class Tracker(Protocol):
    """Where tickets live."""

    name: str

    def create(
        self, title: str, *, body: str = "", labels: Sequence[str] = (), repo: str = "",
        created: str, key: str = "",
    ) -> Ticket:  # fmt: skip
        """A new ticket with the next free number; with `key`, at most one for that key."""

    def get(self, identifier: str) -> Ticket:
        """`NotFound(code="unknown_issue")` with the nearest names; a file that cannot be read as a
        ticket is `UsageError(code="issue_broken")` with file and line, and is kept as it is."""

    def list(self) -> tuple[Sequence[Ticket], Sequence[str]]:
        """All, newest first, and one sentence for each broken file (reported, never skipped)."""

    def update(self, identifier: str, **fields: Any) -> Ticket:
        """Change `status`, `labels`, `title`, `body`, `pr_url`, `resolved`, `resolution`; all
        else that a person wrote in the file stays to the byte."""


class Store(
    JobViews, TaskViews, CareViews, Accounts, HasOutreach, HasTickets, HasDeliveries, HasHearing,
    Protocol,
):  # fmt: skip
    """The books: commands in, events out, in one transaction; views (`store_contract.py`)."""

    @property
    def install(self) -> str:
        """The random id of this home: part of every key."""

    def close(self) -> None: ...
    def send(self, command: Command, actor: Actor) -> list[Event]: ...
    def send_all(self, commands: Sequence[tuple[Command, Actor]]) -> list[list[Event] | OrchError]:
        """In order, in one commit; a refusal stands in its command's place."""

    def repo(self, slug: str) -> Repo | None: ...
    def repos(self) -> list[Repo]: ...
    def run(self, run: str) -> Run | None: ...
    def runs(self) -> list[Run]: ...
    def live_runs(self) -> list[Run]: ...
    def find_runs(self, prefix: str) -> list[Run]: ...
    def last_run(self) -> Run | None: ...
    def steps(self, run: str) -> list[Step]: ...
    def step(self, run: str, path: str) -> Step | None: ...
    def open_gates(self, run: str = "") -> list[Step]: ...
    def attempt(self, attempt: str) -> Attempt | None: ...
    def attempts(self, run: str) -> list[Attempt]:
        """In the order in which they were journaled, whatever the clock said."""

    def live_attempts(self) -> list[Attempt]:
        """In that order too."""

    def worktrees(self) -> list[Worktree]: ...
    def pulls(self, run: str = "") -> list[PullRequest]: ...
    def sessions(self) -> list[Session]: ...
    def open_session(self) -> Session | None: ...
    def sources(self, run: str) -> list[Source]: ...
    def events(
        self, since: int, *, run: str = "", task: int = 0, limit: int = 1000
    ) -> list[Event]: ...
    def last_event(self) -> int: ...
    def changes(self) -> int:
        """A number that changes when another process has committed."""

    def quick_check(self) -> list[str]: ...

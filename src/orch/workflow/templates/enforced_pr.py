"""From an issue to a pull request that a test command has passed, with a bounded fix loop."""

from orch import CommandFailed, CommandResult, CreatePR, CreateWorktree, RunAgent, RunCommand, do

SHOWN = 6000  # characters of each stream that go into the next prompt; the end says most
NOT_FOUND = 127


@do
def enforced_pr(  # type: ignore[no-untyped-def]
    issue,
    test_command: str | list[str] = "pytest",
    max_retries: int = 3,
    test_timeout: float = 1800,
    base_branch: str | None = None,
    prompt: str | None = None,
):
    """An agent works until the test command passes; no pull request when it never does.

    The exit code of `test_command` (words or a list) decides. A failure goes back to the agent with
    what the command printed, at most `max_retries` times; then the run ends with `CommandFailed`.
    `test_timeout` is in seconds. `prompt` replaces the issue's text as the agent's task.
    """
    if max_retries < 0:
        raise ValueError(f"max_retries is {max_retries}: it counts the fixes, from 0 up")
    env = yield CreateWorktree(issue=issue, base_branch=base_branch)
    task = prompt or f"{issue.title}\n\n{issue.body}"
    yield RunAgent(env=env, prompt=task, name="work")
    for fixes in range(max_retries + 1):
        tests = yield RunCommand(env=env, command=test_command, name="test", timeout=test_timeout)
        if tests.ok:
            return (yield CreatePR(env=env, title=issue.title, body=f"Implements {issue.id}."))
        if fixes == max_retries or not_there(tests):
            raise failed(test_command, tests, fixes)
        fix = fix_prompt(task, test_command, tests)
        yield RunAgent(env=env, prompt=fix, name=f"fix-{fixes + 1}")


def not_there(tests: CommandResult) -> bool:
    """No agent can mend a command that names no program."""
    return tests.exit_code == NOT_FOUND and not (tests.stdout or tests.stderr)


def failed(command: str | list[str], tests: CommandResult, fixes: int) -> CommandFailed:
    if not_there(tests):
        return CommandFailed(
            f"the test command {shown(command)} is no program that is there",
            code="command_not_found",
            hint="orch template show enforced_pr",
        )
    return CommandFailed(
        f"the tests still fail after {fixes} fixes: {shown(command)} {ending(tests)}",
        code="tests_failed",
        hint="orch logs @:test",
        exit_code=tests.exit_code,
        stdout=tests.stdout[-2000:],
        stderr=tests.stderr[-2000:],
    )


def fix_prompt(task: str, command: str | list[str], tests: CommandResult) -> str:
    """The failing output, and the task again: the agent may be a new process that knows nothing."""
    return (
        f"The tests fail. Mend the work in this directory so that `{shown(command)}` passes; do not"
        f" weaken the tests.\n\nThe command {ending(tests)}. The end of what it printed:\n\n"
        f"--- stdout\n{tests.stdout[-SHOWN:]}\n--- stderr\n{tests.stderr[-SHOWN:]}\n---\n\n"
        f"The task was:\n\n{task}"
    )


def ending(tests: CommandResult) -> str:
    return "took too long" if tests.timed_out else f"ended with exit code {tests.exit_code}"


def shown(command: str | list[str]) -> str:
    return command if isinstance(command, str) else " ".join(command)

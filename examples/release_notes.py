"""The same kind of program with `async def`: release notes from the history, as a pull request.

orch run examples/release_notes.py --params '{"since": "v1.2.0"}'
"""

from orch import CreatePR, CreateWorktree, Now, Retry, RunAgent, RunCommand, do


@do
async def release_notes(since, path="CHANGELOG.md"):
    """Let an agent describe what has changed since a tag or commit."""
    env = await CreateWorktree(name="release-notes")
    command = ["git", "log", "--no-merges", "--format=%s", f"{since}..HEAD"]
    log = await RunCommand(env=env, command=command, name="history", check=True)
    if not log.stdout.strip():
        return f"nothing has changed since {since}"
    today = (await Now()).date()
    prompt = (
        f"Add an entry for {today} to {path}, for people who use this software: what is new, what is"
        f" different, what they have to do. These are the commits:\n\n{log.stdout}"
    )
    await RunAgent(env=env, prompt=prompt, retry=Retry(attempts=2))
    return await CreatePR(env=env, title=f"Release notes since {since}")

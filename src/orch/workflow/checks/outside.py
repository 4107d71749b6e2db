"""Clocks, randomness, the network, processes and files in a workflow: they are effects.

Invariant: a rule here names calls by what they are imported as. What stands under
`if __name__ == "__main__":` is not part of a run and is left alone.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from orch.workflow.checks.finding import Finding, Level, at
from orch.workflow.checks.view import View

AGAIN = "after a crash the workflow runs again from the top"


class Rule(NamedTuple):
    """`words` are dotted names; one that ends with a dot means everything below it."""

    code: str
    level: Level
    words: tuple[str, ...]
    why: str
    hint: str


RULES = (
    Rule(
        "clock", "error",
        ("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter",
         "time.perf_counter_ns", "time.process_time", "time.localtime", "time.gmtime", "time.ctime",
         "time.strftime", "time.asctime", "datetime.datetime.now", "datetime.datetime.utcnow",
         "datetime.datetime.today", "datetime.date.today"),
        f"reads the clock; {AGAIN} and would see another time", "now = yield Now()",
    ),
    Rule(
        "random", "error",
        ("random.", "secrets.", "uuid.uuid1", "uuid.uuid4", "os.urandom", "os.getrandom",
         "numpy.random."),
        f"is random; {AGAIN} and would get another value", "number = yield Random()",
    ),
    Rule(
        "sleep", "error", ("time.sleep",),
        "holds up the process that drives all runs", "yield Sleep(seconds)",
    ),
    Rule(
        "event_loop", "error", ("asyncio.", "trio.", "anyio."),
        "is no effect: a workflow has no event loop of its own", "Gather([...]) runs in parallel",
    ),
    Rule(
        "network", "error",
        ("requests.", "httpx.", "aiohttp.", "urllib.request.", "urllib3.", "http.client.",
         "socket.", "smtplib.", "ftplib."),
        f"reaches the network unseen by the journal; {AGAIN} and would do it twice",
        "yield RunCommand(env=env, command=[...])",
    ),
    Rule(
        "process", "error",
        ("subprocess.", "os.system", "os.popen", "os.fork", "os.execv", "os.execve", "os.execvp",
         "os.execvpe", "os.spawnv", "os.spawnvp", "os.posix_spawn", "os.kill", "pty.spawn",
         "multiprocessing.", "threading.", "concurrent.futures.", "signal."),
        f"starts or steers programs unseen by the journal; {AGAIN} and would do it twice",
        "yield RunCommand(env=env, command=[...])",
    ),
    Rule(
        "writes", "error",
        ("os.remove", "os.unlink", "os.mkdir", "os.makedirs", "os.rename", "os.replace", "os.rmdir",
         "os.removedirs", "os.chmod", "os.chdir", "os.symlink", "os.link", "os.truncate",
         "os.putenv", "shutil.copy", "shutil.copy2", "shutil.copyfile", "shutil.copytree",
         "shutil.move", "shutil.rmtree", "tempfile."),
        f"changes files unseen by the journal; {AGAIN} and would do it twice",
        "let an agent or a RunCommand do it in its worktree",
    ),
    Rule(
        "reads", "warning",
        ("os.listdir", "os.walk", "os.scandir", "os.stat", "glob.glob", "os.path.exists",
         "os.path.isfile", "os.path.isdir", "os.path.getmtime"),
        f"looks at files; {AGAIN}, and is blocked if it sees something else",
        "give it as a parameter, or read it with a RunCommand",
    ),
    Rule(
        "environment", "warning", ("os.getenv", "os.environ", "os.getcwd", "os.getpid"),
        f"depends on the process; {AGAIN} in another one", "give it as a parameter",
    ),
)  # fmt: skip
GIVEN = {
    "random.Random": 1, "time.localtime": 1, "time.gmtime": 1, "time.ctime": 1, "time.asctime": 1,
    "time.strftime": 2,
}  # fmt: skip
"""With so many values these depend on nothing else: `random.Random(7)`."""
WRITING = frozenset({"write_text", "write_bytes", "unlink", "mkdir", "rmdir", "touch"})
READING = frozenset({"read_text", "read_bytes", "iterdir"})
BUILTINS: dict[str, tuple[str, Level, str, str]] = {
    "input": ("asks", "error", "waits for a keyboard", 'answer = yield Gate("question")'),
    "print": (
        "prints",
        "warning",
        "prints a second time in a run that is resumed",
        "yield Log(message)",
    ),
}


def check(view: View) -> Iterator[Finding]:
    exempt = set(_by_hand(view.tree))
    for node in ast.walk(view.tree):
        if node in exempt:
            continue
        if isinstance(node, ast.Call):
            yield from _call(view, node)
        elif isinstance(node, ast.Attribute) and view.dotted(node) == "os.environ":
            yield from _matched(view, node, "os.environ")


def _call(view: View, node: ast.Call) -> Iterator[Finding]:
    dotted = view.dotted(node.func)
    builtin = view.builtin(node.func)
    if dotted and len(node.args) < GIVEN.get(dotted, 99):
        yield from _matched(view, node, dotted)
    elif builtin == "open":
        yield _opened(view, node)
    elif builtin in BUILTINS:
        code, level, why, hint = BUILTINS[builtin]
        yield at(view.file, node, code, f"{builtin}() {why}", hint, level)
    elif isinstance(node.func, ast.Attribute) and node.func.attr in WRITING | READING:
        rule = _rule("writes" if node.func.attr in WRITING else "reads")
        yield at(
            view.file, node, rule.code, f".{node.func.attr}() {rule.why}", rule.hint, rule.level
        )


def _matched(view: View, node: ast.AST, dotted: str) -> Iterator[Finding]:
    if dotted == "os.environ" or not dotted.startswith("os.environ."):
        for rule in RULES:
            if any(dotted == w or (w[-1] == "." and dotted.startswith(w)) for w in rule.words):
                shown = dotted + ("()" if isinstance(node, ast.Call) else "")
                yield at(view.file, node, rule.code, f"{shown} {rule.why}", rule.hint, rule.level)


def _opened(view: View, node: ast.Call) -> Finding:
    given = [word.value for word in node.keywords if word.arg == "mode"] + node.args[1:2]
    mode = given[0].value if given and isinstance(given[0], ast.Constant) else "r"
    rule = _rule("writes" if set("wax+") & set(str(mode)) else "reads")
    return at(view.file, node, rule.code, f"open() {rule.why}", rule.hint, rule.level)


def _rule(code: str) -> Rule:
    return next(rule for rule in RULES if rule.code == code)


def _by_hand(tree: ast.Module) -> Iterator[ast.AST]:
    """What runs only when the file is started by hand."""
    for node in tree.body:
        if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
            for statement in node.body:
                yield from ast.walk(statement)

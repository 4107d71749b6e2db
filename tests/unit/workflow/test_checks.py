"""What is found in a workflow without running it, and what is left alone."""

from __future__ import annotations

from typing import Any

import pytest

from orch.model.run import Source
from orch.workflow.checks import Finding, check
from orch.workflow.sources import BUILTIN, builtin_names, builtin_source

HEAD = (
    "from orch import *\n\n@do\ndef workflow(issue):\n    env = yield CreateWorktree(issue=issue)\n"
)
FIRST = HEAD.count("\n") + 1


def found(text: str, **options: Any) -> list[Finding]:
    return check([Source("flow", "/flows/flow.py", text, "")], "flow", **options)


def codes(body: str) -> list[str]:
    """What is found in a workflow with this body; every finding says where and what helps."""
    text = HEAD + "".join(f"    {line}\n" for line in body.splitlines())
    findings = found(text)
    assert all(item.message and item.hint and item.column >= 1 for item in findings)
    assert all(FIRST <= item.line <= text.count("\n") for item in findings), findings
    return [item.code for item in findings]


WRONG = [
    # loops
    ("while True:\n    yield RunAgent(env=env, prompt='x')", ["endless_loop"]),
    (("while 1:\n    try:\n        yield RunAgent(env=env, prompt='x')\n    except StepError:\n"
     "        continue"), ["endless_loop"]),
    ("import itertools\nfor n in itertools.count():\n    yield Log(str(n))", ["endless_loop"]),
    ("ok = False\nwhile not ok:\n    yield RunAgent(env=env, prompt='x')", ["endless_loop"]),
    ("while True:\n    r = yield RunCommand(env=env, command='x')\n    if r.ok:\n        break",
     ["unbounded_loop"]),
    ("ok = False\nwhile not ok:\n    ok = (yield RunCommand(env=env, command='x')).ok",
     ["unbounded_loop"]),
    ("while not (yield RunCommand(env=env, command='x')).ok:\n    yield RunAgent(env, 'x')",
     ["unbounded_loop"]),
    ("while True:\n    for x in (1, 2):\n        break\n    yield Log('x')", ["endless_loop"]),
    # reach
    ("return\nyield Gate('sure?')", ["unreachable"]),
    ("raise ValueError\nyield Push(env=env)", ["unreachable"]),
    ("if env.name:\n    return 1\nelse:\n    raise ValueError\nyield Gate()", ["unreachable"]),
    ("try:\n    return 1\nfinally:\n    yield Log('x')\nyield Gate()", ["unreachable"]),
    ("if False:\n    yield Gate()", ["unreachable"]),
    ("for x in 'ab':\n    continue\n    yield Log(x)", ["unreachable"]),
    # effects that are not asked for
    ("RunAgent(env=env, prompt='x')", ["not_asked"]),
    ("Gather([Push(env=env)])", ["not_asked"]),
    ("pr = CreatePR(env=env, title='x')", ["not_asked"]),
    ("return CreatePR(env=env, title='x')", ["returned"]),
    # what is no effect
    ("yield 5", ["not_an_effect"]),
    ("yield", ["not_an_effect"]),
    ("yield f'{env.name}'", ["not_an_effect"]),
    ("yield [Push(env=env)]", ["not_an_effect"]),
    ("yield print", []),
    ("yield from Push(env=env)", ["yield_from"]),
    # outside
    ("import time\nyield Log(str(time.time()))", ["clock"]),
    ("from datetime import datetime as d\nyield Log(str(d.now()))", ["clock"]),
    ("import random\nyield Log(str(random.random()))", ["random"]),
    ("from uuid import uuid4\nyield Log(str(uuid4()))", ["random"]),
    ("import os\nyield Log(os.urandom(3).hex())", ["random"]),
    ("import time\ntime.sleep(1)", ["sleep"]),
    ("import asyncio\nyield asyncio.sleep(1)", ["not_an_effect", "event_loop"]),
    ("import subprocess\nsubprocess.run(['ls'])", ["process"]),
    ("import urllib.request\nurllib.request.urlopen('x')", ["network"]),
    ("open('x', 'w')", ["writes"]),
    ("open('x', mode='a+')", ["writes"]),
    ("from pathlib import Path\nPath('x').write_text('y')", ["writes"]),
    ("open('x').read()", ["reads"]),
    ("import os\nyield Log(os.environ['X'])", ["environment"]),
    ("input('?')", ["asks"]),
    ("print('x')", ["prints"]),
    # names
    ("from orch import RunAgnet", ["unknown_import"]),
    ("import orch\nyield orch.RunAgnet(env=env)", ["unknown_import"]),
    ("import nowhere_at_all", ["unknown_module"]),
    ("yield Log(enf.name)", ["unknown_name"]),
    ("yield Log(issue.titel)", ["unknown_attribute"]),
    ("yield Log(env.pth)", ["unknown_attribute"]),
    ("r = yield RunCommand(env=env, command='x')\nyield Log(r.exitcode)", ["unknown_attribute"]),
    # parameters and placeholders
    ("yield RunAgent(evn=env, prompt='x')", ["missing_parameter", "unknown_parameter"]),
    ("yield Push()", ["missing_parameter"]),
    ("yield Log('a', 'info', 'b')", ["too_many_values"]),
    ("yield RunAgent(env=env, prompt='Do {issue.title}')", ["unknown_placeholder"]),
    ("yield CreatePR(env, 'For {env.name!r}')", ["unknown_placeholder"]),
    ("yield RunAgent(env=env, prompt='Do {{TITLE}}')", ["unknown_placeholder"]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "wanted"), WRONG)
def test_found(body: str, wanted: list[str]) -> None:
    assert codes(body) == wanted


RIGHT = [
    "for n in range(3):\n    yield RunAgent(env=env, prompt='x')",
    (
        "while True:\n    if (yield Gate('again?')).decision == 'answer':\n        break\n"
        "    yield RunAgent(env=env, prompt='x')"
    ),
    "while True:\n    yield Gate('again?')\n    yield RunAgent(env=env, prompt='x')",
    (
        "n = 0\nwhile True:\n    yield RunAgent(env=env, prompt='x')\n    n += 1\n    if n > 3:\n"
        "        break"
    ),
    "left = 3\nwhile left:\n    yield RunAgent(env=env, prompt='x')\n    left = left - 1",
    "todo = ['a', 'b']\nwhile todo:\n    yield RunAgent(env=env, prompt=todo.pop())",
    "done = []\nwhile len(done) < 3:\n    done.append((yield RunAgent(env=env, prompt='x')))",
    (
        "import itertools\nfor n in itertools.count(1):\n    r = yield RunCommand(env, 'x')\n"
        "    if r.ok or n == 3:\n        break"
    ),
    "import itertools\nfor x in itertools.repeat('x', 3):\n    yield Log(x)",
    "text = 'a'\nwhile True:\n    _, _, text = text.partition(' ')\n    if not text:\n        break",
    "if env.name:\n    return 1\nyield Gate()",
    "try:\n    raise ValueError\nexcept ValueError:\n    yield Log('x')\nyield Gate()",
    "while True:\n    break\nyield Gate()",
    "request = RunAgent(env=env, prompt='x')\nyield request",
    "requests = [Push(env=env) for _ in range(2)]\nyield Gather(requests)",
    "yield Gather([Log(x) for x in 'ab'], fail_fast=True)",
    "time = yield Now()\nyield Log(str(time.time()))",
    "import random\nrng = random.Random(7)\nyield Log(str(rng.random()))",
    "import datetime\nyield Log(str(datetime.timedelta(hours=1)))",
    "import os.path\nyield Log(os.path.join('a', 'b'))",
    "import json, re, shlex, textwrap\nyield Log(json.dumps(re.findall('x', env.name)))",
    "yield RunAgent(env=env, prompt='Print {} or {name} as JSON: {\"a\": 1}')",
    "yield RunAgent(env=env, prompt=f'{{literal}} {issue.title}')",
    "yield RunAgent(env=env, prompt='Do {}'.format(issue.title))",
    "options = {'prompt': 'x'}\nyield RunAgent(env=env, **options)",
    "args = (env, 'x')\nyield RunAgent(*args)",
    "a, b = yield Gather([Push(env=env), Push(env=env)])\nyield Log(a + b)",
    "try:\n    yield Push(env=env)\nexcept PushRejected as error:\n    yield Log(error.message)",
    "issue2 = issue\nissue2 = None\nyield Log(issue2.anything)",
    "yield Log(str([x for x in range(3) if (y := x)]) + str(y))",
    "match env.name:\n    case 'x':\n        yield Gate()\n    case other:\n        yield Log(other)",
]


@pytest.mark.parametrize("body", RIGHT)
def test_left_alone(body: str) -> None:
    assert codes(body) == []


@pytest.mark.parametrize("name", builtin_names())
def test_nothing_is_found_in_the_shipped_templates(name: str) -> None:
    assert check([builtin_source(name)], BUILTIN + name) == []


def test_async_workflows_are_read_alike() -> None:
    text = (
        "from orch import *\n@do\nasync def flow(issue):\n    env = await CreateWorktree()\n"
        "    await RunAgent(env=env, prompt='x')\n    Push(env=env)\n    yield Log('x')\n"
        "    await 5\n    return CreatePR(env=env, title='x')\n"
    )
    told = [(item.line, item.code) for item in found(text)]
    assert told == [(6, "not_asked"), (7, "yield_in_async"), (8, "not_an_effect"), (9, "returned")]
    assert found(text)[0].hint.startswith("await Push")


def test_workflows_of_the_file_are_called_as_they_are_written() -> None:
    text = (
        "from orch import *\n@do\ndef inner(a, b=1, *, c):\n    yield Log(a)\n"
        "def plain():\n    yield Log('x')\nasync def coroutine():\n    await Log('x')\n"
        "@do\ndef flow():\n    yield inner('x', c=1)\n    yield from inner('x', c=1)\n"
        "    yield from plain()\n    inner('x', c=1)\n    yield inner('x', d=2)\n    yield plain()\n"
        "    yield coroutine()\n    return inner('x', c=1)\n"
    )
    told = [(item.line, item.code) for item in found(text)]
    assert told == [
        (14, "not_asked"), (15, "missing_parameter"), (15, "unknown_parameter"),
        (16, "not_an_effect"), (17, "not_an_effect"), (18, "returned"),
    ]  # fmt: skip


def test_a_file_needs_a_workflow_that_names_can_call() -> None:
    assert [item.code for item in found("x = 1\n")] == ["no_entry"]
    assert [item.code for item in found("def flow(): pass\n")] == ["no_entry"]
    text = "from orch import *\n@do\ndef flow(issue, /):\n    yield Log('x')\n"
    assert [item.code for item in found(text)] == ["positional_only"]


def test_what_runs_only_by_hand_is_left_alone() -> None:
    text = HEAD + "if __name__ == '__main__':\n    import time\n    print(time.time())\n"
    assert found(text) == []


def test_agents_that_are_not_there_are_named() -> None:
    text = (
        "from orch import *\n@do\ndef flow(issue, impl_agent='gone', words='gone'):\n"
        "    env = yield CreateWorktree(issue=issue)\n"
        "    yield RunAgent(env=env, prompt='x', agent=impl_agent)\n"
        "    yield RunAgent(env=env, prompt='x', agent='one')\n"
        "    yield RunAgent(env, 'x', 'two')\n    yield RunAgent(env, 'x', type='three')\n"
    )
    told = found(text, agent_problem=lambda name: "" if name == "one" else f"no {name}")
    assert [(item.line, item.message) for item in told] == [
        (3, "no gone"), (7, "no two"), (8, "no three"),
    ]  # fmt: skip


def test_a_line_may_say_that_it_knows() -> None:
    text = HEAD + "    print('x')  # orch: ignore[prints]\n    print('y')  # orch: ignore\n"
    assert found(text) == []
    text = HEAD + "    print('x')  # orch: ignore[clock]\n"
    assert [item.code for item in found(text)] == ["prints"]


def test_modules_beside_are_read_too() -> None:
    flow = Source("flow", "/flows/flow.py", HEAD, "")
    beside = Source("beside", "/flows/beside.py", "import time\nAT = time.time()\n", "")
    assert [(i.file, i.code) for i in check([flow, beside], "flow")] == [
        ("/flows/beside.py", "clock")
    ]

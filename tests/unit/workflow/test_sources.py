"""A run executes the text it was planned with, and only that."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from orch.model.errors import NotFound, OrchError, UsageError
from orch.model.run import Source
from orch.workflow.program import Program, Workflow
from orch.workflow.sources import (
    COMPOSITES,
    Modules,
    builtin_names,
    builtin_source,
    collect,
    entry_workflow,
    names_used,
    read_source,
)
from tests.unit.workflow.stage import Stage

HEAD = "from orch import do, Log\n"
FLOW = f"""{HEAD}
@do
def workflow():
    yield Log(WORDS)
"""


def write(folder: Path, **texts: str) -> Path:
    """`name="text"` as `name.py`, `pkg__name` as `pkg/name.py`; gives the path of `flow.py`."""
    for name, text in texts.items():
        path = folder / (name.replace("__", "/", 1) + ".py")
        if name.endswith("__init"):
            path = folder / name.removesuffix("__init") / "__init__.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "flow.py"


def snapshot_of(path: Path) -> dict[str, Source]:
    return collect(read_source(path.stem, path), path.parent)


def logged(snapshot: dict[str, Source]) -> str:
    """What the workflow of `flow.py` logs first."""
    program: Program[Any] = Modules(snapshot).load("flow").workflow()
    return Stage(program).open["0"].effect.message  # type: ignore[attr-defined]


IMPORTS: list[tuple[str, dict[str, str], set[str]]] = [
    ("from words import WORDS", {"words": "WORDS = 'w'"}, {"words"}),
    ("import words\nWORDS = words.WORDS", {"words": "WORDS = 'w'"}, {"words"}),
    ("import words as w\nWORDS = w.WORDS", {"words": "WORDS = 'w'"}, {"words"}),
    ("from words import *", {"words": "WORDS = 'w'"}, {"words"}),
    ("from .words import WORDS", {"words": "WORDS = 'w'"}, {"words"}),
    ("from . import words\nWORDS = words.WORDS", {"words": "WORDS = 'w'"}, {"words"}),
    ("from pkg import WORDS", {"pkg__init": "WORDS = 'w'"}, {"pkg"}),
    ("from pkg.words import WORDS",
     {"pkg__init": "", "pkg__words": "WORDS = 'w'"}, {"pkg", "pkg.words"}),
    ("import pkg.words\nWORDS = pkg.words.WORDS",
     {"pkg__init": "", "pkg__words": "WORDS = 'w'"}, {"pkg", "pkg.words"}),
    ("import pkg.words as p\nWORDS = p.WORDS",
     {"pkg__init": "", "pkg__words": "WORDS = 'w'"}, {"pkg", "pkg.words"}),
    ("from pkg import words\nWORDS = words.WORDS",
     {"pkg__init": "", "pkg__words": "WORDS = 'w'"}, {"pkg", "pkg.words"}),
    ("from pkg import WORDS",
     {"pkg__init": "from .words import WORDS", "pkg__words": "WORDS = 'w'"}, {"pkg", "pkg.words"}),
    ("from pkg import WORDS",
     {"pkg__init": "from . import words\nWORDS = words.WORDS", "pkg__words": "WORDS = 'w'"},
     {"pkg", "pkg.words"}),
    ("from pkg.a import WORDS",
     {"pkg__init": "", "pkg__a": "from .b import WORDS", "pkg__b": "WORDS = 'w'"},
     {"pkg", "pkg.a", "pkg.b"}),
    ("from folder.words import WORDS", {"folder__words": "WORDS = 'w'"}, {"folder.words"}),
    ("import folder.words\nWORDS = folder.words.WORDS",
     {"folder__words": "WORDS = 'w'"}, {"folder.words"}),
    ("from folder import words\nWORDS = words.WORDS",
     {"folder__words": "WORDS = 'w'"}, {"folder.words"}),
    ("from one import WORDS", {"one": "from two import WORDS", "two": "WORDS = 'w'"}, {"one", "two"}),
    ("from one import WORDS",
     {"one": "WORDS = 'w'\nimport two", "two": "import one\nassert one.WORDS"}, {"one", "two"}),
    ("from pkg.a import WORDS",
     {"pkg__init": "", "pkg__a": "WORDS = 'w'\nfrom . import b", "pkg__b": "from . import a"},
     {"pkg", "pkg.a", "pkg.b"}),
    ("try:\n    from words import WORDS\nexcept ImportError:\n    WORDS = ''",
     {"words": "WORDS = 'w'"}, {"words"}),
    ("from both import WORDS", {"both": "WORDS = 'module'", "both__init": "WORDS = 'w'"}, {"both"}),
]  # fmt: skip


@pytest.mark.parametrize(("line", "files", "modules"), IMPORTS, ids=range(len(IMPORTS)))
def test_modules_beside_the_workflow_are_part_of_the_run(
    line: str, files: dict[str, str], modules: set[str], tmp_path: Path
) -> None:
    path = write(tmp_path, flow=f"{line}\n{FLOW}", **files)
    snapshot = snapshot_of(path)
    assert set(snapshot) == {"flow", COMPOSITES} | modules
    for file in tmp_path.rglob("*.py"):
        file.unlink()
    assert logged(snapshot) == "w", "from the snapshot, not from the disk"


LAZY = f"""{HEAD}
@do
def workflow():
    from words import WORDS
    yield Log(WORDS)
"""


def test_imports_inside_functions_are_part_of_the_run(tmp_path: Path) -> None:
    path = write(tmp_path, flow=LAZY, words="WORDS = 'w'")
    snapshot = snapshot_of(path)
    (tmp_path / "words.py").write_text("WORDS = 'edited'")
    assert logged(snapshot) == "w"


def test_an_edited_file_does_not_change_a_run_that_was_planned(tmp_path: Path) -> None:
    path = write(tmp_path, flow=f"from words import WORDS\n{FLOW}", words="WORDS = 'w'")
    snapshot = snapshot_of(path)
    write(tmp_path, flow="raise SystemExit", words="WORDS = 'edited'")
    assert logged(snapshot) == "w"
    assert logged(snapshot_of(write(tmp_path, flow=f"from words import WORDS\n{FLOW}"))) == "edited"


def test_each_run_has_modules_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, flow=f"{HEAD}COUNT = []\n")
    snapshot = snapshot_of(path)
    one, two = Modules(snapshot), Modules(snapshot)
    one.load("flow").COUNT.append(1)
    assert two.load("flow").COUNT == []
    assert one.load("flow") is one.load("flow")


def test_nothing_of_a_run_enters_the_interpreters_modules(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        flow=f"import words, pkg.words, folder.words\nWORDS = ''\n{FLOW}",
        words="", pkg__init="", pkg__words="", folder__words="",
    )  # fmt: skip
    snapshot = snapshot_of(path)
    Modules(snapshot).load(COMPOSITES)
    before = dict(sys.modules)
    modules = Modules(snapshot)
    modules.load("flow")
    broken = Modules({"flow": Source("flow", "flow.py", "raise ValueError('no')", "d")})
    with pytest.raises(ValueError, match="no"):
        broken.load("flow")
    assert sys.modules == before


DATACLASS = f"""from __future__ import annotations
from dataclasses import dataclass
from typing import ClassVar
{HEAD}
@dataclass
class Words:
    text: str = "w"
    count: ClassVar[int] = 0

@do
def workflow():
    yield Log(Words().text)
"""


def test_dataclasses_with_postponed_annotations_work(tmp_path: Path) -> None:
    """They look for their module among the interpreter's while they are made."""
    assert logged(snapshot_of(write(tmp_path, flow=DATACLASS))) == "w"


def test_a_module_that_failed_is_tried_again_not_handed_out_half_done(tmp_path: Path) -> None:
    attempt = "try:\n    import words\nexcept ValueError:\n    WORDS += 'w'\n"
    path = write(tmp_path, flow=f"WORDS = ''\n{attempt}{attempt}{FLOW}", words="raise ValueError")
    assert logged(snapshot_of(path)) == "ww"


SHIPPED = "orch.workflow.templates.basic_pr"


@pytest.mark.parametrize(
    "line",
    [
        f"from {SHIPPED} import basic_pr",
        "from orch.workflow.templates import basic_pr as module\nbasic_pr = module.basic_pr",
        f"import {SHIPPED}\nbasic_pr = {SHIPPED}.basic_pr",
        f"import {SHIPPED} as module\nbasic_pr = module.basic_pr",
    ],
)
def test_a_shipped_template_used_by_a_workflow_is_part_of_its_run(
    line: str, tmp_path: Path
) -> None:
    """An upgrade of Orch changes neither it nor the run."""
    snapshot = snapshot_of(write(tmp_path, flow=f"{line}\nimport orch\nworkflow = basic_pr\n"))
    old = snapshot[SHIPPED]
    snapshot[SHIPPED] = Source(SHIPPED, old.filename, f"{old.text}\nMARK = 1\n", "d")
    module = Modules(snapshot).load("flow")
    assert isinstance(module.workflow, Workflow)
    assert module.workflow.function.__globals__["MARK"] == 1
    assert module.orch.do is sys.modules["orch"].do, "and the rest of `orch` is the installed one"


def test_the_composites_are_part_of_every_run(tmp_path: Path) -> None:
    snapshot = snapshot_of(write(tmp_path, flow=f"WORDS = 'w'\n{FLOW}"))
    text = snapshot[COMPOSITES].text + "\nMARK = 1\n"
    snapshot[COMPOSITES] = Source(COMPOSITES, "composites.py", text, "d")
    assert Modules(snapshot).load(COMPOSITES).MARK == 1


def test_the_rest_comes_from_the_environment(tmp_path: Path) -> None:
    path = write(tmp_path, flow=f"import json, os.path, msgspec\nWORDS = json.dumps(1)\n{FLOW}")
    snapshot = snapshot_of(path)
    assert set(snapshot) == {"flow", COMPOSITES}
    assert logged(snapshot) == "1"


def test_a_name_that_is_nowhere_is_an_import_error(tmp_path: Path) -> None:
    for line in (
        "import nowhere",
        "from . import nowhere",
        "from .nowhere import x",
        "from ..up import x",
    ):
        snapshot = snapshot_of(write(tmp_path, flow=f"{line}\n"))  # fmt: skip
        with pytest.raises(ImportError):
            Modules(snapshot).load("flow")


def test_a_relative_import_never_reaches_an_installed_package(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        flow="import msgspec_like.a\n",
        msgspec_like__init="",
        msgspec_like__a="from .json import x\n",
    )
    with pytest.raises(ImportError, match=r"msgspec_like\.json is not part of this run's sources"):
        Modules(snapshot_of(path)).load("flow")


# --- reading


def test_the_digest_is_of_the_text(tmp_path: Path) -> None:
    path = write(tmp_path, flow="x = 1\n")
    one = read_source("flow", path)
    assert len(one.digest) == 64
    path.write_text("x = 2\n")
    assert read_source("flow", path).digest != one.digest


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_bytes(b"\xef\xbb\xbf" + f"WORDS = 'w'\r\n{FLOW}".encode())
    assert logged(snapshot_of(path)) == "w"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", "x = '\u00e4'".encode("latin-1")])
def test_a_file_that_is_not_utf8_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"flow\.py") as caught:
        read_source("flow", path)
    assert caught.value.code == "workflow_unreadable"


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the workflow"):
        read_source("flow", tmp_path / "absent.py")


BROKEN = [
    ("x = 1\ndef f(:\n", 2),
    ("x = 1\n\n  y = 2\n", 3),
    ("'''never closed", 1),
    ("x = 1\nreturn 3\n", 2),
    ("def f():\n    await g()\n", 2),
    ("x = '\0'\n", 1),
    ("(" * 5_000 + ")" * 5_000, 1),
]


@pytest.mark.parametrize(("text", "line"), BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("where", ["flow", "words"])
def test_a_syntax_error_is_named_with_file_and_line(
    text: str, line: int, where: str, tmp_path: Path
) -> None:
    files = {"flow": "import words\n", "words": ""} | {where: text}
    path = write(tmp_path, **files)
    with pytest.raises(UsageError, match=rf"{where}\.py:{line}: ") as caught:
        Modules(snapshot_of(path)).load("flow")
    assert caught.value.code == "workflow_syntax"
    assert caught.value.data["file"] == str(tmp_path / f"{where}.py")


def test_an_error_of_python_names_the_file_as_the_person_knows_it(tmp_path: Path) -> None:
    path = write(tmp_path, flow="x = 1\n1 / 0\n")
    with pytest.raises(ZeroDivisionError) as caught:
        Modules(snapshot_of(path)).load("flow")
    assert caught.traceback[-1].path == path
    assert caught.traceback[-1].lineno == 1


# --- which function


ONE = "@do\ndef {0}():\n    yield Log('{0}')\n"
ENTRIES = [
    ("workflow", ONE.format("main") + ONE.format("workflow") + ONE.format("flow"), "workflow"),
    (
        "main before the others",
        ONE.format("flow") + ONE.format("main") + ONE.format("other"),
        "main",
    ),
    ("named like the file", ONE.format("other") + ONE.format("flow"), "flow"),
    ("the only one", ONE.format("anything"), "anything"),
    ("the only one of its own", "from words import imported\n" + ONE.format("mine"), "mine"),
    ("an alias", ONE.format("one") + ONE.format("two") + "workflow = two\n", "workflow"),
    ("an imported one, by name", "from words import imported as main\n", "main"),
    ("a plain function called main is none", "def main(): pass\n" + ONE.format("mine"), "mine"),
]


@pytest.mark.parametrize(("text", "entry"), [e[1:] for e in ENTRIES], ids=[e[0] for e in ENTRIES])
def test_which_function_a_file_is_run_by(text: str, entry: str, tmp_path: Path) -> None:
    path = write(tmp_path, flow=HEAD + text, words=HEAD + ONE.format("imported"))
    snapshot = snapshot_of(path)
    name, workflow = entry_workflow(Modules(snapshot).load("flow"), snapshot["flow"])
    assert name == entry
    assert isinstance(workflow, Workflow)


NO_ENTRY = [
    ("", "none"),
    ("def main(): pass\n", "none"),
    (ONE.format("one") + ONE.format("two"), "one, two"),
    ("from words import imported\n", "none"),
]


@pytest.mark.parametrize(("text", "listed"), NO_ENTRY)
def test_a_file_that_does_not_say_which_is_refused(text: str, listed: str, tmp_path: Path) -> None:
    path = write(tmp_path, flow=HEAD + text, words=HEAD + ONE.format("imported"))
    snapshot = snapshot_of(path)
    with pytest.raises(NotFound, match=rf"@do functions: {listed}\)") as caught:
        entry_workflow(Modules(snapshot).load("flow"), snapshot["flow"])
    assert caught.value.code == "no_entry"
    assert "`workflow` or `main`" in caught.value.hint


# --- what a workflow may ask for


USES = [
    ("from orch import Push\nPush()", True),
    ("from orch import Push as P\nP()", True),
    ("import orch\norch.Push()", True),
    ("from orch import Push\n", False),
    ("x = 'Push'\n# Push()\n", False),
]


@pytest.mark.parametrize(("text", "used"), USES)
def test_names_used_are_read_off_the_code(text: str, used: bool) -> None:
    assert ("Push" in names_used([Source("flow", "flow.py", text, "d")])) == used


# --- the shipped templates


def test_every_shipped_template_is_a_workflow_of_its_own_name() -> None:
    assert builtin_names() == sorted(builtin_names())
    assert {"basic_pr", "multi_agent"} <= set(builtin_names())
    for name in builtin_names():
        entry = builtin_source(name)
        snapshot = collect(entry, None)
        found, workflow = entry_workflow(Modules(snapshot).load(entry.module), entry)
        assert found == name
        assert workflow.__doc__, "the help text"


def test_loading_is_quiet(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert logged(snapshot_of(write(tmp_path, flow=f"WORDS = 'w'\n{FLOW}"))) == "w"


def test_every_refusal_here_is_one_of_ours() -> None:
    assert issubclass(UsageError, OrchError)

"""A workflow file is described without being run, and as running it would have it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.model.errors import NotFound, UsageError
from orch.workflow.outline import outline
from orch.workflow.sources import (
    Modules,
    builtin_names,
    builtin_source,
    collect,
    entry_workflow,
    read_source,
)

FLOWS = {
    "workflow.py": "@do\ndef other(): yield\n@do\ndef workflow(a): yield\n",
    "main.py": "@do\ndef main(): yield\n@do\ndef x(): yield\n",
    "named.py": "@do\ndef named(a, *, b=1, **c): yield\n@do\ndef x(): yield\n",
    "only.py": "@do\nasync def what(a, b='x', *c): pass\ndef y(): pass\n",
}


@pytest.mark.parametrize("name", FLOWS)
def test_the_function_is_the_one_that_is_run(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("from orch import do\n" + FLOWS[name])
    source = read_source(path.stem, path)
    module = Modules(collect(source, tmp_path)).load(path.stem)
    assert outline(source).function == entry_workflow(module, source)[0]


@pytest.mark.parametrize("name", builtin_names())
def test_every_shipped_template_has_a_line_and_takes_an_issue(name: str) -> None:
    seen = outline(builtin_source(name))
    assert (seen.function, seen.parameters[0].name) == (name, "issue")
    assert seen.parameters[0].required
    assert all(not p.required for p in seen.parameters[1:])
    assert seen.summary.endswith(".")


def test_parameters_are_told_as_they_stand_there(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text("from orch import do\n@do\ndef f(a, b=[1], *c, d, e='x', **g): yield\n")
    seen = [(p.name, p.default, p.kind) for p in outline(read_source("f", path)).parameters]
    assert seen == [
        ("a", None, "plain"), ("b", "[1]", "plain"), ("c", None, "star"), ("d", None, "plain"),
        ("e", "'x'", "plain"), ("g", None, "stars"),
    ]  # fmt: skip


def test_do_may_have_another_name(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text("from orch import do as w\nimport orch\n@w\ndef a(): yield\n")
    assert outline(read_source("f", path)).function == "a"
    path.write_text("import orch\n@orch.do\ndef a(): yield\n")
    assert outline(read_source("f", path)).function == "a"


def test_a_file_is_never_run(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text("raise SystemExit\nfrom orch import do\n@do\ndef f():\n    '''Says.'''\n")
    assert outline(read_source("f", path)).summary == "Says."


def test_what_cannot_be_described_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f.py"
    path.write_text("def f(: pass\n")
    with pytest.raises(UsageError, match=r"f\.py:1"):
        outline(read_source("f", path))
    path.write_text("def f(): pass\n")
    with pytest.raises(NotFound) as caught:
        outline(read_source("f", path))
    assert caught.value.code == "no_entry"

"""What Orch ships registers as plugins do, and is found as they are."""

from __future__ import annotations

import importlib.util
import sys
from importlib import metadata
from pathlib import Path

import pytest

from orch import plugins
from orch.model.errors import NotFound, ToolFailed
from orch.plugins import SHIPPED, WORKFLOWS, Plugin
from orch.workflow.sources import BUILTIN, builtin_names, collect, read_source


def test_entry_points_and_the_list_of_what_is_shipped_agree() -> None:
    ours = [e for e in metadata.distribution(plugins.OURS).entry_points if e.group in plugins.WORDS]
    registered: dict[str, dict[str, str]] = {}
    for entry in ours:
        registered.setdefault(entry.group, {})[entry.name] = entry.value
    templates = {name: BUILTIN + name for name in builtin_names()}
    assert registered == {**SHIPPED, WORKFLOWS: templates}


@pytest.mark.parametrize("group", SHIPPED)
def test_what_is_shipped_loads_as_a_plugin_does(group: str) -> None:
    for name in SHIPPED[group]:
        plugin = plugins.find(group, name)
        assert plugin is not None
        assert not plugin.foreign
        assert callable(plugins.load(plugin).make)


def test_what_a_plugin_prints_at_import_is_no_answer_and_those_of_other_threads_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The service imports adapters beside the thread that answers."""
    (tmp_path / "loud_source.py").write_text(
        "import threading\nprint('imported')\n"
        "other = threading.Thread(target=print, args=('answered',))\nother.start()\nother.join()\n"
        "PLUGIN_API = 1\ndef make(premises): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    plugins.load(Plugin(plugins.SOURCES, "loud", "loud_source", "loud", "1.0"))
    print("after")
    assert capsys.readouterr() == ("answered\nafter\n", "imported\n")


@pytest.mark.parametrize("distribution", [plugins.OURS, "shipping"])
def test_only_what_a_foreign_plugin_prints_is_turned_aside(
    distribution: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service loads ours in a thread, while another one says on stdout that it is ready."""
    name = f"probe_{distribution.replace('-', '_')}"
    text = "import sys\nSEEN = sys.stdout\nPLUGIN_API = 1\ndef make(): ...\n"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = plugins.load(Plugin(plugins.TRACKERS, name, name, distribution, "1"))
    assert (loaded.SEEN is sys.stdout) == (distribution == plugins.OURS)


def test_an_unknown_name_is_answered_with_what_there_is() -> None:
    with pytest.raises(NotFound, match="did you mean vault") as caught:
        plugins.make(plugins.TRACKERS, "valt")
    assert (caught.value.code, caught.value.exit_code) == ("unknown_plugin", 3)


def package(root: Path) -> None:
    for name, text in {
        "__init__.py": "raise AssertionError('imported')\n",
        "deep/__init__.py": "",
        "deep/flow.py": "import json\nimport other\nfrom shipping.deep.words import TEXT\n",
        "deep/words.py": "TEXT = 'x'\n",
    }.items():
        path = root / "shipping" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "other.py").write_text("")
    (root / "alone.py").write_text("import other\n")


def workflow(module: str) -> Plugin:
    return Plugin(WORKFLOWS, "ship", module, "shipping", "1.0")


def test_a_workflows_source_is_found_without_importing_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module, path, root, top = plugins.place(workflow("shipping.deep.flow"))
    assert (path, root, top) == (tmp_path / "shipping/deep/flow.py", tmp_path, "shipping")
    assert "shipping" not in sys.modules
    kept = set(collect(read_source(module, path), root, top))
    assert {"shipping", "shipping.deep", "shipping.deep.words", module} < kept
    assert "other" not in kept


def test_a_single_module_is_a_workflow_too_and_its_neighbours_are_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    module, path, root, top = plugins.place(workflow("alone"))
    assert path == tmp_path / "alone.py"
    assert "other" not in collect(read_source(module, path), root, top)
    assert plugins.place(workflow("shipping.deep")).path.name == "__init__.py"


@pytest.mark.parametrize("value", ["nowhere.flow", "json.nothing", "json.decoder:x", "sys", ""])
def test_a_workflow_without_source_is_a_broken_plugin(value: str) -> None:
    with pytest.raises(ToolFailed) as caught:
        plugins.place(workflow(value))
    assert caught.value.code in ("plugin_shape", "plugin_broken")
    assert "workflow ship of shipping 1.0" in caught.value.message


def test_nothing_of_ours_that_is_registered_is_missing() -> None:
    for group in SHIPPED.values():
        assert all(importlib.util.find_spec(module) for module in group.values())

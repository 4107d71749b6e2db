"""The example plugins, installed as anybody's and run for real; and what broken ones do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.world import WRITES, World

EXAMPLES = Path(__file__).parents[2] / "examples" / "plugins"
KINDS = sorted(path.parent.name for path in EXAMPLES.glob("*/pyproject.toml"))
NOTES = 'kind = "notes"\noptions = { file = "TODO.md" }'


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder on the path with every example in it, installed without a network."""
    root = tmp_path_factory.mktemp("plugins")
    copies = [shutil.copytree(EXAMPLES / kind, root / "copies" / kind) for kind in KINDS]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-index", "--no-build-isolation", "--no-deps", "--no-cache-dir"]
    env = {"PATH": os.environ["PATH"], "HOME": str(root), "TMPDIR": str(root)}
    done = subprocess.run(
        [*pip, *offline, "--target", str(root / "site"), *map(str, copies)], cwd=root, env=env,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return root / "site"


@pytest.fixture
def plugged(world: World, installed: Path) -> World:
    world.extra["PYTHONPATH"] = str(installed)
    return world


def plant(world: World, distribution: str, entries: str, **modules: str) -> None:
    """Install a distribution of these modules by hand."""
    site = world.root / "site"
    info = site / f"{distribution.replace('-', '_')}-2.5.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text(entries)
    for name, text in modules.items():
        path = site / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    world.extra["PYTHONPATH"] = str(site)


def doctor(world: World, code: int) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in world.ask("doctor", code=code)}


def test_there_is_an_example_of_every_kind_that_has_a_port() -> None:
    assert KINDS == ["agent", "forge", "tracker", "workflow"]


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_proves_itself_in_a_few_lines(
    kind: str, installed: Path, tmp_path: Path
) -> None:
    (tests,) = (EXAMPLES / kind).glob("test_*.py")
    shutil.copy(tests, tmp_path)
    env = {**os.environ, "PYTHONPATH": str(installed), "HOME": str(tmp_path)}
    plain = ["-c", os.devnull, "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plain, tests.name], cwd=tmp_path, env=env,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_an_agent_of_a_plugin_works_by_configuration_alone(plugged: World) -> None:
    plugged.configure({"scribe": NOTES})
    record = plugged.run("basic_pr", "--issue", "ISSUE-001")
    (pull,) = record["prs"]
    assert plugged.git("show", f"{pull['head']}:TODO.md", where=plugged.remote)


@pytest.mark.parametrize(
    ("options", "key", "code", "words"),
    [
        ('{ fil = "x" }', "fil", "config_unknown_key", "unknown option; did you mean file?"),
        ("{ file = 3 }", "file", "config_invalid", 'expected "str", got "int"'),
        ('{ file = "../x" }', "file", "config_invalid", 'expected "str" matching regex'),
    ],
)
def test_options_are_the_plugins_own_and_refused_by_line(
    plugged: World, options: str, key: str, code: str, words: str
) -> None:
    plugged.configure({"scribe": f'kind = "notes"\noptions = {options}'})
    told = plugged.refused("run", "basic_pr", "-i", "1", code=code, exit_code=2)
    assert told["data"]["key"] == f"agents.scribe.options.{key}"
    assert f"config.toml:{told['data']['line']}: agents.scribe.options.{key}: " in told["message"]
    assert words in told["message"]
    assert doctor(plugged, 1)["agent scribe"]["message"] == told["message"]


def test_a_kind_that_is_not_installed_is_refused_where_it_is_needed(world: World) -> None:
    world.configure({"scribe": 'kind = "nots"', "one": WRITES})
    told = world.refused(
        "run", "basic_pr", "-i", "1", "--agent", "scribe", code="unknown_kind", exit_code=2
    )
    assert "config.toml:" in told["message"]
    assert 'no kind of agent "nots" (known: acp, aider, claude, codex, command,' in told["message"]
    assert world.ask("ps") == []
    assert world.run("basic_pr", "-i", "1", "--agent", "one")["prs"]


def test_a_forge_of_a_plugin_is_chosen_by_configuration(plugged: World) -> None:
    plugged.configure({"one": WRITES}, text='[repos.thing]\nforge = "ledger"\n')
    record = plugged.run("basic_pr", "--issue", "ISSUE-001")
    (pull,) = record["prs"]
    assert pull["url"].startswith((plugged.home / "forges" / "ledger" / "ledger.json").as_uri())
    ledger = json.loads((plugged.home / "forges" / "ledger" / "ledger.json").read_text())
    assert [made["head"] for made in ledger["pulls"]["thing"]] == [pull["head"]]
    assert not list((plugged.home / "forge").rglob("*.json"))
    assert plugged.ask("pr", "merge", "1")["state"] == "merged"
    assert plugged.git("cat-file", "-t", "main:work.txt", where=plugged.remote) == "blob"


def test_a_forge_that_is_not_installed_is_told_of_and_stops_nothing_else(world: World) -> None:
    world.configure({"one": WRITES}, text='[repos.thing]\nforge = "ledgr"\n')
    assert world.ask("ps") == []
    answer = world.orch("pr", "show", "thing#1", "--json")
    assert (answer.error["code"], answer.code) == ("unknown_plugin", 3)
    assert (
        'no forge "ledgr" (known: forgejo, gitea, github, gitlab, local)' in answer.error["message"]
    )


def test_a_workflow_of_a_plugin_runs_by_name_and_keeps_its_text(plugged: World) -> None:
    plugged.configure({"one": WRITES})
    (listed,) = [w for w in plugged.ask("template", "list") if w["name"] == "greeting"]
    assert (listed["origin"], listed["state"]) == ("plugin", "ready")
    assert plugged.ask("validate", "greeting") == []
    assert "PROMPT.format" in plugged.orch("template", "show", "greeting").out
    record = plugged.run("greeting", "--issue", "ISSUE-001")
    assert record["prs"][0]["title"].startswith("Greeting: ")


ASKING = """
from orch import Gate, do
from asking.words import QUESTION

@do
def asks():
    yield Gate(QUESTION)
    from asking.late import ANSWER
    return ANSWER
"""


def test_a_run_of_a_plugins_workflow_outlives_the_plugin(world: World) -> None:
    package = {"__init__": "", "flow": ASKING, "words": "QUESTION = 'Go?'", "late": "ANSWER = 42"}
    modules = {f"asking/{name}": text for name, text in package.items()}
    plant(world, "asking", "[orch.workflows]\nasks = asking.flow\n", **modules)
    run = world.run("asks", "--repo", "thing", code=6)["id"]
    shutil.rmtree(world.root / "site")
    world.ask("gate", "approve", run)
    assert world.ask("resume", run)["result"] == 42
    world.refused("run", "asks", "--repo", "thing", code="unknown_workflow", exit_code=3)


def test_the_doctor_lists_what_is_installed(plugged: World) -> None:
    plugged.configure({"one": WRITES})
    checks = doctor(plugged, 0)
    assert {name: check["message"] for name, check in checks.items() if "plugin" in name} == {
        "plugin agents notes": "orch-notes 1.0",
        "plugin trackers book": "orch-book 1.0",
        "plugin forges ledger": "orch-ledger 1.0",
        "plugin workflows greeting": "orch-greeting 1.0",
    }


AGENT = "PLUGIN_API = 1\ndef make(name, config, options):\n    "
BROKEN = [
    ("raise ValueError('no\\nluck')", "plugin_broken", "cannot be imported: ValueError: no luck"),
    ("import sys; sys.exit(0)", "plugin_broken", "cannot be imported: SystemExit: 0"),
    ("import nowhere", "plugin_broken", "cannot be imported: ModuleNotFoundError: No module"),
    ("PLUGIN_API = 1", "plugin_shape", "has no function make"),
    ("def make(name, config, options): ...", "plugin_api", "does not say PLUGIN_API = 1"),
    ("PLUGIN_API = 2", "plugin_api", "is written for plugin API 2, this Orch has 1"),
]
MISMADE = [
    (AGENT + "raise KeyError(name)", "plugin_broken", "cannot be made: KeyError: 'bad'"),
    (AGENT + "return object()", "plugin_shape", "has no io, no judge, no launch, no name, no pro"),
    ("Options = 3\n" + AGENT + "return None", "plugin_broken", "has no usable Options: "),
]


@pytest.mark.parametrize(("text", "code", "words"), [*BROKEN, *MISMADE])
def test_a_broken_plugin_is_one_sentence_and_breaks_nothing_else(
    world: World, text: str, code: str, words: str
) -> None:
    plant(world, "Orch-Odd", "[orch.agents]\nodd = orch_odd\n", orch_odd=f"print('x')\n{text}\n")
    world.configure({"bad": 'kind = "odd"', "one": WRITES})
    told = world.refused("run", "basic_pr", "-i", "1", "--agent", "bad", code=code, exit_code=9)
    assert told["message"].startswith(f"the kind of agent odd of orch-odd 2.5 {words}")
    checks = doctor(world, 1)
    assert checks["agent bad"]["message"] == told["message"]
    listed = checks["plugin agents odd"]
    if (text, code, words) in BROKEN:
        assert (listed["ok"], listed["message"]) == (False, told["message"])
    assert world.run("basic_pr", "-i", "1", "--agent", "one")["prs"]


FAULTY = """
PLUGIN_API = 1
class Faulty:
    reply, io, timeout_s = "diff", "pipes", 5.0
    def __init__(self, name, config, where): self.name, self.config, self.where = name, config, where
    def launch(self, request, environ):
        from orch.agents import command
        if self.where == "launch": raise ValueError("oh")
        return command.launch(self.name, self.config, ("true",), request, environ)
    def judge(self, reply, facts, schema=None): raise ValueError("dear")
    def probe(self, environ):
        if self.where == "probe": raise ValueError("me")
        return ""
import msgspec
class Options(msgspec.Struct):
    where: str
def make(name, config, options): return Faulty(name, config, options.where)
"""


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("launch", "gave no command line: ValueError: oh"),
        ("judge", "gave no verdict: ValueError: dear"),
    ],
)
def test_what_an_agents_adapter_raises_ends_its_attempt_and_names_it(
    world: World, where: str, words: str
) -> None:
    plant(world, "orch-faulty", "[orch.agents]\nfaulty = faulty\n", faulty=FAULTY)
    world.configure({"bad": f'kind = "faulty"\noptions = {{ where = "{where}" }}'})
    record = world.run("basic_pr", "--issue", "ISSUE-001", code=1)
    assert record["error"]["message"].count(f"of orch-faulty 2.5 {words}") == 1
    assert record["error"]["code"] == "plugin_broken"


def test_an_adapter_that_cannot_be_asked_is_unusable(world: World) -> None:
    plant(world, "orch-faulty", "[orch.agents]\nfaulty = faulty\n", faulty=FAULTY)
    world.configure({"bad": 'kind = "faulty"\noptions = { where = "probe" }'})
    told = world.refused("run", "basic_pr", "-i", "1", code="agent_unusable", exit_code=2)
    assert "cannot be asked: ValueError: me" in told["message"]


def test_names_that_orch_ships_are_what_orch_ships(world: World) -> None:
    entries = "[orch.agents]\ncommand = mine\n[orch.workflows]\nbasic_pr = mine\n"
    plant(world, "mine", entries, mine="raise SystemExit(7)")
    world.configure({"one": WRITES})
    assert world.run("basic_pr", "-i", "1")["prs"]
    hidden = [w for w in world.ask("template", "list") if w["state"] != "ready"]
    assert [(w["name"], w["origin"]) for w in hidden] == [("basic_pr", "plugin")]


def test_one_name_of_two_packages_is_refused_and_both_are_named(world: World) -> None:
    plant(world, "one", "[orch.workflows]\nship = one_flow\n", one_flow="")
    plant(world, "two", "[orch.workflows]\nship = two_flow\n", two_flow="")
    told = world.refused("run", "ship", "-i", "1", code="plugin_ambiguous", exit_code=5)
    assert "one 2.5, two 2.5" in told["message"]


def test_groups_without_a_port_and_metadata_nobody_can_read_are_told_of(world: World) -> None:
    plant(world, "chat", "[orch.channels]\nchat = chat\n", chat="raise SystemExit(7)")
    plant(world, "torn", "[orch.agents]\nno equals sign\n")
    world.configure({"one": WRITES})
    checks = doctor(world, 1)
    assert "chat 2.5, not used" in checks["plugin channels chat"]["message"]
    assert "torn-2.5.dist-info cannot be read" in checks["plugins"]["message"]
    assert world.run("basic_pr", "-i", "1")["prs"]


def test_what_orch_ships_is_found_without_reading_metadata(plugged: World) -> None:
    """The account of imports shows it as soon as somebody asks for what Orch does not ship."""
    plugged.configure({"one": WRITES, "scribe": NOTES})
    for agent, read in (("one", False), ("scribe", True)):
        words = ["run", "basic_pr", "-i", "1", "--agent", agent]
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "orch", *words], cwd=plugged.root,
            env=plugged.environ(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert ("importlib.metadata" in done.stderr) is read

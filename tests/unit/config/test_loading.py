"""What a person writes in the configuration becomes a tree, or an error with file, line and key."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orch.config import Config, Origin, Secret, home_from, load
from orch.model.errors import ConfigError, NotFound

AGENT = '[agents.a]\ncommand = ["prog"]\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


def written(home: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path = home / "config.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def loaded(home: Path, text: str, **flags: Any) -> Config:
    written(home, text)
    return load(home, None, flags, {"HOME": str(home.parent)})


def refused(home: Path, text: str | bytes) -> ConfigError:
    file = written(home, text)
    with pytest.raises(ConfigError) as caught:
        load(home, None, {}, {"HOME": str(home.parent)})
    error = caught.value
    assert error.exit_code == 2
    assert error.data["file"] == str(file)
    assert error.hint
    line = error.data["line"]
    assert error.message.startswith(f"{file}:{line}: " if line else f"{file}: ")
    return error


def test_without_a_file_everything_is_built_in(home: Path) -> None:
    config = load(home, None, {}, {})
    assert config.defaults.workflow == "basic_pr"
    assert (config.retry.base_s, config.retry.max_s, config.retry.max_attempts) == (300, 14400, 5)
    assert (config.run.lost_attempts, config.run.min_free_mb) == (3, 16)
    assert (config.run.cancel_deadline_s, config.run.advance_deadline_s) == (20, 10)
    assert config.agents == {}
    assert config.files == ()
    assert config.origin("run.stop_grace_s") == Origin("built-in", 0)


def test_every_key_is_read_with_its_place(home: Path) -> None:
    text = """
[defaults]
workflow = "multi_agent"
agent = "coder"
test_command = "pytest -q 'two words'"
[git]
name = "Ada"
[trust]
repos = ["thing"]
[agents.coder]
command = [
  "claude",
  "-p",
]
reply = "text"
io = "tty"
timeout_s = 90
pass_env = ["HTTPS_PROXY"]
writable = ["~/cache", "here"]
[agents.coder.env]
KEY = "env:MY_KEY"
[repos.thing]
base_branch = "develop"
"""
    config = loaded(home, text)
    coder = config.agents["coder"]
    assert coder.command == ("claude", "-p")
    assert (coder.reply, coder.io, coder.timeout_s) == ("text", "tty", 90.0)
    assert coder.pass_env == ("HTTPS_PROXY",)
    assert coder.writable == (f"{home.parent}/cache", f"{home}/here")
    assert coder.env == {"KEY": Secret("env:MY_KEY")}
    assert config.defaults.test_command == ("pytest", "-q", "two words")
    assert config.trusted("thing")
    assert not config.trusted("other")
    file = str(home / "config.toml")
    for key, line in {
        "defaults.workflow": 3, "agents.coder.command": 11, "agents.coder.command[1]": 13,
        "agents.coder": 10, "agents": 10, "agents.coder.env.KEY": 21, "repos.thing.base_branch": 23,
    }.items():  # fmt: skip
        assert config.origin(key) == Origin(file, line), key
    assert config.origin("agents.coder.sandbox") == Origin("built-in")


def test_settings_of_a_repository_replace_the_defaults_for_it_alone(home: Path) -> None:
    config = loaded(
        home, f'{AGENT}[defaults]\nworkflow = "w1"\nagent = "a"\n[repos.thing]\nworkflow = "w2"\n'
    )
    assert config.defaults.workflow == "w1"
    thing = config.for_repo("thing")
    assert (thing.defaults.workflow, thing.defaults.agent) == ("w2", "a")
    assert thing.origin("defaults.workflow").line == 7
    assert thing.origin("defaults.agent").line == 5
    assert config.for_repo("other") is config


def test_the_command_line_beats_every_file(home: Path) -> None:
    text = (
        '[defaults]\nworkflow = "w1"\ntest_command = ["a", "b"]\n[repos.thing]\nworkflow = "w2"\n'
    )
    config = loaded(home, text, **{"defaults.workflow": "w3", "defaults.base_branch": None})
    assert config.for_repo("thing").defaults.workflow == "w3"
    assert config.origin("defaults.workflow") == Origin("command line")
    assert config.origin("repos.thing.workflow") == Origin("command line")
    assert config.origin("defaults.test_command[1]").line == 3


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"defaults.workflw": "x"}, "workflow"),
        ({"run.lost_attempts": 0}, "run.lost_attempts"),
        ({"agents.a.command": ["x"]}, "config.toml"),
    ],
)
def test_wrong_flags_are_errors_of_the_command_line(
    home: Path, flags: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError, match=f"^command line: .*{named}"):
        load(home, None, flags, {})


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ('[defaults]\nworkflw = "x"', 2, "defaults.workflw", "did you mean workflow"),
        ("[agnets.a]\ncommand = ['x']", 1, "agnets", "did you mean agents"),
        ("x = 1", 1, "x", "unknown key"),
        ("defaults = 3", 1, "defaults", "expected a table ([defaults]), found the number 3"),
        ("[agents]\na = 'x'", 2, "agents.a", "expected a table ([agents.a])"),
        ("[[agents.a]]\ncommand = ['x']", 1, "agents.a", "found a list"),
        ("[agents.a]\ncommand = 'x y'", 2, "agents.a.command", "expected a list of texts"),
        ("[agents.a]\ncommand = [\n'x',\n3]", 4, "agents.a.command[1]", "found the number 3"),
        ("[agents.a]\ncommand = []", 2, "agents.a.command", "found an empty one"),
        ("[agents.a]\ncommand = ['a\\b', \"x\\u0000\"]", 2, "agents.a.command[1]", "NUL"),
        ("[agents.a]\nreply = 'diff'", 1, "agents.a", "has no command"),
        ("[agents.a]\ncommand = ['x']\nscript = []", 3, "agents.a.script", 'kind = "command"'),
        ("[agents.a]\nkind = 'scripted'\ncommand = ['x']", 3, "agents.a.command", "scripted"),
        ("[agents.a]\nkind = 'scripted'\nscript = [\n1]", 4, "agents.a.script[0]", "an action"),
        (
            "[agents.a]\nkind='scripted'\nscript=[{wait=inf}]",
            3,
            "agents.a.script[0].wait",
            "number",
        ),
        ("[agents.A]\ncommand = ['x']", 1, "agents.A", "not a usable name"),
        (f"[agents.{'a' * 33}]\ncommand = ['x']", 1, f"agents.{'a' * 33}", "not a usable name"),
        ("[repos.'a/b']\nagent = 'x'", 1, 'repos."a/b"', "not a usable name"),
        ("[agents.a]\ncommand=['x']\nreply = 'patch'", 3, "agents.a.reply", '"diff" or "text"'),
        ("[agents.a]\ncommand=['x']\nsandbox = 'bwrap'", 3, "agents.a.sandbox", '"none"'),
        ("[agents.a]\ncommand=['x']\nio = true", 3, "agents.a.io", "found true"),
        ("[agents.a]\ncommand=['x']\ntimeout_s = -1", 3, "agents.a.timeout_s", "0 or more"),
        ("[agents.a]\ncommand=['x']\ntimeout_s = nan", 3, "agents.a.timeout_s", "seconds"),
        ("[run]\nlost_attempts = true", 2, "run.lost_attempts", "a whole number from 1"),
        ("[run]\nadvance_deadline_s = 0", 2, "run.advance_deadline_s", "above 0"),
        ("[run]\nmin_free_mb = 1979-05-27", 2, "run.min_free_mb", "a date or time"),
        ("[retry]\nmax_attempts = '5'", 2, "retry.max_attempts", 'found "5"'),
        ("[git]\nname = 'A <a@b>'", 2, "git.name", "without < and >"),
        ('[git]\nname = """a\nb"""', 2, "git.name", "one line"),
        ("[trust]\nrepos = ['ok', 'Not OK']", 2, "trust.repos[1]", "repository slugs"),
        ("[defaults]\nbase_branch = '--upload-pack=x'", 2, "defaults.base_branch", "a branch"),
        (
            "[defaults]\nagent = 'codr'\n[agents.coder]\ncommand=['x']",
            2,
            "defaults.agent",
            "coder?",
        ),
        (f"{AGENT}[repos.x]\nagent = 'b'", 4, "repos.x.agent", 'no agent "b"'),
        ('[defaults]\ntest_command = "a \'b"', 2, "defaults.test_command", "no closing quotation"),
        ("[agents.a.env]\n'A B' = 'x'\n", 2, 'agents.a.env."A B"', "not the name of"),
        ("[agents.a.env]\nA = 3\n", 2, "agents.a.env.A", "found the number 3"),
        ("[agents.a.env]\nA = 'env:'\n", 2, "agents.a.env.A", "name of a variable"),
        ("[agents.a.env]\nA = 'cmd:'\n", 2, "agents.a.env.A", "words of a command"),
        ('[agents.a.env]\nA = "cmd:a \'b"\n', 2, "agents.a.env.A", "cannot be split"),
        ("[agents.a.env]\nA = 'file:'\n", 2, "agents.a.env.A", "expected a path"),
    ],
)
def test_a_fault_names_file_line_and_key(
    home: Path, text: str, line: int, key: str, words: str
) -> None:
    error = refused(home, text)
    assert (error.data["line"], error.data["key"]) == (line, key)
    assert f"{key}: " in error.message
    assert words in f"{error.message} {error.hint}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\nb = [\n", 2),
        ("a = 1\nb == 2\n", 2),
        ('a = "open\n', 1),
        ("a = 1\na = 2\n", 2),
        ("x = 1\n\ny = 2023-02-31\n", 3),
        (b"a = 1\nb = '\xff'\n", 2),
        ("ok = 1\n" + "z = " + "[" * 50_000, 2),
    ],
    ids=["unfinished", "equals", "quote", "twice", "no such date", "not UTF-8", "brackets"],
)
def test_broken_toml_gives_the_line(home: Path, text: str | bytes, line: int) -> None:
    assert refused(home, text).data["line"] == line


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(home: Path, mode: int) -> None:
    file = written(home, AGENT, mode)
    with pytest.raises(ConfigError, match="can write to it") as caught:
        load(home, None, {}, {})
    assert caught.value.hint == f"chmod go-w {file}"


def test_a_file_of_more_than_a_megabyte_is_refused_unread(home: Path) -> None:
    assert "larger than 1 MiB" in refused(home, "#" * (1024 * 1024 + 1)).message


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_regular_file_is_refused_and_waited_for_by_nobody(home: Path, make: Any) -> None:
    make(home / "config.toml")
    with pytest.raises(ConfigError, match="not a regular file"):
        load(home, None, {}, {})


def test_a_megabyte_of_keys_is_read_in_a_moment(home: Path) -> None:
    text = "".join(f"[repos.r{n}]\nworkflow = 'w'\n" for n in range(2000))
    before = time.process_time()
    assert len(loaded(home, text).repos) == 2000
    assert time.process_time() - before < 10


def test_windows_line_ends_and_a_byte_order_mark_are_understood(home: Path) -> None:
    written(home, b"\xef\xbb\xbf[run]\r\nlost_attempts = 7\r\n")
    config = load(home, None, {}, {})
    assert config.run.lost_attempts == 7
    assert config.origin("run.lost_attempts").line == 2


@pytest.mark.parametrize(
    "name", ["GITHUB_TOKEN", "gh_token", "JIRA_API_TOKEN", "TELEGRAM_BOT_TOKEN", "SLACK_X",
             "ORCH_RUN", "SSH_AUTH_SOCK", "GITLAB_TOKEN", "LINEAR_API_KEY", "DISCORD_TOKEN"],
)  # fmt: skip
@pytest.mark.parametrize(
    "text", ["pass_env = ['OK', '{}']", "env = {{ '{}' = 'x' }}", "env = {{ A = 'env:{}' }}"]
)
def test_h95_tokens_of_the_service_cannot_be_configured_for_an_agent(
    home: Path, name: str, text: str
) -> None:
    error = refused(home, AGENT + text.format(name))
    assert error.data["line"] == 3
    assert name in error.message


def test_h95_a_wrong_value_of_env_is_not_shown(home: Path) -> None:
    error = refused(home, AGENT + 'env = {A = ["hunter2"]}')
    assert "hunter2" not in str(error.as_dict())


def test_h95_no_form_of_the_tree_shows_a_value_of_env(home: Path) -> None:
    config = loaded(home, AGENT + 'env = {A = "hunter2"}')
    assert "hunter2" not in f"{config} {config!r} {config.agents['a'].env['A']}"
    assert config.agents["a"].env["A"].reveal() == "hunter2"


def test_paths_of_references_are_made_absolute(home: Path) -> None:
    config = loaded(home, AGENT + 'env = {A = "file:~/a", B = "file:b", C = "file:/c"}')
    shown = [secret.reveal() for secret in config.agents["a"].env.values()]
    assert shown == [f"file:{home.parent}/a", f"file:{home}/b", "file:/c"]


def test_an_unknown_key_has_no_origin_but_a_suggestion(home: Path) -> None:
    config = loaded(home, AGENT)
    with pytest.raises(NotFound) as caught:
        config.origin("agents.a.comand")
    assert "agents.a.command" in caught.value.hint


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"ORCH_HOME": "/a", "CONDUCTOR_HOME": "/b", "HOME": "/h"}, "/a"),
        ({"CONDUCTOR_HOME": "/b", "HOME": "/h"}, "/b"),
        ({"ORCH_HOME": "", "HOME": "/h"}, "/h/.orch"),
        ({"ORCH_HOME": "~/x", "HOME": "/h"}, "/h/x"),
        ({"ORCH_HOME": "~", "HOME": "/h"}, "/h"),
        ({"ORCH_HOME": "x/../y"}, f"{os.getcwd()}/y"),
    ],
)
def test_the_home_is_absolute_and_named_by_the_environment(
    environ: dict[str, str], expected: str
) -> None:
    assert home_from(environ) == Path(expected)


def test_importing_and_loading_nothing_costs_no_heavy_module(home: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from orch.config import load\n"
        f"load(Path({str(home)!r}), None, {{}}, {{}})\n"
        "print([m for m in ('asyncio', 'tomllib', 'subprocess', 'shlex', 'difflib', 'orch.agents',"
        " 'orch.config.locate') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"[]\n"

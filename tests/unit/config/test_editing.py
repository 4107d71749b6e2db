"""A key is set or removed, and nothing else in the file moves."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from orch.config.editing import setting, unsetting
from orch.config.tree import SECTIONS
from orch.model.errors import ConfigError, Conflict, NotFound, OrchError, ToolFailed, UsageError

FILE = """\
# My own file. Mind the spaces.

[defaults]
agent   = "one"    # the cheap one
workflow = 'basic_pr'

[agents.one]  # where it lives
command = [
  "prog",  # the program
  "--flag",
]
env = { KEY = "file:secret" }

# the end
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    return path


def file_of(home: Path, text: str = FILE) -> Path:
    file = home / "config.toml"
    file.write_bytes(text.encode())
    file.chmod(0o600)
    return file


def put(home: Path, key: str, word: str) -> None:
    setting(home, key, word, {"HOME": str(home)})[0].write()


def drop(home: Path, key: str) -> None:
    unsetting(home, key, {"HOME": str(home)}).write()


def test_a_changed_value_is_the_only_thing_that_changes(home: Path) -> None:
    file = file_of(home)
    put(home, "defaults.workflow", "multi_agent")
    changed = FILE.replace("'basic_pr'", '"multi_agent"')
    assert file.read_text() == changed
    put(home, "defaults.agent", '"one"')
    assert file.read_text() == changed, "the same value, comment and all"


def test_a_new_key_stands_in_its_table_and_all_comments_stay(home: Path) -> None:
    file = file_of(home)
    put(home, "run.lost_attempts", "5")
    put(home, "agents.one.timeout_s", "60")
    put(home, "agents.two.command", '["other"]')
    put(home, "agents.one.env.MORE", "x")
    text = file.read_text()
    said = tomllib.loads(text)
    assert said["run"] == {"lost_attempts": 5}
    assert said["agents"]["one"]["timeout_s"] == 60
    assert said["agents"]["two"] == {"command": ["other"]}
    assert said["agents"]["one"]["env"] == {"KEY": "file:secret", "MORE": "x"}
    for line in FILE.splitlines():
        if "#" in line:
            assert line in text, line


def test_the_first_key_makes_the_file_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "not-there" / "yet"
    put(home, "git.name", "Pat Person")
    file = home / "config.toml"
    assert tomllib.loads(file.read_text()) == {"git": {"name": "Pat Person"}}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert os.listdir(home) == ["config.toml"]


@pytest.mark.parametrize(
    ("key", "word", "value"),
    [
        ("git.name", "42", "42"),
        ("git.name", "true", "true"),
        ("git.name", "a = b # c", "a = b # c"),
        ("git.name", '"in quotes"', "in quotes"),
        ("retry.base_s", "7", 7),
        ("run.stop_grace_s", "0.5", 0.5),
        ("defaults.test_command", "pytest -q", "pytest -q"),
        ("defaults.test_command", '["pytest", "-q"]', ["pytest", "-q"]),
        ("trust.repos", '["thing"]', ["thing"]),
    ],
)
def test_a_word_is_toml_where_that_fits_and_else_a_text(
    home: Path, key: str, word: str, value: object
) -> None:
    file = file_of(home, "")
    put(home, key, word)
    table, _, name = key.partition(".")
    assert tomllib.loads(file.read_text()) == {table: {name: value}}


@pytest.mark.parametrize(
    ("key", "word", "code"),
    [
        ("run.lost_attempts", "0", "config_invalid"),
        ("run.lost_attempts", "many", "config_invalid"),
        ("defaults.agent", "nobody", "config_unknown_agent"),
        ("defaults.agnet", "one", "unknown_config_key"),
        ("defaults", "one", "unknown_config_key"),
        ("agents.one", "x", "unknown_config_key"),
        ("agents.one.command[0]", "x", "unknown_config_key"),
        ("agents.Bad Name.io", "tty", "unknown_config_key"),
        ("agents.three.io", "tty", "config_invalid"),
        ("agents.one.env.GITHUB_TOKEN", "x", "config_invalid"),
        ("agents.one.command", "claude -p", "config_invalid"),
        ("nothing.at.all", "x", "unknown_config_key"),
        ("", "x", "unknown_config_key"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_file_stays(
    home: Path, key: str, word: str, code: str
) -> None:
    file = file_of(home)
    with pytest.raises(UsageError) as caught:
        put(home, key, word)
    assert caught.value.code == code
    assert caught.value.hint
    assert "\n" not in caught.value.message
    assert file.read_text() == FILE


def test_what_was_only_to_be_written_has_no_line_to_edit(home: Path) -> None:
    file = file_of(home)
    with pytest.raises(ConfigError) as caught:
        put(home, "agents.one.env.GITHUB_TOKEN", "x")
    assert str(file) not in f"{caught.value.message} {caught.value.hint}"
    with pytest.raises(ConfigError) as caught:
        put(home, "defaults.agent", "nobody")
    assert str(file) not in f"{caught.value.message} {caught.value.hint}"


def test_a_broken_file_is_refused_before_anything(home: Path) -> None:
    file = file_of(home, FILE + "oops = \n")
    with pytest.raises(ConfigError) as caught:
        put(home, "git.name", "Pat")
    assert caught.value.data["line"] == FILE.count("\n") + 1
    assert file.read_text() == FILE + "oops = \n"
    file.write_text("[defaults]\nagnet = 1\n")
    with pytest.raises(ConfigError):
        drop(home, "defaults.agnet")


def test_a_key_is_removed_and_its_comment_goes_with_it(home: Path) -> None:
    file = file_of(home)
    drop(home, "defaults.agent")
    assert file.read_text() == FILE.replace('agent   = "one"    # the cheap one\n', "")
    drop(home, "agents.one.env.KEY")
    assert tomllib.loads(file.read_text())["agents"]["one"].get("env", {}) == {}
    drop(home, "agents.one")
    assert "agents" not in tomllib.loads(file.read_text())
    assert file.read_text().startswith("# My own file. Mind the spaces.\n")
    with pytest.raises(NotFound) as caught:
        drop(home, "agents.one")
    assert caught.value.code == "config_not_set"


def test_removing_what_others_stand_on_is_refused(home: Path) -> None:
    file = file_of(home)
    with pytest.raises(ConfigError) as caught:
        drop(home, "agents.one")
    assert caught.value.code == "config_unknown_agent"
    with pytest.raises(ConfigError):
        drop(home, "agents.one.command")
    assert file.read_text() == FILE


def test_line_ends_and_the_mark_at_the_beginning_stay(home: Path) -> None:
    windows = "\ufeff" + FILE.replace("\n", "\r\n")
    file = file_of(home, windows)
    put(home, "defaults.workflow", "multi_agent")
    assert file.read_bytes() == windows.replace("'basic_pr'", '"multi_agent"').encode()


def test_a_link_stays_a_link(home: Path, tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    real = file_of(dotfiles)
    (home / "config.toml").symlink_to(real)
    put(home, "git.name", "Pat")
    assert (home / "config.toml").is_symlink()
    assert 'name = "Pat"' in real.read_text()
    assert os.listdir(home) == ["config.toml"]
    assert os.listdir(dotfiles) == ["config.toml"]


def test_a_change_by_somebody_else_meanwhile_is_not_overwritten(home: Path) -> None:
    file = file_of(home)
    edit, _ = setting(home, "git.name", "Pat", {})
    file.write_text(FILE + "# mine\n")
    with pytest.raises(Conflict) as caught:
        edit.write()
    assert caught.value.code == "config_changed"
    assert file.read_text() == FILE + "# mine\n"
    assert os.listdir(home) == ["config.toml"]


def test_a_file_that_others_can_write_is_not_touched(home: Path) -> None:
    file_of(home).chmod(0o666)
    with pytest.raises(ConfigError) as caught:
        put(home, "git.name", "Pat")
    assert caught.value.code == "config_unsafe_mode"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolFailed) as caught:
        put(tmp_path / "file" / "home", "git.name", "Pat")
    assert caught.value.code == "config_unwritable"


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
KEYS = st.sampled_from([f"{s}.{k}" for s, t in SECTIONS.items() for k in t.__struct_fields__])


@given(edits=st.lists(st.tuples(KEYS, WORDS), max_size=6))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_set_the_file_stays_sound_and_says_it(
    home: Path, edits: list[tuple[str, str]]
) -> None:
    file = file_of(home)
    for key, word in edits:
        before = file.read_bytes()
        try:
            edit, value = setting(home, key, word, {"HOME": str(home)})
        except OrchError:
            assert file.read_bytes() == before
            continue
        edit.write()
        table, _, name = key.partition(".")
        assert tomllib.loads(file.read_text())[table][name] == value
        assert "# the end\n" in file.read_text()

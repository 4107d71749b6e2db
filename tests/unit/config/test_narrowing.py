"""A repository's own file narrows and chooses; it never widens."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.config import Config, load
from orch.model.errors import ConfigError

GLOBAL = """
[agents.a]
command = ["prog"]
[agents.b]
command = ["prog"]
[defaults]
agent = "a"
workflow = "w1"
[retry]
max_attempts = 4
[repos.thing]
workflow = "w2"
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(GLOBAL)
    (home / "config.toml").chmod(0o600)
    repo = tmp_path / "repo"
    (repo / ".git").mkdir(parents=True)
    return repo


def loaded(repo: Path, text: str, mode: int = 0o644) -> Config:
    (repo / ".orch.toml").write_text(text)
    (repo / ".orch.toml").chmod(mode)
    return load(repo.parent / "home", repo, {}, {"HOME": str(repo.parent)})


def refused(repo: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        loaded(repo, text)
    assert caught.value.data["file"] == str(repo / ".orch.toml")
    return caught.value


def test_it_may_choose_among_what_is_there_and_beats_the_persons_file(repo: Path) -> None:
    config = loaded(
        repo,
        '[defaults]\nworkflow = "multi_agent"\nagent = "b"\nbase_branch = "develop"\n'
        'test_command = ["make", "test"]\ninstall_dependencies = "never"\n',
    )
    for chosen in (config, config.for_repo("thing"), config.for_repo("other")):
        assert chosen.defaults.workflow == "multi_agent"
        assert chosen.defaults.agent == "b"
        assert chosen.defaults.base_branch == "develop"
        assert chosen.defaults.test_command == ("make", "test")
        assert chosen.defaults.install_dependencies == "never"
        assert chosen.origin("defaults.workflow").file == str(repo / ".orch.toml")
    assert config.files == (str(repo.parent / "home/config.toml"), str(repo / ".orch.toml"))


def test_it_may_lower_a_limit(repo: Path) -> None:
    config = loaded(repo, "[retry]\nmax_attempts = 2\n[run]\nlost_attempts = 1\n")
    assert (config.retry.max_attempts, config.run.lost_attempts) == (2, 1)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("[agents.a]\ncommand = ['evil']", 2, "agents.a.command"),
        ("[agents.new]\nenv = {A = 'cmd:evil'}", 2, "agents.new.env"),
        ("[agents]\n[agents.a]\npass_env = 'not even a list'", 3, "agents.a.pass_env"),
        ("agents = 'x'", 1, "agents"),
        ("[trust]\nrepos = ['thing']", 2, "trust.repos"),
        ("[git]\nname = 'Somebody Else'", 2, "git.name"),
        ("[repos.other]\nagent = 'a'", 2, "repos.other.agent"),
        ("[defaults]\nworkflow = 'w'\nforge = 'local'", 3, "defaults.forge"),
        ("[retry]\nbase_s = 0", 2, "retry.base_s"),
        ("[run]\nmin_free_mb = 0", 2, "run.min_free_mb"),
        ("[retry]\nmax_attempts = 5", 2, "retry.max_attempts"),
        ("[run]\nlost_attempts = 4", 2, "run.lost_attempts"),
        ("[defaults]\ninstall_dependencies = 'auto'", 2, "defaults.install_dependencies"),
        ("[defaults]\nworkflow = 'evil.py'", 2, "defaults.workflow"),
        ("[defaults]\nworkflow = '../evil'", 2, "defaults.workflow"),
    ],
)
def test_what_widens_is_refused_with_file_line_key_and_reason(
    repo: Path, text: str, line: int, key: str
) -> None:
    error = refused(repo, text)
    assert (error.code, error.data["line"], error.data["key"]) == ("config_forbidden", line, key)
    assert f"{key}: cannot be set by a repository: " in error.message
    assert "config.toml" in error.hint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[defaults]\nworkflw = 'x'", "did you mean workflow"),
        ("[retry]\nmax_attempt = 1", "did you mean max_attempts"),
        ("[defaults]\nagent = 'c'", 'no agent "c"'),
        ("[defaults]\nagent = 3", "found the number 3"),
        ("defaults = 3", "expected a table"),
    ],
)
def test_other_faults_are_told_like_those_of_the_persons_file(
    repo: Path, text: str, words: str
) -> None:
    assert words in refused(repo, text).message


def test_a_link_is_not_followed_out_of_the_repository(repo: Path) -> None:
    secret = repo.parent / "secret"
    secret.write_text("hunter2")
    (repo / ".orch.toml").symlink_to(secret)
    with pytest.raises(ConfigError, match="link is not followed") as caught:
        load(repo.parent / "home", repo, {}, {})
    assert "hunter2" not in str(caught.value.as_dict())


def test_a_file_that_everybody_can_write_is_refused(repo: Path) -> None:
    with pytest.raises(ConfigError, match="everybody can write"):
        loaded(repo, "", mode=0o666)


def test_an_agents_worktree_is_never_asked(repo: Path) -> None:
    worktree = repo.parent / "worktree"
    worktree.mkdir()
    (worktree / ".git").write_text(f"gitdir: {repo}/.git/worktrees/worktree\n")
    (worktree / ".orch.toml").write_text("[defaults]\nworkflow = 'x'\n")
    with pytest.raises(ConfigError, match="read from the main checkout"):
        load(repo.parent / "home", worktree, {}, {})


def test_without_the_file_nothing_changes(repo: Path) -> None:
    config = load(repo.parent / "home", repo, {}, {})
    assert config.defaults.workflow == "w1"
    assert config.for_repo("thing").defaults.workflow == "w2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[defaults]\nmax_parallel = 5\n", "5 is above the limit of 4"),
        ("[defaults]\nmax_parallel = 0\n", "0 means as many as"),
        ("[care]\ncleanup = 'never'\n", "speaks for the whole machine"),
        ("[metrics]\nport = 9090\n", "speaks for the whole machine"),
    ],
)
def test_a_repository_takes_no_more_of_the_machine(repo: Path, text: str, message: str) -> None:
    assert message in refused(repo, text).message


def test_a_repository_may_want_fewer_at_work_at_once(repo: Path) -> None:
    config = loaded(repo, "[defaults]\nmax_parallel = 2\n")
    assert config.for_repo("thing").defaults.max_parallel == 2
    own = repo.parent / "home" / "config.toml"
    own.write_text(GLOBAL + "max_parallel = 1\n")
    assert (
        loaded(repo, "[defaults]\nmax_parallel = 2\n").for_repo("thing").defaults.max_parallel == 1
    )

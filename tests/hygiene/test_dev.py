"""`./dev`: what it keeps from the caller, when it sets up again, what it says when it cannot."""

from __future__ import annotations

import ast
import os
import shutil
import signal
import subprocess
import sys
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A checkout that has `dev` and what its set-up reads; no environment."""
    checkout = tmp_path / "check out"
    (checkout / "src/orch").mkdir(parents=True)
    for name in ("dev", "pyproject.toml", "src/orch/_version.py"):
        shutil.copy(ROOT / name, checkout / name)
    return checkout


def load(tree: Path) -> Any:
    loader = SourceFileLoader("dev_script", str(tree / "dev"))
    spec = spec_from_loader("dev_script", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def program(path: Path, script: str) -> None:
    """An executable shell script at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)


def dev(tree: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(tree / "dev"), *words]
    environment = {"PATH": os.environ["PATH"], "HOME": str(tree.parent / "home"), **env}
    return subprocess.run(
        argv, cwd=tree.parent, env=environment, capture_output=True, text=True, check=False
    )


def ready(tree: Path, *, python: str = "exit 0", tools: str = "exit 0") -> None:
    """A finished set-up whose programs are scripts."""
    for name in ("ruff", "mypy", "lint-imports", "orch"):
        program(tree / ".venv/bin" / name, tools)
    program(tree / ".venv/bin/python", python)
    (tree / ".venv/orch-setup.stamp").write_text(f"{tree}\n{load(tree).fingerprint()}", "utf-8")


# --- help and words ------------------------------------------------------------------------


def test_without_words_it_prints_help_with_examples(tree: Path) -> None:
    done = dev(tree)
    assert done.returncode == 0
    assert "Examples:" in done.stdout
    assert not (tree / ".venv").exists()


def test_an_unknown_word_suggests_the_nearest(tree: Path) -> None:
    done = dev(tree, "tset")
    assert done.returncode == 2
    assert "did you mean 'test'?" in done.stderr


# --- Python --------------------------------------------------------------------------------


def test_an_old_python_can_read_it_as_far_as_the_version_check() -> None:
    ast.parse((ROOT / "dev").read_text("utf-8"), feature_version=(3, 7))


def restart(tree: Path, path: Path) -> subprocess.CompletedProcess[str]:
    code = "import runpy, sys; runpy.run_path(sys.argv.pop(1))['restart_with_newer_python']()"
    argv = [sys.executable, "-c", code, str(tree / "dev"), "test", "-x"]
    env = {"PATH": str(path)}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


def test_a_newer_python_on_the_path_takes_over_and_a_dead_shim_does_not(tree: Path) -> None:
    path = tree.parent / "bin"
    program(path / "python3.14", "exit 127")
    program(path / "python3.12", '[ "$1" = -c ] && exit 0; echo 3.12 runs "$2" "$3"')
    program(path / "python3.11", "echo the older one")
    done = restart(tree, path)
    assert done.stdout == "3.12 runs test -x\n"


def test_no_new_python_at_all_names_the_one_thing_to_install(tree: Path) -> None:
    done = restart(tree, tree.parent)
    assert done.returncode == 1
    assert "Install python3.11 and run the same again." in done.stderr


# --- environment ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "PYTHONPATH",
        "PYTHONHOME",
        "PYTHONOPTIMIZE",
        "VIRTUAL_ENV",
        "GIT_DIR",
        "GIT_INDEX_FILE",
        "TMUX",
        "TMUX_TMPDIR",
        "ORCH_HOME",
        "CONDUCTOR_HOME",
        "PIP_TARGET",
        "PIP_USER",
        "PIP_REQUIRE_VIRTUALENV",
    ],
)
def test_h99_settings_of_the_caller_do_not_leak_in(name: str, tree: Path) -> None:
    assert name not in load(tree).own_environment({name: "1", "PATH": "/bin"})


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "LANG",
        "CI",
        "NO_COLOR",
        "TMPDIR",
        "HTTPS_PROXY",
        "SSL_CERT_FILE",
        "PIP_INDEX_URL",
        "PIP_CERT",
        "PIP_FIND_LINKS",
        "PIP_CACHE_DIR",
        "XDG_CONFIG_HOME",
        "PYTEST_ADDOPTS",
    ],
)
def test_settings_that_say_where_to_download_from_are_kept(name: str, tree: Path) -> None:
    assert load(tree).own_environment({name: "1"})[name] == "1"


@pytest.mark.parametrize("command", ["test", "demo", "bench", "chaos"])
def test_h99_runs_see_an_empty_home_that_is_gone_afterwards(command: str, tree: Path) -> None:
    report = tree.parent / "report"
    script = f'(echo "$HOME$XDG_CONFIG_HOME"; ls -A "$HOME") > "{report}"; echo x > "$HOME/left"'
    ready(tree, python=script, tools=script)
    words = [command, "-x"] if command == "test" else [command]
    temp = tree.parent / "temp"
    temp.mkdir()
    assert dev(tree, *words, TMPDIR=str(temp), XDG_CONFIG_HOME="/x").returncode == 0
    home, *content = report.read_text("utf-8").splitlines()
    assert Path(home).is_relative_to(temp)
    assert content == []
    assert list(temp.iterdir()) == []


# --- exit codes and order ------------------------------------------------------------------


def test_tests_run_checks_first_and_pytest_has_the_last_word(tree: Path) -> None:
    ready(tree, python='case "$*" in *pytest*) echo "== 3 passed ==";; esac')
    done = dev(tree, "test")
    assert done.returncode == 0
    assert done.stdout == "== 3 passed ==\n"
    assert [line.split()[1] for line in done.stderr.splitlines()] == [
        *("format", "lint", "types", "layers", "licences")
    ]


def test_a_failed_check_fails_the_tests_although_pytest_passed(tree: Path) -> None:
    ready(tree, tools='echo "bad style"; exit 3')
    done = dev(tree, "test")
    assert done.returncode == 1
    assert "bad style" in done.stderr
    assert "format, lint, types, layers" in done.stderr.splitlines()[-1]
    assert dev(tree, "check").returncode == 1


def test_the_exit_code_of_pytest_is_passed_on(tree: Path) -> None:
    ready(tree, python='case "$*" in *pytest*) exit 5;; esac')
    assert dev(tree, "test").returncode == 5


def test_a_killed_child_is_reported_like_a_shell_does(tree: Path) -> None:
    ready(tree, python='case "$*" in *pytest*) kill -9 $$;; esac')
    assert dev(tree, "test", "-x").returncode == 137


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_child_and_removes_the_home(number: signal.Signals, tree: Path) -> None:
    started, temp = tree.parent / "started", tree.parent / "temp"
    temp.mkdir()
    os.mkfifo(started)
    ready(tree, python=f'echo $$ > "{started}"; exec sleep 60')
    argv = [sys.executable, str(tree / "dev"), "test", "-x"]
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(temp)}
    # A group of its own, as a terminal gives one to what runs in front: Ctrl-C reaches all of it.
    with subprocess.Popen(argv, env=env, start_new_session=True) as process:
        child = int(started.read_text())
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        assert process.wait(30) == {signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    assert list(temp.iterdir()) == []


def test_words_after_test_go_to_pytest_and_skip_the_checks(tree: Path) -> None:
    ready(tree, python='echo "$@"', tools="exit 1")
    done = dev(tree, "test", "tests/unit", "-k", "a b")
    assert done.returncode == 0
    assert done.stdout == "-m pytest -n 3 --dist worksteal tests/unit -k a b\n"
    assert dev(tree, "test", "-n0", "x").stdout == "-m pytest -n0 x\n"


# --- set-up --------------------------------------------------------------------------------


def test_a_finished_set_up_is_not_done_again_for_lint_settings(tree: Path) -> None:
    ready(tree)
    text = (tree / "pyproject.toml").read_text("utf-8")
    (tree / "pyproject.toml").write_text(text.replace("line-length = 100", "line-length = 99"))
    assert load(tree).is_ready()


def test_set_up_is_done_again_when_a_dependency_a_script_or_the_version_changes(
    tree: Path,
) -> None:
    ready(tree)
    text = (tree / "pyproject.toml").read_text("utf-8")
    for old, new in [("pytest>=8.2", "pytest>=8.3"), ("conductor = ", "other = ")]:
        assert old in text
        (tree / "pyproject.toml").write_text(text.replace(old, new), "utf-8")
        assert not load(tree).is_ready()
    (tree / "pyproject.toml").write_text(text, "utf-8")
    assert load(tree).is_ready()
    (tree / "src/orch/_version.py").write_text('__version__ = "9"\n', "utf-8")
    assert not load(tree).is_ready()


def test_set_up_is_done_again_when_the_checkout_moved_or_its_python_is_gone(tree: Path) -> None:
    ready(tree)
    moved = tree.with_name("moved")
    shutil.copytree(tree, moved)
    assert not load(moved).is_ready()
    (tree / ".venv/bin/python").unlink()
    assert not load(tree).is_ready()


def test_an_interrupted_set_up_starts_afresh(tree: Path) -> None:
    """Without a stamp nobody knows what is in there: it is removed and made again."""
    ready(tree)
    half_written = tree / ".venv/lib/half_written.py"
    half_written.parent.mkdir()
    half_written.write_text("def")
    (tree / ".venv/orch-setup.stamp").unlink()
    module = load(tree)
    module.PIP_TRIES = 1
    module.PIP_PAUSE_S = 0
    # No index at all: the environment is made anew, then pip fails, and no stamp is written.
    env = {**module.own_environment(os.environ), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
    env["PIP_FIND_LINKS"] = ""
    with pytest.raises(module.Failure, match="pip failed 1 times"):
        module.set_up(env, programs=False)
    assert not half_written.exists()
    assert not module.is_ready()


def test_a_registry_that_stumbles_is_asked_again(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = tree / "count"
    failing = "{ echo ERROR 503; echo note; exit 1; }"
    ready(tree, python=f'echo x >> "{count}"; [ $(wc -l < "{count}") -ge 3 ] || {failing}')
    (tree / "src/orch/_version.py").write_text('__version__ = "9"\n', "utf-8")
    module = load(tree)
    module.PIP_PAUSE_S = 0
    module.set_up(dict(os.environ), programs=False)
    assert count.read_text() == "x\n" * 3
    assert "pip, try 2 of 3: ERROR 503; again" in capsys.readouterr().err
    assert module.is_ready()


# --- system packages -----------------------------------------------------------------------


def machine(tree: Path, *present: str) -> Path:
    """A search path with `git` and the given package managers, and no tmux."""
    path = tree.parent / "bin"
    log = tree.parent / "log"
    program(path / "git", "exit 0")
    for name in present:
        # The first `install` fails, as it does before an index was ever fetched.
        program(path / name, f'echo {name} "$@" >> "{log}"; [ $(grep -c "" "{log}") -gt 1 ]')
    (path / "grep").symlink_to(str(shutil.which("grep")))
    return path


def test_a_missing_program_is_named_with_the_one_command_to_type(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load(tree)
    monkeypatch.setenv("PATH", str(machine(tree, "apt-get")))
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert module.main(["setup"]) == 1
    assert "sudo apt-get install tmux" in capsys.readouterr().err
    assert not (tree.parent / "log").exists()


@pytest.mark.parametrize(
    ("manager", "install"),
    [("apt-get", "install -y -q --no-install-recommends tmux"), ("apk", "add -q tmux")],
)
def test_as_root_a_missing_program_is_installed_after_a_refresh_of_the_index(
    manager: str, install: str, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(tree)
    module = load(tree)
    monkeypatch.setenv("PATH", str(machine(tree, manager)))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert module.main(["setup"]) == 0
    first, refresh, second = (tree.parent / "log").read_text("utf-8").splitlines()
    assert first == second == f"{manager} {install}"
    assert " update " in refresh


def test_without_a_package_manager_it_says_what_is_missing(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = load(tree)
    monkeypatch.setenv("PATH", str(machine(tree)))
    assert module.main(["setup"]) == 1
    assert "tmux missing; install" in capsys.readouterr().err

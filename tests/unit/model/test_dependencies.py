"""Which command installs dependencies, and what a repository cannot make it do."""

from __future__ import annotations

import json

import pytest

from orch.model.dependencies import plan, wanted

NEEDS = json.dumps({"dependencies": {"left-pad": "1"}})


@pytest.mark.parametrize(
    ("lock", "careful", "trusted"),
    [
        (
            "bun.lockb",
            "bun install --frozen-lockfile --ignore-scripts",
            "bun install --frozen-lockfile",
        ),
        (
            "bun.lock",
            "bun install --frozen-lockfile --ignore-scripts",
            "bun install --frozen-lockfile",
        ),
        (
            "pnpm-lock.yaml",
            "pnpm install --frozen-lockfile --ignore-scripts --ignore-pnpmfile",
            "pnpm install --frozen-lockfile",
        ),
        (
            "yarn.lock",
            "yarn install --frozen-lockfile --ignore-scripts",
            "yarn install --frozen-lockfile",
        ),
        (
            "package-lock.json",
            "npm ci --no-audit --no-fund --ignore-scripts --git=git",
            "npm ci --no-audit --no-fund",
        ),
        (
            "npm-shrinkwrap.json",
            "npm ci --no-audit --no-fund --ignore-scripts --git=git",
            "npm ci --no-audit --no-fund",
        ),
    ],
)
def test_the_lockfile_chooses_the_tool_and_trust_lets_scripts_run(
    lock: str, careful: str, trusted: str
) -> None:
    for trust, expected in ((False, careful), (True, trusted)):
        found = plan({"package.json": NEEDS, lock: ""}, trusted=trust)
        assert found is not None
        assert found.argv == tuple(expected.split())
        assert found.tool == found.argv[0]


def test_yarn_berry_is_known_by_its_lock() -> None:
    found = plan({"package.json": NEEDS, "yarn.lock": "__metadata:\n  version: 8\n"}, trusted=False)
    assert found is not None
    assert found.argv == ("yarn", "install", "--immutable", "--mode=skip-build")


def test_the_order_of_the_locks_is_bun_pnpm_yarn_npm() -> None:
    locks = ["bun.lock", "pnpm-lock.yaml", "yarn.lock", "package-lock.json"]
    tools = []
    while locks:
        found = plan({"package.json": NEEDS, **dict.fromkeys(locks, "")}, trusted=True)
        assert found is not None
        tools.append(found.tool)
        locks.pop(0)
    assert tools == ["bun", "pnpm", "yarn", "npm"]


@pytest.mark.parametrize("table", ["dependencies", "devDependencies", "peerDependencies"])
def test_each_table_of_dependencies_counts(table: str) -> None:
    manifest = json.dumps({table: {"x": "1"}})
    assert plan({"package.json": manifest, "package-lock.json": ""}, trusted=False) is not None


@pytest.mark.parametrize(
    "manifest",
    [
        "{}",
        '{"dependencies": {}}',
        '{"dependencies": ["x"]}',
        '{"optionalDependencies": {"x": "1"}}',
        "[]",
    ],
)
def test_without_declared_dependencies_there_is_nothing_to_do(manifest: str) -> None:
    assert plan({"package.json": manifest, "package-lock.json": ""}, trusted=False) is None


def test_no_files_need_nothing() -> None:
    assert plan({}, trusted=False) is None
    assert plan({"yarn.lock": ""}, trusted=False) is None


@pytest.mark.parametrize(
    "manifest", ["", "{", "{'a': 1}", "[" * 100_000, '{"dependencies": {"x": "1"},}']
)
def test_a_malformed_manifest_is_skipped_with_a_sentence(manifest: str) -> None:
    found = plan({"package.json": manifest, "package-lock.json": ""}, trusted=True)
    assert found is not None
    assert found.argv == ()
    assert found.sentence == "package.json is not valid JSON: no dependencies were installed"


def test_without_a_lockfile_nothing_is_installed_and_said_so() -> None:
    found = plan({"package.json": NEEDS}, trusted=True)
    assert found is not None
    assert (found.argv, "no lockfile" in found.sentence) == ((), True)


def test_uv_builds_nothing_without_trust() -> None:
    careful, trusted = (plan({"uv.lock": ""}, trusted=trust) for trust in (False, True))
    assert careful is not None
    assert trusted is not None
    assert careful.argv == ("uv", "sync", "--frozen", "--no-install-project", "--no-build")
    assert trusted.argv == ("uv", "sync", "--frozen", "--no-install-project")


@pytest.mark.parametrize(
    ("lock", "name", "text"),
    [
        ("yarn.lock", ".yarnrc.yml", "nodeLinker: node-modules\nyarnPath: ./evil.cjs\n"),
        ("yarn.lock", ".yarnrc.yml", '"plugins":\n  - ./evil.cjs\n'),
        ("yarn.lock", ".yarnrc", 'yarn-path "./evil.js"\n'),
        ("bun.lock", "bunfig.toml", '[install.security]\nscanner = "./evil.ts"\n'),
        ("uv.lock", ".python-version", "./evil\n"),
        ("uv.lock", ".venv/pyvenv.cfg", "home = /usr/bin\n"),
    ],
)
def test_code_that_a_repository_plugs_into_the_tool_needs_trust(
    lock: str, name: str, text: str
) -> None:
    files = {"package.json": NEEDS, lock: "", name: text}
    careful, trusted = plan(files, trusted=False), plan(files, trusted=True)
    assert careful is not None
    assert trusted is not None
    assert careful.argv == ()
    assert name in careful.sentence
    assert trusted.argv[0] == {"y": "yarn", "b": "bun", "u": "uv"}[lock[0]]
    assert name in wanted()


@pytest.mark.parametrize(
    ("lock", "name", "text"),
    [
        ("yarn.lock", ".yarnrc.yml", "nodeLinker: node-modules\nenableTelemetry: false\n"),
        ("uv.lock", ".python-version", "3.12\n"),
        ("bun.lock", "bunfig.toml", "[install]\nexact = true\n"),
    ],
)
def test_harmless_settings_of_the_tools_need_none(lock: str, name: str, text: str) -> None:
    found = plan({"package.json": NEEDS, lock: "", name: text}, trusted=False)
    assert found is not None
    assert found.argv


def test_of_two_kinds_javascript_is_installed_and_the_other_named() -> None:
    both = {"package.json": NEEDS, "package-lock.json": "", "uv.lock": ""}
    found = plan(both, trusted=False)
    assert found is not None
    assert (found.tool, found.sentence) == ("npm", "uv.lock was left alone")
    del both["package-lock.json"]
    found = plan(both, trusted=False)
    assert found is not None
    assert found.tool == "uv"

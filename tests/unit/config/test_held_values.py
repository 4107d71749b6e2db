"""Which values are kept out of what goes outward (H95)."""

from __future__ import annotations

from pathlib import Path

from orch.config import load
from orch.config.held_values import held_values


def test_variables_and_keys_of_secrets_are_known_and_ordinary_values_are_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "key").write_text("from-a-file-0123\n")
    (tmp_path / "config.toml").write_text(
        f"""
        [agents.one]
        command = ["true"]
        [agents.one.env]
        MODEL_API_KEY = "literal-0123"
        LEVEL = "production"
        GIVEN = "file:{tmp_path}/key"
        [sources.s]
        kind = "memory"
        repo = "it"
        user = "somebody@example.com"
        token = "env:SOME_NAME"
        secrets = ["cmd:false", "env:NOT_THERE"]
        """
    )
    (tmp_path / "config.toml").chmod(0o600)
    environ = {
        "GITHUB_TOKEN": "from-the-environment", "SOME_NAME": "by-reference-0123",
        "HOME": "/home/me-myself", "SSH_AUTH_SOCK": "/tmp/ssh-socket", "SHORT_TOKEN": "abc",
    }  # fmt: skip
    found = held_values(load(tmp_path, None, {}, environ), environ)
    assert found == (
        "by-reference-0123",
        "from-a-file-0123",
        "from-the-environment",
        "literal-0123",
    )

"""Which environment variables belong to the service and are never an agent's.

Invariant: whoever makes an agent's environment asks `belongs_to_service`, and so does the validation
of the names a person configures: an agent holds no forge, tracker or chat token and no right to push
(RELIABILITY §0.1). The rule is by name, because what a value opens cannot be seen from outside.
"""

from __future__ import annotations

_NAMES = frozenset(
    {
        "GH_TOKEN", "GH_ENTERPRISE_TOKEN", "GH_HOST", "GH_CONFIG_DIR", "GH_REPO",
        "GITHUB_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GITHUB_PAT", "GITHUB_API_TOKEN",
        "HUB_TOKEN", "HOMEBREW_GITHUB_API_TOKEN", "ACTIONS_RUNTIME_TOKEN",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "CI_JOB_TOKEN", "CI_JOB_JWT", "GL_TOKEN",
        "SSH_AUTH_SOCK", "SSH_ASKPASS", "GIT_ASKPASS", "GIT_SSH", "GIT_SSH_COMMAND",
        "GIT_CONFIG_PARAMETERS", "TMUX", "TMUX_PANE", "TMUX_TMPDIR",
    }
)  # fmt: skip
_FAMILIES = (
    "GITHUB_APP_", "GITLAB_", "GITEA_", "FORGEJO_", "CODEBERG_", "BITBUCKET_", "AZURE_DEVOPS_",
    "JIRA_", "ATLASSIAN_", "CONFLUENCE_", "LINEAR_", "TELEGRAM_", "DISCORD_", "SLACK_",
    "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "ORCH_", "CONDUCTOR_",
)  # fmt: skip
NAME = r"[A-Za-z_][A-Za-z0-9_]*"
"""What the whole of a variable's name matches (POSIX)."""


def belongs_to_service(name: str) -> bool:
    """Forge, tracker and chat tokens, push rights, the service's own terminals and `ORCH_*` words."""
    upper = name.upper()
    return upper in _NAMES or upper.startswith(_FAMILIES)

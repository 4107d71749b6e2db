"""Configuration: TOML layers made into one typed tree, with the origin of every value.

Invariant: importing this reads nothing and costs little; `tomllib` is loaded when there is a file.
"""

from orch.config.layers import Origin
from orch.config.loading import Config, home_from, load
from orch.config.secret import Secret
from orch.config.tree import AgentConfig, Defaults, GitIdentity, RetryPolicy, RunLimits, Trust

__all__ = [
    "AgentConfig",
    "Config",
    "Defaults",
    "GitIdentity",
    "Origin",
    "RetryPolicy",
    "RunLimits",
    "Secret",
    "Trust",
    "home_from",
    "load",
]

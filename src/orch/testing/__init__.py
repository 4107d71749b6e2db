"""Contract suites: what an agent, tracker or forge must keep, as test classes to subclass.

Invariant: imported by tests only, so pytest and hypothesis are no business of whoever runs Orch.
"""

import pytest

# A failing suite shows the values that it compared, as a test in the reader's own folder does.
pytest.register_assert_rewrite(
    "orch.testing.agents",
    "orch.testing.forges",
    "orch.testing.merging",
    "orch.testing.reviews",
    "orch.testing.sources",
    "orch.testing.trackers",
    "orch.testing.workflows",
)

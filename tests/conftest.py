"""What every test may ask for."""

from __future__ import annotations

import os

import pytest

from tests import stride

pytest.register_assert_rewrite(
    "tests.githubrooms", "tests.integration.hosted_forges", "tests.integration.jira_rooms"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--thorough", action="store_true",
        help="kill at more points, and play all seeds instead of half",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--thorough"):
        stride.step = 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The slow ones come first, as many for each worker: xdist's worksteal gives every worker one
    stretch of the list, and nobody can help with a long test that is begun last."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    slow = [item for item in items if item.get_closest_marker("slow")]
    rest = [item for item in items if not item.get_closest_marker("slow")]
    share = -(-len(rest) // workers)
    items[:] = [
        item
        for worker in range(workers)
        for item in (*slow[worker::workers], *rest[worker * share : (worker + 1) * share])
    ]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A real program that is not here is never passed over in silence."""
    reports = (report for reports in terminalreporter.stats.values() for report in reports)
    told = {str(getattr(report, "nodeid", "")).partition("::")[0] for report in reports}
    if any(name.startswith("tests/real/") for name in told):
        from tests.real import parts

        terminalreporter.write_line(parts.summary())
    if "tests/integration/test_github_standin.py" in told:
        from tests.standins import fetched

        terminalreporter.write_line(fetched.summary())

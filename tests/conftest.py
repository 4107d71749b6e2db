"""What every test may ask for."""

from __future__ import annotations

import pytest

from tests import stride


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every-call", action="store_true",
        help="let the crash tests of git end it at every system call, not at every third",
    )  # fmt: skip


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--every-call"):
        stride.step = 1

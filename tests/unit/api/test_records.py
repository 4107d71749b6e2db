"""Views as JSON data: what people script against, and what must never stand in it."""

from __future__ import annotations

import pytest

from orch.api.records import repo_record, shown_url
from orch.model.naming import moment
from tests.records import a_repo


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://ada:s3cret@example.org/x.git", "https://***@example.org/x.git"),
        ("https://s3cret@example.org/x.git", "https://***@example.org/x.git"),
        ("ssh://git:s3cret@example.org/x.git", "ssh://***@example.org/x.git"),
        ("ssh://git@example.org/x.git", "ssh://git@example.org/x.git"),
        ("git@example.org:x.git", "git@example.org:x.git"),
        ("https://example.org/@scope/x.git", "https://example.org/@scope/x.git"),
        ("/srv/a:b@c/x.git", "/srv/a:b@c/x.git"),
        ("", ""),
    ],
)
def test_h95_a_secret_in_a_url_is_not_shown(url: str, shown: str) -> None:
    """H95: credentials end up in lists, logs and bug reports."""
    assert shown_url(url) == shown
    assert repo_record(a_repo(remote_url=url))["remote_url"] == shown


def test_moments_are_utc_and_empty_when_there_is_none() -> None:
    assert moment(0) == ""
    assert moment(1_700_000_000.1239) == "2023-11-14T22:13:20.123Z"

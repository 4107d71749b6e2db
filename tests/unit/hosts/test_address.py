"""Where GitHub is, and that a token goes nowhere else in the clear."""

from __future__ import annotations

import pytest

from orch.hosts.github.address import address, repository
from orch.hosts.wire import proxy_for
from orch.model.errors import ConfigError, UsageError
from orch.model.loopback import is_loopback


@pytest.mark.parametrize(
    ("url", "origin", "rest", "graphql", "name"),
    [
        ("", "https://api.github.com", "", "/graphql", "github.com"),
        ("https://api.github.com/", "https://api.github.com", "", "/graphql", "github.com"),
        ("https://ghe.corp/api/v3", "https://ghe.corp", "/api/v3", "/api/graphql", "ghe.corp"),
        ("https://api.x.ghe.com", "https://api.x.ghe.com", "", "/graphql", "x.ghe.com"),
        ("http://127.0.0.1:99", "http://127.0.0.1:99", "", "/graphql", "127.0.0.1:99"),
        ("http://[::1]:99/a/", "http://[::1]:99", "/a", "/a/graphql", "[::1]:99"),
        ("http://localhost", "http://localhost", "", "/graphql", "localhost"),
    ],
)
def test_an_address_is_understood(
    url: str, origin: str, rest: str, graphql: str, name: str
) -> None:
    assert tuple(address({"GITHUB_API_URL": url})) == (origin, rest, graphql, name)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.github.com", "http://10.0.0.1", "http://127.0.0.1.evil.example",
        "http://localhost.evil.example", "http://127.1", "ftp://x", "api.github.com", "https://",
        "https://u:p@ghe.corp", "https://ghe.corp?x=1", "https://ghe.corp:port",
    ],
)  # fmt: skip
def test_plain_http_and_nonsense_are_refused(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        address({"GITHUB_API_URL": url})
    assert caught.value.code == "bad_url"
    assert "u:p" not in caught.value.message


def test_the_configured_url_wins_over_the_environment() -> None:
    assert address({"GITHUB_API_URL": "https://a.example"}, "https://b.example").name == "b.example"


@pytest.mark.parametrize(
    "name", ["o", "o/", "/r", "o/..", "o/.", "o/r/x", "o/r?x", "-o/r", "o/r\n"]
)
def test_what_is_no_repository_never_gets_into_a_path(name: str) -> None:
    with pytest.raises(UsageError):
        repository(name)


def test_no_proxy_stands_before_loopback() -> None:
    environ = {"HTTP_PROXY": "http://p:1", "https_proxy": "http://q:2", "no_proxy": ".corp,a.b:443"}
    assert proxy_for("http://127.0.0.1:9", environ) == ""
    assert proxy_for("https://api.github.com", environ) == "http://q:2"
    assert proxy_for("https://ghe.corp", environ) == ""
    assert proxy_for("https://a.b", environ) == ""
    assert proxy_for("https://xa.b", environ) == "http://q:2"
    assert is_loopback("127.8.9.1")
    assert not is_loopback("127.0.0.x")

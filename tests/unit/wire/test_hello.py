"""Two ends that do not understand one another say which of them is older."""

from __future__ import annotations

from orch.wire.hello import Hello, mismatch


def test_the_same_protocol_is_enough() -> None:
    assert mismatch(Hello(3, "1.0"), Hello(3, "0.2")) is None


def test_the_older_side_is_named() -> None:
    service = mismatch(Hello(1, "0.1"), Hello(2, "0.2"))
    assert service is not None
    assert (service.code, service.data) == ("upgrade_service", {"older": "service"})
    assert "the service is older" in service.message
    assert service.hint == "orch service restart"
    client = mismatch(Hello(2, "0.2"), Hello(1, "0.1"))
    assert client is not None
    assert (client.code, client.data) == ("upgrade_client", {"older": "client"})
    assert "upgrade this side" in client.message
    assert client.hint == "install orch 0.2"

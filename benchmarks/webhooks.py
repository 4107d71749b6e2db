"""How many deliveries of webhooks a service takes in, durably, and how long a sender waits.

Run as a program, it is the sender: another process, over connections that are kept open.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import programs
from benchmarks.service import Served

SECRET = "a secret of the benchmark"
DELIVERIES, CONNECTIONS, ROUNDS = 6_000, 16, 3
BODY = 8_000
"""Bytes, as GitHub's events of issues have."""
SOURCE = f'\n[sources.hub]\nkind = "github"\nrepo = "thing"\nsecrets = ["{SECRET}"]\n'
Row = Callable[..., dict[str, Any]]


class Listening(Served):
    """A service that takes webhooks in, at `url`."""

    url = ""

    def start(self) -> None:
        self.process = subprocess.Popen(
            [programs.ORCH, "serve", "--json", "--webhooks", "127.0.0.1:0"],
            env=self.place.environ, cwd=self.place.root, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self.process.stdout is not None
        said = b""
        while not said.endswith(b"}\n"):
            said += self.process.stdout.readline()
        self.url = json.loads(said)["webhooks"]


def rows(folder: Path, row: Row) -> list[dict[str, Any]]:
    """`row` is `benchmarks.__main__.row`. After each round the service is killed, and what it has
    answered for is counted in the books."""
    rates, waits = [], []
    for number in range(ROUNDS):
        rate, wait = _round(folder / f"webhooks-{number}")
        rates.append(rate)
        waits.append(wait)
    rate, wait = statistics.median(rates), statistics.median(waits)
    return [
        row("durable deliveries a second against 1,000", rate, 1000.0, "a second", least=1),
        row("p99 of a delivery's answer against 100 ms", wait, 100.0, "ms", most=1),
    ]


def _round(folder: Path) -> tuple[float, float]:
    """Deliveries a second, and the 99th percentile of their answers in ms."""
    made = Listening(folder, {"sh": ["true"]}, 1)
    config = made.home / "config.toml"
    config.write_text(config.read_text("utf-8") + SOURCE, "utf-8")
    try:
        made.start()
        sender = [sys.executable, "-m", "benchmarks.webhooks", made.url]
        sent = subprocess.run(sender, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        made.kill()
        made.process = None  # it has ended
        told = json.loads(sent.stdout)
        with made.opened() as orch:
            kept = len(orch.store.deliveries.find("hub", limit=2 * DELIVERIES))
        assert kept == told["taken"] == DELIVERIES, (kept, told["taken"])
    finally:
        made.end()
    return told["rate"], told["p99_ms"]


# --- the sender


def _request(number: int) -> tuple[bytes, dict[str, str]]:
    told = {"action": "edited", "issue": {"number": number, "body": "x" * BODY},
            "repository": {"full_name": "octo/thing"}}  # fmt: skip
    body = json.dumps(told).encode()
    mac = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return body, {
        "Content-Type": "application/json", "X-GitHub-Event": "issues",
        "X-GitHub-Delivery": f"{number:032x}", "X-Hub-Signature-256": f"sha256={mac}",
    }  # fmt: skip


def _send(host: str, requests: list[tuple[bytes, dict[str, str]]], waits: list[float]) -> None:
    talk = http.client.HTTPConnection(host, timeout=60)
    for body, headers in requests:
        began = time.perf_counter()
        talk.request("POST", "/webhooks/hub", body, headers)
        answer = talk.getresponse()
        answer.read()
        if answer.status == 202:
            waits.append(time.perf_counter() - began)
    talk.close()


def main(url: str) -> None:
    requests = [_request(number) for number in range(DELIVERIES)]
    waits: list[float] = []
    threads = [
        threading.Thread(
            target=_send, args=(urlsplit(url).netloc, requests[n::CONNECTIONS], waits)
        )
        for n in range(CONNECTIONS)
    ]  # fmt: skip
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - began
    p99 = statistics.quantiles(waits, n=100)[-1] * 1000
    told = {"taken": len(waits), "rate": len(waits) / taken, "p99_ms": p99}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

"""The service's log is objects, one a line, that can be read while they are written."""

from __future__ import annotations

import json
import logging
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from orch.service import logs
from orch.service.log_lines import coming, last_lines, log_file


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "log").mkdir()
    handler = logs.begin(tmp_path)
    yield tmp_path
    logs.end(handler)


def test_a_line_is_an_object_with_all_that_was_said(home: Path) -> None:
    log = logging.getLogger("orch.engine.dispatcher")
    log.info("task %d waits\nfor an agent", 7, extra={"task": 7, "why": "all cool"})
    try:
        raise ValueError("no")
    except ValueError:
        log.exception("that failed")
    first, second = map(json.loads, last_lines(home, 10))
    assert first["at"].endswith("Z")
    assert {**first, "at": ""} == {
        "at": "", "level": "info", "name": "engine.dispatcher",
        "message": "task 7 waits\nfor an agent", "task": 7, "why": "all cool",
    }  # fmt: skip
    assert (second["level"], "ValueError: no" in second["error"]) == ("error", True)
    assert last_lines(home, 1) == [json.dumps(second)]
    assert last_lines(home, 0) == []


def test_the_last_lines_reach_into_the_file_before(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    handler = logs.begin(tmp_path, size=2000)
    stream = coming(tmp_path, None)
    assert isinstance(stream, Generator)
    assert next(stream) == ""
    heard: list[str] = []
    for number in range(60):
        logging.getLogger("orch.x").warning("line %d", number)
        while number % 10 == 9 and (line := next(stream)):
            heard.append(json.loads(line)["message"])
    logs.end(handler)
    stream.close()
    assert log_file(tmp_path).with_name("service.log.1").exists()
    numbers = [json.loads(line)["message"] for line in last_lines(tmp_path, 20)]
    assert numbers == [f"line {number}" for number in range(40, 60)]
    assert heard == [f"line {number}" for number in range(60)], "over the files' turn"


def test_no_log_has_no_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path, 5) == []

"""The service's log: one JSON object a line, in files that turn over.

Invariant: a line is one object with `at`, `level`, `name`, `message` and what was said beside it;
what happened to the log never ends the work that is logged.
"""

from __future__ import annotations

import datetime
import json
import logging
import logging.handlers
from pathlib import Path
from typing import Any

from orch.service.log_lines import log_file

KEPT = 3
"""Files beside the one that is written."""
SIZE = 5 * 1024 * 1024
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLine(logging.Formatter):
    """A record as one line."""

    def format(self, record: logging.LogRecord) -> str:
        when = datetime.datetime.fromtimestamp(record.created, datetime.UTC)
        said: dict[str, Any] = {
            "at": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "name": record.name.removeprefix("orch."),
            "message": record.getMessage(),
        }
        said |= {key: value for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said, default=str)


def begin(home: Path, level: int = logging.INFO, *, size: int = SIZE) -> logging.Handler:
    """From now on what `orch` logs goes into the home's log, in files of `size` bytes."""
    handler = logging.handlers.RotatingFileHandler(
        log_file(home), maxBytes=size, backupCount=KEPT, encoding="utf-8", delay=True
    )
    handler.setFormatter(JsonLine())
    ours = logging.getLogger("orch")
    ours.setLevel(level)
    ours.addHandler(handler)
    ours.propagate = False
    return handler


def end(handler: logging.Handler) -> None:
    logging.getLogger("orch").removeHandler(handler)
    handler.close()

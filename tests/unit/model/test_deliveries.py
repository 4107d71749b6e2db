"""When hooks seem to be dead."""

from __future__ import annotations

import pytest

from orch.model.deliveries import SILENT_S, silent

H = 3600.0


@pytest.mark.parametrize(("last", "seen", "now", "told"), [
    (0.0, 0.0, 100 * H, ""),  # nothing was ever seen
    (0.0, 90 * H, 90 * H + SILENT_S - 1, ""),  # it may still come
    (0.0, 90 * H, 92 * H, "ever"),
    (89.5 * H, 90 * H, 100 * H, ""),  # it came with that change, or shortly before polling saw it
    (50 * H, 90 * H, 92 * H, "for 42 h"),
    (91 * H, 90 * H, 200 * H, ""),  # nothing has changed since: nothing can be said
])  # fmt: skip
def test_silence_is_told_only_when_polling_saw_what_no_hook_told(
    last: float, seen: float, now: float, told: str
) -> None:
    found = silent(last, seen, now)
    assert bool(found) == bool(told)
    assert told in found

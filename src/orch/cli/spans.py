"""Lengths of time as words. Pure."""

from __future__ import annotations

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def age(seconds: float) -> str:
    """`5d`, `3h`, `12m`, `40s`."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def elapsed(seconds: float) -> str:
    """`12.3s`, `2:05`, `1:02:05`."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

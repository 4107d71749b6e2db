"""Decoding into types, from any number of threads.

Invariant: what a type looks like is worked out by one thread at a time. msgspec (0.22) shows the
shape of a struct to other threads while its fields are still being looked up, and a thread that
decodes by a shape that is half there ends the process with signal 11. So whatever decodes or
converts into a type does it through here. Once a type is known, nobody waits.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")
MOST = 4096
"""Types that are remembered; workflows bring their own."""
_working_out = threading.RLock()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_converted: set[Any] = set()


@overload
def decoder(shape: type[T]) -> msgspec.json.Decoder[T]: ...
@overload
def decoder(shape: Any) -> msgspec.json.Decoder[Any]: ...
def decoder(shape: Any) -> msgspec.json.Decoder[Any]:
    """The one decoder of that type. `TypeError` for what msgspec takes for none."""
    found = _decoders.get(shape)
    if found is None:
        with _working_out:
            found = msgspec.json.Decoder(shape)
            if len(_decoders) >= MOST:
                _decoders.clear()
            _decoders[shape] = found
    return found


@overload
def decode(raw: bytes | str | msgspec.Raw, shape: type[T]) -> T: ...
@overload
def decode(raw: bytes | str | msgspec.Raw, shape: Any) -> Any: ...
def decode(raw: bytes | str | msgspec.Raw, shape: Any) -> Any:
    """`msgspec.json.decode(raw, type=shape)`; raises what that raises."""
    return decoder(shape).decode(raw)


@overload
def convert(value: Any, shape: type[T], *, strict: bool = True) -> T: ...
@overload
def convert(value: Any, shape: Any, *, strict: bool = True) -> Any: ...
def convert(value: Any, shape: Any, *, strict: bool = True) -> Any:
    """`msgspec.convert(value, shape, strict=…)`; raises what that raises."""
    if _is_known(shape):
        return msgspec.convert(value, shape, strict=strict)
    with _working_out:
        try:
            return msgspec.convert(value, shape, strict=strict)
        finally:
            _remember(shape)


def _is_known(shape: Any) -> bool:
    try:
        return shape in _converted
    except TypeError:  # it has something in it that has no hash: worked out each time
        return False


def _remember(shape: Any) -> None:
    if len(_converted) >= MOST:
        _converted.clear()
    with contextlib.suppress(TypeError):
        _converted.add(shape)

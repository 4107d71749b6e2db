"""What every effect is: frozen data with a result type, encoded with its name and version.

Invariant: an effect's result type stands in its class, and nothing here knows any single effect.
"""

from __future__ import annotations

import functools
from collections.abc import Generator
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args

import msgspec

from orch.model import typed

T = TypeVar("T")
Strategy = Literal["merge", "rebase", "squash"]


class Effect(msgspec.Struct, Generic[T], frozen=True, tag_field="effect"):
    """A request. `yield` it in a generator, `await` it in an `async def`; both give a `T`.

    `composite` effects are carried out by other effects (sub-steps); `pure` ones touch nothing, so
    they are planned and settled in one transaction.
    """

    composite: ClassVar[bool] = False
    pure: ClassVar[bool] = False

    def __await__(self) -> Generator[Any, Any, T]:
        result: T = yield self
        return result

    def given(self, raw: bytes | msgspec.Raw) -> T:
        """The result as the workflow gets it, from how it is journaled."""
        result: T = result_decoder(type(self)).decode(raw)
        return result

    def like(self, asked: Effect[Any]) -> Effect[T]:
        """Itself, with what `asked` (equal to it but for the journal's sake) has besides its data."""
        return self


@functools.cache
def result_decoder(cls: type[Effect[Any]]) -> msgspec.json.Decoder[Any]:
    """Decodes what `cls` gives back, by the type parameter it was declared with."""
    for base in vars(cls).get("__orig_bases__", ()):  # not an inherited one: that is `Effect[T]`
        for argument in get_args(base):
            return typed.decoder(argument)
    raise TypeError(f"{cls.__name__} does not say what it gives: class X(Effect[Result], ...)")

"""Values of a union of dataclasses as JSON: which of them it is, its fields, and the version of this form."""

from __future__ import annotations

from typing import Generic, TypeVar, get_args

import msgspec

from hub.model.errors import Broken

T = TypeVar("T")
_SCHEMA = 1


class _Envelope(msgspec.Struct):
    schema: int
    kind: str
    value: msgspec.Raw


class TypedJson(Generic[T]):
    """Writes and reads the values of one union."""

    def __init__(self, union: object) -> None:
        """``union``: of dataclasses, ``A | B``."""
        self._kinds: dict[str, type[T]] = {kind.__name__: kind for kind in get_args(union)}

    def encode(self, value: T) -> str:
        """The same for equal values."""
        raw = msgspec.Raw(msgspec.json.encode(value))
        return msgspec.json.encode(_Envelope(_SCHEMA, type(value).__name__, raw)).decode()

    def decode(self, text: str) -> T:
        """Raises Broken for what a newer hub has written."""
        envelope = msgspec.json.decode(text, type=_Envelope)
        kind = self._kinds.get(envelope.kind)
        if kind is None or envelope.schema != _SCHEMA:
            says = f"The store holds a {envelope.kind} of schema {envelope.schema}, which this hub does not know."
            raise Broken("store.newer", says, "Run the version of the hub that has written it, or a newer one.")
        return msgspec.json.decode(envelope.value, type=kind)

"""Stores values of a union of dataclasses as JSON: the class, the fields, and the schema version."""

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
        """``union`` is a union of dataclasses, ``A | B``."""
        self._kinds: dict[str, type[T]] = {kind.__name__: kind for kind in get_args(union)}

    def encode(self, value: T) -> str:
        """Returns JSON text; equal values give equal text."""
        raw = msgspec.Raw(msgspec.json.encode(value))
        return msgspec.json.encode(_Envelope(_SCHEMA, type(value).__name__, raw)).decode()

    def decode(self, text: str) -> T:
        """Returns the value. Raises Broken for an unknown class or schema version, as a newer hub may have written."""
        envelope = msgspec.json.decode(text, type=_Envelope)
        kind = self._kinds.get(envelope.kind)
        if kind is None or envelope.schema != _SCHEMA:
            says = f"The store holds a {envelope.kind} of schema {envelope.schema}, which this hub does not know."
            raise Broken("store.newer", says, "Run the version of the hub that has written it, or a newer one.")
        return msgspec.json.decode(envelope.value, type=kind)

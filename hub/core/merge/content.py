"""What a view shows, before it has its id and times: rendered once, completed for each collection.

Rendering takes much of the time of a merge. So the bytes of all other properties are made once for an audience, and
the id and the times of each collection are put in front of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from hub.model.claims import digest_of
from hub.model.words import StixId, StixObject

LEADING = frozenset({"type", "spec_version", "id", "created", "modified"})
"""The properties that ``rendered`` puts in front."""


@dataclass(frozen=True, slots=True)
class Content:
    """A view without its id and times."""

    type: str
    rest: bytes
    """JSON of all properties but the leading ones, without the opening brace: ``"name":"x"}`` or ``}``."""
    digest: bytes
    uses: tuple[str, ...]
    """Markings, identities and extension definitions that must be shown beside it."""
    own_id: StixId | None
    """None: the hub makes id and times."""
    created: str | None = None
    modified: str | None = None
    """The owner's times; None where the type has none, or the hub makes them."""
    kinds: tuple[str, ...] = ()
    confidence: int | None = None


def content(
    kind: str,
    properties: StixObject,
    *,
    uses: tuple[str, ...],
    own: StixObject | None = None,
    kinds: tuple[str, ...] = (),
) -> Content:
    """Render ``properties``, the leading ones left out. ``own``: an object whose id and times are shown as they are."""
    rest = _rest(properties)
    return Content(
        type=kind, rest=rest, digest=digest_of(kind.encode() + rest), uses=uses,
        own_id=None if own is None else own["id"],
        created=None if own is None else own.get("created"), modified=None if own is None else own.get("modified"),
        kinds=kinds, confidence=properties.get("confidence"),
    )  # fmt: skip


def _rest(obj: StixObject) -> bytes:
    """Sorted, so that a claim fresh from its source and the same claim from the store make the same bytes."""
    rest = {name: value for name, value in obj.items() if name not in LEADING}
    return orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)[1:]


def rendered(content: Content, object_id: StixId, created: str | None, modified: str | None) -> bytes:
    """The object as the doors serve it."""
    head = f'{{"type":"{content.type}","spec_version":"2.1","id":"{object_id}"'
    if created is not None:
        head += f',"created":"{created}"'
    if modified is not None:
        head += f',"modified":"{modified}"'
    return head.encode() + (content.rest if content.rest == b"}" else b"," + content.rest)


def digest_of_rendered(body: bytes) -> bytes:
    """The digest of the content that was rendered as ``body``."""
    obj = orjson.loads(body)
    return digest_of(obj["type"].encode() + _rest(obj))


def revoked_version(body: bytes, modified: str) -> bytes:
    """The last version of a hub-made object: the previous content with ``revoked: true``, and nothing else changed."""
    last = orjson.loads(body)
    last["modified"] = modified
    last["revoked"] = True
    return orjson.dumps(last)

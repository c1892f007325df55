"""The content of a view, before it has its id and times: rendered once, completed for each collection.

Rendering takes much of the time of a merge. So all other properties are rendered once per audience, and the id and the
times of each collection are put in front of the result.
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
    """JSON of all properties except ``LEADING``, without the opening brace: ``"name":"x"}`` or ``}``."""
    digest: bytes
    uses: tuple[str, ...]
    """Markings, identities and extension definitions that must be shown together with it."""
    own_id: StixId | None
    """None: the hub makes the id and the times."""
    created: str | None = None
    modified: str | None = None
    """The owner's times; None if the type has none, or the hub makes them."""
    kinds: tuple[str, ...] = ()
    confidence: int | None = None
    due_day: int | None = None
    """The next date at which it changes by itself, in days since 1970; None: never."""


def content(
    kind: str,
    properties: StixObject,
    *,
    uses: tuple[str, ...],
    own: StixObject | None = None,
    kinds: tuple[str, ...] = (),
    due_day: int | None = None,
) -> Content:
    """Render ``properties`` without ``LEADING``. ``own``: an object whose id and times are shown unchanged."""
    rest = _rest(properties)
    return Content(
        type=kind, rest=rest, digest=digest_of(kind.encode() + rest), uses=uses,
        own_id=None if own is None else own["id"],
        created=None if own is None else own.get("created"), modified=None if own is None else own.get("modified"),
        kinds=kinds, confidence=properties.get("confidence"), due_day=due_day,
    )  # fmt: skip


def _rest(obj: StixObject) -> bytes:
    """Sorts the keys, so that a claim gives the same bytes whether it comes from its source or from the store."""
    rest = {name: value for name, value in obj.items() if name not in LEADING}
    return orjson.dumps(rest, option=orjson.OPT_SORT_KEYS)[1:]


def rendered(content: Content, object_id: StixId, created: str | None, modified: str | None) -> bytes:
    """The complete object as JSON, as the doors serve it."""
    head = f'{{"type":"{content.type}","spec_version":"2.1","id":"{object_id}"'
    if created is not None:
        head += f',"created":"{created}"'
    if modified is not None:
        head += f',"modified":"{modified}"'
    return head.encode() + rendered_rest(content)


def rendered_rest(content: Content) -> bytes:
    """What follows the properties ``LEADING`` in a rendered object."""
    return content.rest if content.rest == b"}" else b"," + content.rest


def digest_of_rendered(body: bytes) -> bytes:
    """The digest of the content of a rendered object."""
    obj = orjson.loads(body)
    return digest_of(obj["type"].encode() + _rest(obj))


def revoked_version(body: bytes, modified: str) -> bytes:
    """The last version of a hub-made object: the previous content with ``revoked: true``."""
    last = orjson.loads(body)
    last["modified"] = modified
    last["revoked"] = True
    return orjson.dumps(last)

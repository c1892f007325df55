"""What visible relationships link a view with: malware, campaigns, actors, whatever its collection shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import orjson

from hub.model.references import keyed
from hub.model.words import Seq, StixId
from hub.questions.explained import CollectionPart, Linked, Links
from hub.store.port import Filter, LogReader
from hub.store.thing_port import ThingReader

MOST_LINKED = 50
"""How many links of a view are named."""
_MOST_BYTES = 4 << 20


async def links_of(things: ThingReader, logs: LogReader, part: CollectionPart) -> Links:
    """What the collection's visible relationships link a view with. ``part``: with the claims that its audience sees;
    a relationship refers to the view by an id of one of these, by the id that is shown, or by the thing.
    """
    shown = part.shown
    if shown is None or not shown.view.alive:
        return Links()
    view, no = shown.view, part.collection.no
    names = {view.object_id, StixId(keyed(view.type, view.thing))}
    for claim, _ in part.claims:
        names |= {claim.id, claim.object_id}
    read = await things.linked(names, no, MOST_LINKED + 1)
    found = [link for one in read if one.body and (link := _link(view.object_id, one.body)) is not None]
    names_of = await _names(logs, no, {link.id for link in found})
    named = [replace(one, name=names_of.get(one.id)) for one in found]
    ranked = sorted(named, key=lambda one: (one.type, one.name or "", one.id, one.relationship, one.is_source))
    return Links(tuple(ranked[:MOST_LINKED]), len(read) > MOST_LINKED)


def _link(object_id: StixId, body: bytes) -> Linked | None:
    """The other end of a relationship; None if none of its ends is the object."""
    obj = orjson.loads(body)
    source, target = obj["source_ref"], obj["target_ref"]
    if object_id not in (source, target):
        return None
    other = StixId(target if source == object_id else source)
    return Linked(obj["relationship_type"], source == object_id, other, other.partition("--")[0], None)


async def _names(logs: LogReader, no: int, ids: Iterable[StixId]) -> dict[StixId, str]:
    """The names of these objects in a collection, as far as they have one."""
    wanted = frozenset(ids)
    if not wanted:
        return {}
    page = await logs.page(no, Seq(0), limit=len(wanted), limit_bytes=_MOST_BYTES, by=Filter(ids=wanted))
    found = {}
    for row, body in page.with_bodies():
        obj = orjson.loads(body)
        name = obj.get("name", obj.get("value"))
        if isinstance(name, str):
            found[row.object_id] = name
    return found

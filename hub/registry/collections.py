"""Collections: named audiences, each with a filter for its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from hub.model.errors import Refused
from hub.model.policy import Audience, Collection
from hub.model.policy_changes import AlertLaneSet, CollectionAdded, CollectionRemoved
from hub.model.words import CollectionName
from hub.registry import names
from hub.registry.context import RegistryContext
from hub.registry.finding import find_collection, find_group


class Collections:
    """Operations on collections."""

    def __init__(self, context: RegistryContext) -> None:
        self._context = context

    async def add(
        self,
        name: str,
        *,
        tlp: str,
        group: str,
        types: Sequence[str] = (),
        kinds: Sequence[str] = (),
        min_confidence: int = 0,
        alert: bool = False,
    ) -> Collection:
        """Add a collection; workers fill it in bounded steps. Raises WrongUsage, Refused, NotFound, TryAgain.

        ``kinds`` without ``types`` selects observables of these kinds and indicators about them. ``alert``: it is an
        alert lane.
        """
        of_types, of_kinds = filter_of(types, kinds)
        named = CollectionName(names.name(name, what="name of a collection"))
        level = names.level(tlp)
        async with self._context.change() as change:
            if named in change.before.collections:
                raise Refused(
                    "collection.exists",
                    f"There is a collection {name!r} already.",
                    f"See ctihub collection show {name}.",
                )
            wanted = Collection(
                no=0,
                name=named,
                id=str(uuid4()),
                audience=Audience(level, find_group(change.before, group)),
                types=of_types,
                kinds=of_kinds,
                min_confidence=names.percent(min_confidence, what="confidence"),
                alert=alert,
            )
            made = await change.directory.add_collection(wanted, change.now_us)
            await change.record(CollectionAdded(name, made.no, _said(made)))
        return made

    async def set_alert(self, name: str, alert: bool) -> Collection:
        """Make a collection an alert lane, or make it none; what it shows stays the same. Raises NotFound, TryAgain."""
        async with self._context.change() as change:
            found = find_collection(change.before, name)
            if found.alert != alert:
                await change.directory.set_alert(found.no, alert)
                await change.record(AlertLaneSet(name, found.no, alert))
        return replace(found, alert=alert)

    async def remove(self, name: str) -> None:
        """Remove a collection from all doors. A later one of the same name starts empty. Raises NotFound, TryAgain."""
        async with self._context.change() as change:
            found = find_collection(change.before, name)
            await change.directory.remove_collection(found.no)
            await change.record(CollectionRemoved(name, found.no))

    async def all(self) -> list[Collection]:
        """Returns all collections, oldest first."""
        return list((await self._context.snapshot()).collections.values())

    async def find(self, name: str) -> Collection:
        """Returns one collection. Raises NotFound."""
        return find_collection(await self._context.snapshot(), name)


def _said(made: Collection) -> dict[str, Any]:
    """Returns what the operator decided, for the history."""
    return {
        "id": made.id,
        "level": made.audience.level.label,
        "group": made.audience.group,
        "min_confidence": made.min_confidence,
        "types": sorted(made.types),
        "kinds": sorted(made.kinds),
        "alert": made.alert,
    }


def filter_of(types: Sequence[str], kinds: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Returns the types and the kinds of a filter: kinds alone mean observables of these kinds and indicators about
    them. Raises WrongUsage.
    """
    of_kinds = frozenset(names.observable_kind(each) for each in kinds)
    of_types = frozenset(names.object_type(each) for each in types)
    if of_kinds and not of_types:
        of_types = of_kinds | {"indicator"}
    return of_types, of_kinds

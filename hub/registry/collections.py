"""Collections: named audiences, each with a filter for its content."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from hub.model.errors import Refused
from hub.model.policy import Audience, Collection
from hub.model.policy_changes import CollectionAdded, CollectionRemoved
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
    ) -> Collection:
        """Add a collection; workers fill it in bounded steps. Raises WrongUsage, Refused, NotFound, TryAgain.

        ``kinds`` without ``types`` selects observables of these kinds and indicators about them.
        """
        of_types, of_kinds = _filter(types, kinds)
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
            )
            made = await change.directory.add_collection(wanted, change.now_us)
            said = {"id": made.id, "level": level.label, "group": group, "min_confidence": min_confidence}
            said |= {"types": sorted(made.types), "kinds": sorted(made.kinds)}
            await change.record(CollectionAdded(name, made.no, said))
        return made

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


def _filter(types: Sequence[str], kinds: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Returns the types and the kinds that a collection shows. Raises WrongUsage."""
    of_kinds = frozenset(names.observable_kind(each) for each in kinds)
    of_types = frozenset(names.object_type(each) for each in types)
    if of_kinds and not of_types:
        of_types = of_kinds | {"indicator"}
    return of_types, of_kinds

"""Collections: named audiences, each with a filter over what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from hub.model.errors import NotFound, Refused
from hub.model.policy import Audience, Collection
from hub.model.principals import RegistrySnapshot
from hub.model.words import CollectionName
from hub.registry import names
from hub.registry.desk import Desk, ensure_group, settle
from hub.store.policy_changes import scope_of_collection


class Collections(Desk):
    """Use cases about collections."""

    async def add_collection(
        self,
        name: str,
        *,
        tlp: str,
        group: str,
        types: Sequence[str] = (),
        kinds: Sequence[str] = (),
        min_confidence: int = 0,
    ) -> Collection:
        """A new collection; a worker fills it in bounded steps. Raises WrongUsage, Refused, NotFound, TryAgain.

        Kinds of observables without types mean indicators about them, and the observables themselves.
        """
        of_kinds = frozenset(names.observable_kind(each) for each in kinds)
        of_types = frozenset(names.object_type(each) for each in types)
        if of_kinds and not of_types:
            of_types = of_kinds | {"indicator"}
        named = CollectionName(names.name(name, what="name of a collection"))
        level = names.level(tlp)
        async with self._change() as change:
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
                audience=Audience(level, ensure_group(change.before, group)),
                types=of_types,
                kinds=of_kinds,
                min_confidence=names.percent(min_confidence, what="confidence"),
            )
            made = await change.directory.add_collection(wanted, change.now_us)
            body = {"name": name, "id": made.id, "level": level.label, "group": group, "min_confidence": min_confidence}
            body |= {"types": sorted(made.types), "kinds": sorted(made.kinds)}
            await change.record("collection.add", body, scope_of_collection(made.no))
        settle(change)
        return made

    async def remove_collection(self, name: str) -> None:
        """Forget a collection on every door; one made later under its name begins anew. Raises NotFound, TryAgain."""
        async with self._change() as change:
            found = _find(change.before, name)
            await change.directory.remove_collection(found.no)
            await change.record("collection.remove", {"name": name, "id": found.id})
        settle(change)

    async def collections(self) -> list[Collection]:
        """All collections, in the order of their making."""
        return list((await self._read()).collections.values())

    async def find_collection(self, name: str) -> Collection:
        """One collection. Raises NotFound."""
        return _find(await self._read(), name)


def _find(snapshot: RegistrySnapshot, name: str) -> Collection:
    found = snapshot.collections.get(CollectionName(name))
    if found is None:
        raise NotFound(
            "collection.unknown", f"There is no collection {name!r}.", f"There are: {', '.join(snapshot.collections)}."
        )
    return found

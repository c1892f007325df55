"""The views that differ from the stored ones at the end of a step, not yet numbered and dated."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from hub.core.merge.content import Content
from hub.core.merge.facts import Facts, Missing
from hub.core.merge.pace import Pace
from hub.core.merge.resolver import Resolver
from hub.core.merge.solution import Place, Solution
from hub.model.claims import Change, View
from hub.model.policy import Collection, Policy
from hub.model.reads import Reads
from hub.model.stix_types import ViewAuthor, stix_type
from hub.model.words import CanonicalKey, StixId


@dataclass(slots=True)
class Draft:
    """A view that differs from the stored one; ``content`` None ends it."""

    collection: Collection
    thing: CanonicalKey
    before: View | None
    content: Content | None
    object_id: StixId
    is_merged: bool
    """Whether it is an indicator or a merged relationship, which ends with a last, revoked version."""
    past: Change | None = None
    """The last object shown under this id, if the view has had another id since."""


class Drafts:
    """See the module docstring."""

    def __init__(self, policy: Policy, facts: Facts, resolver: Resolver, solution: Solution, pace: Pace) -> None:
        self._policy = policy
        self._facts = facts
        self._resolver = resolver
        self._solution = solution
        self._pace = pace

    def all(self) -> list[Draft]:
        """The views that differ from the stored ones."""
        found = []
        for (no, thing), new in self._solution.found():
            before = self._facts.views.of(no, thing)
            alive = before is not None and before.alive
            collection, merged = self._policy.collections[no], self._is_merged(thing, before)
            object_id = self._solution.shown_as(no, thing)
            if new is None or object_id is None:
                if before is not None and alive:
                    found.append(Draft(collection, thing, before, None, before.object_id, merged))
                continue
            if self._is_stored(before, new, object_id) or self._pace.kept((no, thing)):
                continue
            found.append(Draft(collection, thing, before, new, object_id, merged, self._past(no, thing, new)))
        return found

    def due_days(self) -> dict[Place, int | None]:
        """The due days that differ, of the views that do not differ otherwise."""
        return {
            (no, thing): new.due_day
            for (no, thing), new in self._solution.found()
            if new is not None
            and (before := self._facts.views.of(no, thing)) is not None
            and self._is_stored(before, new, self._solution.shown_as(no, thing))
            and before.due_day != new.due_day
        }

    def late(self, pace_us: int) -> dict[Place, int | None]:
        """When the next versions are due that the pace puts off in this step."""
        return {
            at: kept.dated_us + pace_us
            for at, new in self._solution.found()
            if (kept := self._pace.kept(at)) is not None
            and not self._is_stored(kept, new, kept.object_id)
            and kept.late_us is None
        }

    def renoted(self) -> list[View]:
        """The views that do not differ, but use other objects than is noted with them: the same marking as another
        source defines it, for example.
        """
        found = []
        for (no, thing), new in self._solution.found():
            before = self._facts.views.of(no, thing)
            if new is None or before is None or set(before.uses) == set(new.uses):
                continue
            if self._is_stored(before, new, self._solution.shown_as(no, thing)):
                found.append(replace(before, uses=new.uses, due_day=new.due_day))
        return found

    def _is_stored(self, before: View | None, new: Content | None, object_id: StixId | None) -> bool:
        if before is None or new is None:
            return False
        return before.alive and before.digest == new.digest and before.object_id == object_id

    def reads(self) -> Reads:
        """Reads for the bytes and dates that are needed to number and date them."""
        for (no, thing), found in self._solution.found():
            with suppress(Missing):
                if found is not None:
                    self._past(no, thing, found)
            with suppress(Missing):
                before = self._facts.views.of(no, thing)
                if before is None or not before.alive or before.object_id == self._solution.shown_as(no, thing):
                    continue
                if self._is_merged(thing, before):
                    self._facts.views.body(no, before)
        return self._facts.asked()

    def _past(self, no: int, thing: CanonicalKey, new: Content) -> Change | None:
        """The last object shown under an owner's id, if the view has had another id since."""
        if new.own_id is None:
            return None
        before = self._facts.views.of(no, thing)
        if before is None or before.object_id == new.own_id:
            return None
        return self._facts.views.past(no, new.own_id)

    def body(self, draft: Draft) -> bytes:
        """The newest bytes of the view that a draft ends."""
        return b"" if draft.before is None else self._facts.views.body(draft.collection.no, draft.before)

    def _is_merged(self, thing: CanonicalKey, before: View | None) -> bool:
        """Whether a view is of an indicator, or of a merged relationship."""
        if before is not None and stix_type(before.type).view_author is ViewAuthor.HUB:
            return True
        return thing in self._resolver.relationships

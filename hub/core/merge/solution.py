"""Computes what the affected places show: the least solution, starting from nothing.

A view may depend on another view. So at first nothing is shown, and a place is computed again whenever a place that it
has read gains, loses or changes its view: views that depend only on each other are therefore never shown. All other
places are as in the store. A place that is affected later also starts empty, and then all places that may have been
shown because of it start empty again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from hub.core.merge.content import Content
from hub.core.merge.facts import Facts, Missing
from hub.core.merge.references import DEPENDENT_TYPES
from hub.model.policy import Policy
from hub.model.stix_types import stix_type
from hub.model.words import CanonicalKey, StixId, derived_id

Place = tuple[int, CanonicalKey]
"""A collection and a thing: there may be a view here."""
Compute = Callable[[int, CanonicalKey], Content | None]
"""Returns what a collection shows of a thing, given the solution so far. May raise ``Missing``."""


class Solution:
    """See the module docstring."""

    def __init__(self, policy: Policy, facts: Facts) -> None:
        self._policy = policy
        self._facts = facts
        self._found: dict[Place, Content | None] = {}
        """The affected places, and what they show; None until computed."""
        self._shown: dict[Place, StixId | None] = {}
        """The same places, and the ids of their views."""
        self._dependent: dict[Place, None] = {}
        """The places of types whose views can depend on one another."""
        self._todo: dict[Place, None] = {}
        self._settled: dict[Place, None] = {}
        """The places computed since the last call of ``settled``."""
        self._readers: dict[Place, dict[Place, None]] = defaultdict(dict)
        """For each place, the places that have read it."""
        self._reading: Place | None = None
        self._read: list[Place] = []
        """The place that is being computed, and the places that it has read."""
        self._lost = False
        """Whether a view has been lost that others may depend on."""
        self._supporting: set[Place] = set()
        """Places that views shown before the step have read, directly or through others, and may depend on."""
        self._ids: dict[Place, StixId] = {}
        """Ids that the hub makes, by place."""

    # ------------------------------------------------------------ what is affected

    def affect(self, at: Place) -> None:
        """Mark a place to be computed, or computed again."""
        if at not in self._found:
            if self._readers.get(at):
                self._forget(at, was_shown=self._facts.views.shown_as(*at) is not None)
            self._found[at] = self._shown[at] = None
        self._todo[at] = None

    def doubt(self, collection: int) -> None:
        """Have all affected places of a collection computed again: other claims may now be visible there."""
        self._todo.update(dict.fromkeys(at for at in self._found if at[0] == collection))
        self._lost = True

    def set(self, at: Place, content: Content | None) -> None:
        """Set what is shown at a place that is not computed: an object that is shown because it is used."""
        if at in self._found and self._found[at] == content:
            return
        before, now = self.shown_as(*at), None if content is None else self.id_of(at, content)
        self._found[at], self._shown[at] = content, now
        self._settled[at] = None
        if now != before:
            self._forget(at, was_shown=before is not None)

    def _forget(self, at: Place, *, was_shown: bool) -> None:
        self._todo.update(self._readers.get(at, {}))
        self._lost |= was_shown

    # ------------------------------------------------------------ what is shown

    @property
    def is_busy(self) -> bool:
        """Whether any place is still to be computed."""
        return bool(self._todo) or self._lost

    def solve(self, compute: Compute) -> None:
        """Compute all places whose answers are available; the others stay queued."""
        waiting: dict[Place, None] = {}
        while self._todo or self._lost:
            if self._lost:
                self._begin_again()
            for at in sorted(self._todo, key=self._order):
                del self._todo[at]
                try:
                    self._compute(at, compute)
                except Missing:
                    waiting[at] = None
                if self._lost:
                    break
        self._todo.update(waiting)

    def _begin_again(self) -> None:
        """Restart with nothing shown at the dependent places, because a view that they may depend on has been lost."""
        self._lost = False
        for at in self._dependent:
            self._todo[at] = None
            if self._found[at] is not None:
                self._found[at] = self._shown[at] = None
                self._todo.update(self._readers.get(at, {}))

    def _compute(self, at: Place, compute: Compute) -> None:
        self._reading, self._read = at, []
        try:
            found = compute(*at)
        finally:
            self._reading = None
        before, now = self._shown[at], None if found is None else self.id_of(at, found)
        depends = found is not None and found.type in DEPENDENT_TYPES
        support = self._support_of(at) if depends else []
        # the state has not been changed yet, so this can be repeated if an answer is missing
        self._found[at], self._shown[at] = found, now
        self._settled[at] = None
        if depends:
            self._dependent[at] = None
        for place in support:
            self._supporting.add(place)
            if place not in self._found or self._found[place] is not None:
                self.affect(place)
        if now != before:
            self._forget(at, was_shown=before is not None and now is None)

    def _support_of(self, at: Place) -> list[Place]:
        """The places that the computed view may depend on, and that must not depend on it: affected places, and stored
        views that can depend on others.
        """
        if at not in self._supporting and self._facts.views.shown_as(*at) is None:
            return []  # no stored view can depend on it
        read = [place for place in self._read if place not in self._supporting]
        return [place for place in read if place in self._found or self._needs_others(place)]

    def _needs_others(self, at: Place) -> bool:
        """Whether a stored view is of a type that can depend on others."""
        view = self._facts.views.of(*at)
        return view is not None and view.alive and view.type in DEPENDENT_TYPES

    def _order(self, at: Place) -> int:
        """Sort key: referenced things come first, so that few places are computed twice."""
        try:
            claims = self._facts.claims_of_thing(at[1])
            return stix_type(claims[0].type).order if claims else _LAST
        except Missing:
            return _LAST

    def shown_as(self, collection: int, thing: CanonicalKey) -> StixId | None:
        """The id under which a collection shows a thing, in the solution so far; None if it does not."""
        at = (collection, thing)
        if self._reading is not None:
            self._readers[at][self._reading] = None
            self._read.append(at)
        if at in self._shown:
            return self._shown[at]
        return self._facts.views.shown_as(*at)

    def id_of(self, at: Place, content: Content) -> StixId:
        """The id under which this content is shown."""
        if content.own_id is not None:
            return content.own_id
        if at not in self._ids:
            before = self._facts.views.of(*at)
            first = self._policy.collections[at[0]].first_generation
            self._ids[at] = made_id(self._policy, at, content.type, first if before is None else before.generation)
        return self._ids[at]

    def found(self) -> Iterator[tuple[Place, Content | None]]:
        """The affected places, and what they show."""
        return iter(self._found.items())

    def settled(self) -> list[Place]:
        """The places computed since the last call."""
        found, self._settled = list(self._settled), {}
        return found

    def content(self, at: Place) -> Content | None:
        """What an affected place shows."""
        return self._found.get(at)


def made_id(policy: Policy, at: Place, kind: str, generation: int) -> StixId:
    """The id that the hub makes for a view of a type. ``generation``: see ``View.generation``."""
    return derived_id(kind, policy.namespace, f"{policy.collections[at[0]].id} {at[1].hex()} {generation}")


_LAST = 99

"""What the affected places show: the least solution, computed from nothing.

A view may need another one to be shown. So nothing is shown at first, and each place is computed again when a place
that it has read gets, loses or changes its view: things that need only each other are never shown. All other places
are as the store has them. A place that becomes affected later starts empty too, and then so do all places that may
have been shown because of it.
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
"""A collection and a thing: where there may be a view."""
Compute = Callable[[int, CanonicalKey], Content | None]
"""What a collection shows of a thing, in the solution so far. May raise ``Missing``."""


class Solution:
    """See the head of this module."""

    def __init__(self, policy: Policy, facts: Facts) -> None:
        self._policy = policy
        self._facts = facts
        self._found: dict[Place, Content | None] = {}
        """The affected places, and what is shown there; None from the beginning on."""
        self._shown: dict[Place, StixId | None] = {}
        """The same places, and the ids of what is shown there."""
        self._dependent: dict[Place, None] = {}
        """Those of types that can need one another."""
        self._todo: dict[Place, None] = {}
        self._settled: dict[Place, None] = {}
        """Those that were computed since ``settled`` was last asked."""
        self._readers: dict[Place, dict[Place, None]] = defaultdict(dict)
        """By place, the places that have read it."""
        self._reading: Place | None = None
        self._read: list[Place] = []
        """The place that is being computed, and what it has read."""
        self._lost = False
        """A view has gone because of which others may be shown."""
        self._supporting: set[Place] = set()
        """What views that were shown before the step have asked about, directly or through others, and may rest on."""
        self._ids: dict[Place, StixId] = {}
        """Ids that the hub makes, by place."""

    # ------------------------------------------------------------ what is affected

    def affect(self, at: Place) -> None:
        """Have a place computed, again if it was computed before."""
        if at not in self._found:
            if self._readers.get(at):
                self._forget(at, was_shown=self._facts.views.shown_as(*at) is not None)
            self._found[at] = self._shown[at] = None
        self._todo[at] = None

    def doubt(self, collection: int) -> None:
        """Have all affected places of a collection computed again: other claims may be visible there than before."""
        self._todo.update(dict.fromkeys(at for at in self._found if at[0] == collection))
        self._lost = True

    def set(self, at: Place, content: Content | None) -> None:
        """Set what is shown at a place that nobody computes: what goes along is shown while it is used."""
        before, now = self.shown_as(*at), None if content is None else self.id_of(at, content)
        if at in self._found and self._found[at] == content:
            return
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
        """Whether there are places to be computed."""
        return bool(self._todo) or self._lost

    def solve(self, compute: Compute) -> None:
        """Compute as far as the answers reach; places that lack one stay to be computed."""
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
        """Start again from nothing with all that may be shown because of a view that has gone."""
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
        # nothing has changed so far, so that it can be repeated where an answer is missing
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
        """What the computed view may rest on, and must not rest on it in turn: affected places, and stored views that
        need others.
        """
        if at not in self._supporting and self._facts.views.shown_as(*at) is None:
            return []  # no stored view can rest on it
        read = [place for place in self._read if place not in self._supporting]
        return [place for place in read if place in self._found or self._needs_others(place)]

    def _needs_others(self, at: Place) -> bool:
        """Whether a stored view is of a type that can need others."""
        view = self._facts.views.of(*at)
        return view is not None and view.alive and view.type in DEPENDENT_TYPES

    def _order(self, at: Place) -> int:
        """What is referred to comes first, so that few places are computed twice."""
        try:
            claims = self._facts.claims_of_thing(at[1])
            return stix_type(claims[0].type).order if claims else _LAST
        except Missing:
            return _LAST

    def shown_as(self, collection: int, thing: CanonicalKey) -> StixId | None:
        """The id under which a collection shows a thing, in the solution so far."""
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
            generation = 0 if before is None else before.generation
            text = f"{self._policy.collections[at[0]].id} {at[1].hex()} {generation}"
            self._ids[at] = derived_id(content.type, self._policy.namespace, text)
        return self._ids[at]

    def found(self) -> Iterator[tuple[Place, Content | None]]:
        """The affected places, and what is shown there."""
        return iter(self._found.items())

    def settled(self) -> list[Place]:
        """The places that were computed since the last call."""
        found, self._settled = list(self._settled), {}
        return found

    def content(self, at: Place) -> Content | None:
        """What is shown at an affected place."""
        return self._found.get(at)


_LAST = 99

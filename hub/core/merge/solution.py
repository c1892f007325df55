"""What the affected things show: the least solution, computed from nothing.

A view may need another one to be shown. So nothing is taken to be shown at first, and each place is looked at again
when something that it read has come or gone: a circle of things that need only each other never comes into being.
Outside the affected places all stands as the store has it. A place that joins them begins from nothing too, and then
everything that may owe its existence to it does so once more.
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
"""What a collection shows of a thing, as far as the solution has come. May raise ``Missing``."""


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
        """Those whose existence may depend on one another."""
        self._todo: dict[Place, None] = {}
        self._settled: dict[Place, None] = {}
        """Those that were looked at since somebody last asked which these are."""
        self._readers: dict[Place, dict[Place, None]] = defaultdict(dict)
        """By place, who has asked what is shown there."""
        self._reading: Place | None = None
        self._read: list[Place] = []
        """Who is looked at now, and what it has asked for."""
        self._lost = False
        """Something is shown no more that others may owe their existence to."""
        self._ids: dict[Place, StixId] = {}
        """Ids that the hub makes, of places that show something or did in this step."""

    # ------------------------------------------------------------ what is affected

    def affect(self, at: Place) -> None:
        """Look at a place, again if it was looked at before."""
        if at not in self._found:
            if self._readers.get(at):
                self._forget(at, was_shown=self._facts.views.shown_as(*at) is not None)
            self._found[at] = self._shown[at] = None
        self._todo[at] = None

    def doubt(self, collection: int) -> None:
        """Look again at all affected places of a collection: others may be seen there than before."""
        self._todo.update(dict.fromkeys(at for at in self._found if at[0] == collection))
        self._lost = True

    def set(self, at: Place, content: Content | None) -> None:
        """Say what is shown at a place for another reason than what refers to it."""
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
        """Whether there are places to be looked at."""
        return bool(self._todo) or self._lost

    def solve(self, compute: Compute) -> None:
        """Go on as far as what was looked up reaches; places that lack an answer stay."""
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
        """What may owe its existence to what was shown before has none for now."""
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
        needed = self._needed() if depends else []
        # nothing has changed so far, so that a look that lacks an answer can be repeated
        self._found[at], self._shown[at] = found, now
        self._settled[at] = None
        if depends:
            self._dependent[at] = None
        for place in needed:
            self.affect(place)
        if now != before:
            self._forget(at, was_shown=before is not None and now is None)

    def _needed(self) -> list[Place]:
        """What was read of stored views that may need others: they must not be taken to be shown."""
        stored = [place for place in self._read if place not in self._found]
        views = [(place, self._facts.views.of(*place)) for place in stored]
        return [place for place, view in views if view is not None and view.alive and view.type in DEPENDENT_TYPES]

    def _order(self, at: Place) -> int:
        """What is referred to comes first, so that few places are looked at twice."""
        try:
            claims = self._facts.claims_of_thing(at[1])
            return stix_type(claims[0].type).order if claims else _LAST
        except Missing:
            return _LAST

    def shown_as(self, collection: int, thing: CanonicalKey) -> StixId | None:
        """The id under which a collection shows a thing, as far as the solution has come."""
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
        """The places that were looked at since the last time."""
        found, self._settled = list(self._settled), {}
        return found

    def content(self, at: Place) -> Content | None:
        """What is shown at an affected place."""
        return self._found.get(at)


_LAST = 99

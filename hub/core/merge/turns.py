"""Reads the referrers of an id page by page if there are many, and defers them where that is allowed.

If an id is newly shown and more of its referrers than the limit are visible in a collection, they are computed in later
steps. Only those visible in that collection are counted, so that the time of a row does not reveal how many others
exist.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from hub.core.merge.facts import Facts, Missing
from hub.core.merge.resolver import Resolver
from hub.core.merge.solution import Place
from hub.model.claims import Claim, ClaimKey
from hub.model.words import StixId

Shows = Callable[[Place], bool]
"""Whether a place has a view at the end of the step."""


@dataclass(frozen=True, slots=True)
class Referrer:
    """A claim that refers to an id whose view in a collection was added or removed or changed its id."""

    collection: int
    name: StixId
    key: ClaimKey


class _Walk:
    """The state of reading the referrers of an id for one collection, page by page."""

    __slots__ = ("after", "at_once", "resumed", "seen")

    def __init__(self, *, at_once: bool, after: bytes = b"", resumed: bool = False) -> None:
        self.after = after
        self.at_once = at_once
        self.resumed = resumed
        """Whether an earlier step has deferred them; this step then computes as many as the limit."""
        self.seen: list[Claim] = []


class Turns:
    """All referrers that one step reads and defers."""

    def __init__(self, facts: Facts, resolver: Resolver, referrer_limit: int) -> None:
        self._facts = facts
        self._resolver = resolver
        self._referrer_limit = referrer_limit
        self._walks: dict[tuple[int, StixId], _Walk] = {}
        self._left: dict[tuple[int, StixId], None] = {}
        self._ended: set[tuple[int, StixId]] = set()
        """Work deferred by earlier steps that need not wait any longer."""
        self._things: dict[tuple[int, StixId], Place] = {}
        self.reached: bytes | None = None
        """The key after which the resumed task must continue; None: it is done."""

    # ------------------------------------------------------------ adding work

    def add(self, no: int, name: StixId, *, at_once: bool) -> None:
        """Have the referrers of an id computed in a collection. ``at_once``: all of them in this step."""
        if not at_once and (no, name) in self._left:
            return
        walk = self._walks.get((no, name))
        if walk is None or at_once > walk.at_once:
            self._walks[no, name] = _Walk(at_once=at_once)

    def note(self, no: int, name: StixId, place: Place) -> None:
        """Record the place of a name: without a view there at the end of the step, its referrers need not be computed
        later.
        """
        self._things[no, name] = place

    def resume(self, no: int, name: StixId, after: bytes) -> None:
        """Continue with deferred referrers, after the last key that was computed."""
        self._walks[no, name] = _Walk(at_once=False, after=after, resumed=True)

    def end(self, no: int, name: StixId) -> None:
        """Stop deferring the referrers of a name."""
        if self._resolver.pending.pop((no, name), None) is not None and (no, name) not in self._left:
            self._ended.add((no, name))
        self._left.pop((no, name), None)

    @property
    def is_busy(self) -> bool:
        """Whether some referrers are neither computed nor deferred."""
        return bool(self._walks)

    # ------------------------------------------------------------ the end of the step

    def left(self, is_shown: Shows) -> list[tuple[int, StixId]]:
        """What this step defers, except referrers of ids that have no view at the end of the step."""
        return [at for at in self._left if at not in self._things or is_shown(self._things[at])]

    @property
    def cancelled(self) -> list[tuple[int, StixId]]:
        """Deferred work of earlier steps that is no longer needed."""
        return sorted(self._ended)

    # ------------------------------------------------------------ reading

    def advance(self) -> tuple[list[Referrer], set[int]]:
        """Continue as far as answers are available. Returns the claims to compute, and the collections in which claims
        have newly been deferred.
        """
        found: list[Referrer] = []
        left = len(self._left)
        for (no, name), walk in list(self._walks.items()):
            with suppress(Missing):
                while self._walk(no, name, walk, found):
                    pass
                del self._walks[no, name]
        return found, {no for no, _ in list(self._left)[left:]}

    def _walk(self, no: int, name: StixId, walk: _Walk, found: list[Referrer]) -> bool:
        """Process one page completely or not at all. Returns whether there may be another page."""
        page = self._facts.index.page(name, walk.after)
        some = [claim for claim in page if not self._facts.is_changed(claim)]  # the others are already in the queue
        if walk.at_once:
            found.extend(Referrer(no, name, self._facts.add(claim).key) for claim in some)
        else:
            # these are shown by use and have no audience of their own, so they are neither counted nor deferred
            own = [one for one in some if not self._resolver.goes_along(one)]
            walk.seen.extend([one for one in own if self._resolver.depends_on(one, no, name)])
            found.extend(Referrer(no, name, self._facts.add(one).key) for one in some if self._resolver.goes_along(one))
        if len(walk.seen) > self._referrer_limit and not walk.resumed:
            self._left[no, name] = None
            self._resolver.pending[no, name] = b""
            return False
        if len(walk.seen) > self._referrer_limit:
            walk.seen = walk.seen[: self._referrer_limit]
            self.reached = walk.seen[-1].key
            self._resolver.pending[no, name] = self.reached
            page = []
        elif walk.resumed and len(page) < self._referrer_limit:
            self._resolver.pending.pop((no, name), None)
        if len(page) == self._referrer_limit:
            walk.after = page[-1].key
            return True
        found.extend(Referrer(no, name, self._facts.add(claim).key) for claim in walk.seen)
        return False

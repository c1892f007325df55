"""Those who refer to an id when they are many: looked up page by page, and touched at once only where they must be.

What a late target shows at last can wait for later steps, when more than a crowd of them are visible in a collection.
They are counted in that collection alone: nobody learns from the moment of a row how many others there are.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from hub.core.merge.facts import Facts, Missing
from hub.core.merge.resolver import Resolver
from hub.model.claims import Claim, ClaimHead
from hub.model.words import StixId


class Touched(NamedTuple):
    """A claim that refers to an id of which the view in a collection has come, changed its id, or gone."""

    no: int
    name: StixId
    claim: ClaimHead
    ended: bool


class _Walk:
    """One walk over the referrers of an id in one collection."""

    __slots__ = ("after", "at_once", "ended", "resumed", "seen")

    def __init__(self, *, ended: bool, at_once: bool, after: bytes = b"", resumed: bool = False) -> None:
        self.after = after
        self.ended = ended
        self.at_once = at_once
        self.resumed = resumed
        """Whether this is a step that was left over: it touches a crowd of them, and the rest is left again."""
        self.seen: list[Claim] = []


class Turns:
    """The walks that one step has to do."""

    def __init__(self, facts: Facts, resolver: Resolver, crowd: int) -> None:
        self._facts = facts
        self._resolver = resolver
        self._crowd = crowd
        self._walks: dict[tuple[int, StixId], _Walk] = {}
        self.left_so_far: dict[tuple[int, StixId], None] = {}
        """What this step leaves to later ones, if it has a view at the end."""
        self._gone: set[tuple[int, StixId]] = set()
        """What has no view now, as far as the step has come."""
        self._forgotten: set[tuple[int, StixId]] = set()
        """What earlier steps have left, and all see at once after all."""
        self.reached: bytes | None = None
        """Where a walk that was resumed must go on; None: it has come to its end."""

    @property
    def left(self) -> list[tuple[int, StixId]]:
        """What this step leaves to later ones, known at its end."""
        return [at for at in self.left_so_far if at not in self._gone]

    @property
    def cancelled(self) -> list[tuple[int, StixId]]:
        """What earlier steps left for later, and what needs no later step any more."""
        return sorted(self._forgotten | {at for at in self._gone if at not in self.left_so_far})

    def add(self, no: int, name: StixId, *, ended: bool, at_once: bool) -> None:
        """Have the referrers of an id touched in a collection. ``at_once``: all of them in this step."""
        if not ended:
            self._gone.discard((no, name))
        if not at_once and (no, name) in self.left_so_far:
            return
        walk = self._walks.get((no, name))
        if walk is None or (ended, at_once) > (walk.ended, walk.at_once):
            self._walks[no, name] = _Walk(ended=ended, at_once=at_once)

    def resume(self, no: int, name: StixId, after: bytes) -> None:
        """Go on with what an earlier step has left, above the key of the last one touched."""
        self._walks[no, name] = _Walk(ended=False, at_once=False, after=after, resumed=True)

    def cancel(self, no: int, name: StixId) -> None:
        """Note that it has no view now. Its referrers go on waiting until the end of the step, when this is known.

        If they saw it in between, they would appear and disappear with it. Where it needs one of them in turn, the step
        would never end.
        """
        if (no, name) in self._resolver.pending:
            self._gone.add((no, name))

    def restore(self, no: int, name: StixId) -> None:
        """Note that it has a view again."""
        self._gone.discard((no, name))

    def forget(self, no: int, name: StixId) -> None:
        """Let its referrers wait no longer."""
        self._gone.discard((no, name))
        if self._resolver.pending.pop((no, name), None) is not None and (no, name) not in self.left_so_far:
            self._forgotten.add((no, name))
        self.left_so_far.pop((no, name), None)

    def done(self) -> bool:
        """Whether all have been touched or left for later."""
        return not self._walks

    def advance(self) -> list[Touched]:
        """Go on as far as what was looked up reaches; gives those to touch."""
        found: list[Touched] = []
        for (no, name), walk in list(self._walks.items()):
            with suppress(Missing):
                while self._walk(no, name, walk, found):
                    pass
                del self._walks[no, name]
        return found

    def _walk(self, no: int, name: StixId, walk: _Walk, found: list[Touched]) -> bool:
        """Do one page, whole or not at all; says whether there may be another."""
        page = self._facts.page(name, walk.after)
        some = [claim for claim in page if not self._facts.is_changed(claim)]  # those the step looks at anyway
        if walk.at_once:
            found.extend(Touched(no, name, self._facts.add(claim), walk.ended) for claim in some)
        else:
            # what goes along with what carries it has no audience of its own, so it is neither counted nor made to wait
            own = [one for one in some if not self._resolver.goes_along(one)]
            walk.seen.extend([one for one in own if self._resolver.project_in_turn(one, no) is not None])
            found.extend(
                Touched(no, name, self._facts.add(one), ended=False) for one in some if self._resolver.goes_along(one)
            )
        if len(walk.seen) > self._crowd and not walk.resumed:
            self.left_so_far[no, name] = None
            self._resolver.pending[no, name] = b""
            return False
        if len(walk.seen) > self._crowd:
            walk.seen = walk.seen[: self._crowd]
            self.reached = walk.seen[-1].key
            self._resolver.pending[no, name] = self.reached
            page = []
        elif walk.resumed and len(page) < self._crowd:
            self._resolver.pending.pop((no, name), None)
        if len(page) == self._crowd:
            walk.after = page[-1].key
            return True
        found.extend(Touched(no, name, self._facts.add(claim), ended=False) for claim in walk.seen)
        return False

"""Which views keep their newest version for now: the policy may set a shortest time between two versions of an object.

It puts off only what adds or updates. A version is put off if its object stays, under the same id, and the step has
changed nothing about it but claims that were added, or replaced by newer versions that the same may see and that refer
to the same. So nothing that is withdrawn, revoked, marked anew or referred to no more stays for the sake of the pace.
Source: docs/semantics.md, section 7.
"""

from __future__ import annotations

from hub.core.merge.facts import Facts
from hub.core.merge.solution import Place, Solution
from hub.core.merge.work import means_the_same
from hub.model.claims import ClaimHead, ClaimState, View


def only_adds(seen: ClaimHead | None, new: ClaimHead) -> bool:
    """Whether a changed claim takes nothing away from an audience. ``seen``: what it saw of it before; None: nothing,
    whether or not there was something that it might not see.
    """
    if seen is None:
        return new.state is ClaimState.LIVE
    return means_the_same(seen, new) and seen.references == new.references


class Pace:
    """See the module docstring."""

    def __init__(self, facts: Facts, solution: Solution, after_us: int | None) -> None:
        """``after_us``: versions dated later than this are too new to be followed; None: none is."""
        self._facts = facts
        self._solution = solution
        self._after_us = after_us
        self._may_wait: dict[Place, bool] = {}

    @property
    def is_set(self) -> bool:
        """Whether versions of this step may be put off."""
        return self._after_us is not None

    def note(self, at: Place, *, may_wait: bool) -> None:
        """A place is affected. It may wait only if this is so whenever it is affected in the step."""
        if self._after_us is not None:
            self._may_wait[at] = may_wait and self._may_wait.get(at, True)

    def kept(self, at: Place) -> View | None:
        """The stored view that an affected place keeps for now, whatever its content is; None: it keeps none."""
        if self._after_us is None or not self._may_wait.get(at, False):
            return None
        view = self._facts.views.of(*at)
        if view is None or not view.alive or view.dated_us <= self._after_us:
            return None
        return view if self._solution.shown_as(*at) == view.object_id else None

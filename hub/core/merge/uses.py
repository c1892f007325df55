"""Objects that are shown because views use them: markings, and the hub's own identities and extension definitions.

They have no audience of their own: each is in a collection as long as a view there uses it, so uses are counted.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

from hub.core.merge import owner
from hub.core.merge.content import Content
from hub.core.merge.contents import Contents
from hub.core.merge.facts import Facts
from hub.core.merge.known import known_objects
from hub.core.merge.solution import Place
from hub.core.merge.unnamed import marking_in, marking_name
from hub.model.claims import View, claim_key
from hub.model.policy import Policy
from hub.model.words import StixId


class Uses:
    """The uses that one step adds and removes, and the resulting content of the used objects. May raise ``Missing``."""

    def __init__(self, policy: Policy, facts: Facts, contents: Contents) -> None:
        self._policy = policy
        self._facts = facts
        self._contents = contents
        self._known = known_objects(policy)
        self._counted: dict[Place, tuple[str, ...]] = {}
        """The uses of each view when they were last counted in this step."""
        self.changes: dict[tuple[int, str], int] = defaultdict(int)
        """The change in the number of views that use something, by collection and name."""
        self._changed: set[tuple[int, str]] = set()

    def count(self, at: Place, found: Content | View | None) -> None:
        """Update the changes from what a view uses now."""
        before = self._facts.views.of(*at)
        old = self._counted.get(at, before.uses if before is not None and before.alive else ())
        new = () if found is None else found.uses
        for used in set(old) - set(new):
            self.changes[at[0], used] -= 1
        for used in set(new) - set(old):
            self.changes[at[0], used] += 1
        self._counted[at] = new

    def names(self) -> dict[tuple[int, str], None]:
        """The names whose use count changed in this step, even if it changed back, by collection."""
        self._changed |= {at for at, delta in self.changes.items() if delta}
        return {(no, used.partition("@")[0]): None for no, used in sorted(self._changed)}

    def stays(self, no: int, name: str) -> bool:
        """Whether it is still referenced although the registry has removed it, or its sources go by other names now: it
        stays until the referrers are computed again.
        """
        if name in self._known:
            return False
        if self._in_use(no, name):
            return True
        users = self._users(no, name)
        return bool(users) and not any(self._has_name(source, name) for source in users)

    def content(self, no: int, name: str) -> Content | None:
        """What a collection shows of a used object; None if nothing."""
        if name in self._known:
            return _vouched(self._policy, StixId(name)) if self._in_use(no, name) else None
        users = [source for source in self._users(no, name) if self._has_name(source, name)]
        claims = [
            claim for source in users if (claim := self._facts.claim(claim_key(source, marking_in(name)))) is not None
        ]
        claims = [claim for claim in claims if not claim.state.is_withdrawn]
        return self._contents.marking(no, claims) if claims else None

    def _users(self, no: int, name: str) -> list[int]:
        """The sources whose definitions views use under this name."""
        definers = self._policy.claimants("marking-definition")
        return [source for source in definers if self._in_use(no, f"{name}@{source}")]

    def _has_name(self, source: int, name: str) -> bool:
        """Whether a source's definition still has this name: another one would be shown under the same id."""
        return marking_name(marking_in(name), self._policy.sources[source]) == name

    def _in_use(self, no: int, used: str) -> bool:
        return self._facts.views.uses(no, used) + self.changes.get((no, used), 0) > 0


@lru_cache(maxsize=256)
def _vouched(policy: Policy, name: StixId) -> Content:
    """The content of an object that the hub defines: nearly every step asks for the same few."""
    return owner.vouched(known_objects(policy)[name])

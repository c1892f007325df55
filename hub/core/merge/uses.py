"""What is shown because views use it: markings, and the identities and extension definitions of the hub itself.

They have no audience of their own: each is in a collection while a view there uses it, so the uses are counted.
"""

from __future__ import annotations

from collections import defaultdict

from hub.core.merge import owner
from hub.core.merge.content import Content
from hub.core.merge.contents import Contents
from hub.core.merge.facts import Facts
from hub.core.merge.known import known_objects
from hub.core.merge.solution import Place
from hub.core.merge.unnamed import marking_in
from hub.model.claims import ClaimState, claim_key
from hub.model.policy import Policy
from hub.model.words import StixId


class Uses:
    """The uses that one step adds and takes away, and what the used ones then look like. May raise ``Missing``."""

    def __init__(self, policy: Policy, facts: Facts, contents: Contents) -> None:
        self._policy = policy
        self._facts = facts
        self._contents = contents
        self._known = known_objects(policy)
        self._counted: dict[Place, tuple[str, ...]] = {}
        """What each view's uses were when they were last counted in this step."""
        self.changes: dict[tuple[int, str], int] = defaultdict(int)
        """By how much the number of views that use something changes."""
        self._changed: set[tuple[int, str]] = set()

    def count(self, at: Place, found: Content | None) -> None:
        """Note by how much the numbers change by what a view uses now."""
        before = self._facts.views.of(*at)
        old = self._counted.get(at, before.uses if before is not None and before.alive else ())
        new = () if found is None else found.uses
        for used in set(old) - set(new):
            self.changes[at[0], used] -= 1
        for used in set(new) - set(old):
            self.changes[at[0], used] += 1
        self._counted[at] = new

    def names(self) -> dict[tuple[int, str], None]:
        """What has come into use or gone out of it, by collection; also what has for a time in this step."""
        self._changed |= {at for at, delta in self.changes.items() if delta}
        return {(no, used.partition("@")[0]): None for no, used in sorted(self._changed)}

    def stays(self, no: int, name: str) -> bool:
        """Whether it is referred to though the registry has it no more: until all that does is computed again."""
        return name not in self._known and self._in_use(no, name)

    def content(self, no: int, name: str) -> Content | None:
        """What a collection shows under the name of something that is shown because it is used."""
        known = self._known.get(StixId(name))
        if known is not None:
            return owner.vouched(known) if self._in_use(no, name) else None
        users = [source for source in self._policy.sources if self._in_use(no, f"{name}@{source}")]
        claims = [
            claim for source in users if (claim := self._facts.claim(claim_key(source, marking_in(name)))) is not None
        ]
        claims = [claim for claim in claims if claim.state is not ClaimState.WITHDRAWN]
        return self._contents.marking(no, claims) if claims else None

    def _in_use(self, no: int, used: str) -> bool:
        return self._facts.views.uses(no, used) + self.changes.get((no, used), 0) > 0

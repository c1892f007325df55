"""The parts of the merge that compute single views, on top of what is stored: all other views are as in the store.

Sans-IO like the merge's ``engine``: ``ask`` returns what must be read, ``tell`` accepts the answers.
"""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.merge.content import Content
from hub.core.merge.contents import Contents
from hub.core.merge.facts import Facts
from hub.core.merge.projections import Projections
from hub.core.merge.resolver import Resolver
from hub.core.merge.solution import Place
from hub.model.claims import View
from hub.model.policy import Policy
from hub.model.reads import Answers, Reads
from hub.model.words import CanonicalKey, StixId

Deferred = Mapping[tuple[int, StixId], bytes]
"""What earlier steps have deferred; see ``Engine``."""


class Recomputation:
    """See the module docstring."""

    def __init__(self, policy: Policy, deferred: Deferred) -> None:
        self.policy = policy
        self.facts = Facts(policy, {})
        projections = Projections(policy, self.facts, {})
        self.resolver = Resolver(policy, self.facts, projections, dict(deferred))
        self.contents = Contents(policy, self.facts, projections, self.resolver, self._shown_as)

    def ask(self) -> Reads:
        """What must be read before the work can continue; empty when it is done."""
        self._work()
        return self.facts.asked()

    def tell(self, answers: Answers) -> None:
        """Accept the answers."""
        self.facts.tell(answers)

    def _work(self) -> None:
        """Do all whose answers are available."""
        raise NotImplementedError

    def _content(self, at: Place) -> Content | None:
        return self.contents.content(self.policy.collections[at[0]], at[1])

    def _shown_as(self, no: int, thing: CanonicalKey) -> StixId | None:
        view = self.facts.views.of(no, thing)
        return None if view is None or not view.alive or not self._counts((no, thing), view) else view.object_id

    def note_relationship(self, thing: CanonicalKey) -> None:
        """A thing with a view and without claims of its own is a merged relationship."""
        if not self.facts.claims_of_thing(thing):
            self.resolver.relationships.add(thing)

    def _counts(self, at: Place, view: View) -> bool:  # noqa: ARG002 - a subclass needs it
        """Whether a stored view counts as shown."""
        return True

"""The rules that keep a claim, or a whole thing, out of what a collection shows.

Source: docs/semantics.md, section 11.
"""

from __future__ import annotations

from enum import IntEnum


class KeptOut(IntEnum):
    """A rule that keeps something out, in the order in which the rules are applied: a greater one comes later."""

    UNCLAIMED = 0
    WITHDRAWN = 1
    REFUSED = 2
    HELD = 3
    SUSPENDED = 4
    MARKING = 5
    CEILING = 6
    LEVEL = 7
    GROUP = 8
    REVOKED = 9
    EXPIRED = 10
    OWNER = 11
    PIN = 12
    OTHER_ENDS = 13
    WAITING_REFERENCE = 14
    TURN = 15
    FILTER = 16
    UNUSED = 17
    CHANGE = 18
    ACCESS = 19

    @property
    def label(self) -> str:
        """The name of the rule, such as ``waiting reference``."""
        return self.name.lower().replace("_", " ")

    @property
    def says(self) -> str:
        """What the rule says, as a clause of a sentence."""
        return _SAYS[self]


_SAYS = {
    KeptOut.UNCLAIMED: "no source claims it",
    KeptOut.WITHDRAWN: "its source has withdrawn it",
    KeptOut.REFUSED: "an operator has refused it",
    KeptOut.HELD: "it is held until an operator has decided",
    KeptOut.SUSPENDED: "its source is suspended",
    KeptOut.MARKING: "it carries a marking that cannot be resolved",
    KeptOut.CEILING: "its level is above its source's ceiling",
    KeptOut.LEVEL: "its level is above the collection's",
    KeptOut.GROUP: "it is not for the collection's group",
    KeptOut.REVOKED: "its source has revoked it",
    KeptOut.EXPIRED: "it has expired",
    KeptOut.OWNER: "another claim under the same id comes first",
    KeptOut.PIN: "the id is pinned to another author",
    KeptOut.OTHER_ENDS: "its ends mean other things in the collection",
    KeptOut.WAITING_REFERENCE: "the collection does not show something that it must refer to",
    KeptOut.TURN: "very many objects refer to the same one, and its turn comes in a later step",
    KeptOut.FILTER: "the collection's filter leaves it out",
    KeptOut.UNUSED: "it is shown only while a shown object uses it",
    KeptOut.CHANGE: "an operator's change, or a new date, is still being carried out",
    KeptOut.ACCESS: "the reader does not belong to the collection's group",
}


def furthest(*found: KeptOut) -> KeptOut:
    """The rule that keeps out what came furthest; ``UNCLAIMED`` if there is nothing."""
    return max(found, default=KeptOut.UNCLAIMED)

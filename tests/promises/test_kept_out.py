"""Why a collection does not show a thing: what is said agrees with what is shown, over random histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from hub.core.verify.probe import Probe, Probed
from hub.model.kept_out import KeptOut, furthest
from hub.model.words import CanonicalKey
from tests.promises.histories import a_history
from tests.promises.telling import told
from tests.story import Story

Place = tuple[int, CanonicalKey]


async def probed(story: Story, things: Iterable[CanonicalKey], nos: Sequence[int]) -> dict[Place, Probed]:
    """What the rules say of these things, as the store is now."""
    async with story.place.store.snapshot() as snapshot:
        probe = Probe(snapshot.policy, snapshot.deferred, nos, things)
        while reads := probe.ask():
            probe.tell(await snapshot.load(reads))
    return probe.found


def is_consistent(one: Probed) -> bool:
    """Whether a thing is shown exactly if one of its claims is, or the filter leaves it out."""
    rules = [rule for _, rule in one.claims]
    if one.rule in (None, KeptOut.FILTER, KeptOut.TURN):
        return one.rule is KeptOut.TURN or None in rules
    return None not in rules and one.rule == furthest(*(rule for rule in rules if rule is not None))


RULES = {
    KeptOut.WITHDRAWN, KeptOut.SUSPENDED, KeptOut.MARKING, KeptOut.CEILING, KeptOut.LEVEL, KeptOut.GROUP,
    KeptOut.REVOKED, KeptOut.EXPIRED, KeptOut.WAITING_REFERENCE, KeptOut.FILTER, KeptOut.UNUSED,
}  # fmt: skip
"""Those that keep a whole thing out somewhere in these histories."""


async def test_a_rule_keeps_a_thing_out_exactly_where_no_view_of_it_exists() -> None:
    found: Counter[KeptOut] = Counter()
    for seed in range(16):
        async with told(a_history(seed, dates=seed % 2 == 0)) as telling:
            found += await rules_that_agree(telling.story)
    assert found.keys() >= RULES, found


async def rules_that_agree(story: Story) -> Counter[KeptOut]:
    """Compares the rules with the views, for all things of a hub; returns the rules."""
    stored, policy = await story.stored(), await story.policy()
    things = {claim.thing for claim in stored.claims if claim.thing is not None} | set(stored.placements.values())
    alive = {(view.collection, view.thing) for view in stored.views if view.alive}
    found = await probed(story, things, list(policy.collections))
    assert len(found) == len(things) * len(policy.collections)
    beside = {claim.thing for claim in stored.claims if claim.type in ("marking-definition", "identity")}
    for at, one in found.items():
        if at[1] in beside and at not in alive:
            continue  # a marking of an unnamed source is shown as another thing
        assert (one.rule is None) is (at in alive), (at, one)
        assert is_consistent(one), (at, one)
    return Counter(one.rule for one in found.values() if one.rule is not None)

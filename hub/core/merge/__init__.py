"""From the claims that a step changes to the views that change. How it works, in a page.

**What is computed.** A *place* is a collection and a thing. What is shown at a place is a pure function of the claims
that the collection's audience may see, of the policy, and of what other places show: a view refers to others, and may
need one to be shown. Nothing else counts, so the order of arrival and the division into batches do not matter, and
``recompute`` can check a stored hub.

**What the engine may know of a claim.** ``ClaimHead``: what a claim is filed under, its markings, the ids that it
refers to. The content is reached through ``project`` alone, which gives what one audience may see of it
(``Projection``). The merge rules (``hubmade``, ``owner``) take projections. ``Projections`` makes each once:
audiences that see the same part of a claim share one, those that see different parts have different ones. What is
kept for later is kept by projection, never by claim.

**Looking things up.** The engine does no input or output. ``Facts`` has the answers so far, with the step's own
changes laid over them; what it lacks it notes, and raises ``Missing``. Whoever is interrupted so starts again from
the beginning in the next round, with the answer: all that runs before an answer must bear being repeated.

**What must be looked at.** One queue of work (``engine``): a claim changed, an id means something else, sightings
changed, a relationship may stand for another thing, a view came or went or changed its id. Each kind of work names
the places that it affects; only collections whose audience sees the claim, or saw it before, are affected.
``Resolver`` says what an id means to an audience: the same source's claim first, then the owner's.

**What the affected places show.** ``Solution`` computes them from nothing, the least fixed point: no place shows
anything at first, a place is looked at again when something that it read has come or gone, and places that are not
affected stand as the store has them. So a circle of things that need only each other has no view. Two rules keep this
exact. What an affected view needs, and might need it in turn, is affected too: it must not be taken for granted. And
when a place joins that others have read as shown, everything that may owe its existence to it begins from nothing
again. When the solution is stable, each view that has come, gone or changed its id is work for the queue: what refers
to it may change. The engine goes around until nothing is left.

**When too many refer to one id.** ``Turns`` goes through its referrers page by page. When a view appears that more
than a crowd of visible claims have waited for, they have their turn in later steps, in the order of their keys; until
then the reference is to them as if nothing were there. They are counted in that collection alone, so nobody learns of
others.

**What goes along.** Markings, and identities and extension definitions of the hub, have no audience: ``Uses`` counts
how many views of a collection carry each, and it is shown while the count is above zero.

**Numbers and dates** come last (``stamp``), when the logs are locked: what differs from the stored view gets a row,
in an order that follows from the rows alone.
"""

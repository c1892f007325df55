"""Computes which views change when a step changes claims. How it works, in a page; words are those of docs/glossary.md.

**What is computed.** A *place* is a pair of a collection and a thing; it shows one view or nothing. What it shows is
a function of the claims about the thing that the collection's audience may see, of the policy, and of what other
places of the same collection show. A view *refers* to others: a reference to something that is not shown is left out.
It *needs* some of them (both ends of a relationship, at least one object of a report): without these it is not shown
itself. Showing more never hides anything, so there is a least solution, and it does not depend on the order in which
claims came or on how they were divided into steps, once all deferred work (below) is done. ``recompute`` computes it
again from all claims, to check a stored hub.

**Who may read a claim.** The engine gets a claim as a ``ClaimHead``: its key, source, id, type, thing and markings,
and the ids that it refers to. Only the module ``project`` opens the content, and gives a ``Projection``: what one
audience may see. The merge rules (modules ``hubmade`` for indicators and merged relationships, ``owner`` for all
others) make one content of the projections about a thing; ``contents`` chooses the rule by the STIX type.
``Projections`` makes each projection once for a step: audiences that see the same part of a claim share the object,
others never do. Whatever the engine keeps during a step is keyed by projections, never by claims, so it cannot reach
an audience that sees less.

**Look-ups.** The engine does no input or output. ``Facts`` has the answers so far, with the changes of this step in
place of what the store says. When an answer is lacking, ``Facts`` notes the question and raises ``Missing``. That
ends the piece of work in hand (one item of the queue, or one look at a place), which stays to be done; other pieces
go on, so that a round asks for many answers at once. The caller of the engine fetches them, and the next round runs
the piece again from its start. So code that runs before a look-up must be safe to run twice.

**The queue.** ``engine`` has one queue. Its items (``work``): a claim changed; an id may mean something else;
sightings of an id changed; a relationship may now be between other things, and so be another thing itself; a view
appeared, went or got another id. Each item affects places, only in collections whose audience sees the claim after
the step or saw it before the step. ``Resolver`` maps an id to a thing for an audience: a visible claim under this id
of the source whose claim refers to it; else, for an observable, the thing that the id itself names; else the visible
claim that wins by the rules for contested ids (docs/semantics.md, section 6). Changes of policy come as claims to be
looked at again.

**The solution.** ``Solution`` computes the affected places; all others are constants, read from the store. Affected
places start empty, and a place is looked at again when a place that it has read, shown or not, gets, loses or changes
its view. Views that only need each other therefore never appear. Two rules make the result equal to a full
recomputation:

1. If an affected place shows something, the stored views that it refers to, and that could need it in turn (judged by
   type), are affected too, also where it was not shown before. Example: a report was shown because of A, and its
   other object B needs the report. A goes. The stored view of B must not keep the report, so B is computed from empty
   as well; neither is shown.
2. If a place becomes affected after others have read its stored view, or loses its view, all affected places of the
   types that can need one another start from empty again. Only then can a place lose a view while the solution is
   computed.

When the solution is stable, each view that differs from the stored one by being there, or by its id, becomes an item
of the queue, once: what refers to it is affected. Affected places only become more, so this ends.

**Ids with very many referrers.** ``Turns`` reads them page by page, within the step. When a view *appears* for which
more visible claims wait than a limit (``REFERRER_LIMIT``), all of them are deferred: to each of them the reference is as if
nothing were shown, until its turn. A task of the store takes the next ones, as many as the limit, in the order of
their keys, in a step of its own, until all had their turn. Claims are counted per collection and only if its audience
sees them, so the delay tells nothing about others. When a view goes or changes its id, all referrers are looked at in
the same step.

**What goes along.** Marking-definitions, the identities of the hub and of sources, and the hub's extension
definitions are shown in a collection while a view there uses them: ``Uses`` counts the views of the collection by
what they use.

**Numbers and dates** come last (``stamp``), while the logs are locked. Each place that differs from its stored view
gets a row, also when its view ends. Rows of one step are ordered by type and id alone.
"""

"""Computes which views change when a step changes claims. How it works, in a page; words are those of docs/glossary.md.

**What is computed.** A *place* is a pair of a collection and a thing; it shows one view or nothing. What it shows
depends on the policy, on the claims about the thing that the collection's audience sees (for an indicator also on
sightings of it), and on the views that these claims *refer* to in the same collection. Of those it matters only
whether they are shown, and under which id; an id does not depend on other views. A reference to something that is not
shown is left out. A view *needs* some of them (both ends of a relationship, at least one object of a report): without
these it is not shown itself. A view that appears never makes another one go, so there is one least set of views: those
that can be built up from nothing. Views that need only each other are not in it. This set is the result, in whatever
order the claims came and however they were divided into steps, once all deferred work (below) is done. The module
``recompute`` gets the same from all claims at once; ``hub/core/verify`` checks a stored hub slice by slice.

**Who may read a claim.** The engine gets a claim as a ``ClaimHead``: its key, source, id, type, thing and markings,
and the ids that it refers to. Only the module ``project`` opens the STIX object, and makes a ``Projection``: what one
audience may see of the claim. The merge rules (``hubmade`` for indicators and for relationships between things that
merge, ``owner`` for all others) make one ``Content`` of the projections about a thing; ``contents`` chooses the rule.
``Projections`` makes each projection once in a step: audiences that see the same part of a claim share one object,
others never do. Whatever is made of the objects is kept by their projections, never by claims, so it cannot reach an
audience that sees another part.

**Reads.** The engine does no input or output. ``Facts`` has the answers so far: claims as they are after the step,
views as they are stored. When an answer is lacking, ``Facts`` notes what must be read and raises ``Missing``. That
interrupts one piece of work (one item of the queue, or the computation of one place), which stays to be done; other
pieces go on, so that one round asks for many reads. The caller of the engine fetches them, and the next round runs
the piece again from its start. So a piece changes nothing before its last read, or only what may be done twice.

**The queue.** ``engine`` has one queue. Its items (``work``) say: a claim changed; an id may mean something else;
sightings of an id changed; a relationship between things that merge may be between others, which makes it another thing
(the ``ClaimHead`` of such a relationship has no thing); a view appeared, went or got another id. An item may add
others, and makes places *affected*: those of the claims concerned, in the collections whose audience sees the claim
after the step or saw it before. ``Resolver`` finds the thing that a reference means to an audience. It takes the first
that there is: what a visible claim under this id is about, if it is of the same source as the claim with the reference;
of an observable, the thing that the id itself names; what the visible claim is about that wins by the rules for
contested ids (docs/semantics.md, section 6). After a change of policy the caller gives the claims that may be
concerned, and these are handled like changed ones.

**The solution.** ``Solution`` has the affected places, which only become more in a step. What they show is computed;
all others are as stored. An affected place shows nothing at first. It is computed, and computed again whenever a place
that it has asked about gets or loses a view or gets another id, also if it showed nothing when asked. Types of views
that need others are called dependent (``DEPENDENT_TYPES``). Two rules make the result the least set:

1. Stored views may rest on an affected place only if that was shown before the step. So what such a place asks about
   when it shows a view of a dependent type, directly or through other affected places, must not be taken as stored: if
   it is of a dependent type too, its place becomes affected. What only affected places ask about that were not shown
   before may stay as stored, since it cannot rest on them. Example: a report is shown because of A, and its other
   object, the note B, needs the report. When A goes, the report asks about B. As stored, B would keep the report, and
   the report would keep B. Affected, both show nothing at first, and neither can appear.
2. All affected places of dependent types show nothing again and are computed again, as soon as one of these happens: a
   place becomes affected that others have asked about while it had its stored view; a computed view goes; claims are
   deferred (below). Views that were computed before may rest on what is not there any more, and keep each other.

With a given set of affected places and deferred claims, views only appear. So this ends. When it has, and no answer is
lacking, each affected place that shows a view where none is stored, or none where one is, or one with another id,
becomes an item of the queue, once for each id: claims that refer to the view, by whatever id, are concerned. Then the
solution goes on.

**Ids with very many referrers.** Up to ``REFERRER_LIMIT`` claims that refer to an id are fetched together. If there are
more, ``Turns`` reads them page by page, in the same step. If the view under the id *goes or gets another id*, all of
them are concerned at once. If it *appears*, those that are visible in the collection are counted; if they are more than
the limit, all of them are deferred: for each claim with a reference to it the id means nothing, until the turn of the
claim's key. The store keeps a task for the id and the collection. Each run of it is a step of its own, in which the
next visible claims have their turn, as many as the limit, in the order of their keys. The task ends early if the view
goes or gets another id; then no claim waits any longer. Only claims that the audience sees are counted, so that the
delay does not tell about others.

**What is shown beside.** Marking-definitions, the identities of the hub and of sources, and the hub's extension
definitions are shown in a collection while a view there uses them. ``Uses`` counts these views, each time when the
solution has ended, and sets what the places of the used objects show. A reference to one of them counts as shown at
once: the reference itself is a use.

**The hub's date** is part of the policy. A projection has its ``validity`` at this date: whether the claim counts, for
which share of its confidence, and at which later date this changes. A claim that has expired is left out of the view,
and of nothing else: it still means what it means in references. A view has the earliest of these dates of its claims
(``Content.due_day``), which is stored also where nothing else changes. When the date is set, the places whose stored
date has come are affected. No others need to be: a date only takes away, so nothing appears that was not shown.

**Numbers and dates** come last (``numbering``), while the logs are locked. A place whose content or id differs from the
stored view gets a row; a view that ends or gets another id gets a row for its end. The rows of a step are in an order
that type and id alone decide, so it does not tell in which order claims came.
"""

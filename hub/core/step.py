"""One step of a worker without I/O: computes what to write from records, or from a task.

A step asks for reads (``ask``) and receives the answers (``tell``) until it needs no more. It then returns what to
write: first everything that needs no sequence number (``writes``), then, given where the logs end, all of it
(``finish``). Its stages, in this order:

1. ``arrivals``: split each record into its objects, each with its source.
2. ``judge``: read, lift, validate and normalise one object.
3. ``admission``: check what the source may send, and what is held for an operator.
4. ``contributions``: decide which claim counts from now on, and the state of each arrival.
5. ``outcomes``: receipts, counts, held objects, rejections.
6. ``merge``: compute which views change, per audience, from the claims that changed.

Admission runs after validation and normalisation, because a marking or an author in an unusual spelling must not bypass
it.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson

from hub.core.admission import Hold, admitted, no_hold
from hub.core.arrivals import Arrival, arrivals_in, released_arrivals
from hub.core.breaker import live_changes
from hub.core.causes import received_times
from hub.core.contribution_reads import further_reads, parts_of, reads_for
from hub.core.contributions import Contributions
from hub.core.merge.drafts import Draft
from hub.core.merge.engine import Engine
from hub.core.merge.facts import indexed_references
from hub.core.merge.known import known_identities
from hub.core.merge.newest import withdrawal
from hub.core.merge.numbering import numbered
from hub.core.merge.work import StepScope
from hub.core.outcomes import account, rejections
from hub.core.walk import Walk, counted_for
from hub.model.claims import Change, Claim, ClaimKey, fill_place
from hub.model.event_log import StoredRecord
from hub.model.forgettings import Erasable
from hub.model.policy import Policy
from hub.model.problems import Problem
from hub.model.reads import (
    DUE,
    LATE,
    REFERRER_LIMIT,
    REJECTIONS_LOG,
    REPLACED,
    TURNS,
    Answers,
    ClaimsPage,
    DueViews,
    LateViews,
    Reads,
)
from hub.model.tasks import Recompute, RecomputeId, TakeTurns
from hub.model.times import stix_time
from hub.model.verification import Doubted
from hub.model.words import CanonicalKey, Limits, Seq, StixId
from hub.model.writes import Head, Held, Writes
from hub.patterns import Observable, digest_keys, keys_around, values_in

Changed = Mapping[ClaimKey, tuple[Claim | None, Claim]]
"""Old and new claim, by key."""
Rounds = Generator[Reads, Answers, None]
"""Yields the reads of each round, and is sent their answers."""


@dataclass(frozen=True, slots=True)
class StepSettings:
    """The settings of all steps."""

    limits: Limits = field(default_factory=Limits)
    hold: Hold = no_hold
    referrer_limit: int = REFERRER_LIMIT
    """If an id is shown for the first time and more visible claims than this refer to it, they are computed in later
    steps."""
    task_claims: int = 400
    """Contributions, or released objects, per step of a task. Other writers wait for one step at most."""
    rules_url: str = "/rules/"


class Step:
    """See the module docstring. Created by one of its class methods, which judge the arrivals before the first read."""

    def __init__(self, policy: Policy, settings: StepSettings, now_us: int) -> None:
        self.policy = policy
        self._settings = settings
        self._now_us = now_us
        self.writes = Writes()
        """What to write. When there are no more reads, only numbers and dates are missing."""
        self._arrives = False
        """Whether it processes what was just received."""
        self._rounds: Rounds | None = None
        self._asked = Reads()
        self._engine: Engine | None = None
        self._drafts: list[Draft] = []
        self._rejections: dict[int, list[dict[str, object]]] = {}
        """By number of the log."""
        self.reached: bytes | None = None
        """For a step of ``of_referrers``: the key after which the next step continues; None when all have been
        computed."""
        self.more = False
        """For a step of ``of_due`` or ``of_late``: whether there may be more such views."""
        self.next_us: int | None = None
        """For a step of ``of_late``: when the next versions are due that it leaves; None: there are none."""
        self.walk = Walk()
        """For a step of ``of_claims``: how far the task is."""
        self.forgotten: list[ClaimKey] = []
        """For a step of ``of_forgotten``: the claims to delete after it."""

    # ------------------------------------------------------------ the ways to create a step

    @classmethod
    def of_records(
        cls,
        policy: Policy,
        settings: StepSettings,
        now_us: int,
        records: Sequence[StoredRecord],
        unforeseen: Problem | None = None,
    ) -> Step:
        """Process records of the event log. ``unforeseen``: why none of them can be processed."""
        step = cls(policy, settings, now_us)
        step._arrives = True
        arrivals = arrivals_in(records, policy, settings.limits, now_us, unforeseen)
        return step._begin(step._process(arrivals))

    @classmethod
    def of_released(cls, policy: Policy, settings: StepSettings, now_us: int, held: Sequence[Held]) -> Step:
        """Process objects that an operator has released."""
        step = cls(policy, settings, now_us)
        step.writes.released = [one.no for one in held]
        return step._begin(step._process(released_arrivals(held, policy)))

    @classmethod
    def of_claims(
        cls,
        policy: Policy,
        settings: StepSettings,
        now_us: int,
        task: Recompute | RecomputeId,
        walk: Walk,
        page: ClaimsPage,
    ) -> Step:
        """Compute the next claims of a task again, because the policy has changed; ``walk`` is then how far it is.
        ``page``: what the store has read after ``walk``.
        """
        step = cls(policy, settings, now_us)
        step.walk = walk
        return step._begin(step._walk_on(task, page))

    @classmethod
    def of_doubted(cls, policy: Policy, settings: StepSettings, now_us: int, doubted: Doubted) -> Step:
        """Compute again what a verification has found to differ."""
        step = cls(policy, settings, now_us)
        return step._begin(step._look_again(doubted))

    @classmethod
    def of_referrers(
        cls, policy: Policy, settings: StepSettings, now_us: int, collection: int, name: StixId, after: bytes
    ) -> Step:
        """Compute the next page of the claims that refer to ``name`` in a collection, after the key ``after``."""
        step = cls(policy, settings, now_us)
        return step._begin(step._take_turn(collection, name, after))

    @classmethod
    def of_due(cls, policy: Policy, settings: StepSettings, now_us: int, collection: int, limit: int) -> Step:
        """Compute again the next views of a collection that change by themselves until the hub's date; see ``more``."""
        step = cls(policy, settings, now_us)
        return step._begin(step._look_at_due(DueViews(collection, policy.today_no or 0, limit)))

    @classmethod
    def of_late(cls, policy: Policy, settings: StepSettings, now_us: int, collection: int, limit: int) -> Step:
        """Publish the next versions of a collection that the pace has put off until ``now_us``; see ``more`` and
        ``next_us``.
        """
        step = cls(policy, settings, now_us)
        return step._begin(step._publish_late(LateViews(collection, now_us, limit)))

    @classmethod
    def of_forgotten(
        cls, policy: Policy, settings: StepSettings, now_us: int, keys: Collection[ClaimKey], what: Erasable
    ) -> Step:
        """Withdraw those of these claims that say what is to be erased; see ``forgotten``."""
        step = cls(policy, settings, now_us)
        return step._begin(step._forget(keys, what))

    @classmethod
    def of_things(
        cls, policy: Policy, settings: StepSettings, now_us: int, collection: int, things: Collection[CanonicalKey]
    ) -> Step:
        """Compute again what a collection shows of these things, and put nothing off."""
        step = cls(policy, settings, now_us)
        return step._begin(step._look_at(collection, things))

    def _begin(self, rounds: Rounds) -> Step:
        self._rounds = rounds
        self._asked = next(rounds, Reads())  # no round if nothing is to be read
        return self

    # ------------------------------------------------------------ the interface

    def ask(self) -> Reads:
        """What must be read before the step can continue; empty when it is done."""
        return self._asked

    def tell(self, answers: Answers) -> None:
        """Continue with the answers."""
        assert self._rounds is not None  # noqa: S101 - _begin
        try:
            self._asked = self._rounds.send(answers)
        except StopIteration:
            self._asked = Reads()

    @property
    def logs(self) -> set[int]:
        """The logs that get new rows."""
        return {draft.collection.no for draft in self._drafts} | self._rejections.keys()

    def finish(self, heads: Mapping[int, Head]) -> Writes:
        """Everything to write. ``heads``: where the ``logs`` end."""
        writes = self.writes
        if self._engine is not None:
            out = numbered(self._drafts, heads, self._now_us, known_identities(self.policy), self._engine.drafts.body)
            writes.changes, writes.past_ids = out.changes, out.past_ids
            writes.views = [*out.views, *self._engine.drafts.renoted()]
            writes.hidden, writes.heads = out.hidden, out.heads
            if self._arrives:
                writes.received = dict(received_times(writes))
        for log, entries in self._rejections.items():
            writes.heads[log] = self._reject(log, heads[log], entries)
        return writes

    # ------------------------------------------------------------ the kinds of step

    def _process(self, arrivals: Iterable[Arrival]) -> Rounds:
        policy, settings = self.policy, self._settings
        ready = admitted(arrivals, policy, settings.limits, settings.hold)
        answers = yield reads_for(ready, policy).update(TURNS, (None,))
        if further := further_reads(ready, policy, answers):
            answers.add((yield further))
        contributions = Contributions(policy, answers)
        outcomes = [contributions.take(one) for one in ready]
        self._write_claims(contributions.changed)
        contributions.count(self.writes)
        account(outcomes, self.writes, self._now_us)
        if refused := rejections(outcomes, settings.rules_url):
            logs = (yield Reads().update(REJECTIONS_LOG, refused)).of(REJECTIONS_LOG)
            self._rejections = {logs[source]: entries for source, entries in refused.items()}
        yield from self._merge(Engine(policy, contributions.changed, scope=self._paced(self._scope(answers))))

    def _walk_on(self, task: Recompute | RecomputeId, page: ClaimsPage) -> Rounds:
        policy, settings = self.policy, self._settings
        wanted = {no: one for no, one in policy.collections.items() if task.collection in (None, no)}
        audiences = {one.audience for one in wanted.values()}
        before = task.previous.policy(policy)
        walk = self.walk.among(audiences)
        if page.keys:
            claims = _stored((yield Reads().update(REPLACED, page.keys)), page.keys)
            walk = walk.read((yield from counted_for(claims, audiences, (policy, before))), page.cursor)
        else:
            walk = walk.read({}, page.cursor)
        group = walk.ready(settings.task_claims)
        self.walk = walk if group is None else walk.computed(group)
        if group is None:
            return
        answers = yield Reads().update(REPLACED, group.keys).update(TURNS, (None,))
        again = _stored(answers, group.keys)
        nos = tuple(no for no, one in wanted.items() if one.audience in group.audiences)
        filled_to = fill_place(again[-1]) if task.collection is not None and again else None
        scope = replace(self._scope(answers), nos=nos, policy_before=before, filled_to=filled_to)
        yield from self._merge(Engine(policy, {}, again, scope))

    def _look_again(self, doubted: Doubted) -> Rounds:
        answers = yield Reads().update(REPLACED, doubted.claims).update(TURNS, (None,))
        engine = Engine(self.policy, {}, _stored(answers, sorted(doubted.claims)), self._scope(answers))
        engine.doubt(doubted)
        yield from self._merge(engine)

    def _look_at(self, collection: int, things: Collection[CanonicalKey]) -> Rounds:
        engine = Engine(self.policy, {}, scope=self._scope((yield Reads().update(TURNS, (None,))), collection))
        engine.doubt(Doubted(things=set(things)))
        yield from self._merge(engine)

    def _look_at_due(self, at: DueViews) -> Rounds:
        answers = yield Reads().update(DUE, (at,)).update(TURNS, (None,))
        things = answers.of(DUE)[at]
        engine = Engine(self.policy, {}, scope=self._scope(answers, at.collection))
        engine.doubt(Doubted(things=set(things)))
        yield from self._merge(engine)
        self.more = len(things) == at.limit

    def _publish_late(self, at: LateViews) -> Rounds:
        answers = yield Reads().update(LATE, (at,)).update(TURNS, (None,))
        things, self.next_us = answers.of(LATE)[at]
        engine = Engine(self.policy, {}, scope=self._scope(answers, at.collection))
        engine.doubt(Doubted(things=set(things)))
        yield from self._merge(engine)
        self.writes.late = {(at.collection, thing): None for thing in things}
        self.more = len(things) == at.limit

    def _take_turn(self, collection: int, name: StixId, after: bytes) -> Rounds:
        answers = yield Reads().update(TURNS, (None,))
        engine = Engine(self.policy, {}, scope=self._scope(answers, collection))
        engine.resume(collection, name, after)
        yield from self._merge(engine)
        self.reached = engine.reached

    def _forget(self, keys: Collection[ClaimKey], what: Erasable) -> Rounds:
        """Withdraw claims together with their parts. No source takes anything back, so the breaker counts nothing."""
        answers = yield Reads().update(REPLACED, keys).update(TURNS, (None,))
        found = [claim for claim in answers.of(REPLACED).values() if claim is not None and what.is_claimed_by(claim)]
        parts = {key for claim in found for key in parts_of(claim)} - {claim.key for claim in found}
        if parts:
            inside = (yield Reads().update(REPLACED, parts)).of(REPLACED)
            found += [claim for key in parts if (claim := inside[key]) is not None]
        self.forgotten = [claim.key for claim in found]
        gone = {claim.key: (claim, withdrawal(claim, claim.stamp)) for claim in found}
        changed = {key: (old, new) for key, (old, new) in gone.items() if new is not None}
        self._write_claims(changed)
        self.writes.live = dict(live_changes(changed.values()))
        yield from self._merge(Engine(self.policy, changed, scope=self._scope(answers)))

    def _paced(self, scope: StepScope) -> StepScope:
        """The same, for a step whose new versions may be put off."""
        pace_us = self.policy.pace_us
        return replace(scope, paced_after_us=self._now_us - pace_us) if pace_us else scope

    def _scope(self, answers: Answers, *nos: int) -> StepScope:
        """Of a step in these collections; none: in all."""
        return StepScope(nos or None, self._settings.referrer_limit, answers.of(TURNS).get(None, {}))

    # ------------------------------------------------------------ results

    def _write_claims(self, changed: Changed) -> None:
        """Write the changed claims, with the ids and values that the store indexes them by."""
        writes, policy = self.writes, self.policy
        writes.claims = [new for _, new in changed.values()]
        for key, (old, new) in changed.items():
            refs = indexed_references(new, policy)
            if refs or (old is not None and indexed_references(old, policy)):
                writes.references[key] = refs
            if new.thing is not None and (old is None or old.thing != new.thing) and (values := _values(new)):
                writes.values[new.thing] = values

    def _merge(self, engine: Engine) -> Rounds:
        """Compute the views that differ, from the changed claims."""
        while reads := engine.ask():
            engine.tell((yield reads))
        self._engine, self._drafts = engine, engine.drafts.all()
        writes = self.writes
        for draft in self._drafts:
            if draft.content is not None and draft.content.type == "file":
                keys = digest_keys(draft.collection.no, orjson.loads(b"{" + draft.content.rest))
                writes.values[draft.thing] = {**writes.values.get(draft.thing, {}), **keys}
        writes.placements, writes.due_days = engine.placements, engine.drafts.due_days()
        writes.late = engine.drafts.late(self.policy.pace_us)
        writes.time_us = self._now_us
        writes.tasks = [TakeTurns(no, name) for no, name in sorted(engine.left)]
        writes.cancelled = [TakeTurns(no, name) for no, name in engine.cancelled]
        writes.uses = {at: delta for at, delta in engine.uses.items() if delta}

    def _reject(self, log: int, head: Head, entries: Sequence[dict[str, object]]) -> Head:
        for entry in entries:
            head = Head(Seq(head.seq + 1), max(self._now_us, head.date_us + 20))
            body = orjson.dumps({"seq": head.seq, "at": stix_time(head.date_us), **entry})
            stix_id = StixId(str(entry["id"] or ""))
            change = Change(log, head.seq, stix_id, "rejection", False, head.date_us, head.date_us, body)
            self.writes.changes.append(change)
        return head


_AROUND = frozenset({"url", "ipv4-addr", "ipv6-addr"})
"""Observables that other values may be in or on."""


def _stored(answers: Answers, keys: Iterable[ClaimKey]) -> list[Claim]:
    """The claims under these keys, in their order."""
    found = answers.of(REPLACED)
    return [claim for key in keys if (claim := found[key]) is not None]


def _values(claim: Claim) -> Mapping[bytes, bool]:
    """The keys of the values in the pattern of an indicator, of the host of a URL and of the width of a network; empty
    for other claims.
    """
    obj = claim.obj
    if claim.type in _AROUND and isinstance(obj.get("value"), str):
        return keys_around([Observable(claim.type, "value", obj["value"])])
    return values_in(obj["pattern"]) if claim.type == "indicator" and obj.get("pattern_type") == "stix" else {}

"""The state of the hub: what arrived and its final states, how far it is processed, and what an operator should do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from hub.log.kafka_topics import COLLECTION_PREFIX
from hub.log.port import EventLog
from hub.model.breaker import Trip
from hub.model.event_log import MEMBERS, MEMBERS_TOPIC
from hub.model.policy import NOBODY, Collection, Policy, Source, SourceKind, intake_topic, rejections_log
from hub.model.principals import Principal, PrincipalKind
from hub.model.tasks import TaskProgress
from hub.model.words import CollectionName, Positions, Seq, SourceName, Topic, TopicPartition
from hub.model.writes import ReceiptCounts
from hub.questions.catalogue import ListedCollection, listed
from hub.questions.servers import answers, asked
from hub.store.intake_port import Reached
from hub.store.port import LogEnd, LogReader, Store

_NOTHING = ReceiptCounts()

AskRelay = Callable[[], Awaitable[Mapping[str, int]]]
"""Returns the last row of each log that is on its Kafka topic, by name of the log. Not used without Kafka."""


class RelayState(StrEnum):
    """Whether changes reach Kafka."""

    UP = "up"
    DOWN = "down"
    OFF = "off"
    """There is no Kafka."""


@dataclass(frozen=True, slots=True)
class SourceFlow:
    """What one source sent, or for an operator all members together."""

    name: str
    """The name of the source, or ``members``."""
    suspended: bool
    counts: ReceiptCounts
    """The final states of all objects that it has sent."""
    lag: int | None
    """How many of its records are not processed yet; None if the event log does not answer, and for a single member,
    whose records share a topic with those of others."""
    last_received_us: int | None
    """When the hub last processed a record of it; None for a single member."""
    last_code: str | None
    """The code of its newest rejection; None for all members together."""
    tripped_us: int | None = None
    """When its breaker has tripped, if what it holds waits for a decision."""


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task over claims that is not done, because an operator has changed something."""

    progress: TaskProgress
    collection: CollectionName | None
    """The collection that it is for; None: all."""
    source: SourceName | None
    """The source whose claims it computes; None: all."""


@dataclass(frozen=True, slots=True)
class HubStatus:
    """Operators see everything, others their own numbers and their collections."""

    total: ReceiptCounts | None
    """For all sources; None if the caller may not see it."""
    sources: tuple[SourceFlow, ...]
    """For an operator the centres by name, then the members together; for others the caller."""
    collections: tuple[ListedCollection, ...]
    tasks: tuple[OpenTask, ...]
    """In the order in which they are done; empty for others than operators, who may not see how many claims there are.
    """
    takes_pushes: bool
    readers: int | None
    """The number of open live streams of this process; None if the caller may not see it."""
    relay: RelayState
    relay_lag: int | None
    """Changes of these collections that are not on their topics yet; None unless the relay is up."""
    notes: tuple[str, ...]
    """What the caller should do, one sentence each."""


@dataclass(frozen=True, slots=True)
class Here:
    """What the process that answers knows of itself; for operators."""

    readers: int = 0
    """Live streams."""
    clauses: Sequence[str] = ()
    """What does not work, or should be corrected."""


async def status(
    store: Store,
    log: EventLog,
    principal: Principal,
    collections: Sequence[Collection],
    *,
    here: Here,
    relayed: AskRelay | None = None,
) -> HubStatus:
    """The state of the hub, as far as a principal may see it. ``collections``: those that it may ask about."""
    operator = principal.kind is PrincipalKind.OPERATOR
    policy = await store.policy()
    arrived = await asked(log.ends)  # before the positions: records processed in between are no lag
    flow = _Flow(arrived, await store.intake.reached(), await store.intake.counts())
    held = await store.intake.waiting() if operator else 0
    trips = await store.intake.trips()
    tripped = {trip.source: trip.tripped_us for trip in trips}
    ends = await store.logs.ends()
    seen = _seen(policy, principal)
    codes = await _last_codes(store.logs, seen)
    relay, relay_lag = await _relay(relayed, collections, ends)
    other_notes = (*_notes(held, flow.of_nobody, here), *await _complaints(log)) if operator else ()
    return HubStatus(
        total=_sum(flow.counts.values()) if operator else None,
        sources=(
            *(flow.of(source, codes.get(source.no), tripped.get(source.no)) for source in seen),
            *((flow.of_members(policy),) if operator and policy.members else ()),
        ),
        collections=tuple(listed(collections, ends)),
        tasks=tuple(_open(one, policy) for one in await _progress(store, policy)) if operator else (),
        takes_pushes=await answers(log.ready),
        readers=here.readers if operator else None,
        relay=relay,
        relay_lag=relay_lag,
        notes=(*_trips(trips, seen, operator=operator), *other_notes),
    )


def _seen(policy: Policy, principal: Principal) -> list[Source]:
    """The sources that the caller sees one by one."""
    if principal.kind is not PrincipalKind.OPERATOR:
        return [policy.sources[principal.no]] if principal.no in policy.sources else []
    return sorted(policy.centre_of_topic.values(), key=lambda centre: centre.name)


async def _progress(store: Store, policy: Policy) -> list[TaskProgress]:
    """The tasks over claims, in the order in which they are done."""
    return sorted(await store.progress(), key=lambda one: one.task.precedence(policy))


def _open(progress: TaskProgress, policy: Policy) -> OpenTask:
    collection = policy.collections.get(progress.task.collection or 0)
    source = policy.sources.get(progress.task.source or 0)
    return OpenTask(progress, None if collection is None else collection.name, None if source is None else source.name)


@dataclass(frozen=True, slots=True)
class _Flow:
    """What arrived, and how far the workers are with it."""

    arrived: Positions | None
    """The ends of the event log's partitions; None if it does not answer."""
    reached: Mapping[TopicPartition, Reached]
    counts: Mapping[int, ReceiptCounts]

    @property
    def of_nobody(self) -> int:
        """The number of records rejected because their topic belongs to no source."""
        return self.counts.get(NOBODY.no, _NOTHING).rejected

    def of(self, source: Source, last_code: str | None, tripped_us: int | None) -> SourceFlow:
        counts = self.counts.get(source.no, _NOTHING)
        if source.kind is SourceKind.MEMBER:
            return SourceFlow(source.name, source.suspended, counts, None, None, last_code, tripped_us)
        topic = intake_topic(source.kind, source.name)
        lag, last_received_us = self._lag(topic), self._last_received_us(topic)
        return SourceFlow(source.name, source.suspended, counts, lag, last_received_us, last_code, tripped_us)

    def of_members(self, policy: Policy) -> SourceFlow:
        counts = _sum(self.counts.get(member.no, _NOTHING) for member in policy.members.values())
        lag, last_received_us = self._lag(MEMBERS_TOPIC), self._last_received_us(MEMBERS_TOPIC)
        return SourceFlow(MEMBERS, False, counts, lag, last_received_us, None)

    def _lag(self, topic: Topic) -> int | None:
        if self.arrived is None:
            return None
        waiting = (
            end - (self.reached[at].next if at in self.reached else 0)
            for at, end in self.arrived.items()
            if at.topic == topic
        )
        return sum(max(0, count) for count in waiting)

    def _last_received_us(self, topic: Topic) -> int | None:
        moved = (at.moved_us for part, at in self.reached.items() if part.topic == topic)
        return max(moved, default=None)


def _sum(counts: Iterable[ReceiptCounts]) -> ReceiptCounts:
    every = list(counts)
    return ReceiptCounts(
        sum(one.accepted for one in every),
        sum(one.unchanged for one in every),
        sum(one.held for one in every),
        sum(one.rejected for one in every),
    )


async def _last_codes(logs: LogReader, sources: Iterable[Source]) -> dict[int, str]:
    """The code of the newest rejection by number of the source, for sources that have one."""
    found = {}
    for source in sources:
        log = await logs.number(rejections_log(source.kind, source.name))
        seq = 0 if log is None else (await logs.head(log)).seq
        if log is not None and seq:
            page = await logs.page(log, Seq(seq - 1), limit=1, limit_bytes=1)
            found[source.no] = str(orjson.loads(page.bodies[-1])["code"])
    return found


async def _relay(
    relayed: AskRelay | None, collections: Sequence[Collection], ends: Mapping[int, LogEnd]
) -> tuple[RelayState, int | None]:
    """How far the relay, in any process, is behind the change logs of these collections."""
    if relayed is None:
        return RelayState.OFF, None
    reached = await asked(relayed)
    if reached is None:
        return RelayState.DOWN, None
    behind = (ends[one.no].seq - reached.get(COLLECTION_PREFIX + one.name, 0) for one in collections if one.no in ends)
    return RelayState.UP, sum(max(0, count) for count in behind)


def _trips(trips: Iterable[Trip], seen: Iterable[Source], *, operator: bool) -> list[str]:
    """What a source, or an operator, must do about breakers that have tripped."""
    names = {source.no: source.name for source in seen}
    found = []
    for trip in trips:
        if (name := names.get(trip.source)) is None:
            continue
        way_out = (
            f"ask a person there, then ctihub breaker confirm {name} or refuse {name}"
            if operator
            else "call the operator of this hub to confirm them, or to drop them"
        )
        found.append(f"{trip.waiting:,} withdrawals of {name} are held, since they are so many: {way_out}.")
    return found


def _notes(held: int, of_nobody: int, here: Here) -> list[str]:
    notes = [f"{held:,} objects are held and wait for an operator: ctihub held list."] if held else []
    if of_nobody:
        notes.append(f"{of_nobody:,} records were rejected, as their topic belongs to no source: see /v1/rejections.")
    return notes + [f"{clause}." for clause in here.clauses]


async def _complaints(log: EventLog) -> list[str]:
    """What an operator should change about the servers of the event log."""
    return [f"{each.says} {each.way_out}" for each in await asked(log.complaints) or ()]

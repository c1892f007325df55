"""The metrics of a worker, for Prometheus. Those by centre are separate: only an internal port shows them.

Rates and times belong to the process that counted them; the lag of a partition belongs to its current worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hub.log.port import INTAKE_PREFIX
from hub.model.event_log import MEMBERS
from hub.model.policy import Source, SourceKind
from hub.model.words import TopicPartition
from hub.model.writes import ReceiptCounts

TOTALS = CollectorRegistry()
"""Metrics of the whole hub."""
BY_CENTRE = CollectorRegistry()
"""Metrics by name of the centre, including centres that members know under an alias or not at all; the members are one,
``members``."""

_SECONDS = (0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)

BATCHES = Counter("ctihub_worker_batches", "Batches carried into the store", registry=TOTALS)
RECORDS = Counter("ctihub_worker_records", "Records of the event log carried into the store", registry=TOTALS)
BATCH_SECONDS = Histogram(
    "ctihub_worker_batch_seconds", "Time of a batch, from its records to the commit", buckets=_SECONDS, registry=TOTALS
)
MERGE_SECONDS = Histogram(
    "ctihub_worker_merge_seconds",
    "Of that, the time to look up, merge and write, under the locks of its keys",
    buckets=_SECONDS,
    registry=TOTALS,
)
RETRIES = Counter("ctihub_worker_retries", "Steps that were begun again, by code", ["code"], registry=TOTALS)
HALVED = Counter(
    "ctihub_worker_batches_halved", "Batches with a record that raised an unexpected error", registry=TOTALS
)
OBJECTS = Counter("ctihub_objects", "Objects by the state in which they ended", ["state"], registry=TOTALS)
CLOCK_IN_DOUBT = Gauge(
    "ctihub_clock_in_doubt", "1 while the clock does not fit the store and nothing is processed", registry=TOTALS
)
LAG = Gauge("ctihub_worker_lag_records", "Records that wait in the partitions of this worker", registry=TOTALS)

CENTRE_OBJECTS = Counter(
    "ctihub_centre_objects",
    "Objects of a centre by the state in which they ended",
    ["centre", "state"],
    registry=BY_CENTRE,
)
CENTRE_LAG = Gauge(
    "ctihub_centre_lag_records",
    "Records of a centre that wait in the partitions of this worker",
    ["centre"],
    registry=BY_CENTRE,
)

_STATES = ("accepted", "unchanged", "held", "rejected")
for _state in _STATES:
    OBJECTS.labels(_state)  # a rate needs a zero before the first count


def note_batch(records: int, took_s: float, merged_s: float) -> None:
    """Count a committed batch."""
    BATCHES.inc()
    RECORDS.inc(records)
    BATCH_SECONDS.observe(took_s)
    MERGE_SECONDS.observe(merged_s)


def note_objects(counts: Iterable[tuple[Source, ReceiptCounts]]) -> None:
    """Count the final states of the objects of a committed step, by name of the centre; of all members together."""
    for source, of_source in counts:
        name = MEMBERS if source.kind is SourceKind.MEMBER else source.name
        for state in _STATES:
            if count := getattr(of_source, state):
                OBJECTS.labels(state).inc(count)
                CENTRE_OBJECTS.labels(name, state).inc(count)


def note_lag(waiting: Mapping[TopicPartition, int]) -> None:
    """Set how many records wait, for the partitions of this worker; other workers report the others."""
    by_centre: dict[str, int] = {}
    for at, count in waiting.items():
        centre = at.topic.removeprefix(INTAKE_PREFIX)
        by_centre[centre] = by_centre.get(centre, 0) + count
    LAG.set(sum(by_centre.values()))
    CENTRE_LAG.clear()
    for centre, count in by_centre.items():
        CENTRE_LAG.labels(centre).set(count)


def text(*, by_centre: bool) -> bytes:
    """The metrics in the text format of Prometheus. ``by_centre``: include those by centre (internal port only)."""
    return generate_latest(TOTALS) + (generate_latest(BY_CENTRE) if by_centre else b"")

"""The counters of the doors, for Prometheus.

Most counters depend on what centres push and who reads it, so they are only on the internal port (``text``). Metrics of
the process are public at ``/metrics`` of the doors (``process_text``), by a list of allowed metrics.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

REQUESTS = Counter("ctihub_http_requests", "Requests by route and status", ["route", "status"])
SECONDS = Histogram(
    "ctihub_http_seconds",
    "Time to the beginning of the answer, by route",
    ["route"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)
REQUESTS_LIMITED = Counter(
    "ctihub_http_requests_limited", "Requests above MAX_REQUESTS_PER_SECOND of whoever sent them", ["what"]
)
STREAM_READERS = Gauge("ctihub_stream_readers", "Live streams that are open now")
FOREIGN_CURSORS = Counter("ctihub_taxii_foreign_cursors", "TAXII cursors that were sent to another collection")
RELAYED = Counter("ctihub_relay_records", "Records that the relay wrote to Kafka, in committed transactions")
RELAY_LAG = Gauge("ctihub_relay_lag_changes", "Changes of all logs that the relay has yet to carry to Kafka")
RELAY_FENCES = Counter("ctihub_relay_fences", "How often the relay was fenced by another one, or gave up a transaction")
JOURNAL_DROPPED = Counter(
    "ctihub_journal_dropped", "Entries of the journal of reads that were dropped, since the store was not available"
)
WEBHOOK_ATTEMPTS = Counter("ctihub_webhook_attempts", "Messages posted to webhooks, by outcome", ["outcome"])
DELIVERY_SECONDS = Histogram(
    "ctihub_delivery_seconds",
    "Time from the receipt of a claim to the delivery of the change that it has caused, by door, for alert lanes and"
    " for other collections",
    ["door", "alert"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 60, 300, 900, 3_600, 21_600),
)
PUSHED_OBJECTS = Counter("ctihub_pushed_objects", "Objects (or withdrawals) that were taken in over HTTP")

CONNECTIONS = CollectorRegistry()
_PROCESS = CollectorRegistry()
ProcessCollector(registry=_PROCESS)
PlatformCollector(registry=_PROCESS)
CONNECTIONS_OPEN = Gauge("ctihub_http_connections", "HTTP connections that are open now", registry=CONNECTIONS)
CONNECTIONS_REFUSED = Counter(
    "ctihub_http_connections_refused",
    "Connections that were refused, by the ceiling that was met",
    ["ceiling"],
    registry=CONNECTIONS,
)
CONNECTIONS_TIMED_OUT = Counter(
    "ctihub_http_connections_timed_out",
    "Connections that were closed since something did not come in time",
    ["awaited"],
    registry=CONNECTIONS,
)
for _ceiling in ("all", "address", "files"):
    CONNECTIONS_REFUSED.labels(_ceiling)  # a rate needs a zero before the first event
for _what in ("delayed", "refused"):
    REQUESTS_LIMITED.labels(_what)
for _outcome in ("taken", "failed"):
    WEBHOOK_ATTEMPTS.labels(_outcome)
for _door in ("kafka", "stream", "webhook"):
    for _alert in ("true", "false"):
        DELIVERY_SECONDS.labels(_door, _alert)
for _awaited in ("handshake", "head", "request"):
    CONNECTIONS_TIMED_OUT.labels(_awaited)


def process_text() -> bytes:
    """Returns the public metrics in Prometheus' text format."""
    return generate_latest(_PROCESS) + generate_latest(CONNECTIONS)


def text() -> bytes:
    """Returns all metrics of this module in Prometheus' text format."""
    return generate_latest(REGISTRY) + generate_latest(CONNECTIONS)


def note_answer(template: str, status: int, took_s: float) -> None:
    """Count an answer that begins now, ``took_s`` after its request, by the path of its route: never by the requested
    path. Empty: none.
    """
    route = template or "none"
    REQUESTS.labels(route, status).inc()
    SECONDS.labels(route).observe(took_s)


def note_delivered(door: str, received_us: Iterable[int], *, is_alert: bool) -> None:
    """Count changes as delivered now; ``received_us``: when the claims that caused them were received. With several
    machines it includes the difference of their clocks.
    """
    now_s, histogram = time.time(), DELIVERY_SECONDS.labels(door, "true" if is_alert else "false")
    for at_us in received_us:
        histogram.observe(max(0.0, now_s - at_us / 1e6))


def stream_readers() -> int:
    """Returns the number of open live streams."""
    return int(next(iter(STREAM_READERS.collect())).samples[0].value)

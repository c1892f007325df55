"""Metrics of a connector's runs, as a file for the textfile collector of Prometheus' node exporter.

A connector that cron starts ends before it could be scraped, so there is a file instead of an endpoint.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from connectors.sdk.connector import LeftOut
    from connectors.sdk.runner import RunReport

_SUCCESS = "ctihub_connector_last_success_timestamp_seconds"


class RunMetrics:
    """The file of one feed: all its series have the file's name as the label ``feed``."""

    def __init__(self, path: Path, connector: str) -> None:
        self._path = path
        self._labels = {"feed": path.stem, "connector": connector}

    def write(self, report: RunReport, left_out: Mapping[str, LeftOut], code: str) -> None:
        """Replace the file with the results of the last run; ``code`` is the error code or "". Raises OSError."""
        now = time.time()
        registry = CollectorRegistry()
        self._gauge(registry, "ctihub_connector_last_run_timestamp_seconds", "When the last run ended.", now)
        success = now if not code else self._last_success()
        if success:
            self._gauge(registry, _SUCCESS, "When a run last ended without a failure.", success)
        self._gauge(registry, "ctihub_connector_failed", "1 while the last run failed.", float(bool(code)), code=code)
        self._gauge(registry, "ctihub_connector_objects", "Objects that the last run published.", report.objects)
        reasons = {reason: one.count for reason, one in left_out.items()}
        self._gauges(registry, "ctihub_connector_left_out", "What the last run left out.", "reason", reasons)
        codes = Counter(one.code for one in report.warnings)
        self._gauges(registry, "ctihub_connector_warnings", "What the last run warned of.", "code", codes)
        write_to_textfile(str(self._path), registry)

    def _gauge(self, registry: CollectorRegistry, name: str, help_: str, value: float, **more: str) -> None:
        labels = {**self._labels, **more}
        Gauge(name, help_, list(labels), registry=registry).labels(**labels).set(value)

    def _gauges(
        self, registry: CollectorRegistry, name: str, help_: str, label: str, counts: Mapping[str, int]
    ) -> None:
        gauge = Gauge(name, help_, [*self._labels, label], registry=registry)
        for value, count in counts.items():
            gauge.labels(**self._labels, **{label: value}).set(count)

    def _last_success(self) -> float | None:
        """Returns the time of the last success in the existing file, or None."""
        try:
            families = list(text_string_to_metric_families(self._path.read_text("utf-8")))
        except (OSError, ValueError):
            return None
        return next((sample.value for family in families for sample in family.samples if sample.name == _SUCCESS), None)

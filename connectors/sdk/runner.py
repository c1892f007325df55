"""Runs a connector: items into batches, batches to the publisher, checkpoints after what was acknowledged.

The next batch is read while one is on its way, and no more than that is ever in memory. Killed at any moment, the next
run goes on at the last checkpoint: some objects go out twice, which the hub recognises, and none is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from connectors.sdk.checkpoints import Checkpoints, NoCheckpoints
from connectors.sdk.connector import Checkpoint, Connector, SourceWarning
from connectors.sdk.errors import ConnectorError, SourceFailed
from connectors.sdk.progress import Progress, Quiet
from connectors.sdk.publisher import BATCH_BYTES, BATCH_OBJECTS, Acknowledged, ItemBatch, Publisher, batches


@dataclass(slots=True)
class RunReport:
    """What one run did. ``receipts`` are those whose verdicts nobody asked for yet."""

    objects: int = 0
    batches: int = 0
    size_bytes: int = 0
    receipts: list[str] = field(default_factory=list)
    warnings: list[SourceWarning] = field(default_factory=list)


class Runner:
    """One connector, one publisher, one place for checkpoints."""

    def __init__(
        self,
        connector: Connector[Any],
        publisher: Publisher,
        checkpoints: Checkpoints | None = None,
        *,
        progress: Progress | None = None,
        batch_objects: int = BATCH_OBJECTS,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self._connector = connector
        self._publisher = publisher
        self._checkpoints = checkpoints or NoCheckpoints()
        self._progress = progress or Quiet()
        self._batch_objects = batch_objects
        self._batch_bytes = batch_bytes
        self.report = RunReport()
        """Kept up to date while ``run`` runs; tells how far it got when it raises."""

    def run(self) -> RunReport:
        """Publish what the source has after the checkpoint. What was read before an error is published first.

        Raises whatever the connector or the publisher raised; a run afterwards goes on from the last checkpoint. Raises
        SourceFailed where a first run gave nothing, unless the connector says that this may be.
        """
        trouble = _Trouble()
        self.report.warnings = self._connector.warnings
        self._connector.warnings.clear()
        checkpoint = self._checkpoints.load()
        under_way: tuple[ItemBatch, Future[Acknowledged]] | None = None
        for batch in self._batches(checkpoint, trouble):
            if under_way:
                self._acknowledge(*under_way)
            under_way = batch, self._send(batch)
        if under_way:
            self._acknowledge(*under_way)
        if trouble.error:
            raise trouble.error
        if not (self.report.objects or checkpoint or self._connector.may_be_empty()):
            raise SourceFailed("source.empty", "The source gave no object.", "Check where it is, and its settings.")
        end = self._connector.end_checkpoint()
        if end is not None:
            self._checkpoints.save(end)
        return self.report

    def attempt(self) -> SourceFailed | None:
        """``run``, but a source that failed is given back: what was read before is published, and is in ``report``."""
        try:
            self.run()
        except SourceFailed as failure:
            return failure
        return None

    def _batches(self, checkpoint: Checkpoint, trouble: _Trouble) -> Iterator[ItemBatch]:
        items = trouble.until_raised(self._connector.items(checkpoint))
        return batches(items, limit_objects=self._batch_objects, limit_bytes=self._batch_bytes)

    def _send(self, batch: ItemBatch) -> Future[Acknowledged]:
        sent: Future[Acknowledged] = Future()

        def publish() -> None:
            try:
                sent.set_result(self._publisher.publish(batch.bodies))
            except BaseException as error:  # noqa: BLE001 - it is raised again where the result is taken
                sent.set_exception(error)

        # A daemon, not an executor's thread: Ctrl-C must not wait until the hub is back.
        Thread(target=publish, name="publish", daemon=True).start()
        return sent

    def _acknowledge(self, batch: ItemBatch, sent: Future[Acknowledged]) -> None:
        acknowledged = sent.result()
        if batch.checkpoint is not None:
            self._checkpoints.save(batch.checkpoint)
        self.report.objects += len(batch.bodies)
        self.report.size_bytes += batch.size_bytes
        self.report.batches += 1
        self.report.receipts.extend(acknowledged.receipts)
        self._progress.advance(len(batch.bodies), batch.size_bytes, self._connector.share_read())


class _Trouble:
    """Ends an iterator at its first ConnectorError and keeps that, so that what came before it is still published."""

    def __init__(self) -> None:
        self.error: ConnectorError | None = None

    def until_raised(self, items: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from items
        except ConnectorError as error:
            self.error = error

"""Runs a connector: groups items into batches, publishes them, and stores checkpoints after acknowledgements.

It reads the next batch while one is being published; no more than that is in memory. After a crash the next run
continues at the last checkpoint: some objects are published twice, which the hub detects, and none is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from connectors.sdk.checkpoints import Checkpoints, NoCheckpoints
from connectors.sdk.connector import Checkpoint, Connector, SourceList, SourceWarning
from connectors.sdk.errors import ConnectorError, SourceFailed
from connectors.sdk.places import ObjectPlace, ObjectPlaces
from connectors.sdk.progress import Progress, Quiet
from connectors.sdk.published import NothingPublished, PublishedIds
from connectors.sdk.publisher import BATCH_BYTES, BATCH_OBJECTS, Acknowledged, ItemBatch, Publisher, batches


@dataclass(slots=True)
class RunReport:
    """The results of one run. ``receipts`` are those whose verdicts have not been read yet."""

    objects: int = 0
    batches: int = 0
    size_bytes: int = 0
    receipts: list[str] = field(default_factory=list)
    withdrawn: int = 0
    """How many the source lists no more."""
    warnings: list[SourceWarning] = field(default_factory=list)
    places: ObjectPlaces = field(default_factory=ObjectPlaces)
    """Where the received objects stand in their files, by their index in the run."""
    places_too_large: list[ObjectPlace | None] = field(default_factory=list)
    """Where the objects that the publisher left out stand, in the order of ``Publisher.too_large``."""

    def add_places(self, places: Sequence[ObjectPlace | None], acknowledged: Acknowledged) -> None:
        """Add the places of a batch. They are unknown if the target has not received one object for each."""
        left_out = set(acknowledged.left_out)
        found = [place for index, place in enumerate(places) if index not in left_out]
        is_one_each = len(found) == acknowledged.received
        self.places.extend(found if is_one_each else [None] * acknowledged.received)
        self.places_too_large += [places[index] for index in acknowledged.left_out]


class Runner:
    """Runs one connector with one publisher and one store of checkpoints."""

    def __init__(
        self,
        connector: Connector[Any],
        publisher: Publisher,
        checkpoints: Checkpoints | None = None,
        *,
        published: PublishedIds | None = None,
        withdraw_unlisted: bool = False,
        progress: Progress | None = None,
        batch_objects: int = BATCH_OBJECTS,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        """``withdraw_unlisted``: withdraw softly what a complete list of the source has no more."""
        self._connector = connector
        self._publisher = publisher
        self._checkpoints = checkpoints or NoCheckpoints()
        self._published = published or NothingPublished()
        self._withdraw_unlisted = withdraw_unlisted
        self._progress = progress or Quiet()
        self._batch_objects = batch_objects
        self._batch_bytes = batch_bytes
        self.report = RunReport()
        """Updated during ``run``, so that it is valid also after an exception."""

    def run(self) -> RunReport:
        """Publish the source's items after the checkpoint. Items before an error are published first.

        Raises the errors of the connector and the publisher; the next run continues at the last checkpoint. Raises
        SourceFailed if a first run gives nothing, unless the connector allows it.
        """
        trouble = _Trouble()
        self.report.warnings = self._connector.warnings
        self._connector.warnings.clear()
        checkpoint = self._checkpoints.load()
        under_way: tuple[ItemBatch, Future[Acknowledged]] | None = None
        for batch in self._batches(checkpoint, trouble):
            if under_way:
                self._acknowledge(*under_way)
            self._published.add(batch)
            under_way = batch, self._send(batch)
        if under_way:
            self._acknowledge(*under_way)
        if trouble.error:
            raise trouble.error
        if not (self.report.objects or checkpoint or self._connector.may_be_empty()):
            raise SourceFailed("source.empty", "The source gave no object.", "Check where it is, and its settings.")
        if self._withdraw_unlisted:
            for source_list in self._connector.complete_lists():
                self._withdraw(source_list)
        end = self._connector.end_checkpoint()
        if end is not None:
            self._checkpoints.save(end)
        return self.report

    def _withdraw(self, source_list: SourceList) -> None:
        """Withdraw what a list has no more, unless that is more than it still has: a feed that was cut off or is empty
        must not take everything back.
        """
        gone = self._published.unlisted(source_list)
        if gone is None:
            return
        if len(gone.ids) > gone.left:
            says = (
                f"{source_list.name} lists {len(gone.ids):,} objects no more and has {gone.left:,}; none was withdrawn."
            )
            self.report.warnings.append(SourceWarning("source.many-unlisted", says))
            return
        for at in range(0, len(gone.ids), self._batch_objects):
            self.report.withdrawn += self._publisher.withdraw(gone.ids[at : at + self._batch_objects]).received
        self._published.settle(source_list)

    def attempt(self) -> SourceFailed | None:
        """As ``run``, but returns SourceFailed: what was read before it is published and in ``report``."""
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

        # A daemon thread, not an executor's: Ctrl-C must not wait for an unavailable hub.
        Thread(target=publish, name="publish", daemon=True).start()
        return sent

    def _acknowledge(self, batch: ItemBatch, sent: Future[Acknowledged]) -> None:
        acknowledged = sent.result()
        if batch.checkpoint is not None:
            self._checkpoints.save(batch.checkpoint)
        self.report.add_places(batch.places, acknowledged)
        self.report.objects += len(batch.bodies)
        self.report.size_bytes += batch.size_bytes
        self.report.batches += 1
        self.report.receipts.extend(acknowledged.receipts)
        self._progress.advance(len(batch.bodies), batch.size_bytes, self._connector.share_read())


class _Trouble:
    """Ends an iterator at its first ConnectorError and stores that, so that earlier items are still published."""

    def __init__(self) -> None:
        self.error: ConnectorError | None = None

    def until_raised(self, items: Iterator[Any]) -> Iterator[Any]:
        try:
            yield from items
        except ConnectorError as error:
            self.error = error

"""A MISP feed: one pass over a collection writes all of its files, one after the other, into one file on the disk.

So what the manifest says of an event is what the event says, and memory holds 12 bytes for each value and one event
at a time.

Source: PyMISP 2.5, ``tools/feed.py`` (manifest.json, hashes.csv); MISP, ``Feed.php`` (what is read and compared).
"""

from __future__ import annotations

import hashlib
import os
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from hub.doors.export.misp.attributes import (
    MispAttribute,
    MispRules,
    attributes_of,
    changed_us,
    is_listed,
    left_out,
    one_of_each,
)
from hub.doors.export.misp.events import EventKey, MispAbout, event_json, key_of, manifest_entry
from hub.doors.export.selection import end_us
from hub.doors.export.spool import FinishedList, disk_error, open_file
from hub.doors.validators import etag_of
from hub.model.words import Seq, StixObject
from hub.store.port import LogPage

MANIFEST, HASHES = "manifest.json", "hashes.csv"
_SECOND_US = 1_000_000
_COPIED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class MispFile:
    """One file of a feed."""

    content: FinishedList
    start: int
    size_bytes: int
    etag: str
    lines: int
    """Events in the manifest, attributes in an event, hashes in the list of hashes."""
    skipped: int
    """Live values of it that MISP cannot store, and patterns that assert none alone."""

    def part(self, start: int, size: int) -> bytes:
        """Returns up to ``size`` bytes from ``start``."""
        return self.content.part(self.start + start, min(size, self.size_bytes - start))


class MispFeed(FinishedList):
    """All files of a feed."""

    def __init__(self, file: BinaryIO, pieces: Sequence[_Piece], *, seq: Seq, is_settled: bool) -> None:
        """Takes the file over. ``seq``: the newest change before it was begun. ``is_settled``: no time in it is
        earlier than it should be because of ``latest_us``.
        """
        self._pieces = {one.name: one for one in pieces}
        super().__init__(file, lines=self._pieces[MANIFEST].lines, skipped=self._pieces[MANIFEST].skipped)
        self.seq = seq
        self.is_settled = is_settled

    def file(self, name: str) -> MispFile | None:
        """Returns the file of this name; None if there is none."""
        one = self._pieces.get(name)
        if one is None:
            return None
        return MispFile(self, one.start, one.size_bytes, one.etag, one.lines, one.skipped)


@dataclass(frozen=True, slots=True)
class _Piece:
    name: str
    start: int
    size_bytes: int
    etag: str
    lines: int
    skipped: int


class MispFeedWriter:
    """Writes one feed. Call ``add`` with all indicators of the collection, then ``finish`` once, then ``close``."""

    def __init__(self, about: MispAbout, rules: MispRules, folder: Path | None) -> None:
        self._about = about
        self._rules = rules
        self._folder = folder
        self._spool = open_file(folder)
        self._end = 0
        self._starts: defaultdict[EventKey, array[int]] = defaultdict(lambda: array("Q"))
        self._sizes: defaultdict[EventKey, array[int]] = defaultdict(lambda: array("I"))
        self._newest_us: dict[EventKey, int] = {}
        self._skipped: Counter[EventKey] = Counter()

    def close(self) -> None:
        """Free the disk, except what is finished."""
        self._spool.close()

    def add(self, page: LogPage) -> None:
        """Take more indicators. Raises Broken when the disk is full."""
        try:
            for row, body in page.with_bodies():
                if body:  # what was erased has none
                    obj = orjson.loads(body)
                    self._add({**obj, "revoked": True} if row.withdrawn else obj, row.version_us)
        except OSError as error:
            raise disk_error(error) from error

    def finish(self, seq: Seq) -> MispFeed:
        """Returns the feed. ``seq``: the newest change of the collection before its start.

        Raises Broken when the disk is full.
        """
        try:
            self._spool.flush()
            with ExitStack() as stack:
                return self._finished(stack.enter_context(open_file(self._folder)), seq)
        except OSError as error:
            raise disk_error(error) from error

    # ---------------------------------------------------------------- indicators

    def _add(self, obj: StixObject, modified_us: int) -> None:
        key, today_us = key_of(obj), self._rules.today_us
        if end_us(obj, modified_us, today_us) is None:
            self._skipped[key] += left_out(obj)
        if obj["pattern_type"] != "stix":
            return
        # also what is not listed any more counts: the time of an event must not go back
        self._newest_us[key] = max(self._newest_us.get(key, 0), changed_us(obj, modified_us, today_us))
        if not is_listed(obj, modified_us, today_us):
            return
        for one in attributes_of(obj, modified_us, self._rules):
            record = orjson.dumps(one)
            self._spool.write(record)
            self._starts[key].append(self._end)
            self._sizes[key].append(len(record))
            self._end += len(record)

    def _attributes(self, key: EventKey) -> list[MispAttribute]:
        return one_of_each(self._read(key))

    def _read(self, key: EventKey) -> Iterator[MispAttribute]:
        fd = self._spool.fileno()
        for start, size in zip(self._starts[key], self._sizes[key], strict=True):
            said = orjson.loads(os.pread(fd, size, start))
            yield MispAttribute(**{**said, "tags": tuple(said["tags"])})

    # ---------------------------------------------------------------- files

    def _finished(self, out: BinaryIO, seq: Seq) -> MispFeed:
        pieces: list[_Piece] = []
        manifest: dict[str, Mapping[str, object]] = {}
        is_settled = True
        with open_file(self._folder) as hashes:
            for key in sorted(self._starts):
                attributes, uuid = self._attributes(key), str(self._about.uuid_of(key))
                newest_us = self._newest_us[key] + sum(one.later_s for one in attributes) * _SECOND_US
                is_settled = is_settled and newest_us <= self._rules.latest_us
                timestamp_s = min(newest_us, self._rules.latest_us) // _SECOND_US
                body = orjson.dumps(event_json(self._about, key, attributes, timestamp_s))
                pieces.append(_written(out, f"{uuid}.json", body, len(attributes), self._skipped[key]))
                manifest[uuid] = manifest_entry(self._about, key, timestamp_s)
                hashes.writelines(_hash(one, uuid) for one in attributes if not one.deleted)
            skipped = self._skipped.total()
            pieces.append(_written(out, MANIFEST, orjson.dumps(manifest), len(manifest), skipped))
            pieces.append(_copied(out, hashes, skipped))
        return MispFeed(out, pieces, seq=seq, is_settled=is_settled)


def _hash(one: MispAttribute, uuid: str) -> bytes:
    """Returns a line of the hashes, by which MISP finds values in feeds that it has not stored."""
    return f"{hashlib.md5(one.value.encode(), usedforsecurity=False).hexdigest()},{uuid}\n".encode()


def _written(out: BinaryIO, name: str, body: bytes, lines: int, skipped: int) -> _Piece:
    start = out.tell()
    out.write(body)
    return _Piece(name, start, len(body), etag_of(body), lines, skipped)


def _copied(out: BinaryIO, hashes: BinaryIO, skipped: int) -> _Piece:
    start, size = out.tell(), hashes.tell()
    hashes.seek(0)
    digest = hashlib.blake2b()
    while part := hashes.read(_COPIED_BYTES):
        digest.update(part)
        out.write(part)
    lines = size // len(f"{'0' * 32},{'0' * 36}\n")
    return _Piece(HASHES, start, size, etag_of(digest.digest()), lines, skipped)

"""Creates STIX indicators from rows with a mapping. The same row always gives the same ids and times."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from connectors.csv.dates import UnreadableDateError, read_date
from connectors.csv.kinds import Parts, read_kind, split_composite
from connectors.csv.levels import (
    TLP_IDS,
    UnreadableLevelError,
    is_level_column,
    is_level_tag,
    is_tag_column,
    level_tags,
    may_be_level_column,
    read_level,
    strictest,
)
from connectors.csv.mapping import FIELD, FeedMapping, ValueRule, plain
from connectors.csv.rows import Found, LeaveOut, Row, find, holds_objects, paths_to, short_texts, texts_in
from connectors.csv.values import pattern, read_cell

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:ctihub:connector:csv")
"""The namespace of the ids, which are UUIDv5 of centre, feed, kind and value, each followed by a line break."""
BOUND_DAYS = 30
"""How many days a row with an unreadable end is valid, if the mapping has no ``valid_days``."""
_START_AHEAD, _END_AHEAD = timedelta(days=366), timedelta(days=36_525)
"""How far a date may be after the time of the file."""
_TEXT_CHARS = 5_000
_WORDS, _WORD_CHARS = 1_000, 100
"""How many words for kinds are cached, and their maximum length."""
_NO_VALUE, _UNKNOWN_KIND = "a row without a value", "a kind that the mapping does not know"
_NO_LEVEL = "a level that cannot be read"
_MILLISECOND = timedelta(milliseconds=1)

Indicator = dict[str, Any]


def stix_id(centre: str, feed: str, kind: str, value: str) -> str:
    """Returns the id of a value in a feed of a centre; it never changes."""
    name = f"{centre}\n{feed}\n{kind}\n{value}\n".encode("utf-8", "surrogatepass")
    digest = hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()
    return f"indicator--{uuid.UUID(bytes=digest[:16], version=5)}"


class IndicatorMaker:
    """Creates the indicators of one file's rows. ``file_time`` is when the file was last changed."""

    def __init__(
        self, mapping: FeedMapping, *, centre: str, undated: datetime, file_time: datetime, leave_out: LeaveOut
    ) -> None:
        self._mapping = mapping
        self._rule = mapping.indicator
        self._centre = centre
        self._undated = undated
        self._latest_start, self._latest_end = file_time + _START_AHEAD, file_time + _END_AHEAD
        self._leave_out = leave_out
        self._empty = frozenset(word.lower() for word in mapping.no_value)
        self._tlp_words = {feeds.lower(): ours for feeds, ours in mapping.indicator.tlp_words.items()}
        self._confidence_words = {word.lower(): number for word, number in self._rule.confidence_words.items()}
        self._kinds: dict[tuple[str, str], Parts | None] = {}
        self._values_at = paths_to(rule.column for rule in mapping.value)

    def indicators(self, row: Row) -> Iterator[Indicator]:
        """Yields one indicator for each value of the row."""
        there = False
        for rule in self._mapping.value:
            made = False
            for found, text in find(row, rule.column):
                text = text.strip()
                if text.lower() in self._empty:
                    continue
                there = True
                if reason := self._unwanted(found):
                    self._leave_out(reason, row.place)
                    if "*" in rule.column:
                        continue
                    return
                for kind, value in self._values(found, rule, text):
                    made = True
                    if (indicator := self._indicator(found, kind, value)) is not None:
                        yield indicator
            if made and self._mapping.take == "first":
                return
        if not there:
            self._leave_out(_NO_VALUE, row.place)

    def _unwanted(self, found: Found) -> str | None:
        for rule in self._mapping.leave_out:
            said = {text.strip().lower() for text in found.texts(rule.column)}
            if said & {word.lower() for word in rule.words}:
                return rule.reason
            if rule.unless and not said & {word.lower() for word in rule.unless}:
                return rule.reason
        return None

    def _values(self, found: Found, rule: ValueRule, text: str) -> Iterator[tuple[str, str]]:
        place = found.row.place
        for kind, part in self._parts(found, rule, text):
            values, problems = read_cell(part, kind, rule.separator)
            for problem in problems:
                self._leave_out(problem, place)
            yield from values

    def _parts(self, found: Found, rule: ValueRule, text: str) -> list[tuple[str, str]]:
        """Returns the parts of a value with the kind of each; composites such as ``domain|ip`` have several."""
        if rule.kind:
            return [(rule.kind, text)]
        words = sorted({*self._filled(found, rule.kind_column or "")})
        if not words:
            return [("detect", text)]
        parts = self._read_kind(words[0], rule) if len(words) == 1 else None
        if parts is None:
            self._leave_out(_UNKNOWN_KIND, found.row.place)
            return []
        if parts == ("url",) and plain(words[0]) == "intel::url" and "://" not in text:
            text = f"http://{text}"  # Zeek omits the scheme (Intel::Type)
        split = split_composite(text, parts)
        return [(part, text) for part in parts if part][:1] if split is None else split

    def _read_kind(self, word: str, rule: ValueRule) -> Parts | None:
        key = (rule.column, word)
        if len(word) > _WORD_CHARS:
            return None
        if key not in self._kinds and len(self._kinds) < _WORDS:
            self._kinds[key] = read_kind(word, rule.kinds)
        return self._kinds[key] if key in self._kinds else read_kind(word, rule.kinds)

    def _indicator(self, found: Found, kind: str, value: str) -> Indicator | None:
        labels = self._labels(found)
        try:
            level, paps = self._level(found, labels)
        except UnreadableLevelError:
            self._leave_out(_NO_LEVEL, found.row.place)
            return None
        labels = sorted({*(word for word in labels if not is_level_tag(word)), *paps})
        created, modified = self._times(found)
        until = self._valid_until(found, modified)
        said = self._rule
        optional = {
            "name": self._template(found, said.name),
            "description": self._template(found, said.description),
            "indicator_types": sorted(
                {*said.indicator_types, *(said.type_words[word] for word in labels if word in said.type_words)}
            ),
            "confidence": self._confidence(found),
            "valid_until": _stamp(until) if until else None,
            "external_references": self._references(found),
            "object_marking_refs": [TLP_IDS[level]] if level else [],
            "labels": labels,
        }
        return {
            "type": "indicator",
            "spec_version": "2.1",
            "id": stix_id(self._centre, self._mapping.feed, kind, value),
            "created": _stamp(created),
            "modified": _stamp(modified),
            "pattern": pattern(kind, value),
            "pattern_type": "stix",
            # valid_from must be before valid_until, also for expired rows
            "valid_from": _stamp(created if not until or created < until else until - _MILLISECOND),
            **{name: content for name, content in optional.items() if content not in (None, [], "")},
        }

    # What a row says of itself

    def _level(self, found: Found, labels: list[str]) -> tuple[str | None, list[str]]:
        """Returns the strictest level that is stated anywhere, or the mapping's. Raises UnreadableLevelError."""
        levels, paps = [], []
        for text in self._level_texts(found, labels):
            level, tags = read_level(text, self._tlp_words)
            levels += [level] if level else []
            paps += tags
        return strictest(levels) or self._rule.tlp, paps

    def _level_texts(self, found: Found, labels: list[str]) -> Iterator[str]:
        stated = found.contents(self._rule.tlp_column) if self._rule.tlp_column else []
        for name, content in found.said(self._values_at):
            if is_level_column(name):
                stated.append(content)
                continue
            for text in short_texts(content):
                if may_be_level_column(name) and self._states_level(text):
                    yield text
                else:
                    yield from level_tags(text, only_tags=is_tag_column(name))
        for content in stated:
            if holds_objects(content):
                raise UnreadableLevelError("an object")
            yield from (text for text in texts_in(content) if text.strip().lower() not in self._empty)
        yield from filter(is_level_tag, labels)

    def _states_level(self, text: str) -> bool:
        try:
            return read_level(text, self._tlp_words)[0] is not None
        except UnreadableLevelError:
            return False

    def _labels(self, found: Found) -> list[str]:
        words = list(self._rule.labels)
        for column in self._rule.label_columns:
            for text in found.texts(column):
                words += (word.strip() for word in text.split(self._rule.label_separator))
        return sorted({word for word in words if word.lower() not in self._empty})

    def _times(self, found: Found) -> tuple[datetime, datetime]:
        first = self._date(found, self._rule.first_seen)
        last = self._date(found, self._rule.last_seen)
        created = first or last or self._undated
        return created, max(created, last or created)

    def _date(self, found: Found, columns: tuple[str, ...]) -> datetime | None:
        for column in columns:
            for text in self._filled(found, column):
                try:
                    moment = read_date(text, self._rule.date_formats)
                    if moment <= self._latest_start:
                        return moment
                    self._leave_out("a date far ahead", found.row.place)
                except UnreadableDateError as reason:
                    self._leave_out(str(reason), found.row.place)
        return None

    def _valid_until(self, found: Found, modified: datetime) -> datetime | None:
        """Returns the stated end. An unreadable end is treated differently from none."""
        days = self._rule.valid_days
        stated = [text for column in self._rule.valid_until for text in self._filled(found, column)]
        for text in stated:
            try:
                until = read_date(text, self._rule.date_formats)
            except UnreadableDateError:
                continue
            if until <= self._latest_end:
                return until
        if stated:
            days = days or BOUND_DAYS
            self._leave_out(f"an end that cannot be read (valid for {days} days instead)", found.row.place)
        return modified + timedelta(days=days) if days else None

    def _confidence(self, found: Found) -> int | None:
        stated = next(self._filled(found, self._rule.confidence_column or ""), None)
        if stated is None:
            return self._rule.confidence
        if stated.lower() in self._confidence_words:
            return self._confidence_words[stated.lower()]
        try:
            number = float(stated.rstrip(" %"))
        except ValueError:
            number = -1.0
        if number == 0 or 1 <= number <= 100:
            return int(number)
        self._leave_out("a confidence that is no number from 0 to 100", found.row.place)
        return None

    def _references(self, found: Found) -> list[dict[str, str]]:
        name = self._rule.reference_name or self._mapping.feed
        urls = [text.strip() for column in self._rule.reference_columns for text in found.texts(column)]
        return [{"source_name": name, "url": url} for url in sorted(set(urls)) if "://" in url]

    def _template(self, found: Found, template: str | None) -> str | None:
        if template is None:
            return None
        filled = {field: next(self._filled(found, field), None) for field in FIELD.findall(template)}
        if None in filled.values():
            return None
        return FIELD.sub(lambda match: filled[match[1]] or "", template)[:_TEXT_CHARS]

    def _filled(self, found: Found, column: str) -> Iterator[str]:
        texts = [text.strip() for text in found.texts(column)] if column else []
        filled = [text for text in texts if text.lower() not in self._empty]
        if len({*filled}) > 1 and found.is_shared(column):
            self._leave_out("several entries for one value, and no telling which is its own", found.row.place)
            return
        yield from filled


def _stamp(moment: datetime) -> str:
    """Returns a STIX timestamp in milliseconds."""
    return f"{moment.isoformat(timespec='milliseconds')[:23]}Z"

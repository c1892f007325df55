"""From a row to STIX indicators: by the mapping, with ids and times that stay the same when the row stays the same."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.csv.mapping import FeedMapping, ValueRule
from connectors.csv.rows import LeaveOut, Row, lookup
from connectors.csv.values import KINDS, WORDS, NotAValueError, pattern, read_values

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:ctihub:connector:csv")
"""Ids are UUIDv5 of it and centre, feed, kind and value, each ended by a line break."""
TLP_IDS = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
    "red": "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1",
}
_TLP_SPELLINGS = {"white": "clear", "amber-strict": "amber+strict", "amber_strict": "amber+strict"}
_FIELD = re.compile(r"\{([^{}]+)\}")
_TEXT_CHARS = 5_000

Indicator = dict[str, Any]


def stix_id(centre: str, feed: str, kind: str, value: str) -> str:
    """The id of a value in a feed of a centre: always the same one."""
    name = f"{centre}\n{feed}\n{kind}\n{value}\n".encode("utf-8", "surrogatepass")
    digest = hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()
    return f"indicator--{uuid.UUID(bytes=digest[:16], version=5)}"


class IndicatorMaker:
    """Makes the indicators of one file's rows."""

    def __init__(self, mapping: FeedMapping, *, centre: str, undated: datetime, leave_out: LeaveOut) -> None:
        self._mapping = mapping
        self._rule = mapping.indicator
        self._centre = centre
        self._undated = undated
        self._leave_out = leave_out
        self._empty = frozenset(word.lower() for word in mapping.no_value)

    def indicators(self, row: Row) -> Iterator[Indicator]:
        """One for each value that the row has."""
        found = False
        for rule in self._mapping.value:
            for kind, value in self._values(row, rule):
                found = True
                yield self._indicator(row, kind, value)
            if found and self._mapping.take == "first":
                return

    def _values(self, row: Row, rule: ValueRule) -> Iterator[tuple[str, str]]:
        kind = rule.kind or self._kind(row, rule)
        for text in self._filled(row, rule.column):
            if kind is None:
                self._leave_out("a kind that the mapping does not know")
                continue
            try:
                yield from read_values(text, kind)
            except NotAValueError as reason:
                self._leave_out(str(reason))

    def _kind(self, row: Row, rule: ValueRule) -> str | None:
        word = self._first(row, rule.kind_column or "") or ""
        known = {said.lower(): kind for said, kind in rule.kinds.items()}
        word = word.strip().lower()
        return known.get(word) or WORDS.get(word) or next((kind for kind in KINDS if kind.lower() == word), None)

    def _indicator(self, row: Row, kind: str, value: str) -> Indicator:
        created, modified = self._times(row)
        made: Indicator = {
            "type": "indicator",
            "spec_version": "2.1",
            "id": stix_id(self._centre, self._mapping.feed, kind, value),
            "created": _stamp(created),
            "modified": _stamp(modified),
            "pattern": pattern(kind, value),
            "pattern_type": "stix",
            "valid_from": _stamp(created),
        }
        said = self._rule
        labels = self._labels(row)
        types = sorted({*said.indicator_types, *(said.type_words[word] for word in labels if word in said.type_words)})
        optional = {
            "name": self._template(row, said.name),
            "description": self._template(row, said.description),
            "indicator_types": types,
            "confidence": self._confidence(row),
            "valid_until": self._valid_until(row, created, modified),
            "external_references": self._references(row),
        }
        made.update({name: content for name, content in optional.items() if content not in (None, [], "")})
        self._mark(made, row, labels)
        return made

    def _times(self, row: Row) -> tuple[datetime, datetime]:
        first = self._date(row, self._rule.first_seen)
        last = self._date(row, self._rule.last_seen)
        created = first or last or self._undated
        return created, max(created, last or created)

    def _valid_until(self, row: Row, created: datetime, modified: datetime) -> str | None:
        until = self._date(row, self._rule.valid_until)
        if until is None and self._rule.valid_days:
            until = modified + timedelta(days=self._rule.valid_days)
        return _stamp(until) if until and until > created else None

    def _date(self, row: Row, columns: tuple[str, ...]) -> datetime | None:
        for column in columns:
            for text in self._filled(row, column):
                if (parsed := _parsed(text, self._rule.date_formats)) is not None:
                    return parsed
        return None

    def _confidence(self, row: Row) -> int | None:
        said = self._first(row, self._rule.confidence_column or "")
        if said is None:
            return self._rule.confidence
        if said.lower() in self._rule.confidence_words:
            return self._rule.confidence_words[said.lower()]
        try:
            return min(max(int(float(said.rstrip(" %"))), 0), 100)
        except (ValueError, OverflowError):
            return self._rule.confidence

    def _labels(self, row: Row) -> list[str]:
        words = list(self._rule.labels)
        for column in self._rule.label_columns:
            for text in self._filled(row, column):
                words += (word.strip() for word in text.split(self._rule.label_separator))
        return sorted({word for word in words if word.lower() not in self._empty})

    def _mark(self, made: Indicator, row: Row, labels: list[str]) -> None:
        """The marking; a TLP that cannot be read goes along as a label, so that the hub holds the object."""
        said = self._first(row, self._rule.tlp_column or "")
        level = said if said is not None else self._rule.tlp
        if level is not None:
            word = level.strip().lower()
            words = {feeds.lower(): ours for feeds, ours in self._rule.tlp_words.items()}
            word = words.get(word, word).removeprefix("tlp:").strip()
            marking = TLP_IDS.get(_TLP_SPELLINGS.get(word, word))
            if marking:
                made["object_marking_refs"] = [marking]
            else:
                labels = [*labels, f"tlp:{word}"]
        if labels:
            made["labels"] = labels

    def _references(self, row: Row) -> list[dict[str, str]]:
        name = self._rule.reference_name or self._mapping.feed
        urls = [text for column in self._rule.reference_columns for text in self._filled(row, column)]
        return [{"source_name": name, "url": url} for url in sorted(set(urls)) if "://" in url]

    def _template(self, row: Row, template: str | None) -> str | None:
        if template is None:
            return None
        filled = {field: self._first(row, field) for field in _FIELD.findall(template)}
        if None in filled.values():
            return None
        return _FIELD.sub(lambda match: filled[match[1]] or "", template)[:_TEXT_CHARS]

    def _first(self, row: Row, column: str) -> str | None:
        return next(self._filled(row, column), None) if column else None

    def _filled(self, row: Row, column: str) -> Iterator[str]:
        for text in lookup(row, column):
            text = text.strip()
            if text.lower() not in self._empty:
                yield text


def _parsed(text: str, formats: tuple[str, ...]) -> datetime | None:
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError:
        pass
    for form in formats:
        try:
            return _utc(datetime.strptime(text, form))  # noqa: DTZ007 - made UTC at once
        except ValueError:
            continue
    return None


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error


def _stamp(moment: datetime) -> str:
    """As STIX writes it, in milliseconds."""
    return f"{moment.isoformat(timespec='milliseconds')[:23]}Z"

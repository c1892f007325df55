"""Parses TAXII requests: query parameters and accepted media types. It is lenient where clients need it, and its errors
are precise.

Source: TAXII 2.1, sections 3.4 (filtering), 3.5 (pagination), 1.6.8.1 (content negotiation).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from hub.doors.settings import MOST_PAGE_OBJECTS
from hub.doors.taxii.cursor import Cursor
from hub.model.errors import Refused, WrongType
from hub.model.times import parse_us
from hub.model.words import Seq
from hub.store.port import Filter

SPEC_VERSION = "2.1"
_TAXII = "application/taxii+json"
TAKEN = (_TAXII, "application/stix+json", "application/json")
"""The media types of what is added."""
_NO_WEIGHT = re.compile(r"0(\.0*)?", re.ASCII)
_BEGINNING = Seq(0)
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_LONGEST = len(str(MOST_PAGE_OBJECTS))
_MOST = {"version": 20, "type": 50, "id": 500, "spec_version": 20}
"""The number of values that a filter accepts: each version and type is a separate query."""
_MOST_CHARS = 24 << 10
"""The total length of a filter's values: clients repeat them next to a ``next`` that has them too, within 64 KiB."""
_WORDS_OF_VERSION = frozenset({"all", "first", "last"})


class Parameters(Protocol):
    """Query parameters that may be repeated: Starlette's ``QueryParams``."""

    def getlist(self, key: str, /) -> list[str]:
        """Returns all values of a parameter."""
        ...


@dataclass(frozen=True, slots=True)
class Query:
    """A request for objects, manifests or versions, with its cursor. Empty filters match everything."""

    limit: int
    after: Seq = _BEGINNING
    added_after_us: int | None = None
    ids: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    """``all``, ``first``, ``last`` or times in microseconds; empty: the endpoint's default."""
    spec_versions: tuple[str, ...] = ()

    @property
    def nothing_passes(self) -> bool:
        """Whether the requested spec versions exclude 2.1, which all objects here have."""
        return bool(self.spec_versions) and SPEC_VERSION not in self.spec_versions

    def filter(self, default: str) -> Filter:
        """Returns the filter for the store; ``default`` is the version if none is stated."""
        return Filter(
            ids=frozenset(self.ids),
            types=frozenset(self.types),
            versions=self.versions or (default,),
            after_us=self.added_after_us,
        )

    def cursor(self, log: int, after: Seq) -> Cursor:
        """Returns the cursor of the next page, with the filters of this request."""
        return Cursor(log, after, self.added_after_us, self.ids, self.types, self.versions, self.spec_versions)

    def going_on(self, cursor: Cursor) -> Query:
        """Returns this request continued at a cursor. Filters that it does not state are taken from the cursor (clients
        drop them on page 2); of two ``added_after`` the later is used (OpenCTI sends a new one with an old cursor).
        """
        times = [us for us in (self.added_after_us, cursor.added_after_us) if us is not None]
        return replace(
            self,
            after=cursor.after,
            added_after_us=max(times, default=None),
            ids=self.ids or cursor.ids,
            types=self.types or cursor.types,
            versions=self.versions or cursor.versions,
            spec_versions=self.spec_versions or cursor.spec_versions,
        )


def query_of(parameters: Parameters, *, page_objects: int) -> Query:
    """Parses the parameters except ``next``. Raises Refused for malformed ones; ignores unknown ones. ``page_objects``:
    the limit if none is stated.
    """
    return Query(
        limit=_limit(parameters.getlist("limit"), page_objects),
        added_after_us=_added_after(parameters.getlist("added_after")),
        ids=_words(parameters, "id"),
        types=_words(parameters, "type"),
        versions=_versions(_words(parameters, "version")),
        spec_versions=_words(parameters, "spec_version"),
    )


def _words(parameters: Parameters, name: str) -> tuple[str, ...]:
    """Returns the values of ``match[name]``, which are separated by commas or by repeating the parameter. They are
    sorted, so that equal filters have equal cursors.
    """
    said = parameters.getlist(f"match[{name}]")
    words = {word.strip() for value in said for word in value.split(",")} - {""}
    if said and not words:
        raise Refused("taxii.match", f"match[{name}] has no value.", "Leave it out to get everything.")
    if len(words) > _MOST[name] or sum(map(len, words)) > _MOST_CHARS:
        says = f"match[{name}] takes {_MOST[name]} values and {_MOST_CHARS:,} characters at once."
        raise Refused("taxii.match", says, "Split the request.")
    return tuple(sorted(words))


def _limit(said: list[str], usual: int) -> int:
    """Returns the limit, reduced to the most that there is; however long the number is."""
    if not said:
        return usual
    digits = said[-1].lstrip("0")
    if not _DIGITS.fullmatch(said[-1]) or not digits:
        raise Refused("taxii.limit", "limit is a whole number from 1.", "Leave it out for a page of the usual size.")
    return MOST_PAGE_OBJECTS if len(digits) > _LONGEST else min(int(digits), MOST_PAGE_OBJECTS)


def _added_after(said: list[str]) -> int | None:
    if len(said) > 1:
        raise Refused("taxii.time", "added_after can be sent only once.", "Send the time after which to go on.")
    return _time(said[0], "added_after") if said else None


def _versions(words: tuple[str, ...]) -> tuple[str, ...]:
    if "all" in words:
        return ("all",)
    return tuple(word if word in _WORDS_OF_VERSION else str(_time(word, "match[version]")) for word in words)


def _time(said: str, name: str) -> int:
    """Returns microseconds. A blank is read as a plus sign, which clients do not always escape in the URL."""
    try:
        return parse_us(said.strip().replace(" ", "+"))
    except (ValueError, OverflowError):
        raise Refused(
            "taxii.time",
            f"{name} is not an RFC 3339 time of the years 1 to 9999.",
            "It looks like 2026-01-31T12:00:00.123Z.",
        ) from None


def require_acceptable(accept: Iterable[str]) -> None:
    """Raises Refused (406) if the client accepts only other versions of TAXII or STIX, or excludes this one by ``q=0``.

    This is lenient: clients send ``application/json``, ``*/*``, or nothing, and can read 2.1.
    """
    ranges = [media_type_in(one) for header in accept for one in header.split(",") if one.strip()]
    named = [one for one in ranges if one[0] == _TAXII and not _is_other_version(*one)]
    if named:
        ranges = [max(named, key=lambda one: "version" in one[1])]  # RFC 9110, section 12.5.1: the most specific counts
    if ranges and all(_is_excluded(one[1]) or _is_other_version(*one) for one in ranges):
        raise Refused(
            "http.not-acceptable",
            "This is TAXII 2.1.",
            "Send Accept: application/taxii+json;version=2.1.",
        )


def _is_other_version(media_type: str, parameters: Mapping[str, str]) -> bool:
    if not media_type.endswith(("taxii+json", "stix+json")):
        return False
    of_2_0 = media_type.startswith("application/vnd.oasis.")
    return parameters.get("version", "2.0" if of_2_0 else SPEC_VERSION) != SPEC_VERSION


def _is_excluded(parameters: Mapping[str, str]) -> bool:
    """Returns whether the weight is zero (RFC 9110, section 12.4.2)."""
    return _NO_WEIGHT.fullmatch(parameters.get("q", "1")) is not None


def require_taken(content_type: str | None) -> None:
    """Raises WrongType (415) for a body that is neither TAXII nor STIX in JSON, or is of another version of TAXII."""
    said = (content_type or "").strip()
    media_type, parameters = media_type_in(said)
    other = media_type == _TAXII and parameters.get("version", SPEC_VERSION) != SPEC_VERSION
    if media_type in TAKEN and not other:
        return
    says = f"Content-Type {said[:100]} is not taken here." if media_type else "There is no Content-Type."
    raise WrongType("push.media-type", says, "Use application/taxii+json;version=2.1.")


def media_type_in(header: str) -> tuple[str, dict[str, str]]:
    """Returns a media type and its parameters, in small letters (RFC 9110, section 8.3.1).

    >>> media_type_in('Application/TAXII+json ; version="2.1"; charset=UTF-8')
    ('application/taxii+json', {'version': '2.1', 'charset': 'utf-8'})
    """
    media_type, *parameters = (part.strip() for part in header.lower().split(";"))
    said = (parameter.partition("=") for parameter in parameters)
    return media_type, {name.strip(): value.strip().strip('"') for name, _, value in said}

"""What collections show of values: of each itself, of what is around it, and other digests of the same file.

Hundreds of values are looked up together by a few statements. All that an answer is made of are views of the
collections that the caller may read; see ``looked_up``, which composes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from hub.model.policy import Collection as SharedCollection
from hub.model.problems import cut
from hub.patterns import (
    NetworkWidths,
    Observable,
    covering,
    digest_key,
    host_key,
    host_observable,
    host_of,
    value_candidates,
    value_key,
    width_key,
)
from hub.questions.looked_up import MOST_OF_EACH, LookedUp, Sought, SoughtValue, answer_for, shown_for
from hub.questions.naming import is_stix_id, things_of
from hub.store.port import Store
from hub.store.thing_port import LookedUpView, SearchKeys

BATCH = 2_500
"""Values that are looked up together: the more there are, the more networks they share."""
_LARGE_BYTES = 32 << 20
"""Bytes of large objects that are read together; if there are more, fewer values are looked up at once."""
_MOST_LARGE_BYTES = 128 << 20
"""The same for a value alone."""
_LENGTHS = {"ipv4-addr": range(31, -1, -1), "ipv6-addr": range(127, -1, -1)}
"""Of networks, the longest first."""
_HOSTS = frozenset({"ipv4-addr", "ipv6-addr", "domain-name"})
_Read: TypeAlias = tuple[str, Sequence[Observable]]
"""A text, and all that it may be."""
UnansweredCode = Literal["lookup.no-value", "lookup.not-utf-8", "lookup.too-large"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Instead of an answer: the text is no value, or too much is known of it."""

    asked: str
    code: UnansweredCode
    says: str
    way_out: str


LookupResult: TypeAlias = LookedUp | Unanswered


async def look_up(
    store: Store, collections: Sequence[SharedCollection], asked: Sequence[str]
) -> AsyncIterator[list[LookupResult]]:
    """Yields the answers in the order asked, in parts. ``collections``: those that the caller may read.

    Raises TryAgain.
    """
    policy = await store.policy()
    search = _Search(store, collections, policy.today_us)
    for start in range(0, len(asked), BATCH):
        some = asked[start : start + BATCH]
        found = await search.answers(list(dict.fromkeys(some)))
        yield [found[text] for text in some]


def unread(asked: str) -> Unanswered:
    """The answer to a text that is no value."""
    if not _is_unicode(asked):
        return Unanswered(asked, "lookup.not-utf-8", "This line is not UTF-8.", "Send text in UTF-8.")
    if _is_for_explain(asked):
        way_out = "Ask /v1/explain about a pattern or a STIX id."
    else:
        way_out = "Write an address, network, name, URL, digest, e-mail address, MAC address or AS number."
    return Unanswered(asked, "lookup.no-value", f"{cut(asked)} is no value that can be looked up.", way_out)


class _Search:
    """Looks values up in these collections."""

    def __init__(self, store: Store, collections: Sequence[SharedCollection], today_us: int | None) -> None:
        self._things = store.things
        self._names = {collection.no: collection.name for collection in collections}
        self._today_us = today_us

    async def answers(self, asked: Sequence[str]) -> dict[str, LookupResult]:
        """The answers to different texts."""
        readings = await _work(asked, lambda: {text: _readings(text) for text in asked})
        widths = await self._widths({kind for some in readings.values() for kind in _kinds(some)})
        read = [(text, some) for text, some in readings.items() if some]
        found: dict[str, LookupResult] = {text: unread(text) for text, some in readings.items() if not some}
        found.update((one.asked, one) for one in await self._answers(read, widths))
        return found

    async def _widths(self, kinds: Collection[str]) -> NetworkWidths:
        """The prefix lengths of the networks that anybody has named: the others need not be looked for."""
        pairs = [(kind, length) for kind in _LENGTHS if kind in kinds for length in _LENGTHS[kind]]
        known = await self._things.is_known([width_key(*pair) for pair in pairs])
        named = [pair for pair, is_known in zip(pairs, known, strict=True) if is_known]
        return {kind: [length for of, length in named if of == kind] for kind in _LENGTHS}

    async def _answers(self, read: Sequence[_Read], widths: NetworkWidths) -> list[LookupResult]:
        if not read:
            return []
        is_alone = len(read) == 1
        limit_bytes = _MOST_LARGE_BYTES if is_alone else _LARGE_BYTES
        sought, keys = await _work(read, lambda: self._sought(read, widths, limit_bytes))
        found = await self._things.look_up(keys)
        if not found.is_too_large:
            return await _work(read, lambda: self._composed(sought, found.views))
        if is_alone:
            return [_too_large(read[0][0])]
        half = len(read) // 2
        return [*await self._answers(read[:half], widths), *await self._answers(read[half:], widths)]

    def _sought(self, read: Sequence[_Read], widths: NetworkWidths, limit_bytes: int) -> tuple[Sought, SearchKeys]:
        """What is looked for, and the keys under which it is found."""
        each = [_sought_value(text, readings, widths) for text, readings in read]
        around = {one for value in each for one in value.covering}
        values = {one for value in each for one in value.readings}
        digests = {one.value for one in values if one.kind == "file"}
        wide = {one for one in around if one.kind in _LENGTHS and "/" in one.value}
        networks = {thing: one for one in wide for thing in things_of(one)}
        things = {thing: one for one in values | (around - wide) for thing in things_of(one)}
        keys = SearchKeys(
            things,
            {value_key(one.value) for one in values}
            | {digest_key(no, digest) for digest in digests for no in self._names},
            {value_key(one.value) for one in around} | {host_key(host) for value in each for host in value.hosts},
            self._names,
            MOST_OF_EACH + 1,
            limit_bytes,
            networks,
            [width_key(kind, length) for kind, lengths in widths.items() for length in lengths],
        )
        return Sought(each, values | around, networks | things), keys

    def _composed(self, sought: Sought, views: Iterable[LookedUpView]) -> list[LookupResult]:
        shown = shown_for(sought, views, self._names, self._today_us)
        return [answer_for(one, shown) for one in sought.each]


def _readings(text: str) -> tuple[Observable, ...]:
    is_text = _is_unicode(text) and "\0" not in text
    return value_candidates(text) if is_text and not _is_for_explain(text) else ()


def _kinds(readings: Iterable[Observable]) -> Iterator[str]:
    """The kinds of values, and of the hosts of URLs."""
    for one in readings:
        yield one.kind
        if one.kind == "url" and (host := host_of(one.value)):
            yield host_observable(host).kind


def _is_for_explain(text: str) -> bool:
    """Whether a text is a pattern or a STIX id, which may look like a value."""
    return text.strip().startswith("[") or is_stix_id(text.strip())


def _is_unicode(text: str) -> bool:
    """Whether a text can be written in UTF-8: without half of a surrogate pair."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _sought_value(text: str, readings: Sequence[Observable], widths: NetworkWidths) -> SoughtValue:
    around = [found for one in readings for found in covering(one, widths)]
    hosts = {one.value: None for one in readings if one.kind in _HOSTS and "/" not in one.value}
    return SoughtValue(text, readings, around if len(readings) == 1 else list(dict.fromkeys(around)), list(hosts))


def _too_large(asked: str) -> Unanswered:
    says = f"The objects about {cut(asked)} are larger than one answer may be."
    return Unanswered(asked, "lookup.too-large", says, "Ask /v1/explain about it.")


async def _work(asked: Sequence[object], work: Callable[[], T]) -> T:
    """Do work whose duration grows with the number of values; in a thread if there are several."""
    return work() if len(asked) == 1 else await asyncio.to_thread(work)

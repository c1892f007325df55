"""Erases a value from all that a hub keeps, and makes it recognisable by keyed digests alone.

The order makes sure that it cannot come back, that members are told first, and that it can be continued after a crash:

1. Remember the request: from now on every step refuses what says the value. Wait for the steps that did not know it.
2. Withdraw the contributions that say it, in steps like those of a worker, and delete them: each collection gets the
   usual rows for the end of its views.
3. Erase what is left of them: the content of the rows of logs, rejections, receipts, held objects, small tables.
4. Erase the records of the event log.
5. Delete what was to be erased, record how much was, and write the files anew.

Until then it is kept what is to be erased. Each part is searched from its start until nothing is found, so whoever
continues does not need to know how far it was, and two may do it at once. Source: docs/semantics.md, section 12.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from hub.core.forgotten import record_says
from hub.core.step import Step, StepSettings
from hub.log.port import EventLog, StoredRecord, TopicPartition
from hub.model.claims import Claim, ClaimKey
from hub.model.errors import NotFound, Refused, TryAgain, WrongUsage
from hub.model.forgettings import Erasable, Forgetting, Request
from hub.model.forgotten import plain_value, says_any
from hub.model.policy import Policy
from hub.model.problems import Problem
from hub.model.record_headers import read_headers
from hub.model.stix_types import SCO_TYPES, STIX_TYPES
from hub.model.words import CanonicalKey, StixId
from hub.patterns import canonical, keys_asked, value_candidates
from hub.patterns.candidates import refang
from hub.questions.naming import is_stix_id, things_named
from hub.store.erasing_port import ErasablePart, ErasableStore, Search
from hub.worker import run_step

T = TypeVar("T")

_CLAIMS = 500
"""Contributions that are read at once."""
_AT_ONCE = 200
"""Contributions of one step, and rows that one transaction searches: other writers wait for one at most."""
_PAUSES_S = (0.05, 0.2, 1.0, 2.0, 5.0, 10.0)
_LEAST_CHARS = 4
"""Shorter values occur everywhere."""


class Eraser:
    """See the head of this module."""

    def __init__(self, store: ErasableStore, log: EventLog, settings: StepSettings, now_us: Callable[[], int]) -> None:
        self._store = store
        self._log = log
        self._settings = settings
        self._now_us = now_us

    # ------------------------------------------------------------ what to erase

    async def look_up(self, said: str) -> Erasable:
        """Returns what a value in any spelling, a pattern or a STIX id means. Raises WrongUsage, Refused."""
        text = said.strip()
        what = await self._of_id(StixId(text)) if is_stix_id(text) else _of_value(text)
        ids = dict.fromkeys((*what.ids, *await self._store.erasing.shown_under(what.things)))
        what = replace(what, ids=tuple(ids))
        if any(what.is_said_in(name) or name in what.ids for name in _registered(await self._store.policy())):
            says = "The registry of this hub says it; it shows this by itself and cannot erase it."
            raise Refused("forget.registered", says, "Change the centre, member, group or collection first.")
        return what

    async def _of_id(self, stix_id: StixId) -> Erasable:
        """The things that are shown or claimed under an id, with their values."""
        under = await self._store.things.claims_under([stix_id])
        shown = await self._store.erasing.things_shown(stix_id)
        things = dict.fromkeys((*shown, *(claim.thing for claim in under if claim.thing is not None)))
        claims = [*under, *await self._store.things.claims_about(tuple(things))]
        said = [_meant_by(value) for value in sorted({value for claim in claims for value in _values_of(claim)})]
        found = [one if _complaint(one) is None else replace(one, values=()) for one in said]
        return Erasable(
            tuple(dict.fromkeys(value for one in found for value in one.values)),
            tuple(dict.fromkeys((*things, *(thing for one in found for thing in one.things)))),
            (stix_id,),
            tuple(dict.fromkeys(key for one in found for key in one.lookups)),
            any(one.spelled for one in found),
        )

    async def claims(self, what: Erasable) -> list[Claim]:
        """Returns the contributions that would be erased, without their content."""
        found: list[Claim] = []
        after: int | None = 0
        while after is not None:
            claims, after = await self._store.erasing.claims_after(after, _CLAIMS)
            found += [replace(claim, body=b"", parsed=None) for claim in claims if what.is_claimed_by(claim)]
        return found

    async def names(self) -> dict[int, str]:
        """Returns the names of the sources, by number."""
        return {no: str(source.name) for no, source in (await self._store.policy()).sources.items()}

    # ------------------------------------------------------------ requests

    async def requests(self) -> Sequence[Forgetting]:
        """Returns all requests, the oldest first."""
        return await self._store.erasing.requests()

    async def remember(self, what: Erasable, request: Request, *, notice_us: int = 0) -> int:
        """Refuse what says this from now on, whether or not anything does; returns the number of the request.
        ``notice_us``: for how long the closing versions stay.
        """
        now_us = self._now_us()
        async with self._store.erasing.transaction(gives_way=False) as tx:
            key = (await tx.policy()).namespace.bytes
            return await tx.add(what, request, now_us, now_us + notice_us if notice_us else 0, key)

    async def lift(self, no: int) -> list[Forgetting]:
        """Let what was erased by a request come again, and erase no more of it; returns it, and the other requests of
        the same value, which are lifted with it. Raises NotFound.
        """
        await self._request(no)
        async with self._store.erasing.transaction(gives_way=False) as tx:
            lifted = await tx.lift(no, self._now_us())
        return [one for one in await self.requests() if one.no in lifted]

    async def resume(self) -> list[Forgetting]:
        """Erase what was sent again, and continue the requests whose time has come; returns these."""
        await self.erase_unwanted()
        open_ = [one for one in await self.requests() if one.done_us is None]
        now_us = self._now_us()
        return [await self.run(one.no) for one in open_ if one.searched_us is None or one.closing_us <= now_us]

    async def run(self, no: int) -> Forgetting:
        """Erase what a request says; returns the request as it is then. Raises TryAgain, NotFound."""
        request = await self._request(no)
        if request.what is not None:
            await self._erase(request, request.what)
        if not (await self._request(no)).is_waiting:
            await self._store.erasing.clean()
            await self._log.clean()
            async with self._store.erasing.transaction() as tx:
                await tx.done(no, self._now_us())
        return await self._request(no)

    async def _request(self, no: int) -> Forgetting:
        for one in await self.requests():
            if one.no == no:
                return one
        raise NotFound("forget.unknown", f"There is no request with the number {no}.", "See ctihub forget.")

    # ------------------------------------------------------------ erasing

    async def _erase(self, request: Forgetting, what: Erasable) -> None:
        no, erasing, now_us = request.no, self._store.erasing, self._now_us()
        async with erasing.transaction() as tx:
            await tx.alone()  # a step that does not know the request must end before the claims are read
        await self._erase_claims(no, what)
        for collection, things in (await erasing.put_off(what)).items():
            await _patiently(partial(self._publish, collection, things))
        records = await self._log.find(partial(record_says, what=what, limits=self._settings.limits))
        closing_us = request.closing_us
        search = Search(no, what, self._settings.limits, now_us, closing_us, *_places(records))
        for part in ErasablePart:
            await self._erase_part(part, search)
        places = [(TopicPartition(one.topic, one.partition), one.offset) for one in records]
        erased = await self._log.erase(places, await erasing.positions())
        async with erasing.transaction() as tx:
            await tx.count_records(no, len(erased))
            await tx.searched(no, now_us)
            if now_us >= closing_us:
                await tx.erased(no, now_us)

    async def _erase_claims(self, no: int, what: Erasable) -> None:
        groups: dict[int, list[ClaimKey]] = defaultdict(list)
        for claim in await self.claims(what):
            groups[_group_of(claim)].append(claim.key)
        for _, keys in sorted(groups.items()):
            await _patiently(partial(self._withdraw, no, what, keys))

    async def _withdraw(self, no: int, what: Erasable, keys: Sequence[ClaimKey]) -> None:
        async with self._store.erasing.transaction() as tx:
            step = Step.of_forgotten(await tx.policy(), self._settings, self._now_us(), keys, what)
            await run_step(tx, step)
            await tx.delete_claims(no, step.forgotten)

    async def _publish(self, collection: int, things: Sequence[CanonicalKey]) -> None:
        """Publish the next versions now, since those that are shown say what is to be erased."""
        async with self._store.erasing.transaction() as tx:
            await run_step(tx, Step.of_things(await tx.policy(), self._settings, self._now_us(), collection, things))

    async def _erase_part(self, part: ErasablePart, search: Search) -> None:
        cursor: bytes | None = b""
        while cursor is not None:
            cursor = await _patiently(partial(self._erase_page, part, search, cursor))

    async def _erase_page(self, part: ErasablePart, search: Search, cursor: bytes) -> bytes | None:
        async with self._store.erasing.transaction() as tx:
            return await tx.erase(part, search, cursor, _AT_ONCE)

    async def erase_unwanted(self) -> None:
        """Erase the records that said again what was erased, and were refused for it."""
        records = await self._store.erasing.unwanted()
        if records:
            erased = await self._log.erase(records, await self._store.erasing.positions())
            await self._store.erasing.settle_unwanted(erased)


async def _patiently(work: Callable[[], Awaitable[T]]) -> T:
    """Repeat a transaction that another one has ended. Raises TryAgain after some attempts."""
    for pause_s in _PAUSES_S:
        try:
            return await work()
        except TryAgain:
            await asyncio.sleep(pause_s)
    return await work()


def _group_of(claim: Claim) -> int:
    """The step, of 256, in which a claim is withdrawn. It depends on the claim alone: the order of a collection's rows
    must not tell of claims that its audience does not see. Claims about one thing are withdrawn together.
    """
    return claim.key[-1] if claim.thing is None else claim.thing[0]


def _places(records: Iterable[StoredRecord]) -> tuple[frozenset[tuple[str, int, int]], frozenset[tuple[str, int]]]:
    """The positions of records, and the receipts and indexes of those that were pushed."""
    places, pushed = set(), set()
    for one in records:
        places.add((str(one.topic), one.partition, one.offset))
        headers = read_headers(one.headers)
        if headers.receipt is not None:
            pushed.add((headers.receipt, headers.index))
    return frozenset(places), frozenset(pushed)


def _registered(policy: Policy) -> Iterator[str]:
    """The names and ids that the hub shows of itself, its sources, groups and collections."""
    yield policy.hub_identity
    yield from policy.groups
    yield from (group.marking for group in policy.groups.values())
    yield from (collection.name for collection in policy.collections.values())
    for source in policy.sources.values():
        yield from (source.name, source.identity, source.alias or "", *source.speaks_for)


# ---------------------------------------------------------------- what a value means


def _of_value(text: str) -> Erasable:
    """What a value or a pattern means. Raises WrongUsage for one that occurs in objects that are not about it."""
    found = _meant_by(text)
    if (complaint := _complaint(found)) is not None:
        raise complaint
    return found


def _complaint(what: Erasable) -> WrongUsage | None:
    """Why a value cannot be looked for in texts, if it cannot."""
    if any(len(value) < _LEAST_CHARS for value in what.values):
        says = f"A value of fewer than {_LEAST_CHARS} letters or digits occurs everywhere."
        return WrongUsage("forget.short", says, "Name the whole value, or a STIX id.")
    if any(_month(value) or says_any(_ANY_OBJECT, (value,)) for value in what.values):
        says = "Objects that have nothing to do with it say it too, as the name of a property or in a date."
        return WrongUsage("forget.everywhere", says, "Name the whole value, or a STIX id.")
    return None


def _meant_by(text: str) -> Erasable:
    """What a value or a pattern means. Of a pattern that names several values only the pattern is meant."""
    if text.startswith("["):
        values = _values_in(text)
        if isinstance(values, Problem):
            raise WrongUsage("forget.pattern", values.says, "Write a STIX pattern, a value or a STIX id.")
        if values:
            return _meant_by(values[0])
        spellings = [text]
    else:
        spellings = [text, refang(text), *(one.value for one in value_candidates(text) if one.kind != _NUMBERED)]
    found = {plain_value(each): None for each in spellings}
    things = things_named(text)
    return Erasable(
        tuple(found),
        () if isinstance(things, Problem) else tuple(dict.fromkeys(things)),
        lookups=tuple(keys_asked(text)),
        spelled=any(char in value for value in found for char in ":\\-"),
    )


def _values_in(pattern: str) -> list[str] | Problem:
    """The value of a pattern that asserts one and names no other."""
    found = canonical(pattern)
    if isinstance(found, Problem):
        return found
    alone = len(found.asserted) == 1 and not found.others and found.asserted[0].kind != _NUMBERED
    return [found.asserted[0].value] if alone else []


def _values_of(claim: Claim) -> list[str]:
    """The value of an observable, or of an indicator of one."""
    obj = claim.obj
    if claim.type in SCO_TYPES and isinstance(obj.get("value"), str):
        return [obj["value"]]
    if claim.type == "indicator" and obj.get("pattern_type") == "stix":
        found = _values_in(obj["pattern"])
        return [] if isinstance(found, Problem) else found
    return []


_month = re.compile(r"(?:19|20)\d\d(?:-\d\d)?").fullmatch
_ANY_OBJECT = plain_value(
    """{"type": "indicator", "spec_version": "2.1", "id": "indicator--", "created_by_ref": "identity--", "created": "",
    "modified": "", "revoked": false, "labels": ["tlp:clear", "tlp:green", "tlp:amber", "tlp:amber+strict", "tlp:red"],
    "confidence": 50, "lang": "en", "external_references": [{"source_name": "", "url": "https://http://"}],
    "object_marking_refs": ["marking-definition--"], "granular_markings": [{"marking_ref": "", "selectors": []}],
    "name": "", "description": "", "indicator_types": ["malicious-activity"], "pattern": "[:value = '']",
    "pattern_type": "stix", "pattern_version": "2.1", "valid_from": "", "valid_until": "", "is_family": true,
    "kill_chain_phases": [{"kill_chain_name": "", "phase_name": ""}], "relationship_type": "indicates related-to",
    "source_ref": "", "target_ref": "", "published": "", "object_refs": [], "extensions": {}, "extension_type": ""}"""
)
_ANY_OBJECT += " " + " ".join(sorted(STIX_TYPES))
"""Words that objects say whatever they are about."""
_NUMBERED = "autonomous-system"
"""Its values are plain numbers, which occur everywhere."""

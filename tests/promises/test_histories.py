"""What holds of every hub at every moment, whatever was said: versions, logs, closure, markings, valid STIX, rebuild.

Source: docs/semantics.md, section 8.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import stix2
from hypothesis import Phase, given, settings
from stix2validator import ValidationOptions, validate_instance

from hub.model.claims import Change
from hub.model.markings import LEVEL_OF_ID
from hub.questions.verify import verified
from tests import examples
from tests.promises.histories import History, Set, a_history
from tests.promises.scenes import dense_histories
from tests.promises.telling import COLLECTIONS, Telling, a_hub, references_in, what_differs_from_recomputed
from tests.story import SECOND_US, Story


def few(number: int) -> settings:
    """Settings of a property of histories. One that breaks it is printed as it is: shrinking takes too long."""
    return examples.few(number, database=None, phases=[Phase.generate])


@few(45)
@given(history=dense_histories(dates=True))
async def test_what_is_shown_holds_together_after_every_batch(history: History) -> None:
    await _holds_together(history)


@few(12)
@given(history=dense_histories())
async def test_so_it_does_while_versions_are_put_off(history: History) -> None:
    await _holds_together(replace(history, events=(Set("pace", "3"), *history.events)))


async def _holds_together(history: History) -> None:
    async with a_hub() as story:
        telling = Telling(story, history)
        await telling.begin()
        for number in range(len(history.events)):
            await telling.event(number)
            for name in COLLECTIONS:
                await _is_closed(story, name)
        story.now_us += 10 * SECOND_US  # what was put off has come by then
        await story.sweep()
        assert list(await verified(story.place.store)) == []  # also while versions are put off
        story.now_us += 10 * SECOND_US
        await story.sweep()
        for name in COLLECTIONS:
            rows = await story.log(name)
            await _is_closed(story, name)
            _is_numbered(rows)
            _has_versions(rows)
            await _is_marked(story, name, rows)
        assert await what_differs_from_recomputed(story) == []


async def test_a_step_comes_to_an_end_where_what_must_wait_holds_itself_up() -> None:
    """Many wait for a grouping that a note needs, and the grouping needs the note."""
    async with a_hub() as story:
        await Telling(story, a_history(1712714, repeats=False)).tell()
        assert await what_differs_from_recomputed(story) == []


async def test_what_is_deferred_for_a_name_comes_to_its_turn_although_one_of_the_views_under_it_goes() -> None:
    """Two centres claim things under one id; one of the views goes while claims that refer to the other one wait."""
    async with a_hub() as story:
        await Telling(story, a_history(8388609)).tell()
        assert await what_differs_from_recomputed(story) == []


async def _is_closed(story: Story, name: str) -> None:
    """INV-12: every reference resolves in the collection."""
    shown = await story.shown(name)
    for obj in shown.values():
        dangling = [ref for ref in references_in(obj) if ref not in shown]
        assert not dangling, (name, dangling, obj)


def _is_numbered(rows: Iterable[Change]) -> None:
    """INV-9: numbers without gap, dates strictly increasing."""
    before = None
    for number, row in enumerate(rows, 1):
        assert row.seq == number
        assert before is None or row.date_added_us >= before.date_added_us + 20
        before = row


def _has_versions(rows: Iterable[Change]) -> None:
    """INV-8: one id and ``modified`` mean one content; ``modified`` grows, over withdrawals as well; no version for
    nothing.
    """
    contents: dict[tuple[str, str], str] = {}
    last: dict[str, Change] = {}
    for row in rows:
        obj = json.loads(row.body) if row.body else {}
        modified = obj.get("modified")
        before = last.get(row.object_id)
        text = json.dumps({key: value for key, value in obj.items() if key != "modified"}, sort_keys=True)
        if modified is not None:
            assert contents.setdefault((row.object_id, modified), text) == text, obj
            newest = max((m for (o, m) in contents if o == row.object_id), key=_instant)
            assert _instant(modified) == _instant(newest), obj
        if before is not None and not before.withdrawn and not row.withdrawn:
            old = json.loads(before.body)
            assert {**old, "modified": 0} != {**obj, "modified": 0}, obj
        if row.withdrawn:
            assert before is not None, row
            assert not before.withdrawn, row
        last[row.object_id] = row


def _instant(text: str) -> str:
    whole, _, fraction = text.rstrip("Z").partition(".")
    return whole + "." + fraction.ljust(6, "0")


async def _is_marked(story: Story, name: str, rows: Iterable[Change]) -> None:
    """INV-11: with one level, never above the collection's."""
    policy = await story.policy()
    collection = next(c for c in policy.collections.values() if c.name == name)
    for row in rows:
        obj = json.loads(row.body or b"{}")
        levels = [LEVEL_OF_ID[ref] for ref in obj.get("object_marking_refs", ()) if ref in LEVEL_OF_ID]
        if "object_marking_refs" in obj:
            assert len(levels) == 1, obj
            assert levels[0] <= collection.audience.level, obj


# ---------------------------------------------------------------- valid STIX

_OPTIONS = ValidationOptions(version="2.1", strict=False, disabled="all", silent=True)
_UUID = re.compile(r"(?<=--)[0-9a-f]{8}-[0-9a-f]{4}-([45])[0-9a-f]{3}-([89ab])[0-9a-f]{3}-[0-9a-f]{12}")
_VALID: set[str] = set()
"""What was found valid in this or another history: the validator takes its time, and does not care which UUIDs of one
version it is given."""


@few(30)
@given(history=dense_histories())
async def test_everything_shown_is_valid_stix(history: History) -> None:
    async with a_hub() as story:
        await Telling(story, history).tell()
        bodies = {row.body for name in COLLECTIONS for row in await story.log(name)}  # several show the same
        for body in bodies - {b""}:
            _is_valid(json.loads(body))


def _is_valid(obj: dict[str, Any]) -> None:
    stix2.parse(obj, allow_custom=True)  # claims may have properties of their own
    text = json.dumps({key: value for key, value in obj.items() if key not in ("created", "modified")}, sort_keys=True)
    text = _UUID.sub(r"\1\2", text)
    if text not in _VALID:
        found = validate_instance(obj, _OPTIONS)
        assert found.is_valid, [str(error) for error in found.errors]
        _VALID.add(text)

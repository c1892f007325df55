"""The events of a MISP feed, without a hub: what they say, and which indicators they have."""

from __future__ import annotations

import unicodedata
from typing import Any
from uuid import UUID

import orjson
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.core.hold import WarningLists
from hub.doors.export.misp.attributes import MispRules, attributes_of, one_of_each
from hub.doors.export.misp.events import PARTS, EventKey, MispAbout, event_json, key_of, manifest_entry
from hub.model.extensions import VIEW_EXTENSION
from tests.doors.clients.misp_feeds import is_read_by_pymisp
from tests.doors.entries import HOSTILE
from tests.story import START_US, moment

texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
observables = st.one_of(
    st.tuples(st.sampled_from([("file", "name"), ("mutex", "name"), ("url", "value"), ("x-a", "b")]), texts),
    st.sampled_from([(("ipv4-addr", "value"), "198.51.100.7"), (("domain-name", "value"), "c2.example")]),
)


@given(values=st.lists(observables, max_size=4), labels=st.lists(texts, max_size=3), confidence=st.integers(0, 100))
def test_whatever_values_and_labels_say_an_event_is_what_pymisp_writes(
    values: list[tuple[tuple[str, str], str]], labels: list[str], confidence: int
) -> None:
    extension = {"observables": [{"type": kind, "path": path, "value": value} for (kind, path), value in values]}
    obj: dict[str, Any] = {
        "id": "indicator--00000000-0000-5000-8000-000000000001", "created": moment(0), "pattern": "[a:b = 'c']",
        "pattern_type": "stix", "valid_from": moment(0), "labels": labels, "confidence": confidence,
        "extensions": {VIEW_EXTENSION: extension},
    }  # fmt: skip
    about = MispAbout("community", UUID(int=4), "green", UUID(int=5))
    attributes = one_of_each(attributes_of(obj, START_US, MispRules()))
    key = key_of(obj)
    event = orjson.loads(orjson.dumps(event_json(about, key, attributes, START_US // 1_000_000)))
    assume(attributes)
    is_read_by_pymisp(event, manifest_entry(about, key, START_US // 1_000_000))
    taxonomies = [tag["name"].partition(":")[0] for one in event["Event"]["Attribute"] for tag in one["Tag"]]
    assert set(taxonomies) <= {"PAP", "ctihub", "misp"}
    for one in event["Event"]["Attribute"]:
        for tag in one["Tag"]:
            assert tag["name"].count('"') in (0, 2)
            assert not {unicodedata.category(char) for char in tag["name"]} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_an_event_depends_on_what_never_changes() -> None:
    obj = {"id": "indicator--00000000-0000-5000-8000-000000000001", "created": "2026-01-31T23:59:59.999Z"}
    assert key_of({**obj, "modified": "2026-05-01T00:00:00.000Z", "confidence": 5}) == key_of(obj)
    assert key_of(obj).month == "2026-01"
    about = MispAbout("community", UUID("6a1d5c1e-0d3c-4c7e-9b0a-0f3a2f0e7d11"), "green", UUID(int=5))
    assert str(about.uuid_of(EventKey("2026-01", 7))) == "41a38fb9-82c3-58b8-88e0-0b4528e1eace"


def test_many_indicators_are_spread_over_the_events_of_a_month() -> None:
    keys = [key_of({"id": f"indicator--{number}", "created": "2026-01-31T00:00:00.000Z"}) for number in range(6_400)]
    sizes = [keys.count(key) for key in set(keys)]
    assert len(sizes) == PARTS
    assert max(sizes) < 200


def test_a_value_that_is_released_is_later_than_all_that_was_said_of_it() -> None:
    """Also if another indicator, which asserts it too, has changed since."""
    said = [{"type": "ipv4-addr", "path": "value", "value": "198.51.100.7"}]
    obj: dict[str, Any] = {
        "id": "indicator--1", "created": moment(0), "pattern": "[a:b = 'c']", "pattern_type": "stix",
        "valid_from": moment(0), "extensions": {VIEW_EXTENSION: {"observables": said}},
    }  # fmt: skip
    other = {**obj, "id": "indicator--2", "pattern": "[a:b = 'd']"}
    lists = WarningLists(own_rules=False, networks=[("198.51.100.0/24", "a-list")])
    times = []
    for rules in (MispRules(), MispRules(lists=lists), MispRules(lists=lists, released={obj["pattern"]})):
        [one] = one_of_each([*attributes_of(obj, 5_000_000, rules), *attributes_of(other, 9_000_000, rules)])
        times.append((one.to_ids, one.changed_us, one.later_s))
    assert times == [(True, 9_000_000, 0), (False, 9_000_000, 1), (True, 9_000_000, 2)]


def test_a_value_has_the_time_of_the_newest_of_its_indicators() -> None:
    """So MISP takes what another indicator says of it when the newest one ends."""
    said = [{"type": "ipv4-addr", "path": "value", "value": "198.51.100.7"}]
    obj: dict[str, Any] = {
        "id": "indicator--1", "created": moment(0), "pattern": "[a:b = 'c']", "pattern_type": "stix",
        "valid_from": moment(0), "extensions": {VIEW_EXTENSION: {"observables": said}},
    }  # fmt: skip
    live = attributes_of(obj, 5_000_000, MispRules())
    ended = attributes_of({**obj, "id": "indicator--2", "revoked": True}, 9_000_000, MispRules())
    [one] = one_of_each([*live, *ended])
    assert (one.comment, one.deleted, one.to_ids, one.changed_us) == ("indicator--1", False, True, 9_000_000)

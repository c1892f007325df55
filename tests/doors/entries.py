"""Values of lists for tests, harmless and hostile."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection
from typing import Any

import orjson
from hypothesis import strategies as st

from hub.doors.export.entry import HASHES, Entry, ListedObject, ListItem
from hub.doors.export.format import Format, Unit


def an_entry(value: str = "198.51.100.7", **more: Any) -> Entry:
    """One value of a list; ``more`` are other fields of ``Entry``."""
    said = {
        "type": "ipv4-addr", "confidence": 60, "valid_from": "2026-01-01T00:00:00.000Z", "valid_until": None,
        "tlp": "green", "modified": "2026-01-02T03:04:05.678Z", "id": "indicator--1", "modified_us": 0,
    }  # fmt: skip
    return Entry(value=value, **{**said, **more})


A_LIST = (
    an_entry(),
    an_entry("c2.example", type="domain-name", confidence=None, valid_until="2026-02-01T00:00:00.000Z", tlp=""),
    an_entry('http://c2.example/a,b "c" #d', type="url", confidence=0),
    an_entry("=1+1\r\n\u2028\\", type="file:name", tlp="amber+strict"),
    an_entry("'\uff1dé\u200b\U000e0041\U0001f600", type="mutex:name"),
    an_entry("; a\tb//", type="x-a:b"),
)
"""What ``tests/data/exports/list.*`` are the lists of."""

PLAIN = {
    "ipv4-addr": "198.51.100.7",
    "ipv6-addr": "2001:db8::7",
    "domain-name": "c2.example",
    "url": "http://c2.example/a?b=c",
    "email-addr": "a@c2.example",
    "file:name": "a.exe",
    "mac-addr": "00:00:5e:00:53:01",
    "mutex:name": "a mutex",
    "windows-registry-key:key": "HKEY_LOCAL_MACHINE\\a",
    **{name: "0" * {"md5": 32, "sha-1": 40, "sha-512": 128}.get(name, 64) for name in sorted(HASHES)},
}
"""A value of each kind that no format may have trouble with."""

HOSTILE = (
    "a\nb", "a\r\nb", "a\n198.51.100.99\nb", "#a", "a #b", ";a", "//a", "!a", "=1+1", "+1", "-1", "@a", "'=1", '"',
    'a","b', "a,b", "\u2028", "\\u000a", "\\", "\x00", " a ", "a\tb", "'", "$(a)", "`a`", "a;b", "a{}b", "a|b", "<a>",
    "*", "*.example", "a.example.", "\uff1d1", "c2\u200b.example", "c2\U000e0041.example", "https://c2.example/#x",
    "http://[2001:db8::7]:8080/", "198.51.100.0/24", "é.example", "\U0001f600", "</script>",
    "=cmd|' /C calc'!A1", "\u2029", "\x85", "a\\", "|41|", "\\x41", "-", "(empty)", "###", '"a":b', "\ta",
    "http://c2.example/*", "198.51.128.0/17", "http://c2.example/a;b|c,d'(e)", "2001:db8::/32",
)  # fmt: skip
"""Values by which somebody might break out of a line, a cell, a string or a comment."""


def entries(kinds: Collection[str] = ()) -> st.SearchStrategy[Entry]:
    """Entries of these kinds (none: of any), harmless and hostile."""
    names = st.sampled_from(sorted(kinds or PLAIN))
    values = st.one_of(
        st.sampled_from(HOSTILE),
        st.sampled_from(sorted(set(PLAIN.values()))),
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    )
    return st.builds(
        an_entry,
        values,
        type=names,
        id=st.sampled_from(["indicator--1", *HOSTILE]),
        labels=st.lists(st.sampled_from(HOSTILE), max_size=2).map(tuple),
        indicator_types=st.lists(st.sampled_from(HOSTILE), max_size=1).map(tuple),
        sources=st.lists(st.sampled_from(HOSTILE), max_size=2).map(tuple),
        confidence=st.one_of(st.none(), st.integers(0, 100)),
        valid_until=st.sampled_from([None, "2026-02-01T00:00:00.000Z"]),
    )


def an_object(pattern: str = "[ipv4-addr:value = '198.51.100.7']", **more: Any) -> ListedObject:
    """One indicator of a list; ``more`` are other properties of it."""
    obj = {
        "type": "indicator", "spec_version": "2.1", "id": "indicator--00000000-0000-5000-8000-000000000001",
        "created": "2026-01-01T00:00:00.000Z", "modified": "2026-01-02T03:04:05.678Z", "name": "a name",
        "pattern": pattern, "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00.000Z", **more,
    }  # fmt: skip
    return ListedObject(obj["id"], obj["type"], orjson.dumps(obj), obj, 0)


def items(format: Format, values: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[ListItem]:
    """Items of a format's lists, harmless and hostile."""
    if format.unit is Unit.VALUE:
        return entries(format.kinds)
    texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
    made = st.builds(
        an_object,
        values or texts,
        name=texts,
        description=texts,
        pattern_type=st.just(format.pattern_type),
        labels=st.lists(texts, min_size=1, max_size=2),
    )
    return made.map(lambda one: an_object(**_renamed(one)))


def _renamed(one: ListedObject) -> dict[str, Any]:
    """The properties of an object with an id of its own."""
    digest = hashlib.md5(one.body, usedforsecurity=False).hexdigest()
    return {**one.obj, "id": f"indicator--{uuid.UUID(digest, version=4)}"}

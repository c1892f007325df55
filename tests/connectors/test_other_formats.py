"""Files of other systems are recognised, and nothing that is STIX is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.other_formats import other_format

DATA = Path(__file__).parent.parent / "data"


@pytest.mark.parametrize(
    ("start", "what", "way_out"),
    [
        (b'{"Event": {"info": "x", "Attribute": [{}]}}', "a MISP event", "mapping=misp"),
        (b'\xef\xbb\xbf\n[ {"Event": {"id": "1"', "a MISP event", "misp-stix"),
        (b'{"response": [{"Event": {}}]}', "a MISP event", "mapping=misp"),
        (b'{"response": {"Attribute": [{"type": "ip-dst"}]}}', "a MISP event", "mapping=misp"),
        (b'{"document": {"category": "csaf_vex", "csaf_version": "2.0"', "a CSAF advisory", "STIX 2.1"),
        (
            b'{"classification.type": "c2-server", "source.ip": "198.51.100.7"}\n',
            "a file of IntelMQ events",
            "mapping=intelmq",
        ),
        (b"ip,port,tag\n198.51.100.7,443,c2\n198.51.100.8,80,c2\n", "CSV", "mapping=…"),
        (b'# URLhaus\n"1","2026-01-01","http://a.example/"\n"2","2026-01-02","http://b.example/"', "CSV", "mapping=…"),
        (b"ip;port\r\n198.51.100.7;443\r\n", "CSV", "mapping=…"),
        ("ip,port\r\n198.51.100.7,443\r\n".encode("utf-16-le"), "CSV", "mapping=…"),
        (b"# list\n198.51.100.7\nevil.example\nhxxp://c2[.]example/a\n", "a list of values", "mapping=list"),
        (b"d41d8cd98f00b204e9800998ecf8427e\n", "a list of values", "mapping=list"),
    ],
)
def test_the_format_of_another_system_has_a_name_and_a_way(start: bytes, what: str, way_out: str) -> None:
    found = other_format(start, "feed.x")
    assert found is not None
    assert found.what == what
    assert way_out in found.way_out


@pytest.mark.parametrize(
    "start",
    [
        b'{"type": "bundle", "objects": []}',
        b'{"Event": 1, "type": "indicator", "id": "indicator--3b2d2a6c-5a3a-4b0e-8c5d-0f6f5c1f8a11"}',
        b'{"id": "x-misp-event--3b2d2a6c-5a3a-4b0e-8c5d-0f6f5c1f8a11", "classification.type": "a", "source.ip": "b"}',
        b'{"spec_version": "2.1", "type": "note", "content": "{\\"document\\": {\\"csaf_version\\": \\"2.0\\"}}"}',
        b'{"objects": [{"spec_version": "2.1"}]}',
        b"not json\n",
        b"not json, at all\n",
        b'ip,port\n{"type": "indicator"}\n',
        b"{",
        b"",
        b"[]",
        b"\n\n",
    ],
)
def test_what_may_be_stix_or_is_nothing_known_is_left_alone(start: bytes) -> None:
    assert other_format(start) is None


@pytest.mark.parametrize("path", sorted((DATA / "stix").rglob("*.json*")), ids=lambda path: path.name)
def test_no_real_stix_is_taken_for_something_else(path: Path) -> None:
    assert other_format(path.read_bytes()[: 64 << 10]) is None


@given(start=st.binary())
def test_any_bytes_have_an_answer(start: bytes) -> None:
    other_format(start)

"""What comes instead of a feed is called by its name; what is a feed is never taken for something else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sdk.recognise import instead, not_a_feed

REAL_LIFE = Path(__file__).parent.parent / "data" / "real-life"
FEEDS = Path(__file__).parent.parent / "data" / "csv"


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"<!DOCTYPE html>\n<html><title>Just a moment...</title>", 'a web page ("Just a moment...")'),
        (
            b"\xef\xbb\xbf  <!-- cached -->\n<HTML><body><h1>502 <b>Bad</b> Gateway</h1>",
            'a web page ("502 Bad Gateway")',
        ),
        (b"<html><form><input type='password'>", "a web page that asks for a login"),
        (b"<html><title>Just a moment...</title><h1>Please sign in</h1>", 'asks for a login ("Just a moment...")'),
        (b"<html><title>404</title><nav><a href=/x>Log in</a></nav>", 'a web page ("404")'),
        (b"<?xml version='1.0'?><!DOCTYPE html><html><title>Log in</title>", 'asks for a login ("Log in")'),
        ("\ufeff<!doctype html><title>Hi</title>".encode("utf-16-le"), 'a web page ("Hi")'),
        (b"<?xml version='1.0'?>\n<rss version='2.0'>", "XML (<rss>)"),
        (b"<Error><Code>AccessDenied</Code></Error>", "XML (<Error>)"),
        (b"<?xml version='1.0'?><stix:STIX_Package xmlns='x'>", "STIX 1 in XML"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"PK\x03\x04....[Content_Types].xml", "an Office document"),
        (b"BZh91AY&SY", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"-----BEGIN PGP MESSAGE-----\n", "encrypted with PGP"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
    ],
)
def test_what_is_surely_no_feed_is_called_by_its_name(start: bytes, what: str) -> None:
    found = not_a_feed(start)
    assert found is not None
    assert what in found.what
    assert found.way_out


@pytest.mark.parametrize(
    ("start", "what", "way_out"),
    [
        (b'{"query_status": "unknown_auth_key", "msg": "Get an Auth-Key"}', '"unknown_auth_key", msg "Get', "a key"),
        (b'{"error":{"type":"security_exception","reason":"missing token"},"status":401}', "missing token", "a key"),
        (b'{"type":"about:blank","title":"Not found","status":404}', 'title "Not found", status "404"', "address"),
        (b'{"results": []}', "a JSON object with results", "address"),
        (b'{"Event":{"Attribute":[]}}', "a MISP event", "misp-stix"),
        (b"Not Found\r\n", 'text that begins "Not Found"', "address"),
        (b"\x01\x02\x03\x04\x05\x06", "no text", "address"),
        (b" \r\n\t", "blank", "address"),
    ],
)
def test_what_gave_no_object_is_described_by_what_it_says_of_itself(start: bytes, what: str, way_out: str) -> None:
    found = instead(start)
    assert what in found.what
    assert way_out in found.way_out


def test_a_title_cannot_move_the_cursor() -> None:
    assert "\x1b" not in instead(b"<html><title>\x1b[2J\x07x</title>").what
    assert "\x1b" not in instead(b'{"error":"\\u001b[2J"}').what


def test_an_error_in_an_error_without_end_is_described_as_well() -> None:
    assert instead(b'{"error":' * 1_000 + b"{}" + b"}" * 1_000).what


@pytest.mark.parametrize(
    "start",
    [
        b"# a list\n198.51.100.1\n",
        b"<http://bad.example/>\n",
        b"< 10 ms,198.51.100.1\n",
        b'{"type":"bundle","objects":[]}',
        b"BZhang,198.51.100.1\n",
        b"first,second\n<b>,</b>\n",
        b"",
    ],
)
def test_what_may_be_a_feed_is_not_refused(start: bytes) -> None:
    assert not_a_feed(start) is None


def test_no_real_feed_is_taken_for_something_else() -> None:
    feeds = [path for path in FEEDS.rglob("*") if path.is_file() and path.suffix in (".csv", ".txt", ".json")]
    assert len(feeds) > 10
    assert {path.name: not_a_feed(path.read_bytes()) for path in feeds if not_a_feed(path.read_bytes())} == {}


@given(
    st.binary(max_size=300)
    | st.builds(
        lambda value: json.dumps(value).encode(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["error", "status", "x"]), inner),
            max_leaves=8,
        ),
    )
)
def test_anything_is_described_in_one_short_line(start: bytes) -> None:
    found = instead(start)
    assert found.what.isprintable()
    assert len(found.what) < 2_000

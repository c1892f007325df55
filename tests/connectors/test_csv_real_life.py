"""What people complain of in public, each with what is right."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
import stix2
from stix2patterns.validator import run_validator

from connectors.sdk.catalogue import make
from connectors.sdk.errors import SourceFailed
from tests.connectors.csv_feeds import REAL_LIFE, SINCE, read_feed


def test_netmasks_and_short_ranges_are_ipv4() -> None:
    assert read_feed(REAL_LIFE / "addresses.csv", "table").patterns == [
        "[ipv4-addr:value = '198.51.100.0/25']",
        "[ipv4-addr:value = '203.0.113.64/26']",
        "[ipv6-addr:value = 'fe80::226']",
        "[ipv6-addr:value = '2001:db8::226']",
        "[ipv6-addr:value = '2001:db8::226/128']",
    ]
    assert read_feed(REAL_LIFE / "addresses.txt", "list").patterns == [
        "[ipv4-addr:value = '198.51.100.212/30']",
        "[ipv4-addr:value = '198.51.100.240/30']",
    ]


def test_a_comma_without_quotes_costs_no_row_and_is_told_with_its_line() -> None:
    read = read_feed(REAL_LIFE / "comma-in-cell.csv", "table")
    assert read.values == ["198.51.100.222", "198.51.100.223"]
    assert read.found[0]["description"] == "beacon config a.site.example,/ml.js,b.site.example,/ml.js"
    assert "line 2: 198.51.100.222,IP,beacon config" in read.warnings[0]


def test_dates_are_read_in_every_form_that_means_one_thing() -> None:
    read = read_feed(REAL_LIFE / "dates.csv", "table")
    assert [one["created"] for one in read.found] == [
        "2026-10-28T04:54:04.000Z",
        "2025-10-28T04:54:04.000Z",
        "2026-02-02T05:51:40.000Z",
        "2026-10-28T00:00:00.000Z",
        "2026-10-28T00:00:00.000Z",
        "2026-10-28T04:54:04.123Z",
    ]
    assert read.counts == {}


def test_no_end_becomes_for_ever() -> None:
    read = read_feed(REAL_LIFE / "dates-expires.csv", REAL_LIFE / "dates-expires.toml")
    assert [one["valid_until"] for one in read.found] == [
        "2026-12-31T00:00:00.000Z",
        "2026-12-31T06:53:20.000Z",
        "2026-12-31T00:00:00.000Z",
    ]


def test_feodo_names_its_columns_in_a_row() -> None:
    read = read_feed(REAL_LIFE / "feodo.csv", "feodo")
    assert read.values == ["198.51.100.161", "198.51.100.162"]
    assert read.counts == {}


def test_names_of_files_are_no_domain_names() -> None:
    read = read_feed(REAL_LIFE / "file-names.txt", "list")
    assert read.values == ["real-213.site.example"]
    assert [(one.count, one.first) for one in read.left_out.values()] == [(3, "line 1: invoice-213.exe")]


def test_a_line_that_begins_with_a_hash_inside_quotes_is_no_comment() -> None:
    read = read_feed(REAL_LIFE / "hash-in-quoted-cell.csv", "table")
    assert read.levels == {
        "198.51.100.181": "green",
        "198.51.100.182": "red",
        "198.51.100.183": "green",
        "198.51.100.184": "green",
    }
    assert [one["description"] for one in read.found] == [
        "seen twice, see ticket\n# 4711 (closed)",
        "found at the ministry",
        "quoted",
        "plain",
    ]


@pytest.mark.parametrize(("name", "count"), [("kinds.csv", 4), ("kinds-otx.csv", 7), ("kinds-by-hand.csv", 6)])
def test_the_kinds_of_usual_exports_and_of_no_column_at_all_are_known(name: str, count: int) -> None:
    read = read_feed(REAL_LIFE / name, "table")
    assert len(read.found) == count
    assert read.counts == {}


@pytest.mark.parametrize("mapping", ["misp", "table"])
def test_misp_s_export_is_read_as_what_it_is(mapping: str) -> None:
    read = read_feed(REAL_LIFE / "misp-export.csv", mapping)
    assert read.levels == {
        "198.51.100.193": "clear",
        "bad-193.site.example": None,
        "198.51.100.194": None,
        "684fe39f03758de6a882ae61fa62312b67e5b1e665928cbf3dc3d8f4f53e3562": None,
        "c2-193.site.example": None,
        "198.51.100.195": "red",
    }
    assert {one["created"] for one in read.found} == {"2026-09-21T14:13:20.000Z"}
    assert read.of("198.51.100.195")["labels"] == ["workflow:state=draft"]
    assert read.counts == {"not for detection (to_ids)": 1}
    for one in read.found:
        stix2.parse(one, allow_custom=False)
        assert run_validator(one["pattern"], stix_version="2.1") == []


@pytest.mark.parametrize(
    ("name", "mapping", "says"),
    [
        ("not-the-feed.html", "urlhaus", "a web page"),
        ("not-the-feed.html", "list", "a web page"),
        ("not-the-feed.json", "feodo-json", "has a column ip_address; it is an error in JSON"),
        ("not-the-feed.json", "n6", "unknown_auth_key"),
        ("not-the-feed.json", "urlhaus", "has no column url; it is an error in JSON"),
        ("not-the-feed.csv", "urlhaus", "is empty"),
        ("not-the-feed.csv", "list", "is empty"),
        ("not-the-feed.csv", "n6", "is empty"),
    ],
)
def test_what_is_not_the_feed_is_named(name: str, mapping: str, says: str) -> None:
    with pytest.raises(SourceFailed, match=says):
        read_feed(REAL_LIFE / name, mapping)


def test_a_full_dump_in_a_zip_is_read() -> None:
    assert read_feed(REAL_LIFE / "packed.csv.zip", "threatfox").values == ["198.51.100.174"]


def test_each_value_of_an_answer_has_the_level_and_date_of_its_own_row() -> None:
    read = read_feed(REAL_LIFE / "rows-in-an-answer.json", REAL_LIFE / "rows-in-an-answer.toml")
    assert read.levels == {
        "bad-241.site.example": "clear",
        "198.51.100.242": "red",
        "http://bad-243.site.example/x": "green",
    }
    assert [one["created"] for one in read.found] == [
        "2026-11-01T08:00:00.000Z",
        "2026-11-02T08:00:00.000Z",
        "2026-11-03T08:00:00.000Z",
    ]


def test_a_cell_may_hold_several_values() -> None:
    read = read_feed(REAL_LIFE / "several-in-one-cell.csv", "table")
    assert read.values == [
        "ns1.bad-194.example",
        "ns2.bad-194.example",
        "198.51.100.195",
        "198.51.100.196",
        "a.bad-195.example",
        "b.bad-195.example",
        "198.51.100.198",
    ]
    (reason,) = read.left_out.values()
    assert (reason.count, reason.first[:7]) == (1, "line 5:")


def test_a_record_that_never_ends_is_told_and_costs_no_memory() -> None:
    path = REAL_LIFE / "sec-csv-endless-record.csv.gz"
    with pytest.raises(SourceFailed, match="has no column Indicator"):
        read_feed(path, "table")


def test_every_line_of_an_endless_record_is_read_twice_at_most_in_flat_memory(tmp_path: Path) -> None:
    path = tmp_path / "endless.csv"
    with path.open("w") as file:
        file.write('Indicator,Type\n"')
        for number in range(40_000):
            file.write(f'a{number}","b{number}","\n')
        file.write('x"\n198.51.100.1,ip\n')
    connector = make("csv", {"path": str(path), "mapping": "table", "since": SINCE})
    tracemalloc.start()
    found = list(connector.items({}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 1
    assert connector.left_out()["a quote that never ends"].first.startswith("line 2:")
    assert peak < 24 << 20, f"{peak:,} bytes for {path.stat().st_size:,}"

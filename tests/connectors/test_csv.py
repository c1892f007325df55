"""Feeds of observables: real layouts, bad habits of people, and objects that stay the same while their rows do."""

from __future__ import annotations

import json
import re
import tracemalloc
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st
from stix2patterns.validator import run_validator

from connectors.csv.indicators import NAMESPACE, stix_id
from connectors.csv.kinds import KINDS
from connectors.csv.levels import TLP_IDS
from connectors.csv.mapping import built_in, load_mapping
from connectors.csv.values import NotAValueError, pattern, read_values, refang
from connectors.sdk.catalogue import make
from connectors.sdk.connector import Connector
from connectors.sdk.errors import SourceFailed, WrongSettings
from connectors.sdk.publisher import as_line
from connectors.sdk.testing import ConnectorContract

FORMATS = Path(__file__).parent.parent / "data" / "csv" / "formats"
MALTRAIL = Path(__file__).parent.parent / "data" / "csv" / "maltrail"


def _counts(connector: Connector[Any]) -> dict[str, int]:
    return {reason: one.count for reason, one in connector.left_out().items()}


def read(path: Path, mapping: str, **settings: Any) -> tuple[list[dict[str, Any]], Mapping[str, int]]:
    """The indicators of a file, and what was left out of it."""
    connector = make("csv", {"path": str(path), "mapping": mapping, "since": "2026-01-01T00:00:00Z", **settings})
    return [json.loads(as_line(item.body)) for item in connector.items({})], _counts(connector)


def patterns(found: list[dict[str, Any]]) -> list[str]:
    return [one["pattern"] for one in found]


class TestCsv(ConnectorContract):
    def connector(self, tmp_path: Path) -> Connector[Any]:
        return make("csv", {"path": str(FORMATS / "urlhaus-recent.csv"), "mapping": "urlhaus", "centre": "cert-ro"})


@pytest.mark.parametrize(
    ("file", "mapping", "count"),
    [
        ("urlhaus-recent.csv", "urlhaus", 5),
        ("threatfox-recent.csv", "threatfox", 5),
        ("feodo-ipblocklist.csv", "feodo", 2),
        ("feodo-ipblocklist.json", "feodo-json", 2),
        ("n6-events.ndjson", "n6", 3),
        ("urlhaus-text.txt", "list", 3),
        ("blocklist-mixed.txt", "list", 8),
        ("centre-mailed.csv", "table", 12),
        ("centre-mailed-cp1252.csv", "table", 2),
        ("with-bom-crlf.csv", "table", 2),
    ],
)
def test_a_real_layout_gives_valid_stix(file: str, mapping: str, count: int) -> None:
    found, _ = read(FORMATS / file, mapping)
    assert len(found) == count
    for one in found:
        stix2.parse(one, allow_custom=False)
        assert run_validator(one["pattern"], stix_version="2.1") == []


def test_urlhaus_means_what_its_columns_say() -> None:
    found, left_out = read(FORMATS / "urlhaus-recent.csv", "urlhaus")
    assert found[0] == {
        "type": "indicator",
        "spec_version": "2.1",
        "id": stix_id("", "urlhaus", "url", "http://198.51.100.23:51234/i"),
        "created": "2026-02-03T10:14:06.000Z",
        "modified": "2026-02-03T10:14:06.000Z",
        "valid_from": "2026-02-03T10:14:06.000Z",
        "valid_until": "2026-05-04T10:14:06.000Z",
        "pattern": "[url:value = 'http://198.51.100.23:51234/i']",
        "pattern_type": "stix",
        "indicator_types": ["malicious-activity"],
        "confidence": 75,
        "labels": ["32-bit", "Mozi", "elf", "malware_download", "mips"],
        "external_references": [{"source_name": "URLhaus", "url": "https://urlhaus.example/url/3400001/"}],
        "object_marking_refs": [TLP_IDS["clear"]],
    }
    assert found[3]["pattern"] == """[url:value = 'http://xn--bcher-kva.example/x "y".doc']"""
    assert found[4]["pattern"] == "[url:value = 'http://203.0.113.9/bins.sh']"
    assert left_out == {}


def test_threatfox_tells_the_kind_of_each_row() -> None:
    found, _ = read(FORMATS / "threatfox-recent.csv", "threatfox")
    assert patterns(found) == [
        "[ipv4-addr:value = '198.51.100.77']",
        "[domain-name:value = 'c2.bad-domain.example']",
        "[url:value = 'https://203.0.113.200/gate.php']",
        "[file:hashes.'SHA-256' = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']",
        "[file:hashes.'MD5' = 'd41d8cd98f00b204e9800998ecf8427e']",
    ]
    assert [one["confidence"] for one in found] == [100, 75, 50, 100, 100]
    assert found[1]["modified"] == "2026-02-03T10:00:00.000Z"
    assert "external_references" not in found[0]


def test_feodo_is_the_same_from_csv_and_from_json() -> None:
    as_csv, left_out = read(FORMATS / "feodo-ipblocklist.csv", "feodo")
    as_json, _ = read(FORMATS / "feodo-ipblocklist.json", "feodo-json")
    assert as_csv == as_json
    assert left_out == {"a repeated value": 1}


def test_n6_takes_the_most_telling_value_and_its_own_words_for_tlp() -> None:
    found, _ = read(FORMATS / "n6-events.ndjson", "n6")
    assert [(one["pattern"], one["confidence"], one["object_marking_refs"]) for one in found] == [
        ("[domain-name:value = 'c2.bad-domain.example']", 85, [TLP_IDS["clear"]]),
        ("[url:value = 'http://files.example.com/a.exe']", 15, [TLP_IDS["amber"]]),
        ("[url:value = 'https://login.bank.example/']", 50, [TLP_IDS["amber+strict"]]),
    ]
    assert found[2]["valid_until"] == "2026-02-04T00:00:00.000Z"


def test_a_mailed_table_with_every_bad_habit_is_read() -> None:
    found, left_out = read(FORMATS / "centre-mailed.csv", "table")
    said = {one["pattern"]: one.get("object_marking_refs", [None])[0] for one in found}
    assert said == {
        "[ipv4-addr:value = '198.51.100.23']": TLP_IDS["amber"],
        "[url:value = 'https://Files.Example.com/a/b.zip']": TLP_IDS["green"],
        "[domain-name:value = 'bad-domain.example.']": TLP_IDS["clear"],
        "[domain-name:value = 'example.org']": TLP_IDS["clear"],
        "[email-addr:value = 'user@example.net']": TLP_IDS["amber+strict"],
        "[file:hashes.'MD5' = 'd41d8cd98f00b204e9800998ecf8427e']": TLP_IDS["red"],
        "[ipv4-addr:value = '198.51.100.0/24']": TLP_IDS["green"],
        "[ipv4-addr:value = '198.51.100.1']": TLP_IDS["green"],  # the range .1 to .9
        "[ipv4-addr:value = '198.51.100.2/31']": TLP_IDS["green"],
        "[ipv4-addr:value = '198.51.100.4/30']": TLP_IDS["green"],
        "[ipv4-addr:value = '198.51.100.8/31']": TLP_IDS["green"],
        "[ipv4-addr:value = '10.0.0.1']": TLP_IDS["green"],  # the hub holds it
    }
    assert found[0]["created"] == "2026-02-03T10:14:00.000Z"
    assert left_out == {
        "not a value of the kind url": 1,  # a formula
        "a row without a value": 1,
        "a date that may be day first or month first": 1,
    }


def test_other_encodings_and_other_words_for_columns_are_read() -> None:
    found, _ = read(FORMATS / "centre-mailed-cp1252.csv", "table")
    assert patterns(found) == ["[domain-name:value = 'bücher.example']", "[ipv4-addr:value = '203.0.113.7']"]
    assert found[0]["description"] == "Phishing – täuscht Behörde vor"  # noqa: RUF001


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_decides(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("Indikator;Typ;Kommentar\nbücher.example;Domain;Ċ\n198.51.100.1;IP;x\n", encoding=encoding)
    found, _ = read(path, "table")
    assert [one["description"] for one in found] == ["Ċ", "x"]


def test_maltrail_lists_are_read_and_paths_without_a_host_are_counted() -> None:
    found, left_out = read(MALTRAIL / "doubleloader.txt", "list")
    assert len(found) == 8
    assert left_out == {"not a value of any kind": 3, "a repeated value": 1}
    found, _ = read(MALTRAIL / "apt_finfisher.txt", "list")
    assert "[url:value = 'http://158.69.105.207']" in patterns(found)


def test_what_looks_like_an_address_goes_to_the_hub_to_be_refused_there() -> None:
    found, left_out = read(FORMATS / "blocklist-mixed.txt", "list")
    assert "[ipv4-addr:value = '198.051.100.023']" in patterns(found)
    assert left_out == {"a repeated value": 2, "not a value of any kind": 2}


def test_lists_of_digests_are_read_as_the_tools_write_them(tmp_path: Path) -> None:
    path = tmp_path / "samples.sha256"
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85"
    path.write_text(f"; samples\n{digest}1\n{digest}2  a.exe\n{digest}3 *b c.dll\n{digest}4;d\n# end\nnone\nno\n")
    found, left_out = read(path, "hashes")
    assert patterns(found) == [f"[file:hashes.'SHA-256' = '{digest}{n}']" for n in (1, 2, 3, 4)]
    assert left_out == {"a row without a value": 1, "not a value of the kind hash": 1}


def test_the_same_row_gives_the_same_bytes_wherever_it_stands(tmp_path: Path) -> None:
    lines = (FORMATS / "urlhaus-recent.csv").read_text().splitlines()
    path = tmp_path / "anew.csv"
    path.write_text("\n".join([*lines[:8], *reversed(lines[8:])]))
    before, after = read(FORMATS / "urlhaus-recent.csv", "urlhaus")[0], read(path, "urlhaus")[0]
    assert sorted(map(json.dumps, before)) == sorted(map(json.dumps, after))


def test_ids_belong_to_centre_feed_kind_and_value() -> None:
    ids = {stix_id(*each) for each in ("abcd", "xbcd", "axcd", "abxd", "abcx")}
    assert len(ids) == 5
    assert stix_id("ro", "f", "url", "v") == "indicator--" + str(uuid.uuid5(NAMESPACE, "ro\nf\nurl\nv\n"))


def test_rows_without_dates_have_the_time_of_the_file_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("198.51.100.1\n")
    connector = make("csv", {"path": str(path), "mapping": "list"})
    first = [item.body for item in connector.items({})]
    assert first == [item.body for item in make("csv", {"path": str(path), "mapping": "list"}).items({})]
    assert read(path, "list")[0][0]["created"] == "2026-01-01T00:00:00.000Z"


def test_settings_fill_what_rows_do_not_say() -> None:
    settings = {"tlp": "red", "confidence": "10", "valid_days": "5"}
    found, _ = read(FORMATS / "centre-mailed.csv", "table", **settings)
    assert found[0]["object_marking_refs"] == [TLP_IDS["amber"]]
    assert (found[0]["confidence"], found[0]["valid_until"]) == (10, "2026-02-08T10:14:00.000Z")
    found, _ = read(FORMATS / "urlhaus-text.txt", "list", **settings)
    assert found[0]["object_marking_refs"] == [TLP_IDS["red"]]


def test_a_row_whose_level_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    path.write_text("Indicator,Type,TLP\n198.51.100.1,ip,TLP:PURPLE\n198.51.100.2,ip,\n")
    found, left_out = read(path, "table", tlp="clear")
    assert patterns(found) == ["[ipv4-addr:value = '198.51.100.2']"]
    assert left_out == {"a level that cannot be read": 1}


def test_a_mapping_that_does_not_fit_the_file_is_no_empty_feed() -> None:
    with pytest.raises(SourceFailed, match="has no column Indicator; it has id, dateadded, url") as raised:
        read(FORMATS / "urlhaus-recent.csv", str(mapping_file("header = 'comment'")))
    assert raised.value.code == "mapping.no-column"


def mapping_file(layout: str, value: str = 'column = "Indicator"\nkind = "url"') -> Path:
    import tempfile

    path = Path(tempfile.mkdtemp()) / "mapping.toml"
    path.write_text(f'feed = "x"\n[file]\n{layout}\n[[value]]\n{value}\n')
    return path


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("feed =", "is not TOML"),
        ("feed = 'x'\nvalue = []", "is wrong at value"),
        ("feed = 'x'\n[[value]]\nkind = 'nothing'", "there is no kind 'nothing'"),
        ("feed = 'x'\n[[value]]\nkind = 'url'\nkind_column = 'y'", "either kind or kind_column"),
        ("feed = 'x'\n[file]\nformat = 'csv'\n[[value]]\nkind = 'url'", "say where the columns' names are"),
        ("feed = 'x'\nfeeed = 'y'\n[[value]]\nkind = 'url'", "wrong at feeed"),
        ("feed = 'x'\n[[value]]\nkind = 'url'\n[indicator]\nconfidence = 101", "wrong at indicator.confidence"),
    ],
)
def test_a_mapping_that_is_wrong_is_told_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(text)
    with pytest.raises(WrongSettings) as raised:
        load_mapping(str(path))
    assert says in str(raised.value)


def test_a_mapping_that_is_not_there_is_told_with_the_nearest() -> None:
    with pytest.raises(WrongSettings, match="Did you mean urlhaus"):
        load_mapping("urlhaus2")


def test_every_mapping_that_comes_along_is_right() -> None:
    assert len(built_in()) >= 12
    for name in built_in():
        assert load_mapping(name).feed
        assert {*load_mapping(name).instead} <= {*built_in()}


def test_cells_that_are_no_csv_are_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "feed.csv"
    rows = [f"198.51.100.{n},ip" for n in range(10)]
    endless = '"' + "x" * (3 << 20)
    path.write_text("\n".join(["Indicator,Type", *rows[:5], endless, *rows[5:], "a,b,c,d", "nothing,ip", "x,colour"]))
    found, left_out = read(path, "table")
    assert len(found) == 10
    assert left_out == {
        "a line over 1 MiB": 1,
        "more cells than columns": 1,
        "not a value of the kind ip": 1,
        "a kind that the mapping does not know": 1,
    }


def test_memory_does_not_grow_with_the_feed(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    with path.open("w") as file:
        for number in range(20_000):
            file.write(f"198.{number >> 16}.{number >> 8 & 255}.{number & 255}\n")
    connector = make("csv", {"path": str(path), "mapping": "list"})
    tracemalloc.start()
    count = sum(1 for _ in connector.items({}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 8 << 20


@pytest.mark.parametrize(
    ("text", "refanged"),
    [
        ("198[.]51[.]100[.]23", "198.51.100.23"),
        ("198[.51[.100[.23", "198.51.100.23"),
        ("hxxps://Files[.]Example[.]com/a", "https://Files.Example.com/a"),
        ("hXXp[:]//x(dot)example", "http://x.example"),
        ("h**p://x[ dot ]example", "http://x.example"),
        ("http[://]x.example", "http://x.example"),
        ("fxp://x{.}example", "ftp://x.example"),
        ("user[@]example[.]net", "user@example.net"),
        ("user (at) example (dot) net", "user@example.net"),
        ("2001[:]db8[:][:]1", "2001:db8::1"),
        ("http://[2001:db8::1]/a[1]", "http://[2001:db8::1]/a[1]"),
        (" `bad.example` ", "bad.example"),
        ("x\\.example", "x.example"),
        ("hxxp-is-a-name.example", "hxxp-is-a-name.example"),
    ],
)
def test_what_people_defang_is_refanged(text: str, refanged: str) -> None:
    assert refang(text) == refanged
    assert refang(refanged) == refanged


@given(text=st.text(max_size=40), kind=st.sampled_from(sorted(KINDS)))
def test_any_text_is_a_value_or_is_none(text: str, kind: str) -> None:
    try:
        found = read_values(text, kind)
    except NotAValueError:
        return
    for its_kind, value in found:
        assert run_validator(pattern(its_kind, value), stix_version="2.1") == []


@given(st.text(min_size=1, max_size=30).filter(lambda text: "\0" not in text))
def test_a_pattern_says_the_value_whatever_is_in_it(value: str) -> None:
    text = pattern("url", value)
    quoted = text.removeprefix("[url:value = '").removesuffix("']")
    assert re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) == value
    assert run_validator(text, stix_version="2.1") == []

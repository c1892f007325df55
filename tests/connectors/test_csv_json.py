"""Rows in JSON: wherever they are, each has its own level, date, kind and confidence."""

from __future__ import annotations

import json
import tracemalloc
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.csv.levels import TLP_IDS
from connectors.sdk.catalogue import make
from connectors.sdk.errors import SourceFailed
from connectors.sdk.publisher import as_line
from tests.connectors.csv_feeds import FORMATS, SINCE, a_mapping, read_feed, read_text

INDICATOR = """
[indicator]
tlp = "clear"
tlp_column = "{at}tlp"
first_seen = ["{at}seen"]
confidence_column = "{at}score"
description = "{{{at}note}}"
label_columns = ["{at}tags"]
"""


def mapping_for(folder: Path, *, at: str = "", rows: str = "") -> Path:
    below = f'rows = "{rows}"\n' if rows else ""
    layout = f'feed = "x"\n[file]\nformat = "json"\n{below}[[value]]\ncolumn = "{at}ioc"\nkind_column = "{at}kind"\n'
    return a_mapping(folder, layout + INDICATOR.format(at=at))


def as_read(folder: Path, content: Any, mapping: Path) -> list[dict[str, Any]]:
    return read_text(folder, json.dumps(content), mapping, name="feed.json").found


ROW = st.fixed_dictionaries(
    {},
    optional={
        "tlp": st.sampled_from([*TLP_IDS, "TLP:RED", None, ""]),
        "seen": st.dates(date(2000, 1, 1), date(2026, 1, 1)).map(date.isoformat),
        "score": st.integers(2, 100),
        "note": st.sampled_from(["a", "b", "TLP:AMBER"]),
        "tags": st.lists(st.sampled_from(["x", "y", "tlp:red", "tlp:green"]), max_size=2),
        "kind": st.sampled_from(["domain", "", None]),
    },
)
SHAPES: dict[str, Any] = {
    "data": lambda rows: {"query_status": "ok", "data": rows},
    "*": lambda rows: {str(number): [row] for number, row in enumerate(rows)},
    "data.*": lambda rows: {"data": {str(number): row for number, row in enumerate(rows)}, "count": len(rows)},
    "result.pages.*.items": lambda rows: {"result": {"pages": [{"items": [row]} for row in rows]}},
}


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=5), shape=st.sampled_from(sorted(SHAPES)))
def test_a_row_gives_the_same_wherever_it_stands_and_however_it_is_mapped(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], shape: str
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    rows = [{"ioc": f"n{number}.example", **row} for number, row in enumerate(rows)]
    alone = [one for row in rows for one in as_read(folder, [row], mapping_for(folder))]
    nested = SHAPES[shape](rows)
    below = as_read(folder, nested, mapping_for(folder, rows=shape))
    by_path = as_read(folder, nested, mapping_for(folder, at=f"{shape}.{'*.' if shape != 'data.*' else ''}"))
    assert below == alone
    assert by_path == alone


def test_a_level_of_the_whole_answer_is_that_of_each_row(tmp_path: Path) -> None:
    content = {"tlp": "amber", "data": [{"ioc": "a.example", "tlp": "clear"}, {"ioc": "b.example", "tlp": "red"}]}
    read = read_text(tmp_path, json.dumps(content), mapping_for(tmp_path, at="data.*."), name="feed.json")
    assert read.levels == {"a.example": "amber", "b.example": "red"}


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ({"tags": [{"name": "tlp:red"}]}, "red"),
        ({"Tag": [{"id": 1, "name": "osint"}, {"id": 2, "name": "tlp:amber"}]}, "amber"),
        ({"meta": {"tlp": "red"}}, "red"),
        ({"extra.tlp": "red", "tlp": "green"}, "red"),
        ({"meta": {"handling": {"labels": ["tlp:red"]}}}, "red"),
        ({"others": [{"ioc": "b.example", "tlp": "red"}], "tlp": "green"}, "green"),
    ],
)
def test_a_level_counts_wherever_a_row_says_it(tmp_path: Path, said: dict[str, Any], level: str) -> None:
    row = {"ioc": "a.example", **said}
    for content, at in (([row], ""), ({"data": [row]}, "data.*.")):
        read = read_text(tmp_path, json.dumps(content), mapping_for(tmp_path, at=at), name="feed.json")
        assert read.levels["a.example"] == level


def test_a_level_above_the_rows_is_that_of_each_and_of_no_other(tmp_path: Path) -> None:
    pages = [
        {"tlp": "amber", "items": [{"ioc": "a.example", "tlp": "clear"}, {"ioc": "b.example", "tlp": "red"}]},
        {"items": [{"ioc": "c.example"}]},
        {"Tag": [{"name": "tlp:red"}], "items": [{"ioc": "d.example"}]},
    ]
    mapping = mapping_for(tmp_path, rows="pages.*.items")
    read = read_text(tmp_path, json.dumps({"pages": pages}), mapping, name="feed.json")
    assert read.levels == {"a.example": "amber", "b.example": "red", "c.example": "clear", "d.example": "red"}


def test_a_level_behind_the_rows_is_an_error(tmp_path: Path) -> None:
    text = json.dumps({"data": [{"ioc": "a.example"}], "tlp": "red"})
    with pytest.raises(SourceFailed) as failed:
        read_text(tmp_path, text, mapping_for(tmp_path, rows="data"), name="feed.json")
    assert failed.value.code == "mapping.level-behind-rows"


def test_a_dump_by_id_without_an_entry_is_empty(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed) as failed:
        read_text(tmp_path, "{}", "urlhaus-json", name="feed.json")
    assert failed.value.code == "source.empty"


def test_an_answer_that_is_ok_is_no_error_in_json(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed) as failed:
        read_text(tmp_path, '{"query_status": "ok", "data": []}', "threatfox-json", name="feed.json")
    assert "an error" not in failed.value.says


def test_what_stands_in_another_list_is_nobody_s_own(tmp_path: Path) -> None:
    mapping = a_mapping(
        tmp_path,
        'feed="x"\n[file]\nformat="json"\n[[value]]\ncolumn="iocs.*.v"\nkind="detect"\n[indicator]\ntlp_column="m.*.tlp"'
        '\nfirst_seen=["m.*.seen"]\n',
    )
    content = {
        "iocs": [{"v": "a.example"}, {"v": "b.example"}],
        "m": [{"tlp": "clear", "seen": "2020-01-01"}, {"tlp": "red", "seen": "2021-01-01"}],
    }
    read = read_text(tmp_path, json.dumps(content), mapping, name="feed.json")
    assert read.levels == {"a.example": "red", "b.example": "red"}
    assert {one["created"] for one in read.found} == {"2026-01-01T00:00:00.000Z"}
    assert read.counts == {"several entries for one value, and no telling which is its own": 2}


@pytest.mark.parametrize("tlp", ["TLP:PURPLE", 3, True, {"name": "TLP:RED"}, [{"name": "TLP:RED"}], "internal only"])
def test_a_level_that_cannot_be_read_is_never_a_more_open_one(tmp_path: Path, tlp: Any) -> None:
    rows = [{"ioc": "a.example", "tlp": tlp}, {"ioc": "b.example", "tlp": "green"}]
    read = read_text(tmp_path, json.dumps(rows), mapping_for(tmp_path), name="feed.json")
    assert read.levels == {"b.example": "green"}
    assert read.counts == {"a level that cannot be read": 1}


def test_the_key_of_a_dump_by_id_is_a_column(tmp_path: Path) -> None:
    mapping = a_mapping(tmp_path, 'feed="x"\n[file]\nformat="json"\nrows="*"\n[[value]]\ncolumn="@key"\nkind="ip"\n')
    content = {"198.51.100.1": {"seen": 1}, "198.51.100.2": [{"seen": 2}]}
    assert read_text(tmp_path, json.dumps(content), mapping, name="a.json").values == ["198.51.100.1", "198.51.100.2"]


def test_a_list_of_values_is_read(tmp_path: Path) -> None:
    mapping = a_mapping(tmp_path, 'feed="x"\n[file]\nformat="json"\n[[value]]\nkind="detect"\n')
    assert read_text(tmp_path, '["198.51.100.1","a.example"]', mapping, name="a.json").values == [
        "198.51.100.1",
        "a.example",
    ]


@pytest.mark.parametrize("end", ["", "]", "}", '"', "]}x"])
def test_an_answer_that_is_cut_off_gives_its_rows_and_fails(tmp_path: Path, end: str) -> None:
    path = tmp_path / "cut.json"
    path.write_text('{"data": [{"ioc": "a.example"}, {"ioc": "b.example"}' + end)
    connector = make("csv", {"path": str(path), "mapping": str(mapping_for(tmp_path, rows="data")), "since": SINCE})
    items = connector.items({})
    assert json.loads(as_line(next(items).body))["id"]
    with pytest.raises(SourceFailed, match="is not JSON to its end"):
        list(items)


def test_rows_that_are_not_where_the_mapping_says_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="has nothing at data; it has query_status, msg"):
        read_text(tmp_path, '{"query_status": "x", "msg": "y"}', mapping_for(tmp_path, rows="data"), name="a.json")


def test_rows_below_are_named_to_who_did_not_say_where_they_are(tmp_path: Path) -> None:
    content = {"query_status": "ok", "result": {"page": 1, "items": [{"ioc": "a.example"}]}}
    with pytest.raises(SourceFailed, match=r"its rows are at result\.items"):
        read_text(tmp_path, json.dumps(content), mapping_for(tmp_path), name="a.json")


def test_a_row_over_the_limits_is_left_out_alone(tmp_path: Path) -> None:
    rows = [
        {"ioc": "a.example", "x": "y" * (2 << 20)},
        {"ioc": "b.example", "x": list(range(30_000))},
        {"ioc": "c.example"},
    ]
    read = read_text(tmp_path, json.dumps({"data": rows}), mapping_for(tmp_path, rows="data"), name="a.json")
    assert read.values == ["c.example"]
    assert read.left_out["a row over 1 MiB, or with too much in it"].count == 2


@pytest.mark.parametrize("hostile", ["[" * 200_000, '{"a":' * 200_000, '{"b": ' + "[" * 200_000])
def test_deep_nesting_is_an_error(tmp_path: Path, hostile: str) -> None:
    with pytest.raises(SourceFailed):
        read_text(tmp_path, hostile, mapping_for(tmp_path, rows="data"), name="a.json")


def test_a_text_that_never_ends_is_not_gathered(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("w") as file:
        file.write('{"data": [{"ioc": "')
        for _ in range(40):
            file.write("x" * (1 << 20))
    connector = make("csv", {"path": str(path), "mapping": str(mapping_for(tmp_path, rows="data"))})
    with pytest.raises(SourceFailed, match="does not end within 16 MiB"):
        list(connector.items({}))


def test_memory_does_not_grow_with_the_rows_below(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("w") as file:
        file.write('{"data": [')
        for number in range(6_000):
            file.write(f'{{"ioc": "n{number}.example", "x": "{"y" * 3_000}"}},\n')
        file.write('{"ioc": "end.example"}]}')
    connector = make("csv", {"path": str(path), "mapping": str(mapping_for(tmp_path, rows="data")), "since": SINCE})
    tracemalloc.start()
    count = sum(1 for _ in connector.items({}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 6_001
    assert peak < 8 << 20


def test_dumps_by_id_give_the_same_objects_as_the_csv() -> None:
    for name in ("threatfox", "urlhaus"):
        from_json = read_feed(FORMATS / f"{name}-recent.json", f"{name}-json").found
        from_csv = read_feed(FORMATS / f"{name}-recent.csv", name).found
        assert len(from_json) == 2
        assert from_json == from_csv[:2]


def test_of_events_only_those_whose_address_attacks_are_indicators() -> None:
    read = read_feed(FORMATS / "intelmq-events.ndjson", "intelmq")
    assert read.levels == {"c2.bad-domain.example": None, "https://login.bank.example/": "amber", "198.51.100.78": None}
    assert read.counts == {"an event whose source is most likely a victim": 3}
    read = read_feed(FORMATS / "n6-events.ndjson", "n6")
    assert len(read.found) == 3
    assert read.counts == {"an event whose subject is most likely a victim": 2}


def test_nested_events_of_intelmq_are_the_same(tmp_path: Path) -> None:
    event = {
        "classification": {"type": "scanner"},
        "source": {"ip": "198.51.100.1"},
        "time": {"source": "2026-02-03T09:00:00Z"},
    }
    flat = {"classification.type": "scanner", "source.ip": "198.51.100.1", "time.source": "2026-02-03T09:00:00Z"}
    nested = read_text(tmp_path, json.dumps([event]), "intelmq", name="a.json").found
    assert nested == read_text(tmp_path, json.dumps(flat), "intelmq", name="a.json").found
    assert nested[0]["created"] == "2026-02-03T09:00:00.000Z"


def test_a_log_of_intelmq_is_none_of_n6() -> None:
    with pytest.raises(SourceFailed, match=r"has a column url or fqdn or address\.\*\.ip"):
        read_feed(FORMATS / "intelmq-events.ndjson", "n6")


def test_misp_s_tags_of_the_event_count_as_well() -> None:
    read = read_feed(FORMATS / "misp-export.csv", "misp")
    assert read.levels == {"198.51.100.31": "amber", "58a2fc6ed39fd083f55d4182bf88826d": "red"}
    assert {tuple(one["labels"]) for one in read.found} == {("PAP:GREEN",)}

"""Tables: where the columns' names are, where a record ends, what a broken row costs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.csv.lines import read_lines
from connectors.csv.mapping import load_mapping
from connectors.csv.rows import FilePlace
from connectors.csv.table import read_table
from connectors.sdk.errors import SourceFailed
from connectors.sdk.inputs import Input
from tests.connectors.csv_feeds import FORMATS, a_mapping, read_feed, read_text

TABLE = "Indicator,Type,TLP,Comment\n"


def cells(data: bytes, *, chunk: int = 1 << 20, mapping: str = "table") -> tuple[list[dict[str, str]], list[str]]:
    """The rows of a table cut into chunks, and the reasons for what is no row."""
    reasons: list[str] = []
    pieces = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    source = Input(io.BytesIO(data), name="feed.csv", size_bytes=None)

    def leave_out(reason: str, place: FilePlace | None) -> None:
        reasons.append(reason)

    lines = read_lines(iter(pieces), ("utf-8", "cp1252"))
    _, rows = read_table(lines, (load_mapping(mapping),), source, leave_out, lambda *_: None)
    return [dict(row.cells) for row in rows], reasons


TEXT = st.text(st.sampled_from("ab,;\t\"' #\n|é{[x"), max_size=12)
ROWS = st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=8)


@given(rows=ROWS, end=st.sampled_from(["\n", "\r\n", "\r"]), chunk=st.integers(1, 40))
def test_what_a_csv_writer_writes_is_read_as_it_was(rows: list[tuple[str, str, str]], end: str, chunk: int) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["Indicator", "Type", "Comment"])
    writer.writerows(rows)
    found, reasons = cells(out.getvalue().encode(), chunk=chunk)
    names = ("Indicator", "Type", "Comment")
    # a row of blanks is none, and neither are the columns' names once more
    assert found == [dict(zip(names, row, strict=True)) for row in rows if any(map(str.strip, row))]
    assert reasons == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_in_any_unicode_is_read(tmp_path: Path, encoding: str, end: str) -> None:
    text = end.join(["# a list", "Indicator;Type;Kommentar", 'bücher.example;Domain;"a', '# b"', "198.51.100.1;IP;x"])
    read = read_text(tmp_path, text.encode(encoding))
    assert [one["description"] for one in read.found] == [f"a{end}# b", "x"]


def test_blank_lines_and_comments_outside_of_quotes_are_passed_over(tmp_path: Path) -> None:
    text = TABLE + '\n# one\n198.51.100.1,ip,green,"a\n\n# b\n"\n\n#two\n198.51.100.2,ip,red,c\n'
    read = read_text(tmp_path, text)
    assert read.levels == {"198.51.100.1": "green", "198.51.100.2": "red"}
    assert read.found[0]["description"] == "a\n\n# b"


def test_a_quote_that_never_ends_costs_its_own_row(tmp_path: Path) -> None:
    rows = [f"198.51.100.{n},ip,red,text" for n in range(1, 10)]
    rows.insert(4, '198.51.100.99,ip,green,"never ends')
    read = read_text(tmp_path, TABLE + "\n".join(rows))
    assert len(read.found) == 9
    assert set(read.levels.values()) == {"red"}
    assert read.left_out["a quote that never ends"].first == 'line 6: 198.51.100.99,ip,green,"never ends'


def test_a_stray_quote_takes_nothing_from_the_row_below(tmp_path: Path) -> None:
    rows = ['198.51.100.1,ip,green,"text', '"198.51.100.2","ip","red","the ministry"', '198.51.100.3,ip,amber,"x"']
    read = read_text(tmp_path, TABLE + "\n".join(rows))
    assert read.levels == {"198.51.100.2": "red", "198.51.100.3": "amber"}
    assert read.counts == {"a quote that never ends": 1}


def test_quotes_inside_of_a_quoted_cell_are_read_on_their_line(tmp_path: Path) -> None:
    read = read_text(tmp_path, TABLE + '198.51.100.1,ip,green,"he said "hi" twice"\n198.51.100.2,ip,red,b\n')
    assert read.levels == {"198.51.100.1": "green", "198.51.100.2": "red"}


def test_a_line_behind_a_broken_quote_is_a_row_only_if_it_is_whole(tmp_path: Path) -> None:
    text = TABLE + '198.51.100.9,ip,,\n198.51.100.1,ip,red,"a report that was cut off\n198.51.100.2\nand more'
    read = read_text(tmp_path, text)
    assert read.values == ["198.51.100.9"]
    assert read.counts == {"a quote that never ends": 1, "a row behind a quote that never ends": 2}


def test_a_record_has_a_limit(tmp_path: Path) -> None:
    lines = ["Indicator,Type,Comment", '198.51.100.1,ip,"' + "x" * (2 << 20) + '"', "198.51.100.2,ip,b"]
    read = read_text(tmp_path, "\n".join(lines))
    assert read.values == ["198.51.100.2"]
    assert read.left_out["a line over 1 MiB"].first == "line 2"
    lines[1] = "," * 5_000
    assert read_text(tmp_path, "\n".join(lines)).counts == {"a row of over 4,096 cells": 1}


def test_the_names_are_found_in_a_comment_and_in_a_row(tmp_path: Path) -> None:
    rows = '"2026-01-16 20:19:33","198.51.100.16","443","online","2026-02-03","Dridex"\n'
    names = '"first_seen_utc","dst_ip","dst_port","c2_status","last_online","malware"\n'
    for head in (names, f"# {names}", f"#\n# the list\n# {names}#\n"):
        assert read_text(tmp_path, head + rows, "feodo").values == ["198.51.100.16"]
    head = "id,dateadded,url,url_status,last_online,threat,tags,urlhaus_link,reporter\n"
    row = '"1","2026-02-03 10:14:06","http://a.example/i","online","","","","",""\n'
    for text in (f"# {head}{row}", f"{head}{row}", f"# {head}{head}{row}"):
        read = read_text(tmp_path, text, "urlhaus")
        assert (read.values, read.counts) == (["http://a.example/i"], {})


@pytest.mark.parametrize(
    "header",
    [
        "indicator type,INDICATOR,description",
        "Ioc_Type,ioc-value,Comment",
        "TYP,Indikator,Text",
        "type,value,note",
    ],
)
def test_names_of_columns_need_not_be_spelt_alike(tmp_path: Path, header: str) -> None:
    assert read_text(tmp_path, f"{header}\nIP,198.51.100.1,x\n").values == ["198.51.100.1"]


def test_of_two_columns_for_one_thing_the_exact_name_counts(tmp_path: Path) -> None:
    read = read_text(tmp_path, "Value,Indicator,Type,Kind\n12,198.51.100.1,ip,c2\n")
    assert read.values == ["198.51.100.1"]


def test_a_column_more_than_the_header_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match=r"Every row .* has 1 more cells than the 3 columns"):
        read_text(tmp_path, "Seen,Indicator,Type\n" + "a,198.51.100.9,198.51.100.1,ip\n" * 3)


def test_empty_cells_at_the_end_are_no_column_more(tmp_path: Path) -> None:
    read = read_text(tmp_path, "Indicator,Type\n198.51.100.1,ip,\n198.51.100.2,ip,,\n")
    assert (read.values, read.counts, read.warnings) == (["198.51.100.1", "198.51.100.2"], {}, [])


def test_too_many_cells_are_text_only_where_the_last_column_is(tmp_path: Path) -> None:
    read = read_text(tmp_path, "Comment,Indicator,TLP\na, b,198.51.100.1,green\nc,198.51.100.2,green\n")
    assert read.values == ["198.51.100.2"]
    assert read.left_out["more cells than columns"].first == "line 2: a, b,198.51.100.1,green"


def test_a_level_that_slipped_into_the_text_is_never_lost(tmp_path: Path) -> None:
    read = read_text(tmp_path, "Indicator,Note,TLP,Comment\n198.51.100.1,a, ,TLP:RED,c\n198.51.100.2,a,green,c\n")
    assert read.levels == {"198.51.100.2": "green"}


def test_a_last_row_that_is_cut_off_does_not_lose_its_level(tmp_path: Path) -> None:
    text = "Indicator,Type,TLP,Comment\n198.51.100.1,ip,green,a\n198.51.100.2,ip"
    read = read_text(tmp_path, text)
    assert read.values == ["198.51.100.1"]
    assert read.counts == {"a last row that is cut off before its level": 1}
    assert len(read_text(tmp_path, f"{text}\n").found) == 2


def test_the_delimiter_is_the_one_between_the_names(tmp_path: Path) -> None:
    for delimiter in (",", ";", "\t", "|"):
        text = delimiter.join(["Indicator", "Comment"]) + "\n" + delimiter.join(["198.51.100.1", '"a,b;c,d"']) + "\n"
        assert read_text(tmp_path, text).found[0]["description"] == "a,b;c,d"
    assert read_text(tmp_path, "sep=;\nIndicator;Comment\n198.51.100.1;x\n").values == ["198.51.100.1"]
    assert read_text(tmp_path, "Indicator\na.example,b.example\n").values == ["a.example", "b.example"]


def test_zeek_s_files_name_their_columns_themselves() -> None:
    read = read_feed(FORMATS / "zeek-intel.dat", "table")
    assert read.values == [
        "198.51.100.41",
        "203.0.113.0/25",
        "c2.bad-domain.example",
        "http://files.bad-domain.example/a.exe",
        "58a2fc6ed39fd083f55d4182bf88826d",
    ]
    assert [one.get("description") for one in read.found] == ["scans", None, "beacon", None, "dropper"]
    assert read.counts == {"a kind that the mapping does not know": 1}


def test_what_is_left_out_is_told_with_reason_count_line_and_a_piece(tmp_path: Path) -> None:
    text = TABLE + "198.51.100.1,ip,,\nnothing,ip,,x\x1b[2J\nx,colour,,\n,ip,,\n198.51.100.1,ip,,\nno,ip,,\n"
    read = read_text(tmp_path, text)
    assert {reason: (one.count, one.first) for reason, one in read.left_out.items()} == {
        "not a value of the kind ip": (2, "line 3: nothing,ip,,x [2J"),
        "a kind that the mapping does not know": (1, "line 4: x,colour,,"),
        "a row without a value": (1, "line 5: ,ip,,"),
        "a repeated value": (1, "line 6: 198.51.100.1,ip,,"),
    }


def test_the_place_names_the_file_where_there_are_several(tmp_path: Path) -> None:
    (tmp_path / "feeds").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "feeds" / name).write_text(TABLE + "198.51.100.1,ip,,\nnothing,ip,,\n")
    read = read_feed(tmp_path / "feeds", "table")
    assert read.left_out["not a value of the kind ip"].first == "a.csv, line 3: nothing,ip,,"


def test_a_file_without_rows_fails_unless_it_may_be_empty(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="allow_empty"):
        read_text(tmp_path, TABLE)
    assert read_feed(tmp_path / "feed.csv", "table", allow_empty="true").found == []
    mapping = a_mapping(
        tmp_path, 'feed="x"\n[file]\nheader="row"\nmay_be_empty=true\n[[value]]\ncolumn="Indicator"\nkind="ip"'
    )
    assert read_text(tmp_path, TABLE, mapping).found == []
    assert read_text(tmp_path, "", mapping).found == []
    with pytest.raises(SourceFailed, match="nothing that can be used"):
        read_text(tmp_path, TABLE + "nothing,ip,,\n", mapping)


def test_a_file_of_rows_that_are_none_on_purpose_fails_unless_it_may_be_empty(tmp_path: Path) -> None:
    event = '{"classification.type":"infected-system","source.ip":"198.51.100.1"}\n'
    with pytest.raises(SourceFailed, match="nothing that can be used"):
        read_text(tmp_path, event, "intelmq", name="log.json")
    assert read_feed(tmp_path / "log.json", "intelmq", allow_empty="true").found == []

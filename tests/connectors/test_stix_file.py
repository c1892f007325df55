"""Files of STIX: folders, patterns, packed files, broken ones; and memory that does not grow with them."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk import CheckpointFile, Connector, LeftOut, Runner, SourceFailed, archives
from connectors.sdk.publisher import as_line
from connectors.sdk.testing import ConnectorContract, Kept
from connectors.stix_file import StixFileConnector, StixFileSettings
from connectors.stix_file.inputs import Inputs, InputsSettings

REAL_LIFE = Path(__file__).parent.parent / "data" / "real-life"


def an_object(number: int) -> dict[str, Any]:
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{number}", "pattern": f"[x:v = '{number}']"}


def a_bundle(*numbers: int) -> bytes:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": [an_object(n) for n in numbers]}).encode()


def a_connector(path: Path | str) -> StixFileConnector:
    return StixFileConnector(StixFileSettings(path=str(path)))


def read(path: Path | str) -> list[Any]:
    return [json.loads(as_line(item.body)) for item in a_connector(path).items({})]


class TestStixFile(ConnectorContract):
    def connector(self, tmp_path: Path) -> Connector[Any]:
        folder = tmp_path / "feed"
        if not folder.exists():
            (folder / "deeper").mkdir(parents=True)
            (folder / "a.json").write_bytes(a_bundle(1, 2))
            (folder / "b.jsonl.gz").write_bytes(
                gzip.compress(b"\n".join(json.dumps(an_object(n)).encode() for n in (3, 4)))
            )
            (folder / "deeper" / "c.json").write_bytes(json.dumps(an_object(5)).encode())
        return a_connector(folder)

    def unusable(self, tmp_path: Path) -> list[Connector[Any]]:
        for name in ("not-the-feed.html", "not-the-feed.json"):
            (tmp_path / f"{name}.stix").write_bytes((REAL_LIFE / name).read_bytes())
        (tmp_path / "lines.json").write_bytes(b"No data today\n" * 3)
        (tmp_path / "rows.json").write_bytes(b'[{"ip":"198.51.100.1"},{"ip":"198.51.100.2"}]')
        (tmp_path / "unknown").mkdir()
        (tmp_path / "unknown" / "feed.xlsx").write_bytes(b"PK")
        names = ("not-the-feed.html.stix", "not-the-feed.json.stix", "lines.json", "rows.json", "unknown")
        return [a_connector(tmp_path / name) for name in names]

    def blank(self, tmp_path: Path) -> list[Connector[Any]]:
        (tmp_path / "empty.json").write_bytes(b"")
        (tmp_path / "blank.json.gz").write_bytes(gzip.compress(b" \n\n"))
        (tmp_path / "bundle.json").write_bytes(b'{"type":"bundle","id":"bundle--1"}')
        (tmp_path / "envelope.json").write_bytes(b'{"more":false,"objects":[]}')
        (tmp_path / "nothing").mkdir()
        names = ("empty.json", "blank.json.gz", "bundle.json", "envelope.json", "nothing")
        return [a_connector(tmp_path / name) for name in names]


def test_what_may_be_empty_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "empty.json").write_bytes(b"")
    (tmp_path / "nothing").mkdir()
    for name in ("empty.json", "nothing"):
        connector = StixFileConnector(StixFileSettings(path=str(tmp_path / name), allow_empty=True))
        assert Runner(connector, Kept()).run().objects == 0
    (tmp_path / "empty.json").write_bytes(b"<html>")
    with pytest.raises(SourceFailed, match="is a web page"):
        list(StixFileConnector(StixFileSettings(path=str(tmp_path / "empty.json"), allow_empty=True)).items({}))


def test_a_file_that_held_no_object_is_read_again_once_it_is_mended_and_the_others_are_not(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"<html>")
    (tmp_path / "b.json").write_bytes(a_bundle(1, 2))
    checkpoints = CheckpointFile(tmp_path / "state", connector="stix-file")
    for published in ([an_object(1), an_object(2)], [], []):
        kept = Kept()
        with pytest.raises(SourceFailed, match=r"a\.json is a web page"):
            Runner(a_connector(tmp_path), kept, checkpoints).run()
        assert [json.loads(body) for body in kept.bodies] == published
    (tmp_path / "a.json").write_bytes(a_bundle(3))
    kept = Kept()
    Runner(a_connector(tmp_path), kept, checkpoints).run()
    assert [json.loads(body) for body in kept.bodies] == [an_object(3)]


def test_an_object_that_is_broken_goes_to_the_hub_also_where_it_is_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    for raw in (b'{"type": "indicator", "id": "indicator--1", ', b'{"type":"malware","spec_version":"2.1"}'):
        path.write_bytes(raw)
        assert [item.body for item in a_connector(path).items({})] == [raw]


def test_files_that_a_folder_holds_besides_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(a_bundle(1))
    (tmp_path / "b.xlsx").write_bytes(b"PK")
    connector = a_connector(tmp_path)
    list(connector.items({}))
    (left_out,) = connector.left_out().values()
    assert left_out == LeftOut(1, str(tmp_path / "b.xlsx"))


def test_a_feed_that_shrinks_by_more_than_half_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "feed.json"
    checkpoints = CheckpointFile(tmp_path / "state", connector="stix-file")

    def warnings(*numbers: int) -> list[str]:
        path.write_bytes(a_bundle(*numbers))
        return [f"{one.code}: {one.says}" for one in Runner(a_connector(path), Kept(), checkpoints).run().warnings]

    assert warnings(*range(1, 11)) == []
    assert warnings(*range(1, 6)) == []
    assert warnings(1, 2) == [f"source.shrunk: {path} gave 2 objects; the last time it gave 5."]
    assert warnings(*range(1, 6)) == []
    path.write_bytes(b"<html>")
    with pytest.raises(SourceFailed):
        Runner(a_connector(path), Kept(), checkpoints).run()
    assert len(warnings(1, 2)) == 1, "a day on which it failed is not its last run"


def test_a_folder_is_read_with_what_is_below_it_and_without_other_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.JSON").write_bytes(a_bundle(2))
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(a_bundle(1)))
    (tmp_path / ".hidden.json").write_bytes(a_bundle(8))
    (tmp_path / "README.md").write_text("no STIX")
    assert read(tmp_path) == [an_object(1), an_object(2)]


def test_a_pattern_names_files(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"{number}.dump").write_bytes(a_bundle(number))
    assert read(f"{tmp_path}/[12].dump") == [an_object(1), an_object(2)]


def test_a_file_is_unpacked_by_what_it_is_not_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "feed.json"
    path.write_bytes(gzip.compress(a_bundle(1)) + gzip.compress(b"\n" + a_bundle(2)))  # two members
    assert read(path) == [an_object(1), an_object(2)]


def read_until_it_fails(path: Path) -> tuple[list[Any], SourceFailed]:
    found: list[Any] = []
    try:
        found.extend(json.loads(as_line(item.body)) for item in a_connector(path).items({}))
    except SourceFailed as failure:
        return found, failure
    raise AssertionError("it does not fail")


def test_a_packed_file_that_ends_in_the_middle_gives_what_it_has_and_fails(tmp_path: Path) -> None:
    path = tmp_path / "feed"
    whole = b"\n".join(json.dumps({**an_object(n), "x": n**40}).encode() for n in range(20_000))
    path.write_bytes(gzip.compress(whole)[:-2_000])
    found, failure = read_until_it_fails(path)
    assert 10_000 < len(found) < 20_000
    assert "feed cannot be read: the gzip stream ends in the middle" in failure.says


def test_a_broken_file_does_not_keep_the_others_from_the_hub(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(a_bundle(1))[:-9])
    (tmp_path / "b.json").write_bytes(a_bundle(2))
    found, failure = read_until_it_fails(tmp_path)
    assert an_object(2) in found
    assert "a.json.gz cannot be read" in failure.says
    assert "correct the file" in failure.way_out


def a_zip(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_zip_is_read_by_what_it_is_and_only_its_data(tmp_path: Path) -> None:
    files = {
        "folder/": b"",
        "folder/a.json": a_bundle(1, 2),
        "__MACOSX/folder/._a.json": b"\0\5\26\7",
        ".hidden.json": a_bundle(8),
        "README.json": b"no STIX",
        "picture.png": b"\x89PNG",
        "b.jsonl.gz": gzip.compress(json.dumps(an_object(3)).encode()),
        "c.JSON": a_bundle(4).decode().encode("utf-16"),
    }
    for name in ("dump", "dump.json", "dump.zip"):
        assert read(a_zip(tmp_path / name, files)) == [an_object(n) for n in (1, 2, 3, 4)]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_only_file_of_a_zip_may_have_any_name(tmp_path: Path, method: int) -> None:
    path = a_zip(tmp_path / "a.zip", {"README": b"Read me.", "export": a_bundle(1)}, method)
    assert read(path) == [an_object(1)]


def test_a_broken_line_at_the_end_of_one_file_of_a_zip_leaves_the_next_alone(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "a.zip", {"a.json": b'{"type":"bundle","objects":[{"id":"x--1', "b.json": a_bundle(1)})
    assert [item.body for item in a_connector(path).items({})][1:] == [json.dumps(an_object(1)).encode()]


def test_a_folder_is_read_with_the_archives_in_it(tmp_path: Path) -> None:
    a_zip(tmp_path / "b.zip", {"b.json": a_bundle(2)})
    (tmp_path / "a.json").write_bytes(a_bundle(1))
    assert read(tmp_path) == [an_object(1), an_object(2)]


def test_a_web_page_from_a_pipe_is_called_one(tmp_path: Path) -> None:
    inputs = Inputs(InputsSettings(paths=("-",)), stdin=io.BytesIO(b"<html>\n<title>Moved</title>\n</html>\n"))
    with pytest.raises(SourceFailed, match=r'standard input is a web page \("Moved"\)'):
        list(inputs.items({}))


def test_a_workbook_is_called_one_though_it_is_packed_like_an_archive(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "feed.xlsx", {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook/>"})
    with pytest.raises(SourceFailed, match=r"feed\.xlsx is an Office document") as raised:
        read(path)
    assert raised.value.way_out == "Save it as CSV."


def test_an_archive_without_data_is_told(tmp_path: Path) -> None:
    for files in ({"a.png": b"x", "b.exe": b"x"}, {}):
        with pytest.raises(SourceFailed, match=r"holds [02] files, and none is called \.json"):
            read(a_zip(tmp_path / "a.zip", files))


def test_an_archive_in_an_archive_is_told_after_the_rest_is_read(tmp_path: Path) -> None:
    inner = a_zip(tmp_path / "inner.zip", {"x.json": a_bundle(9)}).read_bytes()
    found, failure = read_until_it_fails(a_zip(tmp_path / "a.zip", {"b.zip": inner, "c.json": a_bundle(1)}))
    assert found == [an_object(1)]
    assert "b.zip is an archive in an archive" in failure.says
    found, failure = read_until_it_fails(a_zip(tmp_path / "c.zip", {"b.json": inner}))
    assert (found, failure.code) == ([], "source.archive")


def test_a_file_with_a_password_is_told_after_the_rest_is_read(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "a.zip", {"a.json": a_bundle(1), "b.json": a_bundle(2)})
    data = bytearray(path.read_bytes())
    first = data.find(b"PK\x01\x02")
    data[first + 8] |= 1  # the bit that says so, in the archive's list
    path.write_bytes(data)
    found, failure = read_until_it_fails(path)
    assert found == [an_object(2)]
    assert "a.json is locked with a password" in failure.says


def test_a_method_that_unpacks_without_bounds_is_not_read(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "a.zip", {"a.json": a_bundle(1)}, zipfile.ZIP_LZMA)
    assert "packed by method 14" in read_until_it_fails(path)[1].says


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "a.zip", {"a.json": a_bundle(*range(2_000))})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "is a ZIP archive that cannot be read" in read_until_it_fails(path)[1].says
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 0xFF
    path.write_bytes(damaged)
    assert "a.json cannot be read" in read_until_it_fails(path)[1].says


def test_an_archive_that_unpacks_to_far_more_than_data_does_is_not_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "FREE_BYTES", 1 << 20)
    path = a_zip(tmp_path / "a.zip", {"a.json": b"\n" * (8 << 20), "b.json": a_bundle(1)})
    assert "unpacks to more than an archive of data does" in read_until_it_fails(path)[1].says


def test_an_archive_may_come_through_a_pipe(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    packed = a_zip(tmp_path / "a", {"a.json": a_bundle(1)}).read_bytes()
    inputs = Inputs(InputsSettings(paths=("-",)), stdin=Pipe(packed))
    assert [json.loads(as_line(item.body)) for item in inputs.items({})] == [an_object(1)]


def test_how_far_an_archive_is_grows_to_the_whole(tmp_path: Path) -> None:
    connector = a_connector(a_zip(tmp_path / "a.zip", {f"{n}.json": a_bundle(n) for n in range(5)}))
    shares = [connector.share_read() for _ in connector.items({})]
    assert shares == sorted(shares, key=lambda share: share or 0)
    assert connector.share_read() == 1


REAL = Path(__file__).parent.parent / "data" / "real-life"


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("bundles-in-a-list.json", ["93", "94"]),
        ("bundles-in-bundles.json", ["91", "92"]),
        ("bundles-in-bundles.envelope.json", ["111", "112"]),
        ("stix-in-utf16.json", ["98"]),
        ("version-on-the-bundle.json", ["99"]),
        ("packed.json.zip", ["211"]),
    ],
)
def test_what_real_tools_write_is_read(name: str, last: list[str]) -> None:
    found = read(REAL / name)
    assert [one["name"].removeprefix("trial ") for one in found] == last
    assert {one["spec_version"] for one in found} == {"2.1"}


def test_a_path_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceFailed, match="There is no file"):
        read(tmp_path / "nothing.json")


def test_only_files_that_are_new_or_changed_are_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(a_bundle(1))
    (tmp_path / "b.json").write_bytes(a_bundle(2))
    connector = a_connector(tmp_path)
    assert len(list(connector.items({}))) == 2
    end = connector.end_checkpoint()
    assert list(a_connector(tmp_path).items(end)) == []
    (tmp_path / "b.json").write_bytes(a_bundle(2, 3))
    (tmp_path / "c.json").write_bytes(a_bundle(4))
    again = [json.loads(as_line(item.body))["id"] for item in a_connector(tmp_path).items(end)]
    assert again == ["indicator--2", "indicator--3", "indicator--4"]


def test_memory_does_not_grow_with_the_bundle(tmp_path: Path) -> None:
    path = tmp_path / "big.json.gz"
    one = json.dumps(an_object(1) | {"description": "x" * 400}).encode()
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b'{"type":"bundle","objects":[' + one)
        for _ in range(200):
            file.write((b"," + one) * 1_000)
        file.write(b"]}")
    tracemalloc.start()
    count = sum(1 for _ in a_connector(path).items({}))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 200_001  # 100 MB
    assert peak < 12 << 20


def test_a_small_file_that_unpacks_to_much_is_read_in_bounded_pieces(tmp_path: Path) -> None:
    path = tmp_path / "bomb.json.gz"
    path.write_bytes(
        gzip.compress(b'{"type":"bundle","objects":[{"x":"' + b"0" * (200 << 20) + b'"},{"id":"x--next"}]}', 9)
    )
    tracemalloc.start()
    bodies = [item.body for item in a_connector(path).items({})]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(body) for body in bodies] == [16 << 20, len('{"id":"x--next"}')]
    assert peak < 80 << 20

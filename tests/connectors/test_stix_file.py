"""Files of STIX: folders, patterns, packed files, broken ones; and memory that does not grow with them."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from connectors.sdk.connector import Connector
from connectors.sdk.errors import SourceFailed
from connectors.sdk.testing import ConnectorContract
from connectors.stix_file import StixFileConnector, StixFileSettings


def an_object(number: int) -> dict[str, Any]:
    return {"type": "indicator", "spec_version": "2.1", "id": f"indicator--{number}", "pattern": f"[x:v = '{number}']"}


def a_bundle(*numbers: int) -> bytes:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": [an_object(n) for n in numbers]}).encode()


def a_connector(path: Path | str) -> StixFileConnector:
    return StixFileConnector(StixFileSettings(path=str(path)))


def read(path: Path | str) -> list[Any]:
    return [json.loads(item.body) for item in a_connector(path).items({})]  # type: ignore[arg-type]


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
        found.extend(json.loads(item.body) for item in a_connector(path).items({}))  # type: ignore[arg-type]
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
    assert "mend the file" in failure.way_out


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
    again = [json.loads(item.body)["id"] for item in a_connector(tmp_path).items(end)]  # type: ignore[arg-type]
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
        gzip.compress(b'{"type":"bundle","objects":[{"x":"' + b"0" * (200 << 20) + b'"},{"id":"next"}]}', 9)
    )
    tracemalloc.start()
    bodies = [item.body for item in a_connector(path).items({})]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(body) for body in bodies] == [16 << 20, len('{"id":"next"}')]
    assert peak < 80 << 20

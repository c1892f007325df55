"""Hosts files: lists are read by the C library's resolver, in a file system of its own in which they are /etc/hosts."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.doors.entries import an_entry
from tests.doors.products.lists import empty, written
from tests.doors.products.programs import program
from tests.waiting import WITHIN_S


def resolved(folder: Path, content: bytes, names: list[str]) -> set[str]:
    """Which of the names lead to the address of the list."""
    (folder / "hosts").write_bytes(content)
    (folder / "names").write_text("\n".join(names))
    getent = f"{program('getent', 'libc-bin')} -s files hosts --"
    script = f"mount --bind {folder}/hosts /etc/hosts; xargs -a {folder}/names {getent}"
    words = ["unshare", "--map-root-user", "--mount", "--net", "sh", "-c", script]
    done = subprocess.run(words, capture_output=True, timeout=WITHIN_S, check=False)
    assert not done.stderr
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    assert {address for address, *_ in lines} <= {"0.0.0.0"}
    return {line[1] for line in lines}


def test_the_resolver_has_exactly_the_names_of_the_list(tmp_path: Path) -> None:
    some = written("hosts")
    assert len(some.values) > 200
    assert resolved(tmp_path, some.content, some.values) == set(some.values)
    others = [f"x-{name}" for name in some.values if f"x-{name}" not in some.values]
    assert resolved(tmp_path, some.content, others) == set()


def test_names_of_one_label_are_left_out() -> None:
    assert written("hosts", entries=(an_entry("localhost", type="domain-name"),)).content == b""


def test_an_empty_list_is_one(tmp_path: Path) -> None:
    assert resolved(tmp_path, empty("hosts"), ["c2.example"]) == set()

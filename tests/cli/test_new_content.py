"""New content of a file: at once, through links, with the old permissions, and nothing is left beside it."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.cli.new_content import NewContent
from tests.waiting import WITHIN_S

KILLED = """
import os, signal, sys
from pathlib import Path
from hub.cli.new_content import NewContent
with NewContent(Path(sys.argv[1])) as new:
    new.file.write(b"half")
    new.file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
PUT = """
import sys
from pathlib import Path
from hub.cli.new_content import NewContent
with NewContent(Path(sys.argv[1])) as new:
    new.put_in_place()
"""


def put(target: Path, content: bytes) -> bool:
    with NewContent(target) as new:
        new.file.write(content)
        return new.put_in_place()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("depth", [1, 2])
def test_a_link_stays_and_its_target_has_the_new_content(tmp_path: Path, depth: int) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "links").mkdir()
    target = tmp_path / "real" / "list.txt"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link = tmp_path / "links" / "0.txt"
    link.symlink_to("../real/list.txt")
    for no in range(1, depth):
        link = tmp_path / "links" / f"{no}.txt"
        link.symlink_to(f"{no - 1}.txt")
    assert put(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o7777 == 0o640
    assert (names(tmp_path / "real"), len(names(tmp_path / "links"))) == (["list.txt"], depth)
    assert not put(link, b"new"), "nothing has changed"


def test_a_link_to_nothing_gets_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("list.txt")
    assert put(tmp_path / "link", b"new")
    assert (tmp_path / "list.txt").read_bytes() == b"new"
    assert (tmp_path / "link").is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to others")
def test_the_owner_stays(tmp_path: Path) -> None:
    target = tmp_path / "list.txt"
    target.write_bytes(b"old")
    os.chown(target, 12_345, 23_456)
    assert put(target, b"new")
    found = target.stat()
    assert (found.st_uid, found.st_gid) == (12_345, 23_456)


def only_as(group: int | None, calls: list[tuple[int, int]]) -> Callable[[int, int, int], None]:
    """``os.fchown`` for a user who is not root, and in this group."""
    real = os.fchown

    def fchown(handle: int, uid: int, gid: int) -> None:
        calls.append((uid, gid))
        if uid != -1 or gid != group:
            raise PermissionError
        real(handle, uid, gid)

    return fchown


def test_the_group_stays_although_the_owner_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "list.txt"
    target.write_bytes(b"old")
    target.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(target, 12_345, 23_456)
    old = target.stat()
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", only_as(old.st_gid, calls))
    assert put(target, b"new")
    found = target.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o7777) == (os.geteuid(), old.st_gid, 0o640)
    assert calls == [(-1, old.st_gid), (old.st_uid, -1)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to others")
def test_no_other_group_gets_what_the_old_group_might_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "list.txt"
    target.write_bytes(b"old")
    target.chmod(0o664)
    os.chown(target, 12_345, 23_456)
    monkeypatch.setattr(os, "fchown", only_as(None, []))
    assert put(target, b"new")
    found = target.stat()
    assert (found.st_gid, found.st_mode & 0o7777) == (os.getegid(), 0o604)


def test_a_fifo_beside_the_file_is_left_alone(tmp_path: Path) -> None:
    target = tmp_path / "list.txt"
    with NewContent(target):
        [name] = names(tmp_path)
    os.mkfifo(tmp_path / name)
    subprocess.run([sys.executable, "-c", PUT, str(target)], check=True, timeout=WITHIN_S)
    assert names(tmp_path) == [name, "list.txt"]


def test_a_link_beside_the_file_is_left_alone(tmp_path: Path) -> None:
    target, other = tmp_path / "list.txt", tmp_path / "other.txt"
    with NewContent(target):
        [name] = names(tmp_path)
    other.write_bytes(b"other")
    (tmp_path / name).symlink_to(other)
    assert put(target, b"new")
    assert names(tmp_path) == [name, "list.txt", "other.txt"]


def test_without_locks_a_file_is_written_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that has none."""

    def flock(_file: object, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    target = tmp_path / "list.txt"
    with NewContent(target) as first:
        assert put(target, b"second")
        first.file.write(b"first")
        assert first.put_in_place()
    assert (target.read_bytes(), names(tmp_path)) == (b"first", ["list.txt"])


def test_what_is_broken_off_at_its_lock_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_file: object, _how: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(KeyboardInterrupt):
        put(tmp_path / "list.txt", b"new")
    assert names(tmp_path) == []


def test_what_is_left_is_opened_for_writing_to_lock_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As NFS requires."""
    modes: list[int] = []
    real = fcntl.flock

    def flock(file: Any, asked: int) -> None:
        if asked & fcntl.LOCK_NB:
            modes.append(fcntl.fcntl(file, fcntl.F_GETFL) & os.O_ACCMODE)
        real(file, asked)

    target = tmp_path / "list.txt"
    subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
    monkeypatch.setattr(fcntl, "flock", flock)
    assert put(target, b"new")
    assert modes == [os.O_RDWR]


def test_what_a_killed_run_has_left_is_removed_by_the_next_and_by_no_other(tmp_path: Path) -> None:
    target = tmp_path / ("l" * 255)
    assert subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False).returncode < 0
    assert not target.exists(), "never half a file"
    assert len(names(tmp_path)) == 1
    put(tmp_path / "other.txt", b"new")
    assert len(names(tmp_path)) == 2
    put(target, b"new")
    assert names(tmp_path) == ["l" * 255, "other.txt"]


def test_two_runs_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    target = tmp_path / "list.txt"
    with NewContent(target) as first:
        first.file.write(b"first")
        assert put(target, b"second")
        assert target.read_bytes() == b"second"
        assert first.put_in_place()
    assert target.read_bytes() == b"first"
    assert names(tmp_path) == ["list.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "list.txt"
    target.write_bytes(b"old")

    def broken_off() -> None:
        with NewContent(target) as new:
            new.file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        broken_off()
    assert (target.read_bytes(), names(tmp_path)) == (b"old", ["list.txt"])

"""A store that is damaged, or that may not be used, says so with the way out: at start, in commands, while running."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.model.errors import Broken, HubError, TryAgain
from hub.store.sqlite_errors import access_told, told_plainly
from tests.cli.admin import Shell
from tests.running import RunningHub, fetch
from tests.waiting import wait_until


def _no_database(store: Path) -> None:
    store.write_text("This is a note that somebody saved under the wrong name.\n" * 400)


def _emptied(store: Path) -> None:
    store.write_bytes(b"")


def _truncated(store: Path) -> None:
    store.write_bytes(store.read_bytes()[: store.stat().st_size // 2 // 4096 * 4096 + 100])


def _torn(store: Path) -> None:
    whole = store.read_bytes()
    store.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))


def _zeros(store: Path) -> None:
    store.write_bytes(bytes(store.stat().st_size))


DAMAGES = [_no_database, _emptied, _truncated, _torn, _zeros]


@pytest.fixture
def store(shell: Shell) -> Path:
    """The file of a hub with a centre, and with an event log beside it."""
    shell.done("centre", "add", "ro", "--country", "RO")
    assert shell("doctor").code in (0, 1)  # opens the log
    return shell.folder / "data" / "store.sqlite"


@pytest.mark.parametrize("words", [["centre", "list"], ["serve", "--port", "0"], ["clock", "show"]])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_told_with_the_way_out(
    shell: Shell, store: Path, damage: Callable[[Path], None], words: list[str]
) -> None:
    damage(store)
    answer = shell(*words)
    assert answer.code == 1
    assert "store.sqlite is damaged" in answer.err
    assert "from a backup" in answer.err
    assert "should not have happened" not in answer.err


@pytest.mark.parametrize("damage", DAMAGES)
def test_doctor_tells_of_a_damaged_file_and_looks_at_the_rest(
    shell: Shell, store: Path, damage: Callable[[Path], None]
) -> None:
    damage(store)
    answer = shell("doctor", "--json")
    found = {each["name"]: each for each in answer.json}
    assert answer.code == 1
    assert (found["store"]["state"], found["log"]["state"]) == ("bad", "ok")
    assert "from a backup" in found["store"]["way_out"]


def test_an_empty_file_without_a_log_is_a_store_that_was_begun(shell: Shell) -> None:
    (shell.folder / "data").mkdir()
    (shell.folder / "data" / "store.sqlite").touch()
    assert shell("centre", "list").code == 0


def test_a_folder_in_the_place_of_the_file_is_told(shell: Shell) -> None:
    (shell.folder / "data" / "store.sqlite").mkdir(parents=True)
    answer = shell("centre", "list")
    assert answer.code == 1
    assert "store.sqlite cannot be used" in answer.err


def test_a_store_that_is_damaged_while_the_hub_runs_is_told_in_its_log(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path / "hub")
    hub.register(["ro"])
    log = hub.folder / "hub.log"
    with hub.running():
        _torn(hub.folder / "store.sqlite")
        (hub.folder / "store.sqlite-wal").write_bytes(b"")

        def told() -> bool:
            asker = {"authorization": f"Bearer {hub.tokens['watch']}"}
            fetch(f"{hub.url}/v1/status", headers=asker)
            return any(
                json.loads(line).get("code") == "store.damaged"
                for line in log.read_text().splitlines()
                if line[:1] == "{"
            )

        wait_until(told)
    assert "from a backup" in log.read_text()
    assert "should not have happened" not in log.read_text()


# ---------------------------------------------------------------- what each error means


def _read_only(path: Path) -> None:
    sqlite3.connect(path).execute("create table a (b)")
    sqlite3.connect(f"file:{path}?mode=ro", uri=True).execute("create table c (d)")


def _not_there(path: Path) -> None:
    sqlite3.connect(path / "below" / "a file").execute("create table a (b)")


def _full(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("pragma max_page_count = 2")
    connection.execute("create table a (b)")
    connection.execute("insert into a values (zeroblob(100000))")


def _busy(path: Path) -> None:
    sqlite3.connect(path, isolation_level=None).execute("create table a (b)")
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("begin exclusive")
    sqlite3.connect(path, timeout=0).execute("select * from a")


def _mistake(path: Path) -> None:
    sqlite3.connect(path).execute("create table a (b unique)")
    connection = sqlite3.connect(path)
    connection.executemany("insert into a values (?)", [(1,), (1,)])


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("provoke", "kind", "code"),
    [
        (_read_only, Broken, "store.no-access"),
        (_not_there, Broken, "store.no-access"),
        (_full, TryAgain, "store.full"),
        (_busy, TryAgain, "store.busy"),
    ],
)
def test_what_sqlite_says_has_a_way_out(
    tmp_path: Path, provoke: Callable[[Path], None], kind: type[HubError], code: str
) -> None:
    with pytest.raises(kind) as raised, told_plainly(tmp_path / "store.sqlite"):
        provoke(tmp_path / "store.sqlite")
    assert raised.value.code == code
    assert raised.value.way_out


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_mistake_of_ours_stays_one(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError), told_plainly(tmp_path / "store.sqlite"):
        _mistake(tmp_path / "store.sqlite")


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(Broken, match=r"store.sqlite cannot be used: Permission denied. Give it"),
        access_told(tmp_path / "store.sqlite"),
    ):
        raise PermissionError(13, "Permission denied")

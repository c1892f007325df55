"""Lists from kept lines are those that would be made from all rows, whatever has happened between two lists."""

from __future__ import annotations

import asyncio
import gc
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hub.core.step import StepSettings
from hub.doors.export import by_parts, listing
from hub.doors.export.kept_lines import KeptLines
from hub.forgetting import Eraser
from hub.model.errors import TryAgain
from hub.model.forgettings import Request
from hub.model.lifecycle import KeptVersions
from hub.store.logs import SqlLogs
from hub.store.port import LogPage
from tests.doors.hubs import Hub, a_hub
from tests.story import an_indicator, an_object
from tests.waiting import until

FORMATS = ("txt", "csv", "jsonl", "stix.jsonl", "adblock", "wazuh", "rpz?zone=block.example&action=drop")
PATTERNS = (
    "[ipv4-addr:value = '198.51.100.{0}']",
    "[ipv4-addr:value IN ('198.51.100.{0}', '198.51.100.{1}')]",
    "[domain-name:value = 'c{0}.example'] OR [ipv4-addr:value = '198.51.100.{1}']",
    "[file:hashes.'SHA-1' = '{0:040x}' OR file:hashes.'RIPEMD-160' = '{0:040x}']",
    "[file:hashes.'RIPEMD-160' = '{1:040x}']",
    "[domain-name:value = '-a{0}.example'] OR [domain-name:value = 'c{1}.example']",
    "[file:name = 'c{0}.example'] OR [domain-name:value = 'c{0}.example']",
    "[file:name = 'c{0}.example'] OR [file:name = '198.51.{1}.0/24']",
    "[ipv4-addr:value = '198.51.{0}.0/24'] OR [file:name = '198.51.{0}.0/24'] OR [file:name = 'http://c{1}.example/']",
    "[url:value = 'http://c{0}.example/']",
)


async def lists(hub: Hub, path: str = "/v1/collections/community") -> dict[str, tuple[bytes, str, str]]:
    found = {}
    for format in FORMATS:
        answer = await hub.get(f"{path}/export.{format}", "soc")
        assert answer.status_code == 200
        found[format] = (answer.content, answer.headers["x-ctihub-lines"], answer.headers["x-ctihub-skipped"])
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_a_list_from_kept_lines_is_that_of_all_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(by_parts, "PART_ROWS", 4)
    random = Random(seed)
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        sent: dict[str, dict[str, Any]] = {}
        for step in range(8):
            some = []
            for _ in range(random.randrange(1, 7)):
                pattern = random.choice(PATTERNS).format(random.randrange(6), random.randrange(6))
                labels = ["PAP:RED"] if random.random() < 0.1 else [f"step {step}"]
                some.append(an_indicator(pattern, confidence=random.randrange(101), labels=labels))
            sent |= {one["id"]: one for one in some}
            await hub.tell("ro", *some, an_object("malware", f"m{step}", name="m", is_family=False))
            if random.random() < 0.5:
                await hub.withdraw("ro", *random.sample(sorted(sent), min(3, len(sent))))
            assert await lists(hub) == await made_anew(hub, monkeypatch), (seed, step)


async def made_anew(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[bytes, str, str]]:
    """The same lists from all rows."""
    with monkeypatch.context() as patched:
        patched.setattr(listing, "has_parts", lambda _: False)
        hub.doors.log_watch._tell({})  # what was finished is made again
        return await lists(hub)


async def test_only_new_rows_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_parts, "PART_ROWS", 4)
    path = "/v1/collections/community/export.txt"
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        some = [an_indicator(f"198.51.100.{no}") for no in range(40)]
        await hub.tell("ro", *some)
        await hub.get(path, "soc")
        read: list[int] = []
        real_page, real_causes = type(hub.store.logs).page, type(hub.store.logs).causes

        async def page(*args: Any, **more: Any) -> LogPage:
            found = await real_page(*args, **more)
            read.extend(row.seq for row in found.rows)
            return found

        async def causes(*args: Any) -> Any:
            found = await real_causes(*args)
            read.extend(found)
            return found

        monkeypatch.setattr(type(hub.store.logs), "page", page)
        monkeypatch.setattr(type(hub.store.logs), "causes", causes)
        for no in range(3):
            end = (await hub.store.logs.head((await hub.collection("community")).no)).seq
            if no == 0:
                await hub.withdraw("ro", some[10]["id"])
            else:
                await hub.tell("ro", an_object("malware", f"m{no}", name="m", is_family=False))
            read.clear()
            assert len((await hub.get(path, "soc")).text.split()) == 39
            assert read
            assert min(read) > end


@pytest.mark.parametrize("seed", range(4))
async def test_rows_that_change_while_a_list_is_made_are_in_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(by_parts, "PART_ROWS", 4)
    monkeypatch.setattr(by_parts, "_CAUSES", 2)
    random = Random(seed)
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        some = [an_indicator(f"198.51.100.{no}") for no in range(20)]
        await hub.tell("ro", *some)
        real = type(hub.store.logs).page

        async def page(*args: Any, **more: Any) -> LogPage:
            found = await real(*args, **more)
            if random.random() < 0.4:
                no = random.randrange(20)
                if random.random() < 0.3:
                    await hub.withdraw("ro", some[no]["id"])
                else:
                    some[no] = an_indicator(f"198.51.100.{no}", confidence=random.randrange(101))
                    await hub.tell("ro", some[no], an_indicator(f"203.0.113.{random.randrange(256)}"))
            return found

        for format in ("txt", "stix.jsonl"):
            with monkeypatch.context() as patched:
                patched.setattr(type(hub.store.logs), "page", page)
                answer = await hub.get(f"/v1/collections/community/export.{format}", "soc")
            found = [json.loads(line)["id"] if format == "stix.jsonl" else line for line in answer.text.splitlines()]
            assert len(set(found)) == len(found) == int(answer.headers["x-ctihub-lines"])
        assert await lists(hub) == await made_anew(hub, monkeypatch)


async def test_versions_that_are_deleted_before_causes_are_read_leave_none_in_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/v1/collections/community/export.stix.jsonl"
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        for confidence in range(3):
            await hub.tell("ro", an_indicator(confidence=confidence))
            await hub.get(path, "soc") if confidence == 0 else None
        no = (await hub.collection("community")).no
        end_us = (await hub.store.logs.head(no)).date_us
        real = type(hub.store.logs).causes

        async def causes(*args: Any) -> Any:
            async with hub.store.transaction() as tx:
                await tx.drop_versions(no, KeptVersions(since_us=end_us + 1), 1_000)
            return await real(*args)

        monkeypatch.setattr(type(hub.store.logs), "causes", causes)
        answer = await hub.get(path, "soc")
        shown = [json.loads(line) for line in answer.text.splitlines()]
        assert [one["confidence"] for one in shown if one["type"] == "indicator"] == [2]


def at_the_first_page(monkeypatch: pytest.MonkeyPatch, does: Callable[[], Awaitable[object]]) -> None:
    """Do this before a log is read from now on."""
    real, left = SqlLogs.page, [does]

    async def page(*args: Any, **more: Any) -> LogPage:
        while left:
            await left.pop()()
        return await real(*args, **more)

    monkeypatch.setattr(SqlLogs, "page", page)


@pytest.mark.parametrize("is_withdrawn", [False, True])
async def test_versions_that_come_and_are_deleted_while_a_list_is_made_leave_none_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_withdrawn: bool
) -> None:
    path = "/v1/collections/community/export.stix.jsonl"
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        first = an_indicator(confidence=0)
        await hub.tell("ro", first)
        await hub.get(path, "soc")
        await hub.tell("ro", an_object("malware", "m", name="m", is_family=False))
        no = (await hub.collection("community")).no

        async def change() -> None:
            for confidence in (1, 2):
                await hub.tell("ro", an_indicator(confidence=confidence))
            if is_withdrawn:
                await hub.withdraw("ro", first["id"])
            async with hub.store.transaction() as tx:
                await tx.drop_versions(no, KeptVersions(number=1), 1_000)

        at_the_first_page(monkeypatch, change)
        answer = await hub.get(path, "soc")
        shown = [json.loads(line) for line in answer.text.splitlines()]
        assert answer.status_code == 200
        assert [one["confidence"] for one in shown if one["type"] == "indicator"] == ([] if is_withdrawn else [2])
        assert int(answer.headers["x-ctihub-lines"]) == len(shown)


@pytest.mark.parametrize("is_written", [False, True])
@pytest.mark.parametrize("ends_at", range(6))
async def test_a_list_that_was_not_finished_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends_at: int, *, is_written: bool
) -> None:
    monkeypatch.setattr(by_parts, "PART_ROWS", 2)
    path = "/v1/collections/community/export.txt"
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        some = [an_indicator(f"[ipv4-addr:value IN ('198.51.100.{no}', '198.51.100.9')]") for no in range(6)]
        await hub.tell("ro", *some)
        await hub.get(path, "soc")
        await hub.withdraw("ro", some[0]["id"], some[3]["id"])
        await hub.tell("ro", *(an_indicator(f"203.0.113.{no}") for no in range(6)))
        steps = iter(range(100))

        def ending(real: Any) -> Any:
            def step(*args: Any, **more: Any) -> Any:
                is_last = next(steps) == ends_at
                found = None if is_last and not is_written else real(*args, **more)
                if is_last:
                    raise TryAgain("test", "The request ends here.")
                return found

            return step

        with monkeypatch.context() as patched:
            for name in ("remove", "append", "copy"):
                patched.setattr(KeptLines, name, ending(getattr(KeptLines, name)))
            assert (await hub.get(path, "soc")).status_code == 503
        assert await lists(hub) == await made_anew(hub, monkeypatch)


async def test_a_value_that_is_left_out_of_several_parts_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_parts, "PART_ROWS", 1)
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        names = "[domain-name:value = '-a.example'] OR [domain-name:value = '{}.example']"
        await hub.tell("ro", *(an_indicator(names.format(one)) for one in ("b", "c", "-d")))
        answer = await hub.get("/v1/collections/community/export.adblock", "soc")
        assert (answer.headers["x-ctihub-lines"], answer.headers["x-ctihub-skipped"]) == ("2", "2"), answer.text


def opened() -> list[KeptLines]:
    """All of this process that have a file."""
    return [one for one in gc.get_objects() if isinstance(one, KeptLines) and one._opened is not None]


def is_closed(file: sqlite3.Connection) -> bool:
    """Whether a file has been freed."""
    try:
        file.execute("select 1")
    except sqlite3.ProgrammingError:
        return True
    return False


async def erase(hub: Hub, value: str) -> None:
    """Erase it from all that the hub keeps."""
    eraser = Eraser(hub.store, hub.log, StepSettings(), hub.clock)
    await eraser.run(await eraser.remember(await eraser.look_up(value), Request("dpo", "asked for", "7")))


async def test_what_is_erased_while_a_list_is_made_is_not_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/v1/collections/community/export.txt"
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        await hub.tell("ro", an_indicator("[domain-name:value = 'alice.example']"), an_indicator())
        assert "alice.example" in (await hub.get(path, "soc")).text
        await hub.tell("ro", an_object("malware", "m", name="m", is_family=False))
        at_the_first_page(monkeypatch, lambda: erase(hub, "alice.example"))
        answer = await hub.get(path, "soc")
        assert (answer.status_code, answer.text) == (200, "198.51.100.7\n")


async def test_what_is_erased_stays_in_no_file_although_ever_more_lists_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/v1/collections/community/export."
    before = opened()
    async with a_hub(tmp_path) as hub:
        await hub.centre()
        await hub.member()
        await hub.tell("ro", an_indicator("[domain-name:value = 'alice.example']"), an_indicator())
        assert "alice.example" in (await hub.get(f"{path}txt", "soc")).text
        [file] = [one._opened for one in opened() if one not in before]
        assert file is not None
        begun, goes_on = [[asyncio.Event() for _ in range(2)] for _ in range(2)]
        left = [0, 1]
        real = SqlLogs.page

        async def page(*args: Any, **more: Any) -> LogPage:
            if left:
                begun[no := left.pop(0)].set()
                await goes_on[no].wait()
            return await real(*args, **more)

        monkeypatch.setattr(SqlLogs, "page", page)
        async with asyncio.TaskGroup() as group:
            first = group.create_task(hub.get(f"{path}csv", "soc"))
            await begun[0].wait()
            await erase(hub, "alice.example")
            no = (await hub.collection("community")).no
            edits = (await hub.store.logs.head(no)).edits
            await until(lambda: hub.doors.log_watch.edits(no) == edits, what="the watch to see the erasure")
            second = group.create_task(hub.get(f"{path}jsonl", "soc"))
            await begun[1].wait()
            goes_on[0].set()
            assert "alice.example" not in (await first).text
            await until(lambda: is_closed(file), what="the file with the lines to be closed")
            goes_on[1].set()
            assert "alice.example" not in (await second).text

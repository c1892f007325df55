"""Commands find the hub that runs on this machine, and nothing else, without ``--url``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.cli import address, run
from tests.cli.admin import Shell
from tests.running import RunningHub
from tests.waiting import WITHIN_S


def test_commands_find_a_running_hub_by_its_data_dir_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    hub = RunningHub(tmp_path / "hub")
    hub.register(("ro",))
    monkeypatch.setenv("CTIHUB_DATA_DIR", str(hub.folder))
    monkeypatch.setenv("CTIHUB_TOKEN", hub.tokens["soc"])
    with hub.running():
        assert address.found_here() == hub.url
        assert (hub.folder / address.FILE).stat().st_mode & 0o077 == 0
        assert run(["status", "--json"]) == 0
        assert run(["operator", "add", "ops"]) == 0
        assert f"export CTIHUB_URL={hub.url} " in capfd.readouterr().out
        monkeypatch.setenv("CTIHUB_URL", "http://127.0.0.1:1")
        assert run(["status"]) == 1
        assert "http://127.0.0.1:1" in capfd.readouterr().err
    assert not (hub.folder / address.FILE).exists()
    assert address.found_here() is None


def _kept(folder: Path, **said: object) -> str | None:
    (folder / address.FILE).write_text(json.dumps(said))
    return address.found_in(folder)


def test_what_is_left_over_or_leads_elsewhere_does_not_count(tmp_path: Path) -> None:
    here = "http://127.0.0.1:18800"
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait(WITHIN_S)
    assert _kept(tmp_path, url=here, pid=os.getpid()) == here
    assert _kept(tmp_path, url="https://[::1]:18800", pid=os.getpid()) == "https://[::1]:18800"
    assert _kept(tmp_path, url=here, pid=ended.pid) is None
    for url in (
        "http://evil.example",
        "https://127.0.0.1.evil.example",
        "http://127.0.0.1@evil.example",
        "file:///x",
        7,
    ):
        assert _kept(tmp_path, url=url, pid=os.getpid()) is None, url
    for pid in (0, -1, "1", None, 10**30):
        assert _kept(tmp_path, url=here, pid=pid) is None, pid
    for text in ("", "[]", "{", "\0"):
        (tmp_path / address.FILE).write_text(text)
        assert address.found_in(tmp_path) is None
    assert address.found_in(tmp_path / "nowhere") is None


def test_a_file_of_another_process_is_left_alone_at_the_end(tmp_path: Path) -> None:
    with address.removed_at_the_end(tmp_path):
        address.keep(tmp_path, "http://127.0.0.1:1")
        assert address.found_in(tmp_path) == "http://127.0.0.1:1"
        (tmp_path / address.FILE).write_text(json.dumps({"url": "http://127.0.0.1:2", "pid": os.getppid()}))
    assert address.found_in(tmp_path) == "http://127.0.0.1:2"
    with address.removed_at_the_end(tmp_path / "nowhere"):
        address.keep(tmp_path / "nowhere", None)


def test_the_data_dir_of_the_configuration_file_is_used(shell: Shell) -> None:
    shell.patch.delenv("CTIHUB_DATA_DIR")
    (shell.folder / "elsewhere").mkdir()
    (shell.folder / "ctihub.toml").write_text('DATA_DIR = "elsewhere"')
    address.keep(shell.folder / "elsewhere", "http://127.0.0.1:3")
    assert address.found_here() == "http://127.0.0.1:3"
    (shell.folder / "ctihub.toml").write_text("DATA_DIR = [")
    assert address.found_here() is None

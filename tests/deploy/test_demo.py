"""The demo itself, as ``make demo`` runs it, in a folder of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.servers.ports import free_ports
from tests.waiting import LONG_S, WITHIN_S, wait_until

ROOT = Path(__file__).parents[2]


def demo(folder: Path, *args: str) -> subprocess.Popen[str]:
    """Start it; it speaks to a file, as nobody may read a pipe while it runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CTIHUB_")}
    with (folder / "said").open("w") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.demo", "--port", str(free_ports(1)[0]), *args], text=True,
            cwd=folder, env={**environment, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}, stdout=said, stderr=said,
        )  # fmt: skip


def test_the_demo_shows_the_whole_journey(tmp_path: Path) -> None:
    assert demo(tmp_path, "--once").wait(LONG_S) == 0, (tmp_path / "said").read_text()
    said = (tmp_path / "said").read_text()
    log = (tmp_path / "ctihub-demo/hub/hub.log").read_text()
    assert [line for line in log.splitlines() if json.loads(line)["level"] in ("error", "critical")] == []
    found = re.findall(r"^ +(public|community|network) .*?([\d,]+) +([\d,]+) *$", said, re.MULTILINE)
    shown = {name: (int(objects.replace(",", "")), int(merged.replace(",", ""))) for name, objects, merged in found}
    assert "data_dir.open" not in log
    assert (tmp_path / "ctihub-demo/hub/hub.log").stat().st_mode & 0o777 == 0o600
    assert 500 < shown["public"][0] < shown["community"][0] < shown["network"][0]
    assert 500 < shown["community"][1] <= shown["network"][1]
    assert "ctihub explain" in said
    assert "curl" in said
    document = json.loads((tmp_path / "ctihub-demo/demo.json").read_text())
    assert {one["name"] for one in document["collections"]} == {"public", "community", "network"}
    assert [one["name"] for one in document["centres"]] == ["ro", "it", "pl"]


def test_a_demo_that_is_stopped_in_the_middle_ends_with_all_that_it_started(tmp_path: Path) -> None:
    process = demo(tmp_path)
    log = tmp_path / "ctihub-demo/hub/hub.log"
    wait_until(lambda: log.exists() and "push.taken" in log.read_text(), what="a centre pushes")
    assert [told for told in commands() if str(process.args[4]) in told]  # type: ignore[index]
    process.send_signal(signal.SIGINT)
    assert process.wait(WITHIN_S) == 0
    assert "Traceback" not in (tmp_path / "said").read_text()
    assert not [told for told in commands() if str(process.args[4]) in told]  # type: ignore[index]


def commands() -> list[list[str]]:
    """What runs on this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            found.append(path.read_bytes().decode(errors="replace").split("\0"))
    return found

"""curl: the commands of docs/clients/curl.md, as they stand there, against a hub that listens."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.doors.clients.serving import Serving, fill, serving, shown
from tests.doors.hubs import addresses
from tests.waiting import WITHIN_S

PAGE = (Path(__file__).parents[3] / "docs/clients/curl.md").read_text("utf-8")
SHELL = "".join(re.findall(r"```sh\n(.+?)```", PAGE, re.DOTALL))
COMMANDS = dict(re.findall(r"^# (.+)\n((?:.*\\\n)*.*)$", SHELL, re.MULTILINE))
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


class Failed(Exception):
    """What curl says."""


async def run(at: Serving, who: str, command: str, folder: Path) -> str:
    """Run a command of the page in a shell that has its variables; returns what it prints."""
    collections = (await at.send("GET", f"{at.root_url}collections/", at.hub.auth(who))).json()["collections"]
    named = {one["title"]: one["id"] for one in collections}
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin", "HUB": at.url, "NAME": who, "TOKEN": at.hub.tokens[who],
        "CURL_CA_BUNDLE": str(at.ca_file), "COLLECTION": named["community"], "INTAKE": named.get("intake", ""),
    }  # fmt: skip
    done = await asyncio.to_thread(
        subprocess.run, ["sh", "-c", command], env=environment, cwd=folder, capture_output=True, timeout=WITHIN_S
    )
    if done.returncode:
        raise Failed(done.stderr.decode())
    return done.stdout.decode()


@needs_curl
async def test_the_commands_that_read(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        await fill(at.hub)
        assert json.loads(await run(at, "soc", COMMANDS["discovery"], tmp_path))["api_roots"] == [at.root_url]
        listed = json.loads(await run(at, "soc", COMMANDS["the collections that you may read"], tmp_path))
        assert listed["collections"][0]["title"] == "community"
        head, _, body = (await run(at, "soc", COMMANDS["the first page, with its headers"], tmp_path)).partition(
            "\r\n\r\n"
        )
        assert "x-taxii-date-added-last: " in head.lower()
        assert len(json.loads(body)["objects"]) == 66
        found = json.loads(
            await run(at, "soc", COMMANDS["only some types: -g, or curl takes the brackets for a range"], tmp_path)
        )
        assert {one["type"] for one in found["objects"]} == {"indicator", "malware"}


@needs_curl
async def test_brackets_without_g_never_reach_the_hub(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        command = COMMANDS["only some types: -g, or curl takes the brackets for a range"].replace(" -g ", " ")
        with pytest.raises(Failed, match="bad range"):
            await run(at, "soc", command, tmp_path)


@needs_curl
async def test_the_commands_that_write(tmp_path: Path) -> None:
    async with serving(tmp_path) as at:
        (tmp_path / "bundle.json").write_text(
            json.dumps({"type": "bundle", "id": "bundle--1", "objects": addresses(2)})
        )
        status = json.loads(await run(at, "ro", COMMANDS["push a bundle"], tmp_path))
        assert status["total_count"] == 2
        await at.hub.settle()
        command = f"STATUS={status['id']}\n" + COMMANDS["what became of it"]
        assert json.loads(await run(at, "ro", command, tmp_path))["success_count"] == 2
        command = f"ID={addresses(1)[0]['id']}\n" + COMMANDS["withdraw what you pushed"]
        await run(at, "ro", command, tmp_path)
        await at.hub.settle()
        assert list((await shown(at.hub)).values()).count(None) == 1

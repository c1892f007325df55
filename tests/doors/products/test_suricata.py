"""Suricata: rules by the parser of suricata-update, datasets as ``datasets.c`` reads them.

Sources: suricata-update 1.3.3; Suricata user guide 7.0, "Suricata Rules", "Datasets", "IP Addresses Match".
"""

from __future__ import annotations

import asyncio
import io
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from suricata.update.rule import parse_fileobj

from hub.doors.export.formats import FORMATS, suricata
from tests.doors.entries import HOSTILE, an_entry
from tests.doors.formats import suricata as rules
from tests.doors.formats import suricata_dataset as dataset
from tests.doors.hubs import Hub
from tests.doors.list_readers import writer_of, written_by
from tests.story import an_indicator
from tests.waiting import WITHIN_S

PAGE = Path(__file__).parents[3] / "docs/clients/suricata.md"
PATH = "/v1/collections/public/export.suricata"


async def tell(hub: Hub, *patterns: str) -> None:
    await hub.tell("ro", *(an_indicator(pattern, tlp="clear", confidence=80) for pattern in patterns))


async def fetch(hub: Hub, query: str = "") -> list[Any]:
    """The rules of a list."""
    answer = await hub.get(PATH + query, None)
    assert answer.status_code == 200, answer.text
    return list(parse_fileobj(io.BytesIO(answer.content)))


async def test_each_value_is_a_rule_that_suricata_update_takes(hub: Hub) -> None:
    await tell(hub, "[ipv4-addr:value = '198.51.100.7']", "[domain-name:value = 'c2.example']")
    await tell(hub, "[url:value = 'http://c2.example:8080/a?b=c;d']", "[ipv4-addr:value ISSUBSET '198.51.100.0/24']")
    found = await fetch(hub)
    assert len(rules.read((await hub.get(PATH, None)).content)) == 4
    assert {rule["msg"] for rule in found} == {
        "ctihub public ipv4-addr 198.51.100.7", "ctihub public ipv4-addr 198.51.100.0/24",
        "ctihub public domain-name c2.example", "ctihub public url http|3A|//c2.example|3A|8080/a?b=c|3B|d",
    }  # fmt: skip
    assert all("confidence 80" in rule["metadata"] for rule in found)


async def test_suricata_update_installs_every_rule_of_hostile_values(tmp_path: Path) -> None:
    writer = writer_of(FORMATS["suricata"])
    values = [*HOSTILE, *(f"http://c2.example/{value}" for value in HOSTILE)]
    some = [an_entry(value, type=kind, id=value) for value in values for kind in ("url", "domain-name", "ipv4-addr")]
    (tmp_path / "ctihub.rules").write_bytes(written := written_by(writer, some))
    assert written.count(b"\n") > 20
    command = [
        sys.executable, "-c", "from suricata.update.main import main; main()", "update", "--no-test", "--no-reload",
        "-c", "/dev/null",
        "--url", (tmp_path / "ctihub.rules").as_uri(), "-D", "data", "-o", "out", "--suricata-version", "7.0.3",
    ]  # fmt: skip
    await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / "out/suricata.rules").read_bytes().splitlines() == written.splitlines()


def test_suricata_update_sends_the_token_of_the_file_that_its_page_shows(tmp_path: Path) -> None:
    [source] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    rule = written_by(writer_of(FORMATS["suricata"]), [an_entry("c2.example", type="domain-name")])
    asked: list[tuple[str, str | None]] = []

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["authorization"]))
            self.send_response(200)
            self.send_header("content-length", str(len(rule)))
            self.end_headers()
            self.wfile.write(rule)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    (tmp_path / "update/sources").mkdir(parents=True)
    command = [
        sys.executable, "-c", "from suricata.update.main import main; main()", "update", "--no-test", "--no-reload",
        "-c", "/dev/null", "-D", str(tmp_path), "-o", "out", "--suricata-version", "7.0.3",
    ]  # fmt: skip
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        (tmp_path / "update/sources/ctihub.yaml").write_text(source.replace("https://hub.example", address))
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            environment = {**os.environ, "no_proxy": "*"}
            subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=environment, timeout=WITHIN_S)
        finally:
            server.shutdown()
            thread.join()
    assert asked == [("/v1/collections/community/export.suricata?limit=20000", "Bearer TOKEN")]
    assert (tmp_path / "out/suricata.rules").read_bytes() == rule


async def test_digests_have_no_rule(hub: Hub) -> None:
    answer = await hub.get(f"{PATH}?type=sha-256", None)
    assert answer.json()["code"] == "export.type"


async def test_options_change_what_rules_do_and_where_they_look(hub: Hub) -> None:
    await tell(hub, "[domain-name:value = 'c2.example']")
    [rule] = await fetch(hub, "?action=drop&names=tls&sid=3000000")
    assert (rule["action"], rule["proto"]) == ("drop", "tls")
    assert "tls.sni" in rule
    assert 3_000_000 <= int(rule["sid"]) < 3_000_000 + suricata.SIDS
    answer = await hub.get(f"{PATH}?sid=4294967295", None)
    assert answer.json()["code"] == "export.option"


def numbers(*values: str) -> dict[str, int]:
    writer = writer_of(FORMATS["suricata"])
    lines = [writer.line(an_entry(value, type="domain-name")) for value in values]
    found = parse_fileobj(io.BytesIO(b"".join(line or b"" for line in lines)))
    return {value: int(rule["sid"]) for value, rule in zip(values, found, strict=True)}


def test_a_value_has_its_number_in_every_list() -> None:
    alone, among = numbers("c2.example"), numbers("a.example", "b.example", "c2.example")
    assert alone["c2.example"] == among["c2.example"]


def test_two_values_never_have_the_same_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suricata, "SIDS", 3)
    assert set(numbers("a.example", "b.example", "c.example").values()) == {1_000_000_000, 1_000_000_001, 1_000_000_002}


# ---------------------------------------------------------------- datasets


@pytest.mark.parametrize(
    ("kind", "pattern", "value"),
    [
        ("domain-name", "[domain-name:value = 'c2.example']", "c2.example"),
        ("ipv4-addr", "[ipv4-addr:value = '198.51.100.7']", "198.51.100.7"),
        ("ipv6-addr", "[ipv6-addr:value = '2001:db8::7']", "2001:db8::7"),
        ("md5", "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", "d41d8cd98f00b204e9800998ecf8427e"),
        ("sha-256", f"[file:hashes.'SHA-256' = '{'ab' * 32}']", "ab" * 32),
    ],
)
async def test_a_dataset_has_the_values_of_one_kind(hub: Hub, kind: str, pattern: str, value: str) -> None:
    await tell(hub, pattern, "[ipv4-addr:value ISSUBSET '203.0.113.0/24']")
    answer = await hub.get(f"{PATH}-dataset?type={kind}", None)
    assert dataset.read(answer.content) == [value]
    assert answer.headers["x-ctihub-skipped"] == ("1" if kind == "ipv4-addr" else "0"), "a set has no networks"


async def test_a_dataset_without_a_kind_is_refused(hub: Hub) -> None:
    answer = await hub.get(f"{PATH}-dataset", None)
    assert (answer.status_code, answer.json()["code"]) == (400, "export.type")

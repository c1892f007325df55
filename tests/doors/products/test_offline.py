"""Look-ups without a network: the programs of the pages find in a list what is in it, and nothing else."""

from __future__ import annotations

import asyncio
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from flor import BloomFilter as Flor
from hypothesis import given
from hypothesis import strategies as st

from hub.doors.export.formats.bloom import BloomFilter
from hub.doors.export.value_keys import KEYED_KINDS, key_of_value
from hub.patterns import Canonical, canonical
from hub.patterns.keys import pattern_key
from tests.doors.entries import PLAIN, an_entry
from tests.doors.formats import bloom
from tests.doors.hubs import Hub
from tests.story import an_indicator

DOCS = Path(__file__).parents[3] / "docs"
PROGRAM = re.compile(r"```python\n(.+?)```", re.DOTALL)
PATTERNS = {
    "ipv4-addr": ("198.51.100.7", "[ipv4-addr:value = '198.51.100.7']"),
    "domain-name": ("c2.example", "[domain-name:value = 'C2.example.']"),
    "url": ("http://c2.example/it's", "[url:value = 'http://c2.example/it\\'s']"),
    "sha-256": ("ab" * 32, f"[file:hashes.'SHA-256' = '{'AB' * 32}']"),
    "file:name": ("a\\b.exe", "[file:name = 'a\\\\b.exe']"),
}


def program_of(page: str) -> str:
    """The program that a page shows."""
    [found] = PROGRAM.findall((DOCS / page).read_text("utf-8"))
    return str(found)


async def tell(hub: Hub) -> None:
    await hub.tell("ro", *(an_indicator(pattern, tlp="clear") for _, pattern in PATTERNS.values()))


async def test_the_page_says_how_to_compute_the_key_of_a_value(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    await tell(hub)
    lines = (await hub.get("/v1/collections/public/export.hashset", None)).text.splitlines()
    names: dict[str, object] = {}
    exec(program_of("formats/hashset.md"), names)
    key_of = names["key_of"]
    assert callable(key_of)
    assert lines == sorted(key_of(kind, value) for kind, (value, _) in PATTERNS.items())
    assert capsys.readouterr().out.splitlines()[-1] in lines, "the page's example is c2.example"


def ask(folder: Path, values: list[str]) -> str:
    """What the program of the page says of values."""
    command = [sys.executable, "ask.py", "list.bloom"]
    text = "\n".join(values)
    return subprocess.run(command, cwd=folder, input=text, capture_output=True, text=True, check=True).stdout


async def test_the_program_of_the_page_asks_a_filter(hub: Hub, tmp_path: Path) -> None:
    await tell(hub)
    (tmp_path / "list.bloom").write_bytes((await hub.get("/v1/collections/public/export.bloom", None)).content)
    (tmp_path / "ask.py").write_text(program_of("formats/bloom.md"))
    asked = [value for value, _ in PATTERNS.values()]
    said = await asyncio.to_thread(ask, tmp_path, [*asked, "other.example"])
    assert said.splitlines() == [*(f"{value} probably" for value in asked), "other.example no"]


async def test_a_filter_may_have_keys(hub: Hub) -> None:
    await tell(hub)
    keys = (await hub.get("/v1/collections/public/export.hashset", None)).text.splitlines()
    [found] = bloom.read((await hub.get("/v1/collections/public/export.bloom?of=key&capacity=9", None)).content)
    assert all(key.encode() in found for key in keys)
    assert b"c2.example" not in found
    assert (found.n, found.N) == (9, len(PATTERNS))


async def test_a_filter_that_is_too_small_is_refused(hub: Hub) -> None:
    await tell(hub)
    answer = await hub.get("/v1/collections/public/export.bloom?capacity=4", None)
    assert (answer.status_code, answer.json()["code"]) == (400, "export.capacity")
    assert "larger capacity" in answer.json()["way_out"]


@pytest.mark.parametrize(
    "query", ["capacity=0", "capacity=5000001", "false_positive_rate=0", "false_positive_rate=1", "of=x"]
)
async def test_options_beyond_their_limits_are_refused(hub: Hub, query: str) -> None:
    answer = await hub.get(f"/v1/collections/public/export.bloom?{query}", None)
    assert answer.json()["code"] == "export.option"


@given(values=st.sets(st.binary(max_size=40), max_size=30), rate=st.sampled_from([0.1, 0.01, 1e-6]))
def test_a_filter_is_the_file_that_flor_writes(values: set[bytes], rate: float) -> None:
    ours, theirs = BloomFilter(40, rate), Flor(n=40, p=rate)
    for value in values:
        assert ours.add(value)
        theirs.add(value)
    written = io.BytesIO()
    theirs.write(written)
    assert b"".join(ours.parts()) == written.getvalue()


def test_a_full_filter_errs_as_rarely_as_it_says() -> None:
    full = BloomFilter(2_000, 0.01)
    assert all(full.add(f"{number}.example".encode()) for number in range(2_000))
    [found] = bloom.read(b"".join(full.parts()))
    wrong = sum(f"{number}.test".encode() in found for number in range(20_000))
    assert wrong < 400, "1%, and as much again for chance"


OBJECT_PATHS = {
    **{kind: f"{kind}:value" for kind in ("ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "mac-addr")},
    **{kind: kind for kind in ("file:name", "mutex:name", "windows-registry-key:key")},
}
DIGESTS = {
    **dict.fromkeys(("md5", "md6"), "0" * 32), **dict.fromkeys(("sha-1", "ripemd-160"), "0" * 40),
    **dict.fromkeys(("sha-224", "sha3-224"), "0" * 56), **dict.fromkeys(("sha-256", "sha3-256"), "0" * 64),
    **dict.fromkeys(("sha-384", "sha3-384"), "0" * 96),
    **dict.fromkeys(("sha-512", "sha3-512", "whirlpool"), "0" * 128),
    "ssdeep": "3:ab:cd", "tlsh": "T1" + "A" * 70,
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(KEYED_KINDS))
def test_the_key_of_a_value_is_that_of_its_pattern(kind: str) -> None:
    value = DIGESTS.get(kind) or PLAIN[kind]
    path = OBJECT_PATHS.get(kind, f"file:hashes.'{kind}'")
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    found = canonical(f"[{path} = '{escaped}']")
    assert isinstance(found, Canonical), found
    assert key_of_value(an_entry(value, type=kind)) == pattern_key("stix", found.text)

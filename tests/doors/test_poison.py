"""Poison in every spelling: ten thousand of them through the core and into lists, and none gets out.

The path is the real one without its bread: judged and normalised, held, shown, selected for a list, written.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from hub import warning_lists
from hub.core import judge
from hub.core.hold import WarningLists
from hub.core.merge.asserted import asserted_by
from hub.core.merge.hubmade import _observables
from hub.core.normalise import Normal
from hub.doors.export.entry import PLAIN_KINDS
from hub.doors.export.formats import FORMATS
from hub.doors.export.selection import Selection
from hub.model.extensions import VIEW_EXTENSION
from hub.model.policy import WIDEST_BLOCKED
from hub.model.words import Limits, Seq
from hub.store.port import LogPage, LogRow
from tests.doors.list_readers import writer_of
from tests.story import an_indicator

COUNT = 10_000
LIMITS = Limits()
NOTHING = WarningLists(own_rules=False)
WRITERS = {name: writer_of(FORMATS[name]) for name in ("txt", "csv", "jsonl")}


@cache
def default() -> WarningLists:
    return warning_lists.load_lists(("default",), Path("/nonexistent"))[0]


# ---------------------------------------------------------------- what is poison, and how it is written

IPV4 = ("8.8.8.8", "8.8.4.4", "1.1.1.1", "192.168.31.210", "10.0.0.1", "127.0.0.1", "169.254.3.4", "0.0.0.0")
NETWORKS = ("0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "8.8.8.0/24", "::/0", "2000::/3", "fc00::/7")
IPV6 = ("::1", "fe80::1", "ff02::1", "2001:4860:4860::8888")
NAMES = ("google.com", "www.wikipedia.org", "login.microsoftonline.com", "co.uk", "com.bd", "github.io")
FULL_WIDTH = {ord("!") + at: 0xFF01 + at for at in range(94)}


def written_address(rng: Random, address: str) -> str:
    """An address as somebody may write it."""
    a, b, c, d = address.split(".")
    number = int(ipaddress.IPv4Address(address))
    return rng.choice(
        (
            address, f"{address}/32", str(number), hex(number), f"0{number:o}", f"{a}.{number & 0xFFFFFF}",
            ".".join(hex(int(octet)) for octet in (a, b, c, d)), f"{a}.{b}.{int(c) * 256 + int(d)}",
            f"::ffff:{address}", f"::FFFF:{number >> 16:x}:{number & 0xFFFF:x}", f"64:ff9b::{address}", f"::{address}",
            f"2002:{number >> 16:x}:{number & 0xFFFF:x}::/48", f"{a}.{b}.{c}.*", f"{address}-{address}",
            f"{address} - {a}.{b}.{c}.255", f"{address}/255.255.255.255", f"{a}[.]{b}[.]{c}[.]{d}",
            address.translate(FULL_WIDTH), f"{a}\u200b.{b}.{c}.{d}",
        )
    )  # fmt: skip


def written_name(rng: Random, name: str) -> str:
    """A name as somebody may write it."""
    head, _, tail = name.rpartition(".")
    return rng.choice(
        (
            name, name.upper(), name.title(), f"{name}.", f"{name}..", f"*.{name}", f"*{name}", f".{name}", f"%.{name}",
            f"{head}[.]{tail}", f"{head}(dot){tail}", name.translate(FULL_WIDTH), f"{head}\u3002{tail}",
            f"{name[:3]}\u00ad{name[3:]}", f"'{name}'",
        )
    )  # fmt: skip


def around(rng: Random, value: str) -> str:
    """A host with what may stand around it: a port, blanks, the URL of the whole site."""
    if "/" in value:  # behind a scheme its length would be a path
        return rng.choice(
            (value, f" {value}", f"{value}\t", f"<{value}>", f"{value}/", f"//{value}", f"c2.example {value}")
        )
    host = f"[{value}]" if value.count(":") > 1 else value
    return rng.choice(
        (
            value, value, value, f"{host}:443", f"{host}:*", f" {value}", f"{value}\t", f"{value} ", f"<{value}>",
            f"http://{host}", f"https://{host}/", f"HTTPS://{host}:8443/", f"hxxp://{host}", f"http://user@{host}/",
            f"//{host}/", f"{host}/", f"tcp://{host}:53", f"https://{host}/#x", f"https://{host}/*", f"https://{host}/?",
            f"c2.example {value}", f"{value},c2.example", f"c2.example|{value}",
        )
    )  # fmt: skip


HARMLESS = ("ipv4-addr:value = '198.51.100.7'", "domain-name:value = 'c2.example'", "url:value = 'http://c2.example/x'")
NETWORK_PROPERTIES = (
    "ipv4-addr:value", "ipv6-addr:value", "domain-name:value", "url:value", "network-traffic:dst_ref.value",
    "network-traffic:src_ref.value", "domain-name:resolves_to_refs[*].value",
)  # fmt: skip
OTHER_PROPERTIES = (
    "x-foo:bar", "x-foo:value", "file:name", "mutex:name", "user-account:user_id", "process:name", "email-addr:value",
    "software:name", "ipv4addr:value", "domain:value", "md5:value", "artifact:url", "file:hashes.'ipv4-addr'",
    "network-traffic:extensions.'http-request-ext'.request_value", "domain-name:x_value", "ipv4-addr:x_value",
)  # fmt: skip


def compared(rng: Random, path: str, value: str) -> str:
    """One comparison that names a value."""
    text = "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    annotated = path.startswith("network-traffic:") and path.endswith("_ref.value") and rng.random() < 0.6
    operator = rng.choice(("=", "=", "=", "IN", "LIKE") + (("ISSUBSET",) if path.startswith("ip") else ()))
    found = f"{path} IN ('198.51.100.3', {text})" if operator == "IN" else f"{path} {operator} {text}"
    if not annotated:
        return found
    kind = rng.choice(("ipv4-addr", "ipv6-addr", "domain-name"))
    return f"{path.removesuffix('.value')}.type = '{kind}' AND {found}"


def composed(rng: Random, comparison: str) -> str:
    """A pattern with the comparison in it."""
    other = rng.choice(HARMLESS)
    return rng.choice(
        (
            f"[{comparison}]", f"[{comparison}]", f"[(({comparison}))]", f"[({comparison}) OR {other}]",
            f"[{comparison}] OR [{other}]", f"[{other}] OR ([{comparison}])", f"[{other}] AND [{comparison}]",
            f"[{other}] FOLLOWEDBY [{comparison}]", f"[{comparison}] REPEATS 2 TIMES",
            f"[{comparison}] WITHIN 5 SECONDS",
            f"[{other}] OR ([{comparison}] AND [{other}])",
        )
    )  # fmt: skip


def spellings() -> Iterator[tuple[str, bool]]:
    """Patterns that name poison, and whether they do so under a property that holds addresses, names or URLs."""
    rng = Random(9)
    for _ in range(COUNT):
        match rng.randrange(4):
            case 0:
                value = rng.choice(NETWORKS + IPV6)
            case 1 | 2:
                value = written_address(rng, rng.choice(IPV4))
            case _:
                value = written_name(rng, rng.choice(NAMES))
        is_network = rng.random() < 0.7
        path = rng.choice(NETWORK_PROPERTIES if is_network else OTHER_PROPERTIES)
        yield composed(rng, compared(rng, path, around(rng, value))), is_network


# ---------------------------------------------------------------- what a device makes of a line


def harms(line: str) -> bool:
    """Whether a line of a list blocks one of these, read as generously as any device does."""
    text = line.strip().lower()
    text = re.sub(r"^[a-z]+://", "", text)
    host, _, path = text.partition("/")
    networks = [ipaddress.ip_network(one) for one in (*IPV4, *IPV6, *NETWORKS[3:5], "fc00::/7")]
    try:
        said = ipaddress.ip_network(line.strip(), strict=False)
    except ValueError:
        if path:
            return False
        host = re.sub(r":[0-9*]*$", "", host).rpartition("@")[2].strip("[].*%'")
        return host in NAMES or host in IPV4 or host in IPV6
    return said.prefixlen < 8 or any(one.version == said.version and one.overlaps(said) for one in networks)


def test_the_oracle_knows_poison_from_what_is_none() -> None:
    assert all(map(harms, (*IPV4, *IPV6, *NETWORKS, *NAMES, "https://google.com/", "*.google.com", "8.8.8.0/25")))
    assert not any(
        map(harms, ("198.51.100.7", "c2.example", "http://google.com/x", "google.com.c2.example", "ab" * 16))
    )


# ---------------------------------------------------------------- the path


def judged(pattern: str) -> Normal | None:
    """The indicator as the hub takes it; None where it is refused."""
    found = judge.judge(orjson.dumps(an_indicator(pattern)), LIMITS)
    return found[0] if isinstance(found, list) else None


def a_page(*objects: dict[str, Any]) -> LogPage:
    """Views of these indicators, from a source of the usual trust."""
    bodies = [orjson.dumps({**one, "extensions": {VIEW_EXTENSION: {"observables": said_of(one)}}}) for one in objects]
    rows = [
        LogRow(Seq(no), 1, 1, one["id"], "indicator", False, True, len(body))
        for no, (one, body) in enumerate(zip(objects, bodies, strict=True), 1)
    ]
    return LogPage(rows, bodies, more=False)


def said_of(obj: dict[str, Any]) -> list[dict[str, Any]]:
    return _observables(asserted_by(obj), WIDEST_BLOCKED)


def listed(normal: Normal, by: WarningLists) -> set[str]:
    """What all lists together have of an indicator, in every format, with and without types."""
    page = a_page(normal.obj)
    found: set[str] = set()
    for kinds in (PLAIN_KINDS, frozenset[str]()):  # a list of some kinds has some lines of these
        selection = Selection(FORMATS["txt"], kinds, lists=by)
        for entry in selection.values(page):
            found.add(entry.value)
            lines = [writer.line(entry) for writer in WRITERS.values()]
            assert all(lines)
            found.add((lines[0] or b"").decode().rstrip("\n"))
    return found


@pytest.mark.parametrize(("holds", "nets"), [(True, False), (False, True)], ids=["held", "netted"])
def test_lists_made_of_ten_thousand_spellings_of_poison_hold_none_of_them(holds: bool, nets: bool) -> None:
    taken = refused = held = 0
    escaped: list[tuple[str, str]] = []
    waits_not: list[str] = []
    for pattern, is_network in spellings():
        normal = judged(pattern)
        if normal is None:
            refused += 1
            continue
        hit = default().holds(normal.obj, normal.observables)
        held += hit is not None
        if hit is None and is_network:
            waits_not.append(pattern)
        if holds and hit is not None:
            continue
        taken += 1
        escaped += [(line, pattern) for line in listed(normal, default() if nets else NOTHING) if harms(line)]
    assert not escaped, "\n".join(map(str, [len(escaped), *escaped[:25]]))
    assert not waits_not, "\n".join(["not held:", *waits_not[:25]])
    assert held > COUNT * 0.7
    assert refused < COUNT * 0.15
    assert taken > 500


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '198.51.100.7' OR domain-name:value = 'c2.example']",
        "[network-traffic:dst_ref.type = 'ipv4-addr' AND network-traffic:dst_ref.value = '198.51.100.7']",
        "[url:value = 'http://google.com/c2']",
    ],
)
def test_what_is_no_poison_gets_out(pattern: str) -> None:
    normal = judged(pattern)
    assert normal is not None
    assert default().holds(normal.obj, normal.observables) is None
    assert listed(normal, default())
    assert listed(normal, default()) == listed(normal, NOTHING)


def test_what_a_list_leaves_out_is_counted() -> None:
    said = [
        an_indicator("[ipv4-addr:value = '8.8.8.8']"),
        an_indicator("[ipv4-addr:value = '198.51.100.7:443']"),
        an_indicator("198.51.100.8", labels=["PAP:RED"]),
        an_indicator("198.51.100.9"),
        an_indicator("[domain-name:value = 'google.com']"),
    ]
    normals = [judged(one["pattern"]) for one in said]
    shown = [{**one, "pattern": normal.obj["pattern"]} for one, normal in zip(said, normals, strict=True) if normal]
    selection = Selection(FORMATS["txt"], frozenset({"ipv4-addr"}), lists=default())
    assert [entry.value for entry in selection.values(a_page(*shown))] == ["198.51.100.9"]
    assert selection.skipped.count == 3


def test_what_an_operator_released_is_let_through() -> None:
    said = an_indicator("[ipv4-addr:value = '8.8.8.8']")
    other = an_indicator("[ipv4-addr:value IN ('8.8.8.8', '198.51.100.1')]")
    selection = Selection(FORMATS["txt"], lists=default(), released={said["pattern"]})
    assert [entry.value for entry in selection.values(a_page(said))] == ["8.8.8.8"]
    assert [entry.value for entry in selection.values(a_page(other))] == ["198.51.100.1"]

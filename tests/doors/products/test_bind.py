"""BIND 9: policy zones are read by named-checkzone, and loaded and applied by named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from hub.doors.export.format import About
from hub.doors.export.formats import FORMATS
from hub.model.words import Seq
from tests.doors.entries import an_entry
from tests.doors.formats.rpz import ZONE, policies
from tests.doors.products.lists import empty, pasted, written
from tests.doors.products.programs import program, ran
from tests.doors.products.servers import answer, answers, running
from tests.servers.ports import free_ports

ELSEWHERE = "203.0.113.250"
"""What the root of these tests answers for every other name."""
CONFIG = """
options {{
    directory "{folder}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; pid-file none;
    session-keyfile none; recursion yes; allow-query {{ any; }}; dnssec-validation no; {option}
}};
controls {{ }};
zone "." {{ type primary; file "root.zone"; }};
{zone}
"""
ROOT = f"$TTL 300\n@ SOA localhost. root.localhost. 1 3600 600 604800 300\n@ NS localhost.\n* A {ELSEWHERE}\n"


@pytest.fixture(autouse=True)
def named() -> str:
    return program("named", "bind9")


def pasted_parts(folder: Path) -> tuple[str, str]:
    """What the page puts into the options, and its zone."""
    text = pasted("bind", "named").replace("rpz.ctihub", ZONE).replace("/var/lib/bind", str(folder))
    option, zone = text.split("\nzone ")
    return option.removeprefix("options {").rstrip().removesuffix("};"), f"zone {zone}"


@contextmanager
def serving(folder: Path, content: bytes, root: str = ROOT) -> Iterator[int]:
    """Run named with the page's configuration and this policy zone; gives its port."""
    [port] = free_ports(1)
    option, zone = pasted_parts(folder)
    (folder / f"{ZONE}.zone").write_bytes(content)
    (folder / "root.zone").write_text(root)
    (folder / "named.conf").write_text(CONFIG.format(folder=folder, port=port, option=option, zone=zone))
    ran([program("named-checkconf", "bind9-utils"), "-z", str(folder / "named.conf")])
    words = [program("named", "bind9"), "-g", "-c", str(folder / "named.conf")]
    with running(words, folder, answers(port, "other.example")):
        yield port


def test_named_checkzone_reads_exactly_the_policies_of_the_list(tmp_path: Path) -> None:
    some = written("rpz", zone=ZONE)
    (tmp_path / "zone").write_bytes(some.content)
    checked = ran([program("named-checkzone", "bind9-utils"), "-D", "-o", "-", ZONE, str(tmp_path / "zone")])
    lines = [line.split() for line in checked.splitlines() if " CNAME" in line or "\tCNAME" in line]
    owners = {line[0].removesuffix(f".{ZONE}.") for line in lines}
    assert owners == set(policies(some.content))
    assert {line[-1] for line in lines} == {"."}


def test_named_answers_for_names_and_what_is_below_them_as_the_list_says(tmp_path: Path) -> None:
    some = written("rpz", "domain-name", zone=ZONE, entries=written("rpz", "domain-name", zone=ZONE).entries)
    names = [name for name in some.values if name != "example"]
    content = written(
        "rpz", "domain-name", zone=ZONE, entries=tuple(an_entry(n, type="domain-name") for n in names)
    ).content
    with serving(tmp_path, content) as port:
        assert {name: answer(port, name) for name in names} == dict.fromkeys(names, "NXDOMAIN")
        below = [f"a.{name}" for name in names if len(name) < 200]
        assert {name: answer(port, name) for name in below} == dict.fromkeys(below, "NXDOMAIN")
        assert answer(port, "other.example") == ELSEWHERE


def test_named_understands_every_trigger_of_an_address(tmp_path: Path) -> None:
    some = written("rpz", "ipv4-addr", "ipv6-addr", zone=ZONE)
    records = "".join(
        f"n{number} {'A' if address.version == 4 else 'AAAA'} {address}\n"
        for number, address in enumerate(ip_network(value)[0] for value in some.values)
    )
    with serving(tmp_path, some.content, ROOT + records) as port:
        for number, value in enumerate(some.values):
            kind = "A" if ip_network(value).version == 4 else "AAAA"
            assert answer(port, f"n{number}", kind) == "NXDOMAIN", value
        assert answer(port, "other.example") == ELSEWHERE
    said = (tmp_path / "said.txt").read_text("utf-8", "replace")
    assert "invalid rpz" not in said
    assert not any(" rpz " in line and "error" in line for line in said.lower().splitlines())


@pytest.mark.parametrize(
    ("action", "said"),
    [("nodata", "NODATA"), ("passthru", ELSEWHERE), ("walled.garden.example", ELSEWHERE), ("nxdomain", "NXDOMAIN")],
)
def test_named_does_what_the_action_says(tmp_path: Path, action: str, said: str) -> None:
    some = (an_entry("c2.example", type="domain-name"),)
    with serving(tmp_path, written("rpz", zone=ZONE, action=action, entries=some).content) as port:
        assert answer(port, "c2.example") == said


@pytest.mark.parametrize(("action", "target"), [("drop", "rpz-drop."), ("tcp-only", "rpz-tcp-only.")])
def test_the_other_actions_are_those_of_the_manual(action: str, target: str) -> None:
    some = written("rpz", zone=ZONE, action=action, entries=(an_entry("198.51.100.0/24"),))
    assert policies(some.content) == {"24.0.100.51.198.rpz-ip": target}


def test_an_empty_zone_is_one(tmp_path: Path) -> None:
    with serving(tmp_path, empty("rpz", zone=ZONE)) as port:
        assert answer(port, "c2.example") == ELSEWHERE


def test_the_serial_number_wraps_as_that_of_a_zone_does() -> None:
    """Source: RFC 1982, section 7."""
    options = FORMATS["rpz"].options()
    serials = []
    for revision in (20_007, (1 << 32) - 1, 1 << 32):
        head = FORMATS["rpz"].begin(About("community", Seq(7), 1, frozenset(), None, options, revision)).head.decode()
        serials.append(int(head.split(" SOA ")[1].split()[2]))
    assert serials == [20_007, (1 << 32) - 1, 0]

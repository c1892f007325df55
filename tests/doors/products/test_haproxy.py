"""HAProxy: files of patterns are checked by haproxy -c, loaded by HAProxy, and read back over its runtime API."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.doors.entries import an_entry
from tests.doors.formats.haproxy import READER
from tests.doors.products.lists import empty, pasted, written
from tests.doors.products.programs import program, ran
from tests.doors.products.servers import LOOPBACK, listens, running
from tests.servers.ports import free_ports
from tests.waiting import WITHIN_S

KINDS = ("ipv4-addr", "domain-name", "url")
CONFIG = """
global
    stats socket {folder}/control mode 600 level admin
defaults
    mode http
    timeout client 60s
    timeout server 60s
    timeout connect 60s
frontend proxy
    bind 127.0.0.1:{port}
{rules}
    http-request return status 200
"""


@pytest.fixture(autouse=True)
def haproxy() -> str:
    return program("haproxy", "haproxy")


@contextmanager
def serving(folder: Path, **lists: bytes) -> Iterator[int]:
    """Run HAProxy with the page's rules and these lists; gives its port."""
    [port] = free_ports(1)
    for kind in KINDS:
        (folder / f"ctihub.{kind}").write_bytes(lists.get(kind.partition("-")[0], empty("haproxy", kind)))
    rules = pasted("haproxy", "haproxy").replace("/etc/haproxy", str(folder))
    (folder / "haproxy.cfg").write_text(CONFIG.format(folder=folder, port=port, rules=rules))
    words = [program("haproxy", "haproxy"), "-f", str(folder / "haproxy.cfg")]
    assert "WARNING" not in ran([*words, "-c"])
    with running([*words, "-db"], folder, listens(port)):
        yield port


def patterns(folder: Path, kind: str) -> list[str]:
    """The patterns that a running HAProxy has from a file."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(WITHIN_S)
        control.connect(str(folder / "control"))
        control.sendall(f"show acl {folder}/ctihub.{kind}\n".encode())
        lines = control.makefile("rb").read().decode().splitlines()
    return [line.split(" ", 1)[1] for line in lines if line]


def status(port: int, host: str, path: str = "/") -> int:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=WITHIN_S)
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    found = connection.getresponse().status
    connection.close()
    return found


def test_haproxy_has_exactly_the_patterns_of_each_list(tmp_path: Path) -> None:
    lists = {kind: written("haproxy", kind) for kind in KINDS}
    with serving(tmp_path, **{kind.partition("-")[0]: some.content for kind, some in lists.items()}):
        for kind in ("domain-name", "url"):
            assert set(patterns(tmp_path, kind)) == {READER.says(entry) for entry in lists[kind].entries}, kind
        found = {ip_network(one) for one in patterns(tmp_path, "ipv4-addr")}
        assert found == {ip_network(value) for value in lists["ipv4-addr"].values}


def test_haproxy_has_exactly_the_networks_of_ipv6(tmp_path: Path) -> None:
    some = written("haproxy", "ipv6-addr")
    with serving(tmp_path, ipv4=some.content):
        assert {ip_network(one) for one in patterns(tmp_path, "ipv4-addr")} == {ip_network(v) for v in some.values}


def test_the_rules_of_the_page_block_what_is_listed(tmp_path: Path) -> None:
    url = written("haproxy", entries=(an_entry("http://h.example:8080/a?b=c", type="url"),)).content
    name = written("haproxy", entries=(an_entry("c2.example", type="domain-name"),)).content
    with serving(tmp_path, url=url, domain=name) as port:
        assert status(port, "C2.example:80") == status(port, "h.example:8080", "/a?b=c") == 403
        assert status(port, "H.EXAMPLE:8080", "/a?b=c") == 403, "letters of a host are the same"
        assert status(port, "h.example:8080", "/A?b=c") == 200, "those of a path are not"
        assert status(port, "a.c2.example") == status(port, "h.example", "/a?b=c") == 200
        assert status(port, "h.example:8080", "/a?b=cd") == status(port, "h.example:8080", "/a") == 200


def test_the_rules_of_the_page_block_clients_that_are_listed(tmp_path: Path) -> None:
    some = written("haproxy", entries=(an_entry("127.0.0.0/8"),)).content
    with serving(tmp_path, ipv4=some) as port:
        assert status(port, "other.example") == 403

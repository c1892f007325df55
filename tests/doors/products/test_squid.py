"""Squid: files of ACLs are read by squid -k parse, and applied by Squid to requests."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import collapse_addresses, ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest

from tests.doors.entries import an_entry
from tests.doors.hubs import Hub
from tests.doors.products.lists import Written, empty, pasted, written
from tests.doors.products.programs import program
from tests.doors.products.servers import LOOPBACK, listens, running
from tests.servers.ports import free_ports
from tests.story import an_indicator
from tests.waiting import WITHIN_S

BLOCKED = "302"
"""What these tests let Squid answer where a list matches; everything else is a 403 of its own."""
SETTINGS = """
http_port 127.0.0.1:{port}
pid_filename none
cache_log stdio:{folder}/cache.log
access_log none
coredump_dir {folder}
shutdown_lifetime 0 seconds
dns_nameservers 127.0.0.1
deny_info 302:http://blocked.example/ ctihub_names
deny_info 302:http://blocked.example/ ctihub_urls
deny_info 302:http://blocked.example/ ctihub_addresses
"""


@pytest.fixture(autouse=True)
def squid() -> str:
    return program("squid", "squid")


def collapsed(kind: str) -> Written:
    """The list of all entries of a kind, as the hub collapses it."""
    some = written("squid", kind)
    if kind == "url":
        return some
    if kind == "domain-name":
        names = set(some.values)
        left = {name for name in names if not any(name.endswith(f".{other}") for other in names)}
    else:
        networks: list[Any] = [ip_network(value) for value in some.values]
        left = {str(one).removesuffix(f"/{one.max_prefixlen}") for one in collapse_addresses(networks)}
    return written("squid", kind, entries=tuple(an_entry(value, type=kind) for value in sorted(left)))


def config(folder: Path, **lists: bytes) -> Path:
    """A configuration with the page's lines and these lists; the others are empty."""
    for kind in ("ipv4-addr", "domain-name", "url"):
        (folder / f"ctihub.{kind}").write_bytes(lists.get(kind.partition("-")[0], empty("squid", kind)))
    [port] = free_ports(1)
    acls = pasted("squid", "squid").replace("/etc/squid", str(folder))
    text = acls + SETTINGS.format(port=port, folder=folder) + "http_access deny all\n"
    if "ipv4" not in lists:  # ``dst`` resolves the name of each request
        text = "".join(line for line in text.splitlines(keepends=True) if "ctihub_addresses" not in line)
    (folder / "squid.conf").write_text(text)
    folder.chmod(0o777)
    return folder / "squid.conf"


def complaints(conf: Path) -> list[str]:
    """What ``squid -k parse`` says of the lists."""
    done = subprocess.run(
        [program("squid", "squid"), "-k", "parse", "-f", str(conf)], capture_output=True, timeout=WITHIN_S, check=False
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace").splitlines()
    grave = [line for line in said if any(word in line for word in ("WARNING", "ERROR", "FATAL"))]
    return [line for line in grave if "more than 100 regular expressions" not in line]


@contextmanager
def proxy(conf: Path) -> Iterator[int]:
    """Run Squid; gives its port."""
    port = int(conf.read_text().partition("http_port 127.0.0.1:")[2].split()[0])
    words = [program("squid", "squid"), "-N", "-f", str(conf)]
    with running(words, conf.parent, listens(port)):
        yield port


def status(port: int, url: str) -> str:
    """The status with which Squid answers a request for exactly this URL."""
    host = url.partition("://")[2].partition("/")[0]
    request = f"GET {url} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((LOOPBACK, port), timeout=WITHIN_S) as connection:
        connection.sendall(request.encode("ascii"))
        return connection.makefile("rb").readline().decode().split()[1]


def test_squid_blocks_exactly_the_urls_of_the_list(tmp_path: Path) -> None:
    some = collapsed("url")
    conf = config(tmp_path, url=some.content)
    assert complaints(conf) == []
    plain = [value for value in some.values if value.startswith("http://")]
    assert len(plain) > 500
    with proxy(conf) as port:
        assert {url: status(port, url) for url in plain} == dict.fromkeys(plain, BLOCKED)
        others = ["http://c2xexample/a", *[f"{url}x" for url in plain if f"{url}x" not in plain][:50]]
        assert {url: status(port, url) for url in others} == dict.fromkeys(others, "403")


def test_squid_blocks_exactly_the_names_of_the_list_and_what_is_below(tmp_path: Path) -> None:
    some = collapsed("domain-name")
    names = [name for name in some.values if name != "example"]
    some = written("squid", entries=tuple(an_entry(name, type="domain-name") for name in names))
    conf = config(tmp_path, domain=some.content)
    assert complaints(conf) == []
    with proxy(conf) as port:
        listed = [f"http://{name}/" for name in names] + [f"http://a.{name}/" for name in names if len(name) < 200]
        assert {url: status(port, url) for url in listed} == dict.fromkeys(listed, BLOCKED)
        assert status(port, "http://other.invalid/") == "403"


def test_squid_blocks_exactly_the_addresses_of_the_list(tmp_path: Path) -> None:
    some = collapsed("ipv4-addr")
    conf = config(tmp_path, ipv4=some.content)
    assert complaints(conf) == []
    networks = [ip_network(value) for value in some.values]
    with proxy(conf) as port:
        inside = [f"http://{one[-1]}/" for one in networks]
        assert {url: status(port, url) for url in inside} == dict.fromkeys(inside, BLOCKED)
        outside = [one[-1] + 1 for one in networks]
        others = [f"http://{one}/" for one in outside if not any(one in network for network in networks)]
        assert ip_address("198.51.101.0") in outside
        assert {url: status(port, url) for url in others} == dict.fromkeys(others, "403")


def test_squid_takes_lists_of_ipv6_addresses(tmp_path: Path) -> None:
    assert complaints(config(tmp_path, ipv4=collapsed("ipv6-addr").content)) == []


def test_squid_wants_collapsed_lists(tmp_path: Path) -> None:
    two = (an_entry("a.c2.example", type="domain-name"), an_entry("c2.example", type="domain-name"))
    assert any("FATAL" in line for line in complaints(config(tmp_path, domain=written("squid", entries=two).content)))
    two = (an_entry("198.51.100.7"), an_entry("198.51.100.0/24"))
    said = complaints(config(tmp_path, ipv4=written("squid", entries=two).content))
    assert any("'198.51.100.0/24' is ignored" in line for line in said)


async def test_squid_takes_the_lists_that_a_hub_gives_at_the_address_of_the_page(hub: Hub, tmp_path: Path) -> None:
    found = ("a.c2.example", "c2.example", "c3.example")
    await hub.tell("ro", *(an_indicator(f"[domain-name:value = '{name}']") for name in found))
    [address] = re.findall(r"https://hub\.example(/v1/\S+?)\$kind(\S*)\"", pasted("squid", "sh"))
    answer = await hub.get("domain-name".join(address), "soc")
    assert sorted(answer.text.splitlines()) == [".c2.example", ".c3.example"]
    assert await asyncio.to_thread(complaints, config(tmp_path, domain=answer.content)) == []

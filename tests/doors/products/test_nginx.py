"""nginx: lists are checked by nginx -t, loaded by nginx, and applied to requests."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.doors.entries import an_entry
from tests.doors.products.lists import empty, pasted, written
from tests.doors.products.programs import program, ran
from tests.doors.products.servers import LOOPBACK, listens, running
from tests.servers.ports import free_ports
from tests.waiting import WITHIN_S

STRAY_PERCENT = re.compile("%(?![0-9A-Fa-f]{2})")
"""nginx refuses requests that have it in their path."""
KINDS = ("ipv4-addr", "domain-name", "url")
CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
    access_log off; large_client_header_buffers 4 32k;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    {maps}
    geo $arg_address $asked {{ default 0; include {folder}/ctihub.ipv4-addr; }}
    server {{
        listen 127.0.0.1:{port};
        location /is-listed {{ return 200 "$asked"; }}
        location / {{ {rules} return 200 "let through"; }}
    }}
}}
"""


@pytest.fixture(autouse=True)
def nginx() -> str:
    return program("nginx", "nginx-light")


@contextmanager
def serving(folder: Path, **lists: bytes) -> Iterator[http.client.HTTPConnection]:
    """Run nginx with the page's maps and these lists; gives a connection to it."""
    [port] = free_ports(1)
    for kind in KINDS:
        (folder / f"ctihub.{kind}").write_bytes(lists.get(kind.partition("-")[0], empty("nginx", kind)))
    maps, rules = (pasted("nginx", "nginx", number).replace("/etc/nginx", str(folder)) for number in (0, 1))
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=port, maps=maps, rules=rules))
    words = [program("nginx", "nginx-light"), "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    checked = ran([*words, "-t"])
    assert "[warn]" not in checked.replace("duplicate network", "")
    with running(words, folder, listens(port)):
        connection = http.client.HTTPConnection(LOOPBACK, port, timeout=WITHIN_S)
        yield connection
        connection.close()


def asked(connection: http.client.HTTPConnection, host: str, path: str = "/") -> tuple[int, str]:
    connection.putrequest("GET", path, skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    found = connection.getresponse()
    return found.status, found.read().decode()


def test_nginx_blocks_exactly_the_names_of_the_list_and_what_is_below(tmp_path: Path) -> None:
    names = [name for name in written("nginx", "domain-name").values if name != "example"]
    some = written("nginx", entries=tuple(an_entry(name, type="domain-name") for name in names))
    with serving(tmp_path, domain=some.content) as connection:
        hosts = [*names, *(f"a.{name}" for name in names)]
        assert [host for host in hosts if asked(connection, host)[0] != 403] == []
        assert asked(connection, "other.invalid") == asked(connection, "xc2.invalid") == (200, "let through")


def test_nginx_blocks_exactly_the_urls_of_the_list(tmp_path: Path) -> None:
    some = written("nginx", "url")
    plain = [value.removeprefix("http://") for value in some.values if value.startswith("http://")]
    assert len(plain) > 400
    with serving(tmp_path, url=some.content) as connection:
        parts = [(host, f"/{path}") for host, _, path in (url.partition("/") for url in plain)]
        refused = {one for one in parts if STRAY_PERCENT.search(one[1].partition("?")[0])}
        assert [one for one in parts if asked(connection, *one)[0] != (400 if one in refused else 403)] == []
        lowered = {url.lower() for url in plain}
        others = [(host, f"{path}x") for host, path in parts if f"{host}{path}x".lower() not in lowered]
        assert [one for one in others if asked(connection, *one)[0] == 403] == []


@pytest.mark.parametrize("kind", ["ipv4-addr", "ipv6-addr"])
def test_nginx_has_exactly_the_networks_of_the_list(tmp_path: Path, kind: str) -> None:
    some = written("nginx", kind)
    networks = [ip_network(value) for value in some.values]
    listed = [one for network in networks for one in (network[0], network[-1])]
    beside = [one[-1] + 1 for one in networks]
    others = [one for one in beside if not any(one in network for network in networks)]
    assert others
    with serving(tmp_path, ipv4=some.content) as connection:
        for address in listed:
            assert asked(connection, "any.example", f"/is-listed?address={address}") == (200, "1"), address
        for address in others:
            assert asked(connection, "any.example", f"/is-listed?address={address}") == (200, "0"), address


def test_the_rules_of_the_page_block_clients_that_are_listed(tmp_path: Path) -> None:
    with serving(tmp_path, ipv4=written("nginx", entries=(an_entry("127.0.0.0/8"),)).content) as connection:
        assert asked(connection, "other.invalid")[0] == 403


def test_urls_that_differ_in_case_only_are_no_obstacle(tmp_path: Path) -> None:
    two = tuple(an_entry(f"http://c2.example/{path}", type="url") for path in ("a", "A", "b"))
    some = written("nginx", entries=two)
    assert len(some.entries) == 2
    with serving(tmp_path, url=some.content) as connection:
        assert [asked(connection, "c2.example", f"/{path}")[0] for path in ("a", "A", "b", "c")] == [403, 403, 403, 200]

"""Unbound: lists are checked by unbound-checkconf, loaded by unbound, and read back by unbound-control."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doors.entries import an_entry
from tests.doors.products.lists import empty, pasted, written
from tests.doors.products.programs import program, ran
from tests.doors.products.servers import answer, answers, running
from tests.servers.ports import free_ports

CONFIG = """
server:
    interface: 127.0.0.1@{port}
    do-daemonize: no
    use-syslog: no
    username: ""
    chroot: ""
    directory: "{folder}"
    pidfile: ""
    local-zone: "other.example" always_refuse
remote-control:
    control-enable: yes
    control-interface: "{folder}/control"
    control-use-cert: no
{include}
"""


@pytest.fixture(autouse=True)
def unbound() -> str:
    return program("unbound", "unbound")


@contextmanager
def serving(folder: Path, content: bytes) -> Iterator[int]:
    """Run unbound with the page's line and this list; gives its port."""
    [port] = free_ports(1)
    (folder / "ctihub.conf").write_bytes(content)
    include = pasted("unbound", "unbound").replace("/var/lib/unbound", str(folder))
    (folder / "unbound.conf").write_text(CONFIG.format(folder=folder, port=port, include=include))
    assert "no errors" in ran([program("unbound-checkconf", "unbound"), str(folder / "unbound.conf")])
    words = [program("unbound", "unbound"), "-d", "-c", str(folder / "unbound.conf")]
    with running(words, folder, answers(port, "other.example")):
        yield port


def zones(folder: Path) -> set[str]:
    """The local zones of a running unbound that do not exist."""
    control = [program("unbound-control", "unbound"), "-c", str(folder / "unbound.conf")]
    listed = [line.split() for line in ran([*control, "list_local_zones"]).splitlines()]
    return {name.removesuffix(".") for name, kind in listed if kind == "always_nxdomain"}


def test_unbound_has_exactly_the_zones_of_the_list(tmp_path: Path) -> None:
    some = written("unbound")
    with serving(tmp_path, some.content) as port:
        assert zones(tmp_path) == set(some.values)
        assert answer(port, some.values[0]) == answer(port, f"a.{some.values[0]}") == "NXDOMAIN"
        assert answer(port, "other.example") == "REFUSED"


def test_after_a_reload_a_withdrawn_name_is_gone(tmp_path: Path) -> None:
    two = (an_entry("c2.example", type="domain-name"), an_entry("c3.example", type="domain-name"))
    with serving(tmp_path, written("unbound", entries=two).content):
        assert zones(tmp_path) == {"c2.example", "c3.example"}
        (tmp_path / "ctihub.conf").write_bytes(written("unbound", entries=two[:1]).content)
        ran([program("unbound-control", "unbound"), "-c", str(tmp_path / "unbound.conf"), "reload"])
        assert zones(tmp_path) == {"c2.example"}


def test_an_empty_list_is_one(tmp_path: Path) -> None:
    with serving(tmp_path, empty("unbound")):
        assert zones(tmp_path) == set()

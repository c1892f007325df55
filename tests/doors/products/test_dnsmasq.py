"""dnsmasq: lists are checked by dnsmasq --test, and loaded, answered and read again by dnsmasq."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.doors.entries import an_entry
from tests.doors.products.lists import empty, pasted, written
from tests.doors.products.programs import program, ran
from tests.doors.products.servers import answer, answers, running
from tests.servers.ports import free_ports
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def dnsmasq() -> str:
    return program("dnsmasq", "dnsmasq-base")


@contextmanager
def serving(folder: Path, content: bytes) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run dnsmasq with the page's line and this list; gives its port and its process."""
    [port] = free_ports(1)
    (folder / "ctihub.servers").write_bytes(content)
    (folder / "dnsmasq.conf").write_text(pasted("dnsmasq", "dnsmasq").replace("/var/lib/misc", str(folder)))
    words = [program("dnsmasq", "dnsmasq-base"), f"--conf-file={folder / 'dnsmasq.conf'}"]
    assert "syntax check OK" in ran([*words, "--test"])
    words += ["--keep-in-foreground", "--user=", "--group=", "--no-resolv", "--no-hosts", "--pid-file=",
              f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces", "--log-facility=-"]  # fmt: skip
    with running(words, folder, answers(port, "other.example")) as process:
        yield port, process


def test_dnsmasq_denies_exactly_the_names_of_the_list_and_what_is_below(tmp_path: Path) -> None:
    some = written("dnsmasq")
    names = [name for name in some.values if name != "example"]
    content = written("dnsmasq", entries=tuple(an_entry(name, type="domain-name") for name in names)).content
    with serving(tmp_path, content) as (port, _):
        assert {name: answer(port, name) for name in names} == dict.fromkeys(names, "NXDOMAIN")
        below = [f"a.{name}" for name in names if len(name) < 250]
        assert {name: answer(port, name) for name in below} == dict.fromkeys(below, "NXDOMAIN")
        assert answer(port, "other.example") == answer(port, "xc2.example.org") == "REFUSED"


def test_after_a_hangup_a_withdrawn_name_is_gone(tmp_path: Path) -> None:
    two = (an_entry("c2.example", type="domain-name"), an_entry("c3.example", type="domain-name"))
    with serving(tmp_path, written("dnsmasq", entries=two).content) as (port, process):
        assert answer(port, "c3.example") == "NXDOMAIN"
        (tmp_path / "ctihub.servers").write_bytes(written("dnsmasq", entries=two[:1]).content)
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: answer(port, "c3.example") == "REFUSED", what="the name is gone")
        assert answer(port, "c2.example") == "NXDOMAIN"


def test_an_empty_list_is_one(tmp_path: Path) -> None:
    with serving(tmp_path, empty("dnsmasq")) as (port, _):
        assert answer(port, "c2.example") == "REFUSED"

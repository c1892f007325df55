"""``ctihub pin`` and ``unpin``, as scripts rely on them."""

from __future__ import annotations

from tests.cli.admin import Shell

MALWARE = "malware--6ba7b810-9dad-41d1-80b4-00c04fd430c8"


def test_an_id_is_pinned_listed_and_unpinned(shell: Shell) -> None:
    added = shell.done("centre", "add", "ro-cert", "--country", "RO")
    pin = {"id": MALWARE, "author": added["id"], "centre": "ro-cert"}
    assert shell.done("pin", MALWARE, "--author", "ro-cert") == pin
    assert shell.done("pin") == [pin]
    assert shell.done("unpin", MALWARE) == {"id": MALWARE}
    assert shell.done("pin") == []
    assert shell("unpin", MALWARE).code == 1


def test_half_a_pin_is_wrong_usage(shell: Shell) -> None:
    assert shell("pin", MALWARE).code == 2
    assert shell("pin", "--author", "ro-cert").code == 2

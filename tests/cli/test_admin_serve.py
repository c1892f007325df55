"""``ctihub serve`` refuses what would be unsafe or cannot work, before anything is started."""

from __future__ import annotations

import socket

import pytest

from tests.cli.admin import Shell


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--host", "0.0.0.0"], 2, "--behind-proxy"),
        (["--role", "both"], 2, "worker"),
        (["--port", "70000"], 2, "--port"),
        (["--config", "none.toml"], 2, "none.toml"),
    ],
)
def test_wrong_options_end_with_2(shell: Shell, words: list[str], code: int, says: str) -> None:
    answer = shell("serve", *words)
    assert answer.code == code
    assert says in answer.err
    assert not (shell.folder / "data").exists()


def test_an_unknown_key_of_the_file_names_the_nearest(shell: Shell) -> None:
    (shell.folder / "ctihub.toml").write_text("HTTP_PROT = 1")
    answer = shell("serve")
    assert answer.code == 2
    assert "unknown key HTTP_PROT; did you mean HTTP_PORT?" in answer.err


@pytest.mark.parametrize("role", ["all", "worker"])
def test_a_warning_list_that_does_not_exist_ends_with_2(shell: Shell, role: str) -> None:
    (shell.folder / "ctihub.toml").write_text('HELD_LISTS = ["public-dns-v5"]')
    answer = shell("serve", "--role", role, "--port", "0")
    assert answer.code == 2
    assert "names 'public-dns-v5'" in answer.err
    assert "Did you mean public-dns-v" in answer.err
    assert "Traceback" not in answer.err


def test_a_port_that_is_taken_ends_with_1(shell: Shell) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        answer = shell("serve", "--port", str(port))
    assert answer.code == 1
    assert str(port) in answer.err
    assert "Traceback" not in answer.err

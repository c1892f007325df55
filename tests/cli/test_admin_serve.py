"""``ctihub serve`` refuses what would be unsafe or cannot work, before anything is started."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from tests.cli.admin import Shell
from tests.servers.certificates import Authority


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


@pytest.mark.parametrize("option", ["METRICS_PORT", "HTTP_PORT"])
def test_a_port_that_is_taken_is_told_with_its_option(shell: Shell, option: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        shell.patch.setenv("CTIHUB_HTTP_PORT", "0")
        shell.patch.setenv(f"CTIHUB_{option}", str(other.getsockname()[1]))
        answer = shell("serve")
    assert answer.code == 1
    assert f"choose another port with {option}" in answer.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"METRICS_PORT": "0", "METRICS_HOST": "0.0.0.0"}, "METRICS_HOST 0.0.0.0 is reachable from the network"),
        ({"MAX_CONNECTIONS": "100,000,000"}, "MAX_CONNECTIONS is 100,000,000"),
        ({"MAX_CONNECTIONS_PER_ADDRESS": "5", "BEHIND_PROXY": "true"}, "would count the proxy alone"),
        ({"HEAD_TIMEOUT": "0"}, "HEAD_TIMEOUT"),
    ],
)
def test_options_of_connections_that_cannot_hold_end_with_2(shell: Shell, options: dict[str, str], says: str) -> None:
    for name, value in options.items():
        shell.patch.setenv(f"CTIHUB_{name}", value)
    answer = shell("serve", "--port", "0")
    assert answer.code == 2
    assert says in answer.err
    assert "Traceback" not in answer.err


# ---------------------------------------------------------------- TLS files


class Files:
    """A certificate with its key, to be spoilt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cert, self.key = folder / "chain.pem", folder / "key.pem"
        key, chain = Authority.make(folder).issue("localhost")
        self.cert.write_bytes(chain)
        self.key.write_bytes(key)

    def another_key(self, protection: NoEncryption | BestAvailableEncryption, form: PrivateFormat) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.key.write_bytes(key.private_bytes(Encoding.PEM, form, protection))

    def in_der(self, path: Path) -> None:
        path.write_bytes(b"\x30\x82\x01\x00" + bytes(256))

    def cut(self, path: Path) -> None:
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:3], b"A" * 7 + b"\n", lines[-1]]))

    def a_folder(self, path: Path) -> None:
        path.unlink()
        path.mkdir()


ENCRYPTED = BestAvailableEncryption(b"secret")
SPOILT: dict[str, tuple[Callable[[Files], object], str, tuple[str, ...]]] = {
    "no certificate file": (lambda f: f.cert.unlink(), "cert", ("TLS_CERT", "there is no file")),
    "no key file": (lambda f: f.key.unlink(), "key", ("TLS_KEY", "there is no file")),
    "a folder": (lambda f: f.a_folder(f.cert), "cert", ("TLS_CERT", "cannot be read")),
    "an empty certificate": (lambda f: f.cert.write_bytes(b""), "cert", ("TLS_CERT", "no certificate in PEM")),
    "a certificate in DER": (lambda f: f.in_der(f.cert), "cert", ("TLS_CERT", "no certificate in PEM")),
    "a key in DER": (lambda f: f.in_der(f.key), "key", ("TLS_KEY", "no private key in PEM")),
    "the files exchanged": (lambda f: f.cert.write_bytes(f.key.read_bytes()), "cert", ("TLS_CERT", "no certificate")),
    "the certificate as key": (lambda f: f.key.write_bytes(f.cert.read_bytes()), "key", ("TLS_KEY", "no private key")),
    "half a certificate": (lambda f: f.cut(f.cert), "cert", ("TLS_CERT", "cannot be used")),
    "half a key": (lambda f: f.cut(f.key), "key", ("TLS_KEY", "cannot be used")),
    "another's key": (lambda f: f.another_key(NoEncryption(), PrivateFormat.PKCS8), "key", ("TLS_KEY", "not the key")),
    "an encrypted key": (lambda f: f.another_key(ENCRYPTED, PrivateFormat.PKCS8), "key", ("TLS_KEY", "is encrypted")),
    "an old encrypted key": (
        lambda f: f.another_key(ENCRYPTED, PrivateFormat.TraditionalOpenSSL), "key", ("TLS_KEY", "is encrypted"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", SPOILT)
def test_a_tls_file_that_cannot_be_used_is_named_with_a_way_out(shell: Shell, how: str, tmp_path: Path) -> None:
    spoil, which, words = SPOILT[how]
    files = Files(tmp_path)
    spoil(files)
    shell.patch.setenv("CTIHUB_TLS_CERT", str(files.cert))
    shell.patch.setenv("CTIHUB_TLS_KEY", str(files.key))
    path = str(getattr(files, which))
    answer = shell("serve", "--port", "0")
    assert answer.code == 1
    assert all(word in answer.err for word in (*words, path)), answer.err
    assert answer.err.count("\n") <= 2
    assert not [word for word in ("Traceback", "_ssl.c", "should not have happened") if word in answer.err]
    shell.patch.setenv("CTIHUB_HTTP_PORT", "0")
    found = {row["name"]: row for row in json.loads(shell("doctor", "--json").out)}["tls"]
    assert found["state"] == "bad"
    assert all(word in found["message"] for word in (*words, path)), found
    assert found["way_out"]

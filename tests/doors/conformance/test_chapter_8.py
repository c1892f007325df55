"""TAXII 2.1, section 8.2: what every server must do; over TLS with a real server on a socket."""

from __future__ import annotations

import asyncio
import re
import ssl
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import AsyncIterator
from pathlib import Path
from ssl import TLSVersion
from typing import NamedTuple

import httpx
import pytest
import pytest_asyncio

from hub.doors.tls import server_context
from tests.doors.conformance.asking import ROOT, TAXII, Full, resource
from tests.doors.hubs import basic
from tests.doors.sockets import PATIENCE_S, connected, served
from tests.servers.certificates import Authority

pytestmark = pytest.mark.asyncio(loop_scope="module")
EXCLUDED = [
    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA256", "AES256-GCM-SHA384", "AES128-SHA256", "DHE-RSA-AES256-SHA256",
]  # fmt: skip
"""Some of RFC 7540, appendix A, which has all suites without a key for each connection or without AEAD."""


class Tls(NamedTuple):
    """The context of the hub, as it is made of its files, and the authority that its peers trust."""

    server: ssl.SSLContext
    ca_file: Path

    def trusting(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        """The context of a client that speaks this version alone."""
        made = ssl.create_default_context(cafile=str(self.ca_file))
        made.minimum_version = made.maximum_version = version
        return made


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority.make(folder)
    return Tls(server_context(*authority.issue_files(folder)), authority.ca_file)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port(full: Full, tls: Tls) -> AsyncIterator[int]:
    """Where the hub is served over TLS."""
    async with served(full.hub.app, tls=tls.server) as port:
        yield port


# ---------------------------------------------------------------- 8.2.1: core


async def test_discovery_is_at_the_root_of_the_server_and_names_a_root(full: Full) -> None:
    found = resource(await full.hub.get("http://hub.example/taxii2/", "soc"))
    assert len(found["api_roots"]) >= 1
    assert (await full.hub.get(found["api_roots"][0], "soc")).status_code == 200


async def test_a_request_without_user_agent_is_answered(full: Full, tls: Tls, port: int) -> None:
    async with connected(port, tls=tls.trusting(TLSVersion.TLSv1_3)) as peer:
        token = full.hub.tokens["soc"]
        await peer.send(f"GET {ROOT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        status, fields, _ = await peer.answer()
        assert (status, fields["content-type"]) == (200, TAXII)


# ---------------------------------------------------------------- 8.2.2: TLS and credentials


@pytest.mark.parametrize("version", [TLSVersion.TLSv1_2, TLSVersion.TLSv1_3])
async def test_requests_are_answered_over_tls(full: Full, tls: Tls, port: int, version: TLSVersion) -> None:
    said = full.hub.auth("soc")
    trusting = tls.trusting(version)
    async with httpx.AsyncClient(verify=trusting, trust_env=False, headers=said, timeout=PATIENCE_S) as client:
        found = resource(await client.get(f"https://localhost:{port}/taxii2/"))
        assert found["api_roots"] == [f"https://localhost:{port}{ROOT}"]
        assert resource(await client.get(f"https://localhost:{port}{full.asked.objects}"))["objects"]


@pytest.mark.parametrize("suite", EXCLUDED)
async def test_no_excluded_cipher_suite_of_tls_1_2_is_accepted(tls: Tls, port: int, suite: str) -> None:
    client = tls.trusting(TLSVersion.TLSv1_2)
    client.set_ciphers(f"{suite}:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        async with connected(port, tls=client):
            pass
    client.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256:@SECLEVEL=0")
    async with connected(port, tls=client) as peer:
        assert not peer.over


async def test_every_cipher_suite_has_a_key_for_each_connection_and_aead(tls: Tls) -> None:
    old = [one["name"] for one in tls.server.get_ciphers() if one["protocol"] == "TLSv1.2"]
    assert old
    for name in old:
        assert name.startswith("ECDHE-")
        assert "GCM" in name or "CHACHA20" in name


async def test_no_ticket_of_tls_1_3_permits_0_rtt(full: Full, port: int) -> None:
    client = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", "-ign_eof",
        stdin=PIPE, stdout=PIPE, stderr=STDOUT,
    )  # fmt: skip
    head = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {full.hub.tokens['soc']}"
    async with asyncio.timeout(PATIENCE_S):
        said, _ = await client.communicate(f"GET {ROOT} HTTP/1.1\r\n{head}\r\n\r\n".encode())
    assert b"200 OK" in said
    assert set(re.findall(rb"Max Early Data: (\d+)", said)) == {b"0"}


async def test_basic_credentials_are_accepted(full: Full) -> None:
    for path in full.asked.all:
        answer = await full.hub.http.get(path, headers=basic("soc", full.hub.tokens["soc"]))
        assert answer.status_code == 200, path

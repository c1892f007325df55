"""One message to one receiver: signed, to a checked address, once."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier

from hub.doors.targets import IpAddress, TargetRules
from hub.doors.webhooks.sender import Message, WebhookSender, secret_of
from hub.model.errors import WrongUsage
from tests.doors.receivers import Answer, Arrived, a_receiver
from tests.servers.certificates import Authority

LOCAL = TargetRules((ipaddress.ip_network("127.0.0.1"),), http=True)
SECRET = secret_of(b"the hub's key", "webhook")
MESSAGE = Message("msg_1", b'{"type":"x","text":"\xc3\xa4"}', SECRET)


@asynccontextmanager
async def a_sender(rules: TargetRules = LOCAL, **more: Any) -> AsyncIterator[WebhookSender]:
    sender = WebhookSender(rules, **more)
    try:
        yield sender
    finally:
        await sender.aclose()


def answering(said: Answer) -> Any:
    async def answer(_: Arrived) -> Answer:
        return said

    return answer


async def test_a_message_is_signed_as_the_library_of_receivers_verifies_it() -> None:
    async with a_receiver() as receiver, a_sender() as sender:
        attempt = await sender.post(receiver.url, MESSAGE)
    assert attempt.is_success
    (arrived,) = receiver.arrived
    assert Verifier(SECRET).verify(arrived.body, arrived.headers) == {"type": "x", "text": "ä"}
    assert arrived.headers["webhook-id"] == "msg_1"
    assert arrived.headers["content-type"] == "application/json"
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(secret_of(b"the hub's key", "another")).verify(arrived.body, arrived.headers)


def test_secrets_differ_by_webhook_and_hub_and_have_the_length_that_the_specification_wants() -> None:
    secrets = {secret_of(key, name) for key in (b"a", b"b") for name in ("1", "2")}
    assert len(secrets) == 4
    assert all(secret.startswith("whsec_") and len(secret) == len("whsec_") + 44 for secret in secrets)
    assert SECRET not in repr(MESSAGE)


async def test_over_https_the_certificate_is_checked_for_the_name(tmp_path: Path) -> None:
    authority = Authority.make(tmp_path)
    tls = authority.server_context(tmp_path)

    async def local(_host: str, _port: int) -> Sequence[IpAddress]:
        return [ipaddress.ip_address("127.0.0.1")]

    async with a_receiver(tls) as receiver, a_sender(ca_file=authority.ca_file, resolve=local) as sender:
        assert (await sender.post(receiver.url, MESSAGE)).is_success
        assert receiver.arrived[0].headers["host"] == receiver.url.split("/")[2]
        wrong = await sender.post(receiver.url.replace("localhost", "other.example"), MESSAGE)
        assert (wrong.status, "certificate" in wrong.says) == (None, True)
        async with a_sender(resolve=local) as distrusting:
            assert "certificate" in (await distrusting.post(receiver.url, MESSAGE)).says
        assert len(receiver.arrived) == 1


async def test_a_certificate_file_that_cannot_be_used_is_said_when_the_hub_starts(tmp_path: Path) -> None:
    async with a_sender(ca_file=tmp_path / "none.pem") as sender:
        with pytest.raises(WrongUsage, match="WEBHOOK_CA_FILE"):
            await sender.open()


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_2xx_is_a_success(status: int) -> None:
    async with a_receiver(answer=answering(status)) as receiver, a_sender() as sender:
        attempt = await sender.post(receiver.url, MESSAGE)
    assert (attempt.status, attempt.is_success, attempt.says) == (status, True, "")


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 410, 429, 500, 503])
async def test_anything_else_is_a_failure_and_redirects_are_not_followed(status: int) -> None:
    async with a_receiver() as other, a_sender() as sender:
        said = b"HTTP/1.1 %d X\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n" % (status, other.url.encode())
        async with a_receiver(answer=answering(said)) as receiver:
            attempt = await sender.post(receiver.url, MESSAGE)
    assert (attempt.status, attempt.is_success) == (status, False)
    assert other.connections == 0


async def test_how_long_a_receiver_wants_to_be_left_alone_is_read() -> None:
    said = b"HTTP/1.1 503 X\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n"
    async with a_receiver(answer=answering(said)) as receiver, a_sender() as sender:
        assert (await sender.post(receiver.url, MESSAGE)).retry_after_s == 120


@pytest.mark.parametrize("said", [None, b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nx"])
async def test_what_is_no_answer_is_a_failure(said: Answer) -> None:
    async with a_receiver(answer=answering(said)) as receiver, a_sender() as sender:
        attempt = await sender.post(receiver.url, MESSAGE)
    assert (attempt.status, attempt.is_success) == (None, False)
    assert attempt.says


async def test_an_endless_body_is_not_read() -> None:
    said = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"5\r\nhello\r\n" * 1_000
    async with a_receiver(answer=answering(said)) as receiver, a_sender() as sender:
        assert (await sender.post(receiver.url, MESSAGE)).is_success


async def test_a_receiver_that_does_not_answer_is_given_up_at_the_deadline() -> None:
    forever = asyncio.Event()

    async def answer(_: Arrived) -> Answer:
        await forever.wait()
        return 200

    async with a_receiver(answer=answer) as receiver, a_sender(deadline_s=0.2) as sender:
        attempt = await sender.post(receiver.url, MESSAGE)
        forever.set()
    assert (attempt.status, attempt.says) == (None, "No answer within 0.2 s.")


async def test_a_port_where_nobody_listens_is_a_failure() -> None:
    async with a_receiver() as receiver:
        url = receiver.url
    async with a_sender() as sender:
        assert (await sender.post(url, MESSAGE)).says == "The connection was not accepted."


# ---------------------------------------------------------------- addresses


class Names:
    """A name server that answers differently each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> Sequence[IpAddress]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not answer:
            raise OSError("no such name")
        return [ipaddress.ip_address(text) for text in answer]


async def test_a_name_that_resolves_to_something_else_after_the_check_changes_nothing() -> None:
    """Rebinding: one attempt asks once, and connects to what was checked."""
    async with a_receiver() as receiver:
        names = Names(["127.0.0.1"], ["10.0.0.1"], ["127.0.0.1"])
        async with a_sender(resolve=names) as sender:
            url = receiver.url.replace("127.0.0.1", "rebinding.example")
            assert (await sender.post(url, MESSAGE)).is_success
            assert names.asked == 1
            assert receiver.arrived[0].headers["host"].startswith("rebinding.example:")
            refused = await sender.post(url, MESSAGE)
            assert "not public" in refused.says
            assert (names.asked, receiver.connections) == (2, 1)


@pytest.mark.parametrize(
    "answer",
    [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["::ffff:127.0.0.1"], ["fe80::1%lo"], []],
)
async def test_no_connection_is_made_if_any_address_of_a_name_is_not_public(answer: list[str]) -> None:
    async with a_receiver() as receiver, a_sender(TargetRules(http=True), resolve=Names(answer)) as sender:
        attempt = await sender.post(receiver.url.replace("127.0.0.1", "soc.example"), MESSAGE)
    assert attempt.status is None
    assert attempt.says.startswith("Not sent: soc.example ")
    assert receiver.connections == 0


async def test_all_addresses_are_tried_in_turn() -> None:
    rules = TargetRules((ipaddress.ip_network("127.0.0.0/8"),), http=True)
    names = Names(["127.0.0.2", "127.0.0.1"])
    async with a_receiver() as receiver, a_sender(rules, resolve=names) as sender:
        assert (await sender.post(receiver.url.replace("127.0.0.1", "soc.example"), MESSAGE)).is_success


async def test_the_names_of_this_machine_are_resolved_and_checked() -> None:
    async with a_receiver() as receiver, a_sender(TargetRules(http=True)) as sender:
        attempt = await sender.post(receiver.url.replace("127.0.0.1", "localhost"), MESSAGE)
    assert "localhost has an address that is not public" in attempt.says
    assert receiver.connections == 0


async def test_a_url_that_the_operator_does_not_allow_any_more_is_refused_at_the_next_attempt() -> None:
    async with a_receiver() as receiver, a_sender(TargetRules()) as sender:
        attempt = await sender.post(receiver.url, MESSAGE)
    assert (attempt.status, receiver.connections) == (None, 0)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_receiver() as proxy, a_receiver() as receiver, a_sender() as sender:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await sender.post(receiver.url, MESSAGE)).is_success
    assert (proxy.connections, receiver.connections) == (0, 1)


@pytest.mark.parametrize("host", ["a..invalid", f"{'a' * 64}.invalid", ".invalid"])
async def test_a_name_that_no_name_server_can_have_is_a_failed_attempt(host: str) -> None:
    async with a_sender() as sender:
        attempt = await sender.post(f"https://{host}/", MESSAGE)
    assert attempt.status is None
    assert "cannot be resolved" in attempt.says

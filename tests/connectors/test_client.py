"""Calls to the hub: retries within a patience, sentences instead of statuses, tokens only where they belong."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from connectors.sdk.client import HubClient, own_path, request_headers, retry_after_s
from connectors.sdk.errors import PublishRefused, TryLater, WrongSettings
from connectors.sdk.http import HttpPublisher
from schemas.webhooks import WebhookInfo
from tests.connectors.small_hub import TOKEN, Server, SmallHub
from tests.servers.certificates import Authority
from tests.waiting import WITHIN_S

LINES = [b'{"id":"a"}', b'{"id":"b"}', b'{"id":"c"}']


@pytest.fixture
def client(hub: SmallHub) -> Iterator[HubClient]:
    with HubClient(hub.url, TOKEN, patience_s=WITHIN_S) as one:
        yield one


def test_a_push_is_tried_again_until_the_hub_takes_it(hub: SmallHub, client: HubClient) -> None:
    hub.plan.extend(["503", "429", "500"])
    hub.retry_after = "0"
    assert client.push(LINES).received == 3
    assert hub.lines == LINES


def test_a_push_is_packed_unless_it_stays_on_this_machine(hub: SmallHub, client: HubClient) -> None:
    client.push(LINES)
    client._compress = True  # as for a hub elsewhere
    client.push(LINES)
    assert hub.lines == LINES * 2
    assert hub.encodings == ["", "gzip"]
    with HubClient("http://hub.example", TOKEN) as elsewhere:
        assert elsewhere._compress


@pytest.mark.parametrize("status", ["429", "503"])
def test_retry_after_is_honoured(hub: SmallHub, client: HubClient, status: str) -> None:
    hub.plan.append(status)
    hub.retry_after = "1"
    began = time.monotonic()
    client.push(LINES)
    assert time.monotonic() - began >= 1.0


def test_a_lost_acknowledgement_repeats_the_push(hub: SmallHub, client: HubClient) -> None:
    hub.plan.append("lost")
    client.push(LINES)
    assert hub.lines == LINES * 2


@pytest.mark.parametrize("what", ["lost", "500", "502", "503 store.away", "504"])
def test_what_is_no_push_is_not_repeated_when_its_answer_may_be_lost(
    hub: SmallHub, client: HubClient, what: str
) -> None:
    hub.plan.append(what)
    with pytest.raises(PublishRefused, match="may have done it") as caught:
        client.call(WebhookInfo, "/v1/webhooks", "POST", json={"url": "https://soc.example/"})
    assert caught.value.code == "answer.lost"
    assert len(hub.posted) == 1


def test_what_is_no_push_is_tried_again_when_the_hub_has_not_done_it(hub: SmallHub, client: HubClient) -> None:
    hub.plan.extend(["425", "429", "503 webhook.moved"])
    hub.retry_after = "0"
    with pytest.raises(PublishRefused, match="no webhooks"):
        client.call(WebhookInfo, "/v1/webhooks", "POST", json={"url": "https://soc.example/"})
    assert len(hub.posted) == 4


def test_what_is_no_push_is_tried_again_when_there_was_no_connection(hub: SmallHub) -> None:
    hub.stop()
    with (
        HubClient(hub.url, TOKEN, patience_s=WITHIN_S, notify=lambda _: hub.server.start()) as client,
        pytest.raises(PublishRefused, match="no webhooks"),
    ):
        client.call(WebhookInfo, "/v1/webhooks", "POST", json={"url": "https://soc.example/"})
    assert len(hub.posted) == 1


def test_a_hub_that_comes_back_within_the_patience_gets_the_push(hub: SmallHub, client: HubClient) -> None:
    hub.stop()
    threading.Timer(0.5, hub.server.start).start()
    assert client.push(LINES).received == 3


def test_without_patience_there_is_one_attempt_and_nothing_is_said_of_another(hub: SmallHub) -> None:
    hub.plan.extend(["503", "503"])
    said: list[str] = []
    with HubClient(hub.url, TOKEN, patience_s=0, notify=said.append) as client, pytest.raises(TryLater):
        client.push(LINES)
    assert said == []
    assert list(hub.plan) == ["503"]


def test_patience_ends_with_a_sentence() -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        with (
            HubClient(f"http://127.0.0.1:{taken.getsockname()[1]}", TOKEN, patience_s=0.3) as client,
            pytest.raises(TryLater, match="No answer from the hub at http://127") as raised,
        ):
            client.push(LINES)
    assert raised.value.code == "hub.unreachable"
    assert raised.value.way_out


def test_the_other_of_http_and_https_is_told(hub: SmallHub) -> None:
    url = hub.url.replace("http:", "https:")
    with HubClient(url, TOKEN, patience_s=60) as client, pytest.raises(WrongSettings) as raised:
        client.push(LINES)
    assert raised.value.says == f"The address {url} speaks plain HTTP."
    assert raised.value.way_out == "Write http:// if that is meant."


def test_http_to_a_hub_that_speaks_tls_is_told(tmp_path: Path) -> None:
    files = tmp_path / "key.pem", tmp_path / "chain.pem"
    for path, content in zip(files, Authority.make(tmp_path).issue("hub"), strict=True):
        path.write_bytes(content)
    server = Server(Starlette(), tls=files)
    url = server.url.replace("https:", "http:")
    with HubClient(url, TOKEN, patience_s=60) as client, pytest.raises(WrongSettings) as raised:
        client.push(LINES)
    assert (raised.value.says, raised.value.way_out) == (f"The address {url} speaks TLS.", "Write https://.")
    server.stop()


def test_wrong_credentials_are_not_tried_again(hub: SmallHub) -> None:
    said: list[str] = []
    with (
        HubClient(hub.url, "wrong", notify=said.append) as client,
        pytest.raises(PublishRefused, match=rf"CTIHUB_TOKEN or --token\) is not valid at {hub.url}\.") as raised,
    ):
        client.push(LINES)
    assert (raised.value.code, raised.value.status, said) == ("token.unknown", 401, [])


def test_every_retry_is_told(hub: SmallHub) -> None:
    hub.plan.append("503")
    hub.retry_after = "0"
    said: list[str] = []
    with HubClient(hub.url, TOKEN, notify=said.append) as client:
        client.push(LINES)
    assert said == ["The hub is busy. Trying again."]


def test_a_receipt_is_read_at_the_configured_host_whatever_the_hub_says(hub: SmallHub, client: HubClient) -> None:
    accepted = client.push(LINES)
    assert accepted.status_url.startswith("https://elsewhere.example/")
    hub.pending_answers = 2
    assert client.completed(accepted.status_url, within_s=WITHIN_S).accepted == 3
    assert own_path("https://elsewhere.example/behind/v1/receipts/1") == "/v1/receipts/1"


def test_a_receipt_that_stays_pending_ends_the_wait(hub: SmallHub, client: HubClient) -> None:
    accepted = client.push(LINES)
    hub.pending_answers = 10_000
    with pytest.raises(TryLater, match="ask again at http://127") as raised:
        client.completed(accepted.status_url, within_s=0.2)
    assert raised.value.code == "receipt.pending"


def test_an_answer_of_something_that_is_no_hub_is_told_apart(hub: SmallHub) -> None:
    with HubClient(hub.url + "/nothing", TOKEN) as client, pytest.raises(PublishRefused, match="404"):
        client.status()


def test_a_push_over_the_limit_is_halved_and_stays_in_order(hub: SmallHub, client: HubClient) -> None:
    hub.limit_bytes = 25
    publisher = HttpPublisher(client)
    acknowledged = publisher.publish([*LINES, b'{"id":"' + b"x" * 50 + b'"}', *LINES])
    assert hub.lines == LINES * 2
    assert acknowledged.received == 6
    assert publisher.too_large == [59]


@pytest.mark.parametrize("url", ["", "hub.example", "ftp://hub.example", "http://"])
def test_an_address_that_is_none_is_wrong_usage(url: str) -> None:
    with pytest.raises(WrongSettings, match="is not the address of a hub"):
        HubClient(url)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "ümlaut"])
def test_a_token_that_can_be_none_is_wrong_usage(token: str) -> None:
    with pytest.raises(WrongSettings, match="The token holds characters"):
        HubClient("http://127.0.0.1:1", token)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("3", 3.0),
        ("-1", 0.0),
        ("soon", None),
        ("nan", None),
        ("1e308", 300.0),
        ("inf", 300.0),
        ("-inf", 0.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("Fri, 99 Dec 9999 23:59:59 GMT", None),
    ],
)
def test_retry_after_is_read_leniently_and_never_for_longer_than_five_minutes(
    header: str | None, seconds: float | None
) -> None:
    assert retry_after_s(header) == seconds


@given(st.text() | st.floats().map(str) | st.datetimes().map(lambda moment: format_datetime(moment)))
def test_any_retry_after_gives_a_bounded_wait_or_none(header: str) -> None:
    seconds = retry_after_s(header)
    assert seconds is None or 0.0 <= seconds <= 300.0


@pytest.mark.parametrize("retry_after", ["1e308", "301", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_patience_goes_before_what_the_hub_asks_for(hub: SmallHub, retry_after: str) -> None:
    hub.plan.extend(["503"] * 50)
    hub.retry_after = retry_after
    said: list[str] = []
    with HubClient(hub.url, TOKEN, patience_s=200.0, notify=said.append) as client, pytest.raises(TryLater):
        client.push(LINES)
    assert said == []
    assert len(hub.plan) == 49


def test_the_client_says_what_it_is_since_the_journal_of_the_hub_tells_clients_apart_by_it() -> None:
    for token in (None, TOKEN):
        assert request_headers(token)["User-Agent"] == "ctihub"
    assert request_headers(TOKEN)["Authorization"] == f"Bearer {TOKEN}"

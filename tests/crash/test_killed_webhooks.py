"""kill -9 of ``ctihub serve`` while it posts to a webhook: nothing is left out, and what comes twice is the same."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import orjson
import pytest

from schemas.webhooks import AddedWebhook
from tests.doors.hubs import GREEN, addresses
from tests.doors.receivers import Posted, a_receiver_in_threads
from tests.running import RunningHub
from tests.waiting import LONG_S, wait_until

pytestmark = pytest.mark.faults


def seqs(posted: Posted) -> list[int]:
    return [change["seq"] for change in json.loads(posted[1])["data"]["changes"]]


def test_a_hub_that_is_killed_while_it_posts_goes_on_with_the_same_message(tmp_path: Path) -> None:
    hub = RunningHub(tmp_path / "hub", {"CTIHUB_WEBHOOK_ALLOW": "127.0.0.1", "CTIHUB_WEBHOOK_HTTP": "true"})
    hub.register(["ro"])
    hub.start()
    secret: list[str] = []
    killed = threading.Event()

    def on_message(number: int) -> bool:
        if number == 2:  # on its way: the hub does not learn that it has arrived
            hub.kill()
            killed.set()
        return number != 2

    try:
        with a_receiver_in_threads(on_message, secret) as (url, posted):
            with hub.client("soc", patience_s=LONG_S) as client:
                asked = {"collection": "community", "url": url, "types": ["indicator"]}
                secret.append(client.call(AddedWebhook, "/v1/webhooks", "POST", json=asked).secret)
            with hub.client("ro", patience_s=LONG_S) as client:
                client.push([orjson.dumps(one) for one in addresses(1_600, object_marking_refs=GREEN)])
                assert killed.wait(LONG_S)
                hub.start()
            wait_until(lambda: len({seq for one in posted for seq in seqs(one)}) == 1_600, within_s=LONG_S)
    finally:
        hub.stop()
    assert posted[2] == posted[1], "not the same message after the crash"
    once = list(dict(posted).items())
    found = [seq for one in once for seq in seqs(one)]
    assert found == sorted(set(found)), "out of order, or twice under another id"
    assert secret[0].removeprefix("whsec_") not in (tmp_path / "hub" / "hub.log").read_text()

"""Reading any TAXII 2.1 server: those that follow the specification, and those that lose, repeat, loop and forget."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from connectors.sdk.catalogue import make
from connectors.sdk.connector import Checkpoint, Connector, Item
from connectors.sdk.errors import SourceFailed, TryLater, WrongSettings
from connectors.sdk.testing import ConnectorContract
from connectors.taxii.reader import ServerAccess, TaxiiReader, earlier
from tests.connectors.small_taxii import FIRST_ID, SECOND_ID, SmallTaxii

REAL_LIFE = Path(__file__).parent.parent / "data" / "real-life"


@pytest.fixture
def server() -> Iterator[SmallTaxii]:
    small = SmallTaxii()
    yield small
    small.stop()


def number(item: Item) -> int:
    """The number of an object."""
    assert isinstance(item.body, bytes)
    return int(json.loads(item.body)["n"])


def read(server: SmallTaxii, checkpoint: Checkpoint | None = None, **settings: Any) -> tuple[list[int], Checkpoint]:
    """The numbers of the objects that a run gives, and the checkpoint at its end."""
    connector = make("taxii", {"url": server.url, **settings})
    numbers = [number(item) for item in connector.items(checkpoint or {})]
    end = connector.end_checkpoint()
    assert end is not None
    return numbers, end


class TestTaxii(ConnectorContract):
    server: SmallTaxii
    others: list[SmallTaxii]

    @pytest.fixture(autouse=True)
    def _serve(self, server: SmallTaxii) -> Iterator[None]:
        self.server, self.others = server, []
        server.add(*range(1, 6))
        server.add(6, 7, 8, to=SECOND_ID)
        yield
        for other in self.others:
            other.stop()

    def connector(self, tmp_path: Path) -> Connector[Any]:
        return make("taxii", {"url": self.server.url})

    def unusable(self, tmp_path: Path) -> list[Connector[Any]]:
        page, error = ((REAL_LIFE / f"not-the-feed.{kind}").read_bytes() for kind in ("html", "json"))
        self.others = [SmallTaxii(discovery=Response(body)) for body in (page, error, b"[]", b"\xff", b"%PDF-1.7")]
        self.others.append(SmallTaxii(habits={"unreadable"}))
        pages = [
            Response(body) for body in (page, error, b"[]", b'{"objects":{}}', b'{"objects":[', b'{"objects":[}]}')
        ]
        self.others += [SmallTaxii(answers=deque([page] * 4)) for page in pages]
        return [make("taxii", {"url": other.url}) for other in self.others]

    def blank(self, tmp_path: Path) -> list[Connector[Any]]:
        empty = SmallTaxii()
        self.others.append(empty)
        return [make("taxii", {"url": empty.url}), make("taxii", {"url": empty.url, "types": ["indicatr"]})]


def test_all_collections_are_read_page_by_page_then_only_what_is_new(server: SmallTaxii) -> None:
    server.add(1, 2, 3, 4, 5)
    server.add(6, to=SECOND_ID)
    numbers, end = read(server)
    assert numbers == [1, 2, 3, 4, 5, 6]
    assert read(server, end)[0] == []
    server.add(10, 11, 12)
    numbers, later = read(server, end)
    assert numbers == [10, 11, 12]
    assert read(server, later)[0] == []


def test_the_filters_of_the_first_page_go_with_every_page(server: SmallTaxii) -> None:
    server.habits.add("strict")
    server.add(1, 2, 3, 4, 5)
    only: dict[str, Any] = {"types": ["indicator", "malware"], "since": "2026-01-01T00:00:01.5Z"}
    assert read(server, collections="first", **only)[0] == [2, 3, 4, 5]
    assert [request["match[type]"] for request in server.requests] == ["indicator,malware"] * 2
    assert {request["added_after"] for request in server.requests} == {"2026-01-01T00:00:01.5Z"}
    assert {request["limit"] for request in server.requests} == {"1000"}


@pytest.mark.parametrize(
    "habits",
    [
        {"always-next"},
        {"no-next"},
        {"same-next"},
        {"json-type"},
        {"empty-braces"},
        {"empty-braces", "json-type", "always-next"},
        {"inclusive"},
    ],
    ids=lambda habits: "+".join(sorted(habits)),
)
def test_a_server_with_odd_habits_is_read_whole_and_then_from_where_it_was(
    server: SmallTaxii, habits: set[str]
) -> None:
    server.habits |= habits
    server.add(1, 2, 3, 4, 5)
    numbers, end = read(server)
    assert sorted(set(numbers)) == [1, 2, 3, 4, 5]
    assert len(server.requests) < 12
    assert read(server, end)[0] == []
    server.add(10)
    assert read(server, end)[0] == [10]


def test_without_dates_everything_is_read_again_and_given_out_once(server: SmallTaxii) -> None:
    server.habits.add("no-dates")
    server.add(1, 2, 3)
    numbers, end = read(server)
    assert numbers == [1, 2, 3]
    server.add(4)
    assert read(server, end)[0] == [4]


@pytest.mark.parametrize("habits", [{"no-next", "no-dates"}, {"same-next", "no-dates"}])
def test_a_server_that_would_be_asked_for_ever_is_given_up_with_what_it_gave(
    server: SmallTaxii, habits: set[str]
) -> None:
    server.habits |= habits
    server.add(1, 2, 3)
    found: set[int] = set()
    connector = make("taxii", {"url": server.url})
    with pytest.raises(SourceFailed, match="promises more but gives no way on") as raised:
        found.update(number(item) for item in connector.items({}))
    assert raised.value.code == "taxii.loop"
    assert found == {1, 2}
    assert len(server.requests) < 5


def test_what_the_server_commits_late_within_the_overlap_is_found(server: SmallTaxii) -> None:
    server.add(20, second=5)
    _, end = read(server)
    server.add(10, second=5)  # an earlier date, in the same second
    server.objects[FIRST_ID].sort(key=lambda dated: dated[0])
    assert read(server, end)[0] == [10]


def test_an_empty_round_does_not_move_the_position_back(server: SmallTaxii) -> None:
    server.add(1, 30)
    _, end = read(server)
    for _ in range(5):
        numbers, end = read(server, end)
        assert numbers == []
    assert server.requests[-2]["added_after"] == "2026-01-01T00:00:29.000030Z"


def test_a_cursor_that_the_server_forgot_is_replaced_by_the_date(server: SmallTaxii) -> None:
    server.add(1, 2, 3, 4, 5)
    connector = make("taxii", {"url": server.url, "collections": "first"})
    items = connector.items({})
    first = [next(items) for _ in range(2)]
    kept = first[-1].checkpoint
    assert isinstance(kept, dict)
    cursor = next(iter(kept["collections"].values()))["next"]
    server.forgotten.add(cursor)
    assert read(server, kept, collections="first")[0] == [3, 4, 5]


def test_a_round_that_was_cut_short_goes_on_at_its_cursor(server: SmallTaxii) -> None:
    server.add(1, 2, 3, 4, 5)
    connector = make("taxii", {"url": server.url, "collections": "first"})
    items = connector.items({})
    kept = [next(items) for _ in range(2)][-1].checkpoint
    assert isinstance(kept, dict)
    server.requests.clear()
    assert read(server, kept, collections="first")[0] == [3, 4, 5]
    assert server.requests[0]["next"].startswith("after ")


def test_a_busy_server_is_asked_again(server: SmallTaxii) -> None:
    server.add(1, 2, 3)
    server.plan.extend([503, 429])
    assert read(server)[0] == [1, 2, 3]


def test_whoever_waits_for_a_server_that_is_away_is_told(server: SmallTaxii) -> None:
    server.stop()
    told: list[str] = []
    reader = TaxiiReader(ServerAccess(server.url, patience_s=3), told.append)
    with pytest.raises(TryLater, match=r"No answer from the TAXII server at http://\S+: Connection refused\. Check"):
        reader.collections()
    assert told
    reader.close()


def test_a_connector_hands_on_who_is_to_be_told(server: SmallTaxii) -> None:
    server.add(1)
    server.plan.append(503)
    connector = make("taxii", {"url": server.url})
    told: list[str] = []
    connector.notify = told.append
    assert len(list(connector.items({}))) == 1
    assert "answered 503" in told[0]


@pytest.mark.parametrize(("status", "way_out"), [(401, "password"), (403, "right"), (406, "TAXII 2.0")])
def test_a_refusal_is_a_sentence(server: SmallTaxii, status: int, way_out: str) -> None:
    server.plan.append(status)
    with pytest.raises(SourceFailed, match=f"answered {status}") as raised:
        read(server)
    assert way_out in raised.value.way_out


def test_a_discovery_may_name_its_default_root_alone(server: SmallTaxii) -> None:
    server.add(1)
    server.discovery = Response(json.dumps({"title": "small", "default": "/root/"}))
    assert read(server)[0] == [1]


@pytest.mark.parametrize("path", ["/root/", f"/root/collections/{FIRST_ID}/", "/root"])
def test_the_address_may_be_that_of_a_root_or_of_a_collection(server: SmallTaxii, path: str) -> None:
    server.add(1, 2, 3)
    assert read(server, url=server.server.url + path)[0] == [1, 2, 3]


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        ({"user": "u", "password": "p:q"}, "Basic dTpwOnE="),
        ({"token": "t"}, "Bearer t"),
        ({"token": "t", "token_scheme": "Token"}, "Token t"),
        ({}, None),
    ],
)
def test_credentials_go_as_they_are_configured(
    server: SmallTaxii, settings: dict[str, Any], header: str | None
) -> None:
    server.add(1)
    read(server, **settings)
    assert server.authorization == header


def test_a_secret_comes_from_the_environment_and_is_never_shown(
    server: SmallTaxii, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(1)
    monkeypatch.setenv("CTIHUB_TAXII_TOKEN", "very-secret")
    connector = make("taxii", {"url": server.url})
    assert "very-secret" not in repr(connector.settings)
    list(connector.items({}))
    assert server.authorization == "Bearer very-secret"


def test_a_collection_that_is_not_there_is_told_with_those_that_are(server: SmallTaxii) -> None:
    with pytest.raises(WrongSettings, match="no collection 'third'") as raised:
        read(server, collections=["first", "third"])
    assert "first, second" in raised.value.way_out


@pytest.mark.parametrize("settings", [{"user": "u"}, {"token": "t", "user": "u", "password": "p"}, {"url": "x"}])
def test_settings_that_contradict_themselves_are_wrong_usage(settings: dict[str, str]) -> None:
    with pytest.raises(WrongSettings, match="The connector taxii cannot take"):
        make("taxii", {"url": "http://127.0.0.1:1/", **settings})


@pytest.mark.parametrize(
    ("moment", "seconds", "then"),
    [
        ("2026-01-01T00:00:00Z", 1, "2025-12-31T23:59:59.000000Z"),
        ("2026-01-01T00:00:00.123456789Z", 0, "2026-01-01T00:00:00.123456Z"),
        ("2026-01-01T02:00:00+02:00", 0, "2026-01-01T00:00:00.000000Z"),
        ("soon", 1, "soon"),
    ],
)
def test_times_compare_as_text(moment: str, seconds: float, then: str) -> None:
    assert earlier(moment, seconds) == then

"""``ctihub lookup`` and ``ctihub changes``, against a small hub: what they print, and how they end."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from hub.cli.changes import since_text
from hub.model.errors import WrongUsage
from schemas.extension import ViewSource
from schemas.lookup import (
    CollectionChange,
    LookupAnswer,
    LookupFound,
    LookupNear,
    LookupProblem,
    LookupRelated,
)
from tests.cli.test_client_commands import Ran
from tests.connectors.small_hub import TOKEN, SmallHub

NOW = "2026-01-31T12:00:00.000000Z"
OBJECT: dict[str, Any] = {"collection": "community", "id": "indicator--1", "type": "indicator", "changed": NOW}
SOURCE = ViewSource(name="ro", first=NOW, last=NOW)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHub]:
    small = SmallHub()
    monkeypatch.setenv("CTIHUB_URL", small.url)
    monkeypatch.setenv("CTIHUB_TOKEN", TOKEN)
    live = LookupFound(**OBJECT, state="live", confidence=80, tlp="green", sources=[SOURCE])
    old = LookupFound(**OBJECT, state="expired", confidence=90)
    near = LookupNear(**OBJECT, state="live", relation="network", value="198.51.100.0/24")
    other = LookupRelated(**OBJECT, state="live", kind="md5", value="ab")
    problem = LookupProblem(code="lookup.no-value", message="'x y' is no value.", way_out="Write one.")
    for answer in (
        LookupAnswer(asked="a", kind="ipv4-addr", canonical="198.51.100.7", found=[live, old], more=["url"]),
        LookupAnswer(asked="b", kind="ipv4-addr", canonical="198.51.100.8", within=[near]),
        LookupAnswer(asked="c", kind="sha-256", canonical="cd", related=[other]),
        LookupAnswer(asked="d", kind="ipv4-addr", canonical="198.51.100.9", found=[old]),
        LookupAnswer(asked="x y", error=problem),
    ):
        small.known[answer.asked] = answer
    yield small
    small.stop()


def rows(ran: Ran) -> list[list[str]]:
    return [line.split() for line in ran.out.splitlines()]


def test_the_verdict_comes_first(hub: SmallHub, capfd: pytest.CaptureFixture[str]) -> None:
    ran = Ran(capfd, "lookup", "a", "b", "c", "d", "e", "x y")
    assert ran.code == 0
    head, *found = rows(ran)
    assert head[0] == "verdict"
    assert [row[0] for row in found] == ["live", "around", "related", "expired", "unknown", "no"]
    assert found[0] == ["live", "198.51.100.7", "ipv4-addr", "80", "green", "community", "ro", "…"]
    assert found[1][-2:] == ["network", "198.51.100.0/24"]


def test_json_is_one_array_in_the_order_asked(
    hub: SmallHub, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("b\n\n a \n"))
    ran = Ran(capfd, "lookup", "--json", "e", "-")
    assert [one["asked"] for one in ran.json] == ["e", "b", "a"]
    assert ran.json[2]["found"][0]["state"] == "live"


def test_more_values_than_a_request_takes_are_asked_in_several(
    hub: SmallHub, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("e\n" * 10_001))
    assert len(Ran(capfd, "lookup", "--json", "-").json) == 10_001


@pytest.mark.parametrize(("values", "code"), [(["e", "x y"], 1), (["e", "b"], 0), (["c"], 0)])
def test_fail_empty_ends_with_1_when_nothing_was_found(
    hub: SmallHub, capfd: pytest.CaptureFixture[str], values: list[str], code: int
) -> None:
    assert Ran(capfd, "lookup", "--fail-empty", *values).code == code
    assert Ran(capfd, "lookup", *values).code == 0


def test_without_a_value_it_is_wrong_usage(
    hub: SmallHub, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert Ran(capfd, "lookup", "-").code == 2


# ---------------------------------------------------------------- changes


def some_changes(hub: SmallHub, count: int) -> None:
    hub.told = [
        CollectionChange(
            seq=no, date_added=NOW, change="new", id=f"indicator--{no}", type="indicator", value=f"v{no}", confidence=no
        )
        for no in range(1, count + 1)
    ]


def test_changes_are_read_page_by_page(hub: SmallHub, capfd: pytest.CaptureFixture[str]) -> None:
    some_changes(hub, 7)
    ran = Ran(capfd, "changes", "community", "--since", "2")
    assert ran.out.splitlines() == [f"{NOW}  new  indicator  v{no}  confidence {no}" for no in range(3, 8)]
    assert hub.since == ["2", "5"]
    assert [one["seq"] for one in Ran(capfd, "changes", "community", "--json", "--since", "0").json] == [*range(1, 8)]


def test_changes_are_those_of_the_last_day_unless_another_time_is_said(
    hub: SmallHub, capfd: pytest.CaptureFixture[str]
) -> None:
    assert Ran(capfd, "changes", "community", "--json").json == []
    assert datetime.fromisoformat(hub.since[0]) < datetime.now(UTC)


@pytest.mark.parametrize(
    ("said", "meant"),
    [("24h", "2026-01-30T12:00:00Z"), ("30m", "2026-01-31T11:30:00Z"), ("2w", "2026-01-17T12:00:00Z"), ("42", "42"),
     ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), ("yesterday", "yesterday")],
)  # fmt: skip
def test_a_time_span_becomes_a_time(said: str, meant: str) -> None:
    assert since_text(said, datetime(2026, 1, 31, 12, tzinfo=UTC)) == meant


def test_a_time_span_before_all_time_is_wrong_usage() -> None:
    with pytest.raises(WrongUsage):
        since_text("99999w", datetime(100, 1, 1, tzinfo=UTC))

"""The bodies of the HTTP interface: strict where we write them, lenient where we read them."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from schemas.api import CentreStatus, PushAccepted, Receipt, Rejection, Withdrawals

RECEIPT = {"state": "complete", "received": 2, "accepted": 1, "unchanged": 0, "held": 0, "rejected": 1, "problems": []}


def test_a_client_ignores_what_it_does_not_know() -> None:
    later = {**RECEIPT, "took_ms": 5, "problems": [_problem() | {"severity": "high"}]}
    assert Receipt.read(json.dumps(later)).problems[0].code == "json.malformed"


def test_a_server_does_not_write_what_nobody_knows() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Receipt(**RECEIPT, took_ms=5)  # type: ignore[arg-type,call-arg]


@pytest.mark.parametrize("wrong", [{"received": "2"}, {"received": -1}, {"state": "done"}, {"accepted": 1.0}])
def test_nothing_is_converted_in_silence(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Receipt(**(RECEIPT | wrong))  # type: ignore[arg-type]
    with pytest.raises(ValidationError):
        Receipt.read(json.dumps(RECEIPT | wrong))


def test_what_is_written_is_read_again() -> None:
    accepted = PushAccepted(receipt="r", received=3, status_url="/v1/receipts/r")
    assert PushAccepted.read(accepted.model_dump_json()) == accepted


@pytest.mark.parametrize("body", ['{"ids":[]}', '{"ids":[""]}', '{"ids":[7]}', '{"ids":["a"],"more":1}', "[]"])
def test_withdrawals_that_name_nothing_are_refused(body: str) -> None:
    with pytest.raises(ValidationError):
        Withdrawals.model_validate_json(body)


@pytest.mark.parametrize(
    ("at", "right"), [("2026-01-01T00:00:00.123456Z", True), ("2026-01-01", True), ("soon", False)]
)
def test_a_moment_is_a_time_in_utc_or_a_day(at: str, right: bool) -> None:
    flow = {"received": 0, "accepted": 0, "unchanged": 0, "held": 0, "rejected": 0}
    body = json.dumps({"centre": "a", "suspended": False, "flow": flow, "lag": 0, "last_received": at})
    if right:
        assert CentreStatus.read(body).last_received == at
    else:
        with pytest.raises(ValidationError):
            CentreStatus.read(body)


def test_a_rejection_names_the_place_of_what_was_refused() -> None:
    assert {"topic", "partition", "offset", "index", "pointer", "code", "excerpt"} <= set(Rejection.model_fields)


def _problem() -> dict[str, object]:
    return {
        "index": 1,
        "id": None,
        "state": "rejected",
        "code": "json.malformed",
        "message": "no",
        "rule_url": "https://hub.example/rules/json.malformed",
    }

"""policy: its keys, what it accepts, and what it says."""

from __future__ import annotations

import pytest

from tests.cli.admin import Shell


def values(shell: Shell) -> dict[str, str]:
    return {row["key"]: row["value"] for row in shell.done("policy", "show")}


DEFAULTS = {
    "grace": "30d",
    "validity.default.KIND": "none",
    "validity.longest.KIND": "none",
    "confidence.KIND": "none",
    "pace": "0s",
    "retention.versions": "forever",
    "retention.per-object": "all",
    "retention.log": "7d",
    "breaker.share": "20%",
    "breaker.least": "1000",
}


def test_a_new_hub_has_the_defaults(shell: Shell) -> None:
    assert values(shell) == DEFAULTS
    assert all(row["value"] == row["default"] and not row["is_set"] for row in shell.done("policy", "show"))


@pytest.mark.parametrize(
    ("key", "said", "kept"),
    [
        ("grace", "14", "14d"),
        ("grace", "0d", "0d"),
        ("grace", "forever", "forever"),
        ("validity.default.ipv4-addr", "90d", "90d"),
        ("validity.longest.any", " 365 d ", "365d"),
        ("confidence.domain-name", "30d=80%, 90 = 50", "30d=80,90d=50"),
        ("confidence.x-wallet", "1d=0", "1d=0"),
        ("retention.per-object", "10", "10"),
        ("retention.per-object", "all", "all"),
        ("retention.log", "1d", "1d"),
    ],
)
def test_a_value_is_kept_in_one_form_and_shown(shell: Shell, key: str, said: str, kept: str) -> None:
    done = shell.done("policy", "set", key, said)
    assert (done["key"], done["value"], done["is_set"]) == (key, kept, True)
    assert values(shell) == DEFAULTS | {key: kept}
    assert not shell.done("policy", "set", key, "default")["is_set"]
    assert values(shell) == DEFAULTS


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("graze", "14d"),
        ("confidence", "30d=80"),
        ("confidence.", "30d=80"),
        ("confidence.ipv5-addr", "30d=80"),
        ("grace.any", "14d"),
        ("grace", "-1"),
        ("grace", "none"),
        ("grace", "36501d"),
        ("validity.default.any", "0d"),
        ("validity.default.any", "forever"),
        ("retention.versions", "0d"),
        ("retention.per-object", "0"),
        ("retention.per-object", "101"),
        ("retention.per-object", "forever"),
        ("confidence.any", ""),
        ("confidence.any", "30d"),
        ("confidence.any", "0d=80"),
        ("confidence.any", "30d=101"),
        ("confidence.any", "30d=80,30d=50"),
        ("confidence.any", "30d=50,60d=80"),
        ("confidence.any", "30d=50,"),
    ],
)
def test_what_is_no_key_or_no_value_of_it_is_refused_with_what_would_do(shell: Shell, key: str, value: str) -> None:
    refused = shell("policy", "set", "--", key, value)
    assert refused.code == 2
    assert "Did you mean" in refused.err or "The keys are" in refused.err or "It is " in refused.err
    assert values(shell) == DEFAULTS


def test_it_says_what_it_was_and_what_is_done(shell: Shell) -> None:
    said = shell("policy", "set", "grace", "14d").out
    assert "grace is 14d, it was 30d" in said
    assert "ctihub status" in said
    again = shell("policy", "set", "grace", "14").out
    assert "grace is 14d, as before" in again
    assert "ctihub status" not in again

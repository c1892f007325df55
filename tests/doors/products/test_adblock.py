"""Filter lists: they are read by Brave's engine, and by the rules by which Pi-hole keeps them."""

from __future__ import annotations

import re

import adblock

from tests.doors.products.lists import empty, written

LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")


def pi_hole_takes(rule: str) -> bool:
    """Whether Pi-hole keeps a rule: its FTL checks length, labels and hyphens of the name."""
    name = rule[2:-1]
    labels = name.split(".")
    return rule[:2] + rule[-1] == "||^" and len(name) <= 255 and all(map(LABEL.fullmatch, labels))


def engine(content: bytes) -> adblock.Engine:
    rules = adblock.FilterSet()
    rules.add_filter_list(content.decode("ascii"))
    return adblock.Engine(rules)


def is_blocked(of: adblock.Engine, host: str) -> bool:
    return bool(of.check_network_urls(f"https://{host}/a", "https://page.invalid/", "script").matched)


def test_the_engine_blocks_exactly_the_names_of_the_list_and_what_is_below() -> None:
    some = written("adblock")
    names = [name for name in some.values if name != "example"]
    found = engine(b"".join(line + b"\n" for line in some.content.splitlines() if line != b"||example^"))
    assert [name for name in names if not is_blocked(found, name)] == []
    assert [name for name in names if not is_blocked(found, f"a.{name}")] == []
    assert not is_blocked(found, "other.invalid")
    assert not is_blocked(found, "xc2.invalid")


def test_every_line_is_a_comment_or_a_rule_that_pi_hole_takes() -> None:
    some = written("adblock")
    rules = [line for line in some.content.decode().splitlines() if not line.startswith("!")]
    assert [rule for rule in rules if not pi_hole_takes(rule)] == []
    assert len(rules) == len(some.values)


def test_an_empty_list_blocks_nothing() -> None:
    assert not is_blocked(engine(empty("adblock")), "c2.example")

"""Indicators as several centres would push them, and the truth about them; the same seed gives the same bytes.

A thing is one address, domain, URL, hash or mailbox. Some centres report it, each in a spelling, at a level and with an
id of its own; some reports are updated, revoked, sent twice. The truth says what each audience must end up with.
"""

from __future__ import annotations

import hashlib
import ipaddress
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import orjson

from hub.model.times import stix_time

TLP = {
    "clear": "marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487",
    "green": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "amber": "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
    "amber+strict": "marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003",
}
LEVELS = tuple(TLP)
_SHARES = (30, 40, 22, 8)
_COLLECTIONS = {"public": 1, "community": 2, "network": 4}
"""How many of the levels a default collection shows."""
START_US = 1_767_225_600_000_000  # 2026-01-01


@dataclass(slots=True)
class Truth:
    """What must come out."""

    live: dict[str, int] = field(default_factory=dict)
    """Per default collection, how many indicators it shows."""
    states: dict[str, int] = field(default_factory=lambda: {"accepted": 0, "unchanged": 0})


@dataclass(slots=True)
class _Report:
    thing: int
    centre: int
    level: str
    stix_id: str
    pattern: str
    confidence: int
    at_us: int
    revoked: bool = False

    def line(self) -> bytes:
        created = stix_time(START_US + self.thing * 1000)
        return orjson.dumps(
            {
                "type": "indicator",
                "spec_version": "2.1",
                "id": self.stix_id,
                "created": created,
                "modified": stix_time(self.at_us),
                "name": f"Seen by centre {self.centre}: thing {self.thing}",
                "description": "Reported by a sensor of a constituent; details on request. " * 3,
                "indicator_types": ["malicious-activity"],
                "pattern": self.pattern,
                "pattern_type": "stix",
                "pattern_version": "2.1",
                "valid_from": created,
                "valid_until": stix_time(START_US + 315_360_000_000_000),
                "confidence": self.confidence,
                "labels": ["botnet", "c2"] if self.thing % 3 else ["phishing"],
                "external_references": [{"source_name": "case", "external_id": f"C-{self.centre}-{self.thing}"}],
                "object_marking_refs": [TLP[self.level]],
                **({"revoked": True} if self.revoked else {}),
            }
        )


def indicators(count: int, *, centres: int = 3, seed: int = 1) -> tuple[list[list[bytes]], Truth]:
    """``count`` lines shared out to the centres, each in the order in which that centre pushes; and the truth."""
    random = Random(seed)
    lines: list[list[bytes]] = [[] for _ in range(centres)]
    truth = Truth()
    newest: dict[tuple[int, int], _Report] = {}
    made = thing = 0
    while made < count:
        thing += 1
        several = random.random() >= 0.75
        tellers = random.sample(range(centres), random.randint(min(2, centres), centres) if several else 1)
        for centre in tellers[: count - made]:
            for report, is_new in _life(random, thing, centre):
                if made == count:
                    break
                lines[centre].append(report.line())
                made += 1
                truth.states["accepted" if is_new else "unchanged"] += 1
                newest[thing, centre] = report
    seen: dict[int, set[int]] = defaultdict(set)
    for (about, _), report in newest.items():
        if not report.revoked:
            seen[LEVELS.index(report.level)].add(about)
    for name, levels in _COLLECTIONS.items():
        truth.live[name] = len(set().union(*(seen[level] for level in range(levels))))
    return lines, truth


def _life(random: Random, thing: int, centre: int) -> Iterator[tuple[_Report, bool]]:
    """The versions of one report, and whether each says anything new."""
    level = random.choices(LEVELS, _SHARES)[0]
    stix_id = f"indicator--{uuid.UUID(int=random.getrandbits(128), version=4)}"
    at_us = START_US + thing * 1000 + centre * 7_000_000
    report = _Report(thing, centre, level, stix_id, _pattern(random, thing), random.randint(1, 100), at_us)
    yield report, True
    chance = random.random()
    if chance < 0.05:
        yield report, False
    elif chance < 0.15:
        yield _later(report, confidence=random.randint(1, 100)), True
    elif chance < 0.18:
        yield _later(report, revoked=True), True


def _later(report: _Report, *, confidence: int | None = None, revoked: bool = False) -> _Report:
    return _Report(
        report.thing, report.centre, report.level, report.stix_id, report.pattern,
        report.confidence if confidence is None else confidence, report.at_us + 60_000_000, revoked,
    )  # fmt: skip


def _pattern(random: Random, thing: int) -> str:
    raw = hashlib.sha256(str(thing).encode()).hexdigest()
    match thing % 10:
        case 0 | 1 | 2:
            value = str(ipaddress.ip_address(0x2E000000 + thing))
            path, value = "ipv4-addr:value", random.choice([value, value, f"{value}/32"])
        case 3:
            address = ipaddress.ip_address((0x2A00 << 112) + thing)
            path, value = "ipv6-addr:value", random.choice([str(address), address.exploded, str(address).upper()])
        case 4 | 5:
            name = f"host-{raw[:8]}.evil-{thing % 977}.net"
            path, value = "domain-name:value", random.choice([name, name.upper(), f"{name}."])
        case 6 | 7:
            path = "url:value"
            value = random.choice([f"http://h{raw[:6]}.com/a/{raw[6:12]}", f"HTTP://H{raw[:6]}.com:80/a/{raw[6:12]}"])
        case 8:
            path, value = "file:hashes.'SHA-256'", random.choice([raw, raw.upper()])
        case _:
            path, value = "email-addr:value", f"{raw[:8]}@mail-{thing % 311}.org"
    spelling = random.choice(["[{} = '{}']", "[{}='{}']", "[ {}  =  '{}' ]", "([{} = '{}'])"])
    return spelling.format(path, value)

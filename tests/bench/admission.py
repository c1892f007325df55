"""How fast one indicator is admitted, against ``stix2.parse`` in the same run, and what the worst input costs.

    .venv/bin/python -m tests.bench.admission [--objects 2000] [--rounds 5] [--inputs 10000]

Bytes to a normalised object: read (duplicate keys noticed), validate, canonical pattern. Processor time of one core,
medians of rounds.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import stix2

from hub.core.judge import judge
from hub.core.read import read
from hub.core.validate import validate
from hub.model.problems import Problem
from hub.model.words import Limits, StixObject
from hub.patterns import canonical

LIMITS = Limits()
NAMESPACE = "0f6a3c5e-{:04x}-4{:03x}-8{:03x}-{:012x}"

WHOLE = "whole judgement (with normalise)"
LEAST = 12
"""Times as fast as ``stix2.parse``."""


def indicators(count: int, rng: random.Random) -> list[bytes]:
    """Indicators of about 860 bytes such as national centres push: half addresses, then names, URLs and hashes."""
    return [json.dumps(_indicator(number, rng)).encode() for number in range(count)]


def _indicator(number: int, rng: random.Random) -> dict[str, Any]:
    uuid = NAMESPACE.format(rng.getrandbits(16), rng.getrandbits(12), rng.getrandbits(12), number)
    return {
        "type": "indicator",
        "spec_version": "2.1",
        "id": f"indicator--{uuid}",
        "created_by_ref": "identity--f431f809-377b-45e0-aa1c-6a4751cae5ff",
        "created": f"2026-01-{number % 28 + 1:02}T10:00:00.000Z",
        "modified": f"2026-02-{number % 28 + 1:02}T10:00:00.000Z",
        "name": f"Command and control, campaign {number % 97}",
        "description": "Seen in the traffic of several organisations. " * rng.randint(1, 5),
        "indicator_types": ["malicious-activity"],
        "pattern": _pattern(number, rng),
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "valid_from": f"2026-01-{number % 28 + 1:02}T10:00:00Z",
        "confidence": rng.randint(0, 100),
        "labels": ["c2", f"campaign-{number % 97}"],
        "object_marking_refs": ["marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"],
        "external_references": [{"source_name": "portal", "url": f"https://portal.example/{number}"}],
    }


def _pattern(number: int, rng: random.Random) -> str:
    match number % 10:
        case 0 | 1 | 2 | 3 | 4:
            return f"[ipv4-addr:value = '198.51.100.{number % 256}']"
        case 5 | 6:
            return f"[domain-name:value = 'c{number}.example']"
        case 7:
            return f"[url:value = 'http://c{number}.example/gate.php?id={number}']"
        case 8:
            return f"[file:hashes.'SHA-256' = '{rng.getrandbits(256):064x}']"
        case _:
            return f"[ipv4-addr:value = '203.0.113.{number % 256}' OR domain-name:value = 'd{number}.example']"


def read_and_validate(value: bytes) -> StixObject:
    """The object; raises where there is a problem, which there is none."""
    obj = read(value, LIMITS)
    if isinstance(obj, Problem) or validate(obj, LIMITS):
        raise ValueError(value)
    return obj


def admit(value: bytes) -> None:
    """What the bench measures of the hub."""
    if isinstance(canonical(read_and_validate(value)["pattern"]), Problem):
        raise ValueError(value)


def per_object_us(work: Callable[[bytes], object], values: list[bytes]) -> float:
    """Microseconds of processor time an object."""
    start = time.process_time()
    for value in values:
        work(value)
    return (time.process_time() - start) / len(values) * 1e6


def measured(values: list[bytes], rounds: int) -> list[dict[str, float]]:
    """Microseconds an object of each kind of work, round by round: whatever else the machine does befalls all alike."""
    few = values[: max(len(values) // 10, 1)]
    return [
        {
            "read": per_object_us(lambda value: read(value, LIMITS), values),
            "read + validate": per_object_us(read_and_validate, values),
            "read + validate + canonical": per_object_us(admit, values),
            WHOLE: per_object_us(lambda value: judge(value, LIMITS), values),
            "stix2.parse": per_object_us(stix2.parse, few),
        }
        for _ in range(rounds)
    ]


def hostile(count: int, values: list[bytes], rng: random.Random) -> Iterator[bytes]:
    """``count`` random byte strings, then as many real objects with bytes changed, cut out or doubled."""
    for _ in range(count):
        yield rng.randbytes(rng.randint(0, 300))
    for _ in range(count):
        value = bytearray(rng.choice(values))
        for _ in range(rng.randint(1, 5)):
            place = rng.randrange(len(value))
            match rng.randrange(3):
                case 0:
                    value[place] = rng.randrange(256)
                case 1:
                    del value[place : place + rng.randint(1, 20)]
                case _:
                    value[place:place] = value[place : place + rng.randint(1, 200)]
        yield bytes(value)


def worst_of(inputs: Iterator[bytes]) -> tuple[float, int, int]:
    """The longest that one input took in milliseconds, how many were refused, how many there were."""
    worst, refused, seen = 0.0, 0, 0
    for value in inputs:
        start = time.perf_counter()
        found = judge(value, LIMITS)
        worst = max(worst, time.perf_counter() - start)
        refused += not isinstance(found, list)
        seen += 1
    return worst * 1e3, refused, seen


def built_to_cost() -> dict[str, bytes]:
    """Inputs at the limits of size, depth and pattern that are there to take time."""
    indicator = _indicator(0, random.Random(1))

    def with_(**properties: object) -> bytes:
        return json.dumps(indicator | properties).encode()

    return {
        "1 MiB of brackets": b"[" * (1 << 20),
        "1 MiB of keys": b'{"a":1,' * 140_000 + b"}",
        "40,000 custom properties": with_(**{f"x_property_{number}": 1 for number in range(40_000)}),
        "65,536 characters of OR": with_(pattern="[" + " OR ".join(["a:bcd = 1"] * 5_000) + "]"),
        "65,536 characters of parentheses": with_(pattern="[" + "(" * 32_000),
        "50,000 labels": with_(labels=[str(number) for number in range(50_000)]),
        "20,000 selectors": with_(
            granular_markings=[
                {
                    "marking_ref": "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
                    "selectors": ["external_references.[0].url"] * 20_000,
                }
            ]
        ),
        "a timestamp of 900,000 digits": with_(created="2026-01-01T00:00:00." + "9" * 900_000 + "Z"),
        "a type of 900,000 letters": with_(type="a-" * 450_000),
    }


def main() -> int:
    """Print the table; 1 when it is not fast enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--inputs", type=int, default=10_000)
    options = parser.parse_args()
    rng = random.Random(1)
    values = indicators(options.objects, rng)
    say = sys.stdout.write
    size_bytes = statistics.mean(map(len, values))
    say(f"{len(values):,} indicators of {size_bytes:.0f} bytes on average, {options.rounds} rounds\n")
    rounds = measured(values, options.rounds)
    ratios = {name: statistics.median(row["stix2.parse"] / row[name] for row in rounds) for name in rounds[0]}
    for name, ratio in ratios.items():
        spent_us = statistics.median(row[name] for row in rounds)
        say(f"{name:34} {spent_us:8.1f} us  {1e6 / spent_us:9,.0f}/s  {ratio:6.1f} x stix2.parse\n")
    worst_ms, refused, seen = worst_of(hostile(options.inputs, values, rng))
    say(f"{seen:,} random and damaged inputs: none raised, {refused:,} refused, the slowest took {worst_ms:.1f} ms\n")
    for name, value in built_to_cost().items():
        spent_ms, _, _ = worst_of(iter([value]))
        say(f"{name:34} {spent_ms:8.1f} ms\n")
    return 0 if ratios[WHOLE] >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())

"""Parse and canonicalise STIX patterns: rates, beside stix2-patterns' parse of the same patterns in the same run.

    python -m tests.bench.patterns [--patterns 400] [--rounds 5] [--json]

Prints for each mix the median rate of both over the rounds and their ratio, and the time of the worst patterns of the
largest size that the hub takes. Exits with 1 when a ratio is below what it must reach. The patterns are made here:
addresses of RFC 5737 and RFC 3849, names under .example.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from random import Random

from stix2patterns.v21.pattern import Pattern

from hub.patterns import Canonical, canonical, key

MUST_REACH = {"mix": 8.0, "single": 12.0, "composed": 3.0}
LIMIT_CHARS = 65_536


def ipv4(rng: Random) -> str:
    """An address of 198.51.100.0/24 or 203.0.113.0/24."""
    return f"{rng.choice(('198.51.100', '203.0.113'))}.{rng.randrange(256)}"


def domain(rng: Random) -> str:
    """A name under .example, with a subdomain one time in three."""
    label = "".join(rng.choice(("ba", "ce", "do", "fi", "gu", "lo", "mu", "na", "xo", "zu")) for _ in range(4))
    return f"{rng.choice(('', '', 'login.'))}{label}-{rng.randrange(10**6)}.example"


def url(rng: Random) -> str:
    """A URL with a path, one time in three with a query."""
    query = rng.choice(("", "", f"?id={rng.randrange(10**6)}&q=caf%C3%A9"))
    path = f"{rng.choice(('login', '~x', 'bin'))}/{rng.randrange(999)}.php"
    return f"{rng.choice(('http', 'https'))}://{domain(rng)}/{path}{query}"


SINGLES: tuple[tuple[int, Callable[[Random], str]], ...] = (
    (30, lambda rng: f"[ipv4-addr:value = '{ipv4(rng)}']"),
    (5, lambda rng: f"[ipv6-addr:value = '2001:db8::{rng.getrandbits(16):x}:{rng.getrandbits(16):x}']"),
    (24, lambda rng: f"[domain-name:value = '{domain(rng)}']"),
    (18, lambda rng: f"[url:value = '{url(rng)}']"),
    (10, lambda rng: f"[file:hashes.'SHA-256' = '{rng.getrandbits(256):064x}']"),
    (3, lambda rng: f"[file:hashes.MD5 = '{rng.getrandbits(128):032x}']"),
    (2, lambda rng: f"[email-addr:value = 'info@{domain(rng)}']"),
)
"""With their weights: what national feeds look like."""
NETWORKS: Callable[[Random], str] = lambda rng: f"[ipv4-addr:value ISSUBSET '{ipv4(rng)}/28']"  # noqa: E731
COMPOSED: tuple[Callable[[Random], str], ...] = (
    lambda rng: f"[file:hashes.'SHA-256' = '{rng.getrandbits(256):064x}' AND file:size = {rng.randrange(10**6)}]",
    lambda rng: (
        "[network-traffic:dst_ref.type = 'ipv4-addr' AND "
        f"network-traffic:dst_ref.value = '{ipv4(rng)}' AND network-traffic:dst_port = 443]"
    ),
    lambda rng: f"[domain-name:value = '{domain(rng)}'] AND [ipv4-addr:value = '{ipv4(rng)}']",
    lambda rng: f"[domain-name:value = '{domain(rng)}' OR domain-name:value = '{domain(rng)}']",
    lambda rng: (
        f"([url:value = '{url(rng)}'] FOLLOWEDBY [file:hashes.MD5 = '{rng.getrandbits(128):032x}']) WITHIN 300 SECONDS"
    ),
)


def respelled(pattern: str, rng: Random) -> str:
    """Three in ten patterns in another, equivalent spelling."""
    if rng.random() > 0.3:
        return pattern
    spellings: tuple[Callable[[str], str], ...] = (
        lambda text: text.replace(" = ", "="),
        lambda text: text.replace("[", "[ ").replace("]", "\n]"),
        lambda text: f"({text})",
        lambda text: text.replace(".example'", ".EXAMPLE.'").replace("http://", "HTTP://"),
        lambda text: text.replace(".MD5 ", ".'MD5' ").replace("' AND", "'  AND"),
    )
    return rng.choice(spellings)(pattern)


def patterns(mix: str, count: int, seed: int = 1) -> list[str]:
    """So many patterns: ``single`` equalities, ``composed`` ones, or a ``mix`` (92 % single, 6 % composed)."""
    rng = Random(seed)
    makers, weights = [make for _, make in SINGLES], [weight for weight, _ in SINGLES]
    found = []
    for _ in range(count):
        kind = mix if mix != "mix" else rng.choices(("single", "network", "composed"), (92, 2, 6))[0]
        if kind == "single":
            make = rng.choices(makers, weights)[0]
        else:
            make = NETWORKS if kind == "network" else rng.choice(COMPOSED)
        found.append(make(rng) if mix == "single" else respelled(make(rng), rng))
    return found


def rate(do: Callable[[str], object], over: list[str]) -> float:
    """Patterns a second of processor time, so that other work on the machine counts for neither."""
    began = time.process_time()
    for pattern in over:
        do(pattern)
    return len(over) / (time.process_time() - began)


def ours(pattern: str) -> None:
    """The text and the key of a pattern."""
    found = canonical(pattern)
    if not isinstance(found, Canonical):
        raise TypeError(found.says)
    key("stix", found.text)


def compare(mix: str, count: int, rounds: int) -> dict[str, float]:
    """The medians of both rates over the rounds, which alternate, and their ratio."""
    over = patterns(mix, count)
    for pattern in over:  # both warm: stix2-patterns learns its tables from what it reads
        ours(pattern)
        Pattern(pattern)
    our_rates, their_rates = [], []
    for _ in range(rounds):
        their_rates.append(rate(Pattern, over))
        our_rates.append(rate(ours, over * 10))
    ratio = statistics.median(o / t for o, t in zip(our_rates, their_rates, strict=True))
    return {"hub": statistics.median(our_rates), "stix2-patterns": statistics.median(their_rates), "ratio": ratio}


def worst_s(rounds: int) -> dict[str, float]:
    """Seconds for the largest patterns of the shapes that cost most."""
    shapes = {
        "alternatives": "[" + " OR ".join(f"a:b{i} = {i}" for i in range(3_300)) + "]",
        "observations": " OR ".join(f"[a:b{i} = {i}]" for i in range(2_900)),
        "set of addresses": "[ipv6-addr:value IN (" + ", ".join(f"'::{i:x}'" for i in range(6_000)) + ")]",
        "nested": "[" + "(" * 64 + "a:b=1" + "".join(f" OR a:c{i}='{'x' * 900}')" for i in range(64)) + "]",
        "one long URL": "[url:value='http://a.example/" + "%7e" * 21_000 + "']",
    }
    found = {}
    for name, pattern in shapes.items():
        if len(pattern) > LIMIT_CHARS:
            raise ValueError(name)
        took = []
        for _ in range(rounds):
            began = time.process_time()
            canonical(pattern)
            took.append(time.process_time() - began)
        found[name] = statistics.median(took)
    return found


def main() -> int:
    """Measure, print, and say by the exit code whether every ratio was reached."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--patterns", type=int, default=400, help="patterns of each mix [400]")
    options.add_argument("--rounds", type=int, default=5, help="rounds of which the median counts [5]")
    options.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = options.parse_args()
    results = {mix: compare(mix, chosen.patterns, chosen.rounds) for mix in MUST_REACH}
    worst = worst_s(chosen.rounds)
    if chosen.json:
        print(json.dumps({"patterns": results, "worst_s": worst}))
    else:
        report(results, worst)
    return int(any(results[mix]["ratio"] < least for mix, least in MUST_REACH.items()))


def report(results: dict[str, dict[str, float]], worst: dict[str, float]) -> None:
    """The figures as a table."""
    lines = [f"{'patterns':<10}{'hub/s':>12}{'us each':>10}{'stix2-patterns/s':>18}{'ratio':>8}{'at least':>10}"]
    for mix, found in results.items():
        each_us = 1e6 / found["hub"]
        lines.append(
            f"{mix:<10}{found['hub']:>12,.0f}{each_us:>10.1f}{found['stix2-patterns']:>18,.0f}"
            f"{found['ratio']:>8.0f}{MUST_REACH[mix]:>10.0f}"
        )
    lines.append("worst patterns of 65,536 characters: " + ", ".join(f"{k} {v:.2f} s" for k, v in worst.items()))
    print("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())

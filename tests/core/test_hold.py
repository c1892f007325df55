"""What is held for an operator, and what is let through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import warning_lists
from hub.core.hold import OWN_RULES, RULES, Ranges, WarningLists
from hub.model.errors import WrongUsage
from hub.model.problems import Code, Problem
from hub.patterns import canonical

NOWHERE = Path("/nonexistent")


@pytest.fixture(scope="module")
def default() -> WarningLists:
    return warning_lists.load_lists(
        ("default",), NOWHERE, ["hub.centre.example.org", "203.0.113.9", "Bücher.example.net"]
    )[0]


def held(by: WarningLists, pattern: str) -> tuple[Code, str] | None:
    found = canonical(pattern)
    assert not isinstance(found, Problem), found
    hit = by.holds({"type": "indicator"}, (*found.asserted, *found.others))
    return None if hit is None else (hit.problem.code, hit.list_name)


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("[ipv4-addr:value = '0.0.0.0/0']", Code.POISON_NETWORK),
        ("[ipv4-addr:value = '128.0.0.0/1']", Code.POISON_NETWORK),
        ("[ipv4-addr:value = '46.0.0.0/7']", Code.POISON_NETWORK),
        ("[ipv6-addr:value = '2a00::/18']", Code.POISON_NETWORK),
        ("[ipv4-addr:value = '10.20.30.40']", Code.POISON_RESERVED),
        ("[ipv4-addr:value = '192.168.0.0/24']", Code.POISON_RESERVED),
        ("[ipv4-addr:value IN ('46.1.2.3', '127.0.0.1')]", Code.POISON_RESERVED),
        ("[ipv6-addr:value = 'fe80::1']", Code.POISON_RESERVED),
        ("[ipv6-addr:value = '::ffff:127.0.0.1']", Code.POISON_RESERVED),
        ("[ipv6-addr:value = '::ffff:10.0.0.0/104']", Code.POISON_RESERVED),
        ("[ipv6-addr:value = '::ffff:0.0.0.0/96']", Code.POISON_NETWORK),
        ("[url:value = 'http://192.168.1.1:8080/']", Code.POISON_RESERVED),
        ("[domain-name:value = 'router.local']", Code.POISON_RESERVED),
        ("[domain-name:value = 'co.uk']", Code.POISON_SUFFIX),
        ("[domain-name:value = 'github.io']", Code.POISON_SUFFIX),
        ("[domain-name:value = 'com']", Code.POISON_SUFFIX),
        ("[domain-name:value = 'hub.centre.example.org']", Code.POISON_OWN),
        ("[domain-name:value = 'centre.example.org']", Code.POISON_OWN),
        ("[ipv4-addr:value = '203.0.113.9']", Code.POISON_OWN),
        ("[domain-name:value = 'xn--bcher-kva.example.net']", Code.POISON_OWN),
        ("[url:value = 'https://BÜCHER.example.net./x']", Code.POISON_OWN),
        ("[ipv6-addr:value = '2001:0:4136:e378:8000:63bf:f7f7:f7f7']", Code.POISON_RESERVED),
        ("[ipv6-addr:value = '2001:2::1']", Code.POISON_RESERVED),
        ("[ipv6-addr:value = '1234::1']", Code.POISON_RESERVED),
        ("[ipv6-addr:value = '4000::/20']", Code.POISON_RESERVED),
        ("[ipv6-addr:value = '64:ff9b:1::8.8.8.8']", Code.POISON_RESERVED),
        ("[ipv4-addr:value = '192.88.99.1']", Code.POISON_RESERVED),
    ],
)
def test_what_would_block_everyone_is_held_by_the_hubs_own_rules(
    default: WarningLists, pattern: str, code: Code
) -> None:
    assert held(default, pattern) == (code, OWN_RULES)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("[ipv4-addr:value = '8.8.8.8']", "public-dns-v4"),
        ("[ipv4-addr:value = '8.8.8.0/24']", "public-dns-v4"),
        ("[domain-name:value = 'wikipedia.org']", "tranco10k"),
        ("[url:value = 'https://wikipedia.org/']", "tranco10k"),
        ("[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']", "common-ioc-false-positive"),
    ],
)  # fmt: skip
def test_a_hit_on_a_list_names_the_list(default: WarningLists, pattern: str, name: str) -> None:
    assert held(default, pattern) == (Code.LIST_HIT, name)


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '46.1.2.3']",
        "[ipv4-addr:value = '198.51.100.7']",
        "[domain-name:value = 'who-knows.github.io']",
        "[domain-name:value = 'evil.wikipedia.org']",
        "[url:value = 'https://wikipedia.org/evil']",
        "[ipv4-addr:value != '10.0.0.1']",
        "[domain-name:value = 'domain.example']",
    ],
)
def test_what_blocks_nobody_else_is_let_through(default: WarningLists, pattern: str) -> None:
    assert held(default, pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "[network-traffic:dst_ref.value = '192.168.31.210']",
        "[network-traffic:dst_ref.value = '8.8.8.8' AND network-traffic:dst_port = 53]",
        "[ipv4-addr:value = '198.51.100.1'] AND [domain-name:value = 'google.com']",
        "[ipv4-addr:value = '198.51.100.1'] FOLLOWEDBY ([domain-name:value = 'google.com'] REPEATS 2 TIMES)",
        "[ipv4-addr:value = '198.51.100.1' OR domain-name:value = 'google.com']",
        "[ipv4-addr:value = '10.0.0.1' AND ipv4-addr:x_port = 4444]",
        "[mutex:name = 'google.com']", "[x-foo:bar = '0.0.0.0/0']", "[artifact:url = 'https://google.com/']",
        "[ipv4addr:value = '10.0.0.1']", "[mutex:name = 'D41D8CD98F00B204E9800998ECF8427E']",
        "[ipv4-addr:value = '8.8.8.8 ']", "[ipv4-addr:value = '192.168.31.210:80']", "[ipv6-addr:value = '[::1]:443']",
        "[ipv4-addr:value = '134744072']", "[ipv4-addr:value = 134744072]", "[domain-name:value = '010.8.8.8']",
        "[ipv6-addr:value = '64:ff9b::808:808']", "[ipv6-addr:value = '2002:808:808::/48']",
        "[ipv6-addr:value = '::ffff:0:0/95']", "[ipv6-addr:value = 'fe80::1%eth0']", "[ipv6-addr:value = '::/0']",
        "[ipv4-addr:value = '0.0.0.0/0.0.0.0']", "[ipv4-addr:value = '0.0.0.0-255.255.255.255']",
        "[ipv4-addr:value = '8.8.8.*']", "[ipv4-addr:value = 'any']", "[ipv4-addr:value LIKE '%']",
        "[domain-name:value LIKE '%.google.com']", "[domain-name:value = 'google.*']",
        "[domain-name:value LIKE '%.com']",
        r"[domain-name:value MATCHES '^(.*\\.)?google\\.com$']", "[domain-name:value = 'c2.example google.com']",
        "[url:value = 'google.com']", "[url:value = '//google.com/']", "[url:value = 'https://google.com/#x']",
        "[url:value = 'https://www.google.com']", "[url:value = 'tcp://8.8.8.8:53']", "[url:value = 'http://10.0.0.1/x']",
        "[url:value = 'https://hub.centre.example.org/x']", "[email-addr:value = '*@gmail.com']",
        "[ipv6-addr:value = '::ffff:0:8.8.8.8']", "[url:value = 'http://google.com/.*']",
        "[url:value = 'http://google.com/%20']", "[url:value = 'http://google.com/%2f']",
        "[url:value = 'https://google.com/$']", "[url:value = 'https://google.com/%E2%80%8B']",
        "[url:value = 'sip:google.com']", "[url:value = 'blob:https://google.com/']",
        "[url:value = 'about:google.com']", "[domain-name:value = '^google.com$']",
        "[url:value = 'http://evil.site.example/x,http://google.com/']", "[ipv4-addr:value = 'ip:8.8.8.8']",
        "[domain-name:value = '||google.com^']", "[x-foo:bar = '||google.com^']",
        "[domain-name:value = 'domain=google.com']", "[mutex:name = 'google.com,c2.example']",
        "[domain-name:value = 'com.bd']", "[domain-name:value = 'login.microsoftonline.com']",
    ],
)  # fmt: skip
def test_poison_waits_in_every_spelling_property_and_composition(default: WarningLists, pattern: str) -> None:
    assert held(default, pattern) is not None


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '198.51.100.1' AND ipv4-addr:value != '8.8.8.8']",
        "[domain-name:value NOT IN ('google.com', 'microsoft.com')]",
        "[url:value = 'http://198.51.100.1/a;b.php']", "[url:value = 'http://198.51.100.1/my%20file.exe']",
        "[url:value = 'http://a_b.site.example/a|b.exe']", "[url:value = 'file:///c:/x.exe']",
        "[url:value = 'http://[2a00:1450::1]:8080/a,b.txt']", "[url:value = 'http://google.com/x?u=http://c2.example/']",
        "[url:value = 'mailto:somebody@gmail.com']", "[url:value = 'tel:+4912345']",
        "[url:value = 'data:text/html;base64,PHg+']", "[ipv4-addr:belongs_to_refs[*].number = 15169]",
        "[ipv4-addr:value = '198.51.100.1' AND ipv4-addr:x_port = 4444]",
        "[ipv6-addr:value = '64:ff9b::198.51.100.1']", "[mutex:name = 'ping 8.8.8.8']",
        "[url:value = 'http://8.8.8.8/x']", "[url:value = 'index.php?id=1']", "[url:value = 'x']",
        "[mutex:name = 'test']", "[file:name = '134744072']", "[file:name = 'svchost.exe']", "[file:name = 'run.sh']",
        r"[directory:path = 'C:\\Users\\google.com']", "[process:command_line = 'ping 127.0.0.1']",
        "[file:name = 'x' AND file:x_host = '127.0.0.1']",
        "[email-addr:value = 'somebody@gmail.com']", "[domain-name:value = 'invoice.zip']",
        "[domain-name:value = 'abcdef.onion']", "[domain-name:value LIKE 'c2%']",
        r"[domain-name:value MATCHES '^[a-z]{12}\\.(com|net)$']",
        "[ipv4-addr:value = '198.51[.]100.62']", "[ipv4-addr:value = '143.404.146.87']",
        "[ipv4-addr:value = '203.0.113.64/255.255.255.192']", "[domain-name:value = 'bad-68.site.example/x']",
    ],
)  # fmt: skip
def test_what_is_no_poison_waits_in_no_spelling(default: WarningLists, pattern: str) -> None:
    assert held(default, pattern) is None


@pytest.mark.parametrize("name", ["invoice-213.exe", "setup.dll", "scan.pdf", "x.212-215", "router.bogus"])
def test_a_name_under_no_top_level_domain_waits(default: WarningLists, name: str) -> None:
    assert held(default, f"[domain-name:value = '{name}']") == (Code.VALUE_NO_TOP_LEVEL, OWN_RULES)


def test_a_hit_says_what_was_read(default: WarningLists) -> None:
    found = canonical("[ipv4-addr:value = '134744072']")
    assert not isinstance(found, Problem)
    hit = default.holds({"type": "indicator"}, found.asserted)
    assert hit is not None
    assert hit.problem.says.startswith("'134744072' can be read as '8.8.8.8', which is on the list public-dns-v4.")


def test_only_indicators_are_held(default: WarningLists) -> None:
    found = canonical("[ipv4-addr:value = '10.0.0.1']")
    assert not isinstance(found, Problem)
    assert default.holds({"type": "ipv4-addr"}, found.asserted) is None


def test_none_switches_all_of_it_off() -> None:
    assert held(warning_lists.load_lists(("none",), NOWHERE)[0], "[ipv4-addr:value = '0.0.0.0/0']") is None


def test_the_ranges_for_documentation_are_a_list_that_can_be_chosen() -> None:
    chosen = warning_lists.load_lists(("default", "documentation"), NOWHERE)[0]
    assert held(chosen, "[ipv4-addr:value = '198.51.100.7']") == (Code.LIST_HIT, "documentation")
    assert held(chosen, "[domain-name:value = 'a.b.example']") == (Code.LIST_HIT, "documentation")


def test_the_operators_own_list_comes_before_the_packaged_one(tmp_path: Path) -> None:
    folder = tmp_path / "warninglists" / "public-dns-v4"
    folder.mkdir(parents=True)
    (folder / "list.json").write_text(json.dumps({"type": "cidr", "version": 20990101, "list": ["46.1.2.3/32"]}))
    found, loaded = warning_lists.load_lists(("public-dns-v4",), tmp_path)
    assert held(found, "[ipv4-addr:value = '46.1.2.3']") == (Code.LIST_HIT, "public-dns-v4")
    assert held(found, "[ipv4-addr:value = '8.8.8.8']") is None
    assert [each.version for each in loaded] == ["20990101"]
    packaged = warning_lists.load_lists(("public-dns-v4",), NOWHERE)[0]
    assert found.revision > packaged.revision > RULES
    assert warning_lists.load_lists(("public-dns-v4", "eicar.com"), NOWHERE)[0].revision > packaged.revision


@pytest.mark.parametrize(
    ("before", "after", "rises"),
    [
        ("20241231", "20250101", True),
        ("20241231", "20250101000000", True),
        ("20241231235959", "20250101000000", True),
        ("20241231000000", "20241231235959", False),
        ("1", "9" * 18, True),
        ("", "a text", False),
    ],
)
def test_a_newer_version_raises_the_revision_by_less_than_a_serial_number_may_rise(
    tmp_path: Path, before: str, after: str, rises: bool
) -> None:
    """RFC 1982: 2³¹ or more is backwards."""
    found = []
    for version in (before, after):
        folder = tmp_path / "warninglists" / "own"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "list.json").write_text(json.dumps({"type": "cidr", "version": version, "list": []}))
        found.append(warning_lists.load_lists(("own",), tmp_path)[0].revision)
    assert (1 if rises else 0) <= found[1] - found[0] < (1 << 31 if rises else 1)


def test_lists_of_a_hub_with_another_address_have_another_version() -> None:
    here, there, again = (warning_lists.load_lists((), NOWHERE, [host])[0] for host in ("a.test", "b.test", "A.test"))
    assert here.version == again.version != there.version


def test_an_unknown_list_is_named() -> None:
    with pytest.raises(WrongUsage, match="no-such-list"):
        warning_lists.load_lists(("no-such-list",), NOWHERE)


@given(
    spans=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 40)), max_size=20),
    asked=st.tuples(st.integers(0, 300), st.integers(0, 40)),
)
def test_a_bisection_finds_what_a_walk_finds(spans: list[tuple[int, int]], asked: tuple[int, int]) -> None:
    ranges = Ranges((start, start + length, "x") for start, length in spans)
    start, end = asked[0], asked[0] + asked[1]
    walk = any(first <= end and first + length >= start for first, length in spans)
    assert (ranges.touching(start, end) is not None) == walk


def test_a_revocation_is_never_held(default: WarningLists) -> None:
    found = canonical("[ipv4-addr:value = '0.0.0.0/0']")
    assert not isinstance(found, Problem)
    assert default.holds({"type": "indicator", "revoked": False}, found.asserted) is not None
    assert default.holds({"type": "indicator", "revoked": True}, found.asserted) is None

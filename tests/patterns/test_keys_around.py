"""Keys of what is around values: widths of networks, digests of files, digests that a pattern joins."""

from __future__ import annotations

import pytest

from hub.patterns import (
    Observable,
    covering,
    digest_key,
    digest_keys,
    digests_together,
    host_key,
    keys_asked,
    network_width,
    value_candidates,
    value_key,
    values_in,
    width_key,
)

MD5, SHA1 = "d41d8cd98f00b204e9800998ecf8427e", "da39a3ee5e6b4b0d3255bfef95601890afd80709"


def test_the_widths_of_the_networks_of_a_pattern_are_keys() -> None:
    assert values_in("[ipv4-addr:value = '198.51.100.0/24']") == {width_key("ipv4-addr", 24): True}
    assert values_in("[ipv4-addr:value = '198.51.100.7']") == {}
    both = values_in("[ipv6-addr:value ISSUBSET '2001:db8::/32' OR ipv4-addr:value IN ('10.0.0.0/9', '192.0.2.1')]")
    assert {width_key("ipv6-addr", 32), width_key("ipv4-addr", 9)} <= both.keys()
    assert width_key("ipv4-addr", 32) not in both
    only_named = values_in("[ipv4-addr:value != '198.51.100.0/24']")
    assert width_key("ipv4-addr", 24) not in only_named


@pytest.mark.parametrize("value", ["198.51.100.7", "198.51.100.0/24", "2001:db8::7", "::ffff:192.0.2.1", "a.b.example"])
def test_with_widths_only_these_networks_are_around_a_value(value: str) -> None:
    (one, *_) = value_candidates(value)
    every = covering(one)
    some = {"ipv4-addr": (24, 8), "ipv6-addr": (32, 0)}
    of_these = {(kind, length) for kind, lengths in some.items() for length in lengths}
    assert covering(one, some) == [each for each in every if network_width(each) in {None, *of_these}]
    assert covering(one, {"ipv4-addr": range(31, -1, -1), "ipv6-addr": range(127, -1, -1)}) == every


def test_digest_keys_belong_to_one_collection_and_to_files_with_several_digests() -> None:
    file = {"type": "file", "hashes": {"MD5": MD5, "SHA-1": SHA1}}
    assert digest_keys(1, file).keys() == {digest_key(1, MD5), digest_key(1, SHA1)}
    assert not digest_keys(1, file).keys() & digest_keys(2, file).keys()
    assert digest_keys(1, {"type": "file", "hashes": {"MD5": MD5}}) == {}
    assert digest_keys(1, {"type": "file", "name": "a.exe"}) == {}


def test_no_text_that_somebody_asks_for_has_such_a_key() -> None:
    for text in ("ipv4-addr/24", f"1 {MD5}", f"digest1 {MD5}", "widthipv4-addr/24"):
        keys = {*keys_asked(text), value_key(text), host_key(text)}
        assert not keys & {width_key("ipv4-addr", 24), digest_key(1, MD5)}


@pytest.mark.parametrize(
    ("pattern", "groups"),
    [
        (f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-1' = '{SHA1}']", 1),
        (f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-1' = '{SHA1}' AND file:name = 'a'] REPEATS 2 TIMES", 1),
        (f"[(file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-1' = '{SHA1}') OR file:name = 'a']", 1),
        (f"[file:hashes.MD5 = '{MD5}' OR file:hashes.'SHA-1' = '{SHA1}']", 0),
        (f"[file:hashes.MD5 = '{MD5}'] AND [file:hashes.'SHA-1' = '{SHA1}']", 0),
        (f"[file:hashes.MD5 = '{MD5}' AND file:hashes.'SHA-1' != '{SHA1}']", 0),
        (f"[file:hashes.MD5 = '{MD5}' AND file:name = 'a']", 0),
        ("[file:hashes.MD5 = 'a' AND ", 0),
    ],
)
def test_only_what_one_and_joins_belongs_to_one_file(pattern: str, groups: int) -> None:
    expected = frozenset(
        {Observable("file", "hashes.MD5", MD5), Observable("file", "hashes.'SHA-1'", SHA1)}
    )  # fmt: skip
    assert digests_together(pattern) == [expected] * groups

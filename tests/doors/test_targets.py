"""Where webhooks may be sent: whatever the spelling, no address that is not public, unless the operator allows it."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.doors.targets import TargetRules, is_public
from hub.model.errors import Refused

PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.9.9.9", "169.254.169.254",
    "168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1",
    "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808", "100::1", "2001::1", "2001:0:7f00:1::",
    "2001:db8::1", "2001:20::1", "2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1",
    "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "4000::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1"]
URL = TargetRules()


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_not_public_is_refused(text: str) -> None:
    assert not URL.permits(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_permitted(text: str) -> None:
    assert URL.permits(ipaddress.ip_address(text))


@given(st.ip_addresses(v=4))
def test_an_address_of_ipv4_inside_one_of_ipv6_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(0xFFFF_0000_0000 | int(address))
    translated = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | int(address))
    assert is_public(mapped) is is_public(translated) is is_public(address)


@given(st.ip_addresses())
def test_no_address_is_permitted_that_python_calls_local(address: ipaddress.IPv4Address) -> None:
    if is_public(address):
        local = ("is_private", "is_loopback", "is_link_local", "is_multicast", "is_unspecified", "is_reserved")
        inner = getattr(address, "ipv4_mapped", None) or address
        assert not any(getattr(inner, name) for name in local if not str(inner).startswith("64:ff9b::"))


@given(st.ip_addresses(v=6, network="2002::/16") | st.ip_addresses(v=6, network="2001::/32"))
def test_tunnels_are_refused_whatever_they_lead_to(address: ipaddress.IPv6Address) -> None:
    assert not is_public(address)


def test_an_operator_allows_networks_also_for_mapped_addresses() -> None:
    rules = TargetRules((ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8")))
    for text in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::7", "8.8.8.8"):
        assert rules.permits(ipaddress.ip_address(text))
    for text in ("10.2.0.1", "127.0.0.1", "fe80::1", "::ffff:10.2.0.1"):
        assert not rules.permits(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("said", "normal"),
    [
        ("https://soc.example/hook?x=1", "https://soc.example/hook?x=1"),
        ("HTTPS://SOC.Example:443", "https://soc.example/"),
        ("https://bücher.example:8443/a", "https://xn--bcher-kva.example:8443/a"),
        ("https://8.8.8.8/", "https://8.8.8.8/"),
    ],
)
def test_a_url_is_kept_in_its_normal_form(said: str, normal: str) -> None:
    assert URL.checked(said) == normal


@pytest.mark.parametrize(
    "said",
    [
        "", "soc.example", "http://soc.example/", "ftp://soc.example/", "file:///etc/passwd", "https://", "https:///",
        "https://me:pw@soc.example/", "https://me@soc.example/", "https://soc.example/#a", "https://soc.example:22/",
        "https://soc.example:70000/", "https://127.0.0.1/", "https://127.1/", "https://0x7f.1/", "https://2130706433/",
        "https://0177.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://\uff11\uff12\uff17.0.0.1/",
        "https://169.254.169.254/latest/meta-data/", "https://soc.example/\r\nhost: x", "https://soc.example/ ä\n",
        "https://" + "a" * 3_000 + ".example/",
    ],
)  # fmt: skip
def test_a_url_that_no_webhook_can_have_is_refused_at_once(said: str) -> None:
    with pytest.raises(Refused) as refused:
        URL.checked(said)
    assert refused.value.code == "webhook.url"
    assert refused.value.way_out


def test_an_operator_allows_http_and_local_addresses() -> None:
    rules = TargetRules((ipaddress.ip_network("127.0.0.0/8"),), http=True)
    assert rules.checked("http://127.0.0.1:8080/x") == "http://127.0.0.1:8080/x"

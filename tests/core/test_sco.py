"""Observables under the deterministic id of what they hold, however it was spelled."""

from __future__ import annotations

import json
from typing import Any

import pytest
import stix2
from hypothesis import given
from hypothesis import strategies as st

from hub.core.normalise.sco import canonical_sco
from hub.model.extensions import KEPT_EXTENSION
from hub.model.observable_ids import deterministic_id
from hub.model.problems import Problem
from hub.model.stix_types import SCO_TYPES, stix_type
from hub.model.words import StixObject
from tests.core.verdicts import UUID, sample_objects

OTHER = "1f0b4a1e-5f53-4c3c-9a53-3f3e0b8b7a11"


def an_observable(kind: str, **properties: Any) -> StixObject:
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{UUID}"} | properties


def canonical(obj: StixObject) -> StixObject:
    found = canonical_sco(obj)
    assert isinstance(found, tuple), found
    return found[0]


SPELLINGS = [
    ("ipv4-addr", "value", ["198.51.100.7", "198.51.100.7/32"]),
    ("ipv4-addr", "value", ["198.51.100.0/24", "198.51.100.7/24"]),
    ("ipv6-addr", "value", ["2001:db8::1", "2001:DB8:0::0001", "2001:db8::1/128"]),
    ("domain-name", "value", ["bücher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.Example."]),
    ("url", "value", ["http://c2.example/a", "HTTP://C2.EXAMPLE.:80/b/../a"]),
    ("email-addr", "value", ["info@c2.example", "info@C2.Example"]),
    ("mac-addr", "value", ["d2:fb:49:24:37:18", "D2-FB-49-24-37-18"]),
    ("windows-registry-key", "key", ["HKEY_LOCAL_MACHINE\\A", "hklm\\A\\"]),
    ("x509-certificate", "serial_number", ["0a:1b", "0A1B"]),
    ("file", "hashes", [{"MD5": "a" * 32}, {"md5": "A" * 32}]),
]


@pytest.mark.parametrize(("kind", "name", "values"), SPELLINGS, ids=lambda one: str(one)[:20])
def test_all_spellings_of_a_value_are_one_object(kind: str, name: str, values: list[Any]) -> None:
    found = [canonical(an_observable(kind, **{name: value})) for value in values]
    assert found == [found[0]] * len(values)


@pytest.mark.parametrize(
    "obj",
    [
        an_observable("ipv4-addr", value="198.51.100.7"),
        an_observable("domain-name", value="c2.example"),
        an_observable("autonomous-system", number=64_496),
        an_observable("file", name="a\u2028b.exe", hashes={"SHA-512": "a" * 128, "SHA-256": "b" * 64}),
        an_observable("file", hashes={"TLSH": "A" * 70, "SSDEEP": "3:a:b"}),
        an_observable(
            "file",
            name="a",
            extensions={
                "windows-pebinary-ext": {
                    "pe_type": "exe",
                    "sections": [{"name": "x", "entropy": 6.123, "size": 1}, {"name": "y", "entropy": 1e-7}],
                }
            },
        ),
        an_observable("network-traffic", protocols=["ipv4", "tcp"], dst_ref=f"ipv4-addr--{OTHER}", dst_port=443),
        an_observable("user-account", user_id="1001", account_type="unix", display_name="x"),
        an_observable("windows-registry-key", key="HKEY_USERS\\a", values=[{"name": "b", "data_type": "REG_SZ"}]),
        an_observable("software", name="a", version="1", languages=["en"]),
        an_observable("email-message", is_multipart=False, subject='q"uo\\te', from_ref=f"email-addr--{OTHER}"),
        an_observable("directory", path="/tmp/ü"),
        an_observable("mutex", name="\x00\x1f"),
    ],
    ids=lambda obj: obj["type"],
)
def test_ids_are_those_of_stix2(obj: StixObject) -> None:
    without_id = {name: value for name, value in obj.items() if name != "id"}
    if "SSDEEP" in without_id.get("hashes", {}):
        # stix2 takes the first as it comes, the specification the first by name.
        without_id["hashes"] = dict(sorted(without_id["hashes"].items()))
    assert deterministic_id(obj) == stix2.parse(without_id, allow_custom=True)["id"]


def test_real_observables_have_the_id_that_they_came_with() -> None:
    """misp-stix and the elevator make ids as the specification has it, where nothing in the value is respelled."""
    checked = 0
    for file, obj in sample_objects("stix21-elevator"):
        if obj["type"] in SCO_TYPES and not obj["id"].startswith("process--") and deterministic_id(obj):
            if obj["type"] in ("file", "network-traffic", "email-message") or "path" in obj:
                continue  # made while its references were still keys
            assert deterministic_id(obj) == obj["id"], file
            checked += 1
    assert checked > 8


@pytest.mark.parametrize(
    "obj",
    [
        an_observable("process", pid=1),
        an_observable("user-account", display_name="x"),
        an_observable("x509-certificate", issuer="CN=a"),
        an_observable("x-acme-thing", value="198.51.100.7/32"),
    ],
)
def test_what_nothing_names_keeps_its_id(obj: StixObject) -> None:
    assert canonical(obj) == obj


@pytest.mark.parametrize(
    ("obj", "code", "at"),
    [
        (an_observable("ipv4-addr", value="010.0.0.1"), "value.ambiguous", "/value"),
        (an_observable("url", value="http://010.0.0.1/"), "value.ambiguous", "/value"),
        (an_observable("domain-name", value="a..example"), "stix.value", "/value"),
        (an_observable("url", value="nothing:much"), "stix.value", "/value"),
        (an_observable("file", hashes={"sha256": "abcd"}), "stix.hash", "/hashes/sha256"),
    ],
)
def test_a_value_that_is_none_of_its_kind_is_refused(obj: StixObject, code: str, at: str) -> None:
    found = canonical_sco(obj)
    assert isinstance(found, Problem)
    assert (found.code.value, found.at) == (code, at)


def test_credentials_leave_the_url_with_a_warning() -> None:
    found = canonical_sco(an_observable("url", value="http://user:secret@c2.example/"))
    assert isinstance(found, tuple)
    obj, warnings = found
    assert obj["value"] == "http://c2.example/"
    assert [warning.code.value for warning in warnings] == ["url.credentials"]


def test_two_digests_under_two_spellings_of_an_algorithm_both_stay() -> None:
    hashes = {"SHA-256": "a" * 64, "sha256": "B" * 64}
    assert canonical(an_observable("file", hashes=hashes))["hashes"] == {"SHA-256": "a" * 64, "sha256": "B" * 64}


def test_what_was_kept_of_stix_2_0_is_no_part_of_the_id() -> None:
    kept = {KEPT_EXTENSION: {"extension_type": "property-extension", "is_encrypted": True}}
    assert deterministic_id(an_observable("file", name="a", extensions=kept)) == deterministic_id(
        an_observable("file", name="a")
    )


def test_other_properties_and_the_id_it_came_with_do_not_matter() -> None:
    first = canonical(an_observable("ipv4-addr", value="198.51.100.7"))
    second = canonical({**an_observable("ipv4-addr", value="198.51.100.7", x_note="b"), "id": f"ipv4-addr--{OTHER}"})
    assert first["id"] == second["id"]


@given(st.sampled_from(sorted(SCO_TYPES)), st.text(max_size=30))
def test_canonical_objects_stay_as_they_are(kind: str, text: str) -> None:
    name = "value" if "value" in stix_type(kind).id_from else "name"
    found = canonical_sco(an_observable(kind, **{name: text}))
    if isinstance(found, tuple):
        assert canonical(found[0]) == found[0]


def test_the_id_is_made_of_the_bytes_that_the_specification_says() -> None:
    # STIX 2.1, section 2.9: UUIDv5 of the JSON {"value":"198.51.100.3"} in the namespace of observables
    obj = json.loads('{"type": "ipv4-addr", "id": "", "value": "198.51.100.3"}')
    assert deterministic_id(obj) == "ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"

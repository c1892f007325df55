"""Words of open vocabularies in one spelling where the mapping is sure; trifles that tools refuse put right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.core.normalise.vocabulary import OPEN_VOCABULARIES, RESPELLED, canonical_word, country, language, mapped
from hub.core.validate import validate
from hub.model.stix_types import STIX_TYPES
from hub.model.words import StixObject
from tests.core.verdicts import LIMITS, UUID, an_indicator, an_object, sample_objects, without


@pytest.mark.parametrize(
    ("name", "said", "meant"),
    [
        ("malware_types", "Remote Access Trojan", "remote-access-trojan"),
        ("malware_types", "RAT", "remote-access-trojan"),
        ("malware_types", "Rogue Antivirus", "rogue-security-software"),
        ("indicator_types", " Malicious_Activity ", "malicious-activity"),
        ("threat_actor_types", "Hacktivist", "activist"),
        ("sectors", "Defence", "defense"),
        ("sectors", "Financial Services Sector", "financial-services"),
        ("infrastructure_types", "C&C", "command-and-control"),
        ("implementation_languages", "Golang", "go"),
        ("implementation_languages", "C#", "c#"),
        ("secondary_motivations", "Ideological", "ideology"),
        ("identity_class", "Organisation", "organization"),
        ("pattern_type", "STIX", "stix"),
    ],
)
def test_a_word_that_surely_means_one_of_the_vocabulary_becomes_it(name: str, said: str, meant: str) -> None:
    assert canonical_word(name, said) == meant


@pytest.mark.parametrize("word", ["Fisheries", "loader", "банкинг", "", "malicious-activity-ish", "x" * 5_000])
def test_another_word_stays_as_it_is(word: str) -> None:
    assert all(canonical_word(name, word) == word for name in OPEN_VOCABULARIES)


@pytest.mark.parametrize("name", sorted(OPEN_VOCABULARIES))
def test_words_of_the_vocabulary_are_their_own_canonical_form(name: str) -> None:
    assert all(canonical_word(name, word) == word for word in OPEN_VOCABULARIES[name])


def test_words_that_become_one_are_one() -> None:
    obj = an_object("malware", is_family=False, malware_types=["RAT", "remote-access-trojan", "Loader"])
    assert mapped(obj)["malware_types"] == ["remote-access-trojan", "Loader"]


def test_labels_and_custom_properties_are_the_senders_own() -> None:
    obj = an_indicator(labels=["RAT", "TLP:AMBER"], x_sectors=["Health"], sectors={"odd": 1})
    assert mapped(obj) == obj


@pytest.mark.parametrize("kind", ["indicator", "x-case"])
@pytest.mark.parametrize(
    "own",
    [
        {"date": "Tuesday the 3rd of November 2026, afternoon"},
        {"start": "some day that nobody remembers any more"},
        {"ticket_ref": "CASE-77 of Ana"},
        {"case_refs": ["CASE-77", 5]},
        {"region": "Eastern Europe"},
        {"sectors": ["Health"]},
        {"identity_class": "Person"},
        {"country": "ro"},
    ],
)
def test_what_only_has_the_name_of_another_types_property_is_the_senders_own(kind: str, own: StixObject) -> None:
    obj = an_indicator(**own) if kind == "indicator" else an_object(kind, **own)
    assert validate(obj, LIMITS) == []
    assert mapped(obj) == obj


def test_no_custom_property_of_a_known_name_upsets_the_mapping() -> None:
    for name in RESPELLED:
        for odd in (5, "x", {"a": 1}, [["x"]], [None], True):
            obj = an_object("x-case", **{name: odd})
            assert mapped(obj) == obj


def test_kill_chains_get_the_names_that_stix_and_attack_use() -> None:
    phases = [
        {"kill_chain_name": "Lockheed Martin Cyber Kill Chain", "phase_name": "Command & Control"},
        {"kill_chain_name": "MITRE ATT&CK", "phase_name": "Defence Evasion"},
        {"kill_chain_name": "Ours", "phase_name": "Phase One"},
    ]
    assert mapped(an_indicator(kill_chain_phases=phases))["kill_chain_phases"] == [
        {"kill_chain_name": "lockheed-martin-cyber-kill-chain", "phase_name": "command-and-control"},
        {"kill_chain_name": "mitre-attack", "phase_name": "defense-evasion"},
        {"kill_chain_name": "Ours", "phase_name": "Phase One"},
    ]


def test_countries_and_languages_are_spelled_as_their_standards_say() -> None:
    assert [country(code) for code in ("ro", "UK", "el", "Rou")] == ["RO", "GB", "GR", "Rou"]
    assert [language(tag) for tag in ("RO", "en_gb", "ZH-hant-tw")] == ["ro", "en-GB", "zh-Hant-TW"]
    obj = mapped(an_object("location", country="ro", lang="EN"))
    assert (obj["country"], obj["lang"]) == ("RO", "en")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
        ("2026-01-31T12:00:00.5Z", "2026-01-31T12:00:00.500Z"),
        ("2026-01-31T12:00:00.123456Z", "2026-01-31T12:00:00.123456Z"),
        ("2026-01-31T12:00:00.123456789Z", "2026-01-31T12:00:00.123456Z"),
    ],
)
def test_stamps_have_milliseconds_and_no_more_than_microseconds(said: str, shown: str) -> None:
    assert mapped(an_indicator(modified=said))["modified"] == shown


def test_other_times_are_only_cut() -> None:
    assert mapped(an_indicator())["valid_from"] == "2026-01-31T12:00:00Z"
    assert mapped(an_indicator(valid_from="2026-01-31T12:00:00.1234567Z"))["valid_from"].endswith(".123456Z")


def test_ids_are_written_in_small_letters_everywhere() -> None:
    capitals = f"identity--{UUID.upper()}"
    obj = mapped(
        an_object(
            "report",
            id=f"report--{UUID.upper()}",
            created_by_ref=capitals,
            object_refs=[capitals],
            granular_markings=[{"marking_ref": f"marking-definition--{UUID.upper()}", "selectors": ["name"]}],
        )
    )
    assert UUID.upper() not in str(obj)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"url": "https://a.example/ü b"}, {"url": "https://a.example/%C3%BC%20b"}),
        ({"url": "https://a.example/%zz?q=[1]"}, {"url": "https://a.example/%25zz?q=[1]"}),
        ({"url": "www.a.example"}, {"description": "www.a.example"}),
        ({"url": "see page 5", "description": "our report"}, {"description": "our report (see page 5)"}),
        ({"external_id": "CVE-2024-3094"}, {"source_name": "cve", "external_id": "CVE-2024-3094", "description": "a"}),
        ({"external_id": "2024-3094"}, {"external_id": "2024-3094"}),
    ],
)
def test_external_references_become_what_the_specification_wants(said: StixObject, shown: StixObject) -> None:
    (found,) = mapped(an_indicator(external_references=[{"source_name": "a"} | said]))["external_references"]
    assert found == {"source_name": "a"} | shown


def test_a_marking_of_a_type_of_its_own_is_kept_where_stix2_reads_it() -> None:
    obj = an_object("marking-definition", definition_type="pap", definition={"pap": "red"})
    found = mapped(without(obj, "modified"))
    assert found["name"] == "pap"
    assert "definition" not in found
    (kept,) = found["extensions"].values()
    assert (kept["definition_type"], kept["definition"]) == ("pap", {"pap": "red"})
    assert validate(found, LIMITS) == []


def test_traffic_that_ended_is_not_active() -> None:
    traffic = {"type": "network-traffic", "id": f"network-traffic--{UUID}", "end": "2026-01-31T12:00:00Z"}
    assert mapped(traffic)["is_active"] is False


REAL = [obj for _, obj in sample_objects("stix21-cti-documentation", "stix21-misp-stix", "stix21-elevator")]


def test_mapping_twice_is_mapping_once_and_leaves_objects_valid() -> None:
    for obj in REAL:
        if validate(obj, LIMITS) == []:
            once = mapped(obj)
            assert mapped(once) == once
            assert validate(once, LIMITS) == []


@given(st.sampled_from(sorted(OPEN_VOCABULARIES)), st.lists(st.text(max_size=30), min_size=1, max_size=4))
def test_any_words_give_words(name: str, words: list[Any]) -> None:
    kind = min(kind for kind, row in STIX_TYPES.items() if name in row.vocabularies)
    found = mapped(an_object(kind, **{name: words}))[name]
    assert found
    assert all(type(word) is str for word in found)
    assert mapped(an_object(kind, **{name: found}))[name] == found

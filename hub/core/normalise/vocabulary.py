"""Maps words to open vocabularies, independent of spelling: "Remote Access Trojan (RAT)" and "rat" are one word.

Maps only where the meaning is certain; other, more specific or foreign words are kept.

Source: STIX 2.1, section 10; FIRST/MISP taxonomies for the synonyms that tools write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

from hub.core.normalise.mend import Mender, mended_inside, mended_whole, mender
from hub.model.stix_types import stix_type
from hub.model.words import StixObject


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MOTIVATIONS = _words(
    "accidental coercion dominance ideology notoriety organizational-gain personal-gain personal-satisfaction revenge"
    " unpredictable"
)
_RESOURCES = _words("individual club contest team organization government")

OPEN_VOCABULARIES: Mapping[str, frozenset[str]] = {
    "indicator_types": _words(
        "anomalous-activity anonymization benign compromised malicious-activity attribution unknown"
    ),
    "malware_types": _words(
        "adware backdoor bot bootkit ddos downloader dropper exploit-kit keylogger ransomware remote-access-trojan"
        " resource-exploitation rogue-security-software rootkit screen-capture spyware trojan unknown virus webshell"
        " wiper worm"
    ),
    "report_types": _words(
        "attack-pattern campaign identity indicator intrusion-set malware observed-data threat-actor threat-report tool"
        " vulnerability"
    ),
    "threat_actor_types": _words(
        "activist competitor crime-syndicate criminal hacker insider-accidental insider-disgruntled nation-state"
        " sensationalist spy terrorist unknown"
    ),
    "tool_types": _words(
        "denial-of-service exploitation information-gathering network-capture credential-exploitation remote-access"
        " vulnerability-scanning unknown"
    ),
    "infrastructure_types": _words(
        "amplification anonymization botnet command-and-control control-system exfiltration firewall hosting-malware"
        " hosting-target-lists phishing reconnaissance routers-switches staging workstation unknown"
    ),
    "sectors": _words(
        "agriculture aerospace automotive chemical commercial communications construction defense education energy"
        " entertainment financial-services government emergency-services government-local government-national"
        " government-public-services government-regional healthcare hospitality-leisure infrastructure dams nuclear"
        " water insurance manufacturing mining non-profit pharmaceuticals retail technology telecommunications"
        " transportation utilities"
    ),
    "identity_class": _words("individual group system organization class unknown"),
    "primary_motivation": _MOTIVATIONS,
    "secondary_motivations": _MOTIVATIONS,
    "personal_motivations": _MOTIVATIONS,
    "resource_level": _RESOURCES,
    "sophistication": _words("none minimal intermediate advanced expert innovator strategic"),
    "implementation_languages": _words(
        "applescript bash c c++ c# go java javascript lua objective-c perl php powershell python ruby scala swift"
        " typescript visual-basic x86-32 x86-64"
    ),
    "architecture_execution_envs": _words("alpha arm ia-64 mips powerpc sparc x86 x86-64"),
    "region": _words(
        "africa eastern-africa middle-africa northern-africa southern-africa western-africa americas caribbean"
        " central-america latin-america-caribbean northern-america south-america asia central-asia eastern-asia"
        " southern-asia south-eastern-asia western-asia europe eastern-europe northern-europe southern-europe"
        " western-europe oceania antarctica australia-new-zealand melanesia micronesia polynesia"
    ),
    "context": _words("suspicious-activity malware-analysis unspecified"),
    "pattern_type": _words("stix pcre sigma snort suricata yara"),
}
"""The open vocabularies of STIX 2.1 by the property that uses them (section 10)."""

RESPELLED = frozenset({*OPEN_VOCABULARIES, "country", "kill_chain_phases"})
"""The properties that are mapped, on the types that have them in STIX (``StixType.vocabularies``); elsewhere a property
with such a name is a custom one, and is kept."""

_SYNONYMS: Mapping[str, Mapping[str, str]] = {
    "indicator_types": {
        "malicious": "malicious-activity",
        "anomalous": "anomalous-activity",
        "anonymisation": "anonymization",
    },
    "malware_types": {
        "rat": "remote-access-trojan",
        "remote-access-tool": "remote-access-trojan",
        "remote-access-trojan-rat": "remote-access-trojan",
        "trojan-horse": "trojan",
        "distributed-denial-of-service": "ddos",
        "web-shell": "webshell",
        "key-logger": "keylogger",
        "boot-kit": "bootkit",
        "root-kit": "rootkit",
        "exploit-kits": "exploit-kit",
        "rogue-antivirus": "rogue-security-software",
        "rogueware": "rogue-security-software",
        "scareware": "rogue-security-software",
        "cryptominer": "resource-exploitation",
        "coinminer": "resource-exploitation",
        "coin-miner": "resource-exploitation",
        "crypto-miner": "resource-exploitation",
    },
    "threat_actor_types": {
        "hacktivist": "activist",
        "hactivist": "activist",
        "state-actor-agency": "nation-state",
        "state-sponsored": "nation-state",
        "nation-state-actor": "nation-state",
    },
    "tool_types": {"dos": "denial-of-service", "vulnerability-scanner": "vulnerability-scanning"},
    "infrastructure_types": {
        "c2": "command-and-control",
        "c-c": "command-and-control",
        "cnc": "command-and-control",
        "command-control": "command-and-control",
        "anonymisation": "anonymization",
    },
    "sectors": {
        "defence": "defense",
        "defense-industrial-base-sector": "defense",
        "chemical-sector": "chemical",
        "communications-sector": "communications",
        "dams-sector": "dams",
        "emergency-services-sector": "emergency-services",
        "energy-sector": "energy",
        "finance": "financial-services",
        "financial": "financial-services",
        "banking": "financial-services",
        "financial-services-sector": "financial-services",
        "health": "healthcare",
        "health-care": "healthcare",
        "healthcare-and-public-health-sector": "healthcare",
        "information-technology-sector": "technology",
        "it": "technology",
        "ngo": "non-profit",
        "nonprofit": "non-profit",
        "pharma": "pharmaceuticals",
        "pharmaceutical": "pharmaceuticals",
        "telecom": "telecommunications",
        "telecoms": "telecommunications",
        "telecommunication": "telecommunications",
        "transport": "transportation",
        "transportation-systems-sector": "transportation",
        "water-and-wastewater-systems-sector": "water",
        "utility": "utilities",
    },
    "identity_class": {"organisation": "organization", "person": "individual", "company": "organization"},
    "primary_motivation": {"ideological": "ideology", "organisational-gain": "organizational-gain"},
    "implementation_languages": {
        "golang": "go",
        "js": "javascript",
        "csharp": "c#",
        "cpp": "c++",
        "objective-c-objc": "objective-c",
        "vb": "visual-basic",
    },
    "architecture_execution_envs": {"amd64": "x86-64", "x64": "x86-64", "i386": "x86", "x86-32": "x86"},
}
_SAME_AS = {"secondary_motivations": "primary_motivation", "personal_motivations": "primary_motivation"}

KILL_CHAINS: Mapping[str, str] = {
    "lockheed-martin-cyber-kill-chain": "lockheed-martin-cyber-kill-chain",
    "lockheed-martin-kill-chain": "lockheed-martin-cyber-kill-chain",
    "lm-cyber-kill-chain": "lockheed-martin-cyber-kill-chain",
    "cyber-kill-chain": "lockheed-martin-cyber-kill-chain",
    "mitre-attack": "mitre-attack",
    "mitre-att-ck": "mitre-attack",
    "att-ck": "mitre-attack",
    "mitre-mobile-attack": "mitre-mobile-attack",
    "mitre-ics-attack": "mitre-ics-attack",
}
"""Names of kill chains in the spelling of STIX 2.1 (section 2.11) and of ATT&CK."""

_PHASES: Mapping[str, Mapping[str, str]] = {
    "lockheed-martin-cyber-kill-chain": {
        "recon": "reconnaissance",
        "weaponisation": "weaponization",
        "c2": "command-and-control",
        "command-control": "command-and-control",
        "exploit": "exploitation",
        "action-on-objectives": "actions-on-objectives",
        "actions-on-objective": "actions-on-objectives",
    },
    "mitre-attack": {"defence-evasion": "defense-evasion", "recon": "reconnaissance", "c2": "command-and-control"},
}

_COUNTRIES: Mapping[str, str] = {"UK": "GB", "EL": "GR"}
"""Codes that the European Union uses instead of those of ISO 3166-1."""

_LONGEST_WORD = 60
_NOT_WORDS = re.compile(r"[^a-z0-9+#]+")
_ALPHA_2 = re.compile(r"[A-Za-z]{2}").fullmatch
_TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_](?:[A-Za-z]{2}|[A-Za-z]{4}|\d{3}))*").fullmatch


def canonical_word(name: str, word: str) -> str:
    """The word of the open vocabulary of the property ``name`` that ``word`` certainly means; else ``word`` itself.

    >>> canonical_word("malware_types", "Remote Access Trojan (RAT)"), canonical_word("sectors", "Fisheries")
    ('remote-access-trojan', 'Fisheries')
    """
    return _canonical_word(name, word) if len(word) <= _LONGEST_WORD else word


@lru_cache(maxsize=8_192)
def _canonical_word(name: str, word: str) -> str:
    """Like ``canonical_word``, cached: only for short words, so that input cannot grow the cache."""
    words = OPEN_VOCABULARIES.get(name)
    if words is None or word in words:
        return word
    plain = _plain(word)
    if plain in words:
        return plain
    return _SYNONYMS.get(_SAME_AS.get(name, name), {}).get(plain, word)


def mapped(obj: StixObject) -> StixObject:
    """The object in canonical spelling: corrected by ``mend``, with the words of open vocabularies.

    Covers the properties of ``OPEN_VOCABULARIES``, kill chains, the country of a location and language tags. Labels and
    custom properties are not changed. Expects an object that ``validate`` accepted; returns the same object if nothing
    changes.
    """
    changed: dict[str, Any] = {}
    kind = obj["type"]
    for name, value in obj.items():
        respell = _respeller(kind, name)
        if respell is None:
            if type(value) is not dict and not (type(value) is list and any(type(one) is not str for one in value)):
                continue
            respell = mended_inside
        if (new := respell(value)) != value:
            changed[name] = new
    return mended_whole({**obj, **changed} if changed else obj)


@lru_cache(maxsize=4_096)
def _respeller(kind: str, name: str) -> Mender | None:
    """The function that maps the values of a property of a type. Cached, because the names are few."""
    if name in RESPELLED:
        return _word_respeller(name) if name in stix_type(kind).vocabularies else None
    return language if name == "lang" else mender(kind, name)


def _word_respeller(name: str) -> Mender:
    if name == "kill_chain_phases":
        return _phases
    return country if name == "country" else partial(_each, name)


def _phases(phases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_phase(one) for one in phases]


def _each(name: str, value: Any) -> Any:
    if type(value) is str:
        return canonical_word(name, value)
    return list(dict.fromkeys(canonical_word(name, word) for word in value))


def _phase(phase: dict[str, Any]) -> dict[str, Any]:
    chain = KILL_CHAINS.get(_plain(phase["kill_chain_name"]))
    if chain is None:
        return phase
    word = _plain(phase["phase_name"])
    return {**phase, "kill_chain_name": chain, "phase_name": _PHASES.get(chain, {}).get(word, word)}


def _plain(text: str) -> str:
    return _NOT_WORDS.sub("-", text.strip().lower()).strip("-")


def country(code: str) -> str:
    """An ISO 3166-1 alpha-2 code in capitals, also for the European Union's codes; any other text unchanged.

    >>> country("ro"), country("uk"), country("Romania")
    ('RO', 'GB', 'Romania')
    """
    if not _ALPHA_2(code):
        return code
    return _COUNTRIES.get(code.upper(), code.upper())


def language(tag: str) -> str:
    """An RFC 5646 tag in the case that its section 2.1.1 recommends; any other text unchanged.

    >>> language("EN_us"), language("sr-cyrl-BA"), language("i-klingon")
    ('en-US', 'sr-Cyrl-BA', 'i-klingon')
    """
    if not _TAG(tag):
        return tag
    first, *rest = tag.replace("_", "-").split("-")
    cased = [part.title() if len(part) == 4 else part.upper() for part in rest]
    return "-".join((first.lower(), *cased))

"""Loads the warning lists of MISP from their package, or newer versions from the data folder.

An operator updates a list by putting its ``list.json`` under ``DATA_DIR/warninglists/<name>/``; nothing is downloaded.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from publicsuffixlist import PublicSuffixList

from hub.core.hold import RULES, WarningLists
from hub.model.errors import Broken, WrongUsage
from hub.model.problems import Problem
from hub.patterns import canonical_value

DEFAULT = (
    # a hit on these is almost certainly an error; lists of whole cloud providers would hold half of real input
    "captive-portals", "common-ioc-false-positive", "crl-hostname", "crl-ip", "eicar.com", "empty-hashes",
    "microsoft-win10-connection-endpoints", "mozilla-CA", "mozilla-IntermediateCA", "public-dns-hostname",
    "public-dns-v4", "public-dns-v6", "tranco10k", "cisco_top1000", "microsoft-office365",
)  # fmt: skip
DOCUMENTATION = "documentation"
"""Addresses and names for examples (RFC 5737, 3849, 2606): not in the default, because blocking them harms nobody."""
_POPULAR = 10_000
"""How many entries of a list of popular sites are used, the most popular first."""
_POPULARITY = frozenset({"alexa", "cisco_top1000", "cisco_top5k", "cisco_top10k", "cisco_top20k", "tranco", "tranco10k",
                         "google-chrome-crux-1million", "majestic_million", "moz-top500"})  # fmt: skip
"""Lists that apply to the exact names only: subdomains of a popular name may belong to anybody."""
_HASH_LENGTHS = frozenset({32, 40, 56, 64, 96, 128})
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}", re.ASCII)
_NUMBER = re.compile(r"([0-9]{1,8})[0-9]{0,10}")
"""A version of a list, by the schema of MISP; often a date, sometimes with a time. Its first eight digits count for
``WarningLists.revision``: a serial number (RFC 1982) that rises by more than 2³¹ - 1 has fallen.
"""
_ADDRESS = re.compile(r"[0-9a-f:./]+")
_PLAIN_NAME = re.compile(r"(?!.*xn--)[a-z0-9_-]+(\.[a-z0-9_-]+)+")
_EXAMPLES: dict[str, Any] = {
    "name": "Documentation",
    "type": "mixed",
    "version": 1,
    "list": ["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20", ".example",
             ".example.com", ".example.net", ".example.org"],
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded list: its name, its own date or version, the number of entries."""

    name: str
    version: str
    entries: int


def load_lists(
    names: Sequence[str], data_dir: Path, own_hosts: Sequence[str] = ()
) -> tuple[WarningLists, list[Loaded]]:
    """Load lists by name (or ``default``, or ``none``). Raises WrongUsage for an unknown name."""
    if "none" in names:
        return WarningLists(own_rules=False, version="none"), []
    wanted = list(dict.fromkeys(each for name in names for each in (DEFAULT if name == "default" else (name,))))
    values: dict[tuple[str, str], str] = {}
    suffixes: dict[str, str] = {}
    networks: list[tuple[str, str]] = []
    found = []
    for name in wanted:
        document = _read(name, data_dir)
        entries = document["list"][:_POPULAR] if name in _POPULARITY else document["list"]
        for kind, value, below in _entries(entries, document["type"], name):
            if kind == "network":
                networks.append((value, name))
            elif below:
                suffixes.setdefault(value, name)
            else:
                values.setdefault((kind, value), name)
        found.append(Loaded(name, str(document.get("version", "")), len(entries)))
    suffix = PublicSuffixList()
    hosts = frozenset(map(_own_host, own_hosts))
    lists = WarningLists(
        own_rules=True, own_hosts=hosts, values=values,
        suffixes=suffixes, networks=tuple(networks), is_public_suffix=lambda name: suffix.publicsuffix(name) == name,
        top_level=frozenset(str(name).rpartition(".")[2] for name in suffix._publicsuffix),
        version=" ".join((f"rules={RULES}", *sorted(hosts), *(f"{one.name}={one.version}" for one in found))),
        revision=RULES + sum(int(number[1]) for one in found if (number := _NUMBER.fullmatch(one.version))),
    )  # fmt: skip
    return lists, found


def _own_host(host: str) -> str:
    """A host of the hub's own URL in the canonical form of pattern values."""
    found = canonical_value("domain-name", "value", host.strip("[]").lower())
    return host if isinstance(found, Problem) else found


def available(data_dir: Path) -> list[str]:
    """The names that HELD_LISTS accepts, besides ``default`` and ``none``."""
    ours = {entry.name for entry in _packaged().iterdir() if entry.is_dir()}
    own = data_dir / "warninglists"
    return sorted(ours | {DOCUMENTATION} | ({entry.name for entry in own.iterdir()} if own.is_dir() else set()))


def ensure_known(names: Iterable[str], data_dir: Path) -> None:
    """Raises WrongUsage for an unknown name; called before a worker starts."""
    there = [*available(data_dir), "default", "none"]
    for name in names:
        if name not in there:
            near = get_close_matches(name, there, n=1, cutoff=0.0)[0]
            says = f"HELD_LISTS names {name!r}, which is not a warning list here; no worker can start."
            raise WrongUsage("lists.unknown", says, f"Did you mean {near}?")


def _packaged() -> Path:
    """The folder with the lists of the package. It is not imported, because that would load a JSON Schema validator."""
    spec = importlib.util.find_spec("pymispwarninglists")
    if spec is None or not spec.submodule_search_locations:
        raise Broken("lists.missing", "pymispwarninglists is not installed.", "Reinstall ctihub.")
    return Path(spec.submodule_search_locations[0]) / "data" / "misp-warninglists" / "lists"


def _read(name: str, data_dir: Path) -> dict[str, Any]:
    if name == DOCUMENTATION:
        return _EXAMPLES
    for place in (data_dir / "warninglists" / name / "list.json", _packaged() / name / "list.json"):
        if place.is_file():
            document = json.loads(place.read_text("utf-8"))
            if isinstance(document, dict) and isinstance(document.get("list"), list):
                return document
            raise WrongUsage(
                "lists.unreadable", f"{place} is not a warning list.", "It is an object with type and list."
            )
    raise WrongUsage("lists.unknown", f"There is no warning list {name!r}.", "See HELD_LISTS in docs/configuration.md.")


def _entries(entries: Sequence[str], kind: str, name: str) -> Iterator[tuple[str, str, bool]]:
    """(kind of value, canonical value, whether subdomains match too) of each entry."""
    for entry in entries:
        text = entry.strip().lower()
        if kind in ("regex", "substring") or not text:
            continue  # such entries are only compared as text, and part of a text is not enough reason to hold
        if len(text) in _HASH_LENGTHS and text.isalnum() and "." not in text:
            yield "file", text, False
        elif _is_network(text):
            yield "network", text, False
        else:
            name_said = text.lstrip(".")
            plain = _PLAIN_NAME.fullmatch(name_said) is not None  # nearly all names; skips the IDNA tables
            domain = name_said if plain else canonical_value("domain-name", "value", name_said)
            if not isinstance(domain, Problem):
                yield "domain-name", domain, text.startswith(".") or (kind == "hostname" and name not in _POPULARITY)


def _is_network(text: str) -> bool:
    # most entries are names or plain addresses, and ipaddress is slow for both
    if not _ADDRESS.fullmatch(text):
        return False
    if _IPV4.fullmatch(text):
        return True
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True

"""Policy zones, by dnspython's reader of zone files; the triggers of addresses are read as BIND's manual says."""

from __future__ import annotations

from ipaddress import ip_network

import dns.rdatatype
import dns.zone

from hub.doors.export.entry import Entry
from tests.doors.list_readers import Reader

ZONE = "rpz.example"


def policies(content: bytes) -> dict[str, str]:
    """The targets of a zone's policies, by their owners without the zone."""
    zone = dns.zone.from_text(content.decode("ascii"), relativize=True)
    assert zone.origin is not None
    assert zone.origin.to_text() == f"{ZONE}."
    records = zone.iterate_rdatas(dns.rdatatype.CNAME)
    return {owner.to_text(): data.to_text() for owner, _, data in records}


def read(content: bytes) -> list[str]:
    found = policies(content)
    assert set(found.values()) <= {"."}
    names = [owner for owner in found if not owner.startswith("*.") and not owner.endswith(".rpz-ip")]
    assert {f"*.{name}" for name in names} == {owner for owner in found if owner.startswith("*.")}
    return [_address(owner) if owner.endswith(".rpz-ip") else owner for owner in found if not owner.startswith("*.")]


def _address(owner: str) -> str:
    prefix, *parts = owner.removesuffix(".rpz-ip").split(".")
    parts.reverse()
    if "zz" in parts:
        gap = parts.index("zz")
        address = f"{':'.join(parts[:gap])}::{':'.join(parts[gap + 1 :])}"
    else:
        address = (":" if len(parts) == 8 else ".").join(parts)
    return str(ip_network(f"{address}/{prefix}"))


def says(entry: Entry) -> str:
    return entry.value if entry.type == "domain-name" else str(ip_network(entry.value))


READER = Reader(read, says, options={"zone": ZONE})

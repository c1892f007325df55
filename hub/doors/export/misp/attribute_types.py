"""The types of MISP's attributes, and which of the hub's kinds of values they can express.

Source: MISP, ``describeTypes.json`` (types, categories, default of ``to_ids``), and its ``AttributeValidationTool``,
which refuses attributes with other values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

_MOST_BYTES = 65_535
"""Longer values are refused (``maxTextLength``)."""
_ONE_LINE = re.compile(r"[^\n]+")


class AttributeType(NamedTuple):
    """A type of attributes."""

    name: str
    category: str
    to_ids: bool = True
    """Whether MISP takes such values for detection by default."""
    accepts: re.Pattern[str] = _ONE_LINE
    """The whole value must match it."""

    def can_express(self, value: str) -> bool:
        """Returns whether MISP stores a value of this type, which it trims first."""
        trimmed = value.strip()
        return (
            self.accepts.fullmatch(trimmed) is not None
            and any(char.isprintable() for char in trimmed)
            and len(value.encode("utf-8", "surrogatepass")) <= _MOST_BYTES
        )


_NETWORK, _DELIVERY, _DROPPED = "Network activity", "Payload delivery", "Artifacts dropped"
_DIGEST_DIGITS = {
    "md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128, "sha3-224": 56, "sha3-256": 64,
    "sha3-384": 96, "sha3-512": 128,
}  # fmt: skip
_EMAIL = re.compile(r".\S*@.*\..*")


def _digest(name: str) -> AttributeType:
    return AttributeType(name, _DELIVERY, accepts=_hex(_DIGEST_DIGITS[name]))


def _fingerprint(name: str) -> AttributeType:
    return AttributeType(f"x509-fingerprint-{name}", _NETWORK, accepts=_hex(_DIGEST_DIGITS[name]))


def _hex(digits: int) -> re.Pattern[str]:
    return re.compile(rf"[0-9a-fA-F]{{{digits}}}")


_ADDRESS = AttributeType("ip-dst", _NETWORK, accepts=re.compile(r"[0-9a-fA-F.:]+(?:/[0-9]{1,3})?"))

ATTRIBUTE_TYPES: Mapping[str, AttributeType] = MappingProxyType(
    {
        "ipv4-addr": _ADDRESS,
        "ipv6-addr": _ADDRESS,
        "domain-name": AttributeType("domain", _NETWORK, accepts=re.compile(r"[A-Za-z0-9._-]+\.[A-Za-z0-9-]{2,}")),
        "url": AttributeType("url", _NETWORK),
        "email-addr": AttributeType("email-src", _DELIVERY, accepts=_EMAIL),
        "mac-addr": AttributeType("mac-address", _NETWORK, False, re.compile(r"(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")),
        "autonomous-system:number": AttributeType("AS", _NETWORK, False, re.compile("[0-9]{1,10}")),
        "md5": _digest("md5"),
        "sha-1": _digest("sha1"),
        **{f"sha-{size}": _digest(f"sha{size}") for size in (224, 256, 384, 512)},
        **{f"sha3-{size}": _digest(f"sha3-{size}") for size in (224, 256, 384, 512)},
        "ssdeep": AttributeType("ssdeep", _DELIVERY, accepts=re.compile(r"[0-9]+(?::[0-9a-zA-Z/+]*){2}")),
        "tlsh": AttributeType("tlsh", _DELIVERY, accepts=re.compile(r"[tT]?[0-9a-fA-F]{36,}")),
        "file:name": AttributeType("filename", _DELIVERY),
        "mutex:name": AttributeType("mutex", _DROPPED),
        "windows-registry-key:key": AttributeType("regkey", "Persistence mechanism"),
        "email-message:subject": AttributeType("email-subject", _DELIVERY, False),
        "email-message:message_id": AttributeType("email-message-id", _DELIVERY, False),
        "x509-certificate:hashes.MD5": _fingerprint("md5"),
        "x509-certificate:hashes.'SHA-1'": _fingerprint("sha1"),
        "x509-certificate:hashes.'SHA-256'": _fingerprint("sha256"),
    }
)
"""The type of each kind of value, as ``type_of`` returns it."""


def attribute_type(kind: str, value: str) -> AttributeType | None:
    """Returns the type under which MISP stores a value; None if it stores none of this kind, or would refuse it.

    >>> attribute_type("sha-256", "0" * 64).name, attribute_type("domain-name", "localhost")
    ('sha256', None)
    """
    found = ATTRIBUTE_TYPES.get(kind)
    return found if found is not None and found.can_express(value) else None

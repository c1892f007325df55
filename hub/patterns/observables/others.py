"""Observables whose canonical form changes only case and punctuation: registry keys, certificates, wallets."""

from __future__ import annotations

import re

_HIVES = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
}
_HIVE_NAMES = frozenset((*_HIVES.values(), "HKEY_PERFORMANCE_DATA", "HKEY_DYN_DATA"))
_SERIAL = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+|(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]+")
_BECH32 = re.compile(r"(?:bc|tb|ltc|tltc)1[02-9ac-hj-np-z]{6,87}")
_ETHEREUM = re.compile(r"0x[0-9a-f]{40}")
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{25,111}")


def canonical_registry_key(value: str) -> str | None:
    r"""A registry key with the full name of its hive in capitals, and without a trailing backslash; the rest is
    unchanged.

    Windows ignores the case of the rest, but it must be preserved (STIX 2.1, section 6.17).

    >>> canonical_registry_key("hklm\\Software\\Example\\")
    'HKEY_LOCAL_MACHINE\\Software\\Example'
    """
    hive, backslash, rest = value.rstrip("\\").partition("\\")
    name = _HIVES.get(hive.upper(), hive.upper())
    return f"{name}{backslash}{rest}" if hive.isascii() and name in _HIVE_NAMES else None


def canonical_serial_number(value: str) -> str | None:
    """A certificate's serial number in hexadecimal: pairs of lower-case digits with colons.

    Decimal digits alone may be decimal or hexadecimal, so they give None and are kept unchanged.

    >>> canonical_serial_number("0A:1B"), canonical_serial_number("0a1b"), canonical_serial_number("1234")
    ('0a:1b', '0a:1b', None)
    """
    if not _SERIAL.fullmatch(value):
        return None
    digits = value.replace(":", "").lower()
    if len(digits) % 2:
        digits = "0" + digits
    return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))


def canonical_wallet(value: str) -> str | None:
    """A cryptocurrency address: Bech32 (BIP 173) and Ethereum in lower case; Base58 unchanged, because case matters."""
    lower = value.lower()
    if _ETHEREUM.fullmatch(lower) or (_BECH32.fullmatch(lower) and value in (lower, value.upper())):
        return lower
    return value if _BASE58.fullmatch(value) else None

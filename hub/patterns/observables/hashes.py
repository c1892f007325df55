"""File hashes: the names of the algorithms, and digests by algorithm and length."""

from __future__ import annotations

import re

from hub.model.problems import Code, Problem, cut

_HEX_DIGITS = {
    "MD5": (32,),
    "SHA-1": (40,),
    "SHA-224": (56,),
    "SHA-256": (64,),
    "SHA-384": (96,),
    "SHA-512": (128,),
    "SHA3-224": (56,),
    "SHA3-256": (64,),
    "SHA3-384": (96,),
    "SHA3-512": (128,),
    "RIPEMD-160": (40,),
    "WHIRLPOOL": (128,),
    "MD6": (32, 40, 56, 64, 96, 128),
}
"""Number of hexadecimal digits: STIX 2.1, hash-algorithm-ov, and the algorithms of STIX 2.0 that it dropped."""

CHARS = {**_HEX_DIGITS, "TLSH": (70, 72)}
"""How many characters digests have; those of ssdeep have any number."""

ALGORITHMS = (*_HEX_DIGITS, "SSDEEP", "TLSH")
"""The algorithms that STIX names and the hub has rules for."""

_SPELLINGS = {name.replace("-", ""): name for name in ALGORITHMS}
_HEX = re.compile(r"[0-9a-f]+")
_SSDEEP = re.compile(r"[0-9]+(?::[A-Za-z0-9/+]*){2}")
_SSDEEP_LOOSE = re.compile(r"[A-Za-z0-9/+:.]{1,128}")
"""Text that stix2-patterns accepts as ssdeep, including ``com`` and ``134744072``."""
_TLSH = re.compile(r"(?:T[0-9])?[0-9A-F]{70}")


def algorithm(key: str) -> str | None:
    """The STIX name of a hash algorithm in any spelling; None if STIX has none.

    >>> [algorithm(key) for key in ("sha256", "SHA-256", "sha_256", "imphash")]
    ['SHA-256', 'SHA-256', 'SHA-256', None]
    """
    return _SPELLINGS.get(key.upper().replace("-", "").replace("_", "")) if key.isascii() else None


def checked_algorithm(key: str) -> str | None:
    """The algorithm whose digests stix2-patterns requires under this key (it also ignores quotes in keys), or None."""
    name = _SPELLINGS.get(key.upper().replace("-", "").replace("'", ""))
    return None if name == "TLSH" else name


def canonical_digest(name: str, value: str) -> str | Problem | None:
    """A digest of the algorithm ``name`` (a result of ``algorithm``): hexadecimal in lower case, TLSH in capitals.

    Any other value gives a Problem: it would match nothing, and stix2-patterns refuses the whole pattern. TLSH has
    several lengths, so an unusual one gives None and is kept unchanged; so does text that only stix2-patterns accepts
    as ssdeep.
    """
    digits = _HEX_DIGITS.get(name)
    if digits is not None:
        lower = value.lower()
        if len(lower) in digits and _HEX.fullmatch(lower):
            return lower
        wanted = " or ".join(str(n) for n in digits)
        return Problem(
            Code.STIX_HASH, "", f"{cut(value)} is not a valid {name} digest, which has {wanted} hexadecimal digits."
        )
    if name == "TLSH":
        upper = value.upper()
        return upper if _TLSH.fullmatch(upper) else None
    if _SSDEEP_LOOSE.fullmatch(value):
        return value if _SSDEEP.fullmatch(value) else None
    return Problem(Code.STIX_HASH, "", f"{cut(value)} is not an ssdeep digest (size:block:block).")

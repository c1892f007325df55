"""Finds the things that a text names: by STIX id, by value in any spelling, or by pattern. Pure."""

from __future__ import annotations

import re
from hashlib import sha1, sha256
from typing import NamedTuple

from hub.core.normalise.sco import canonical_sco
from hub.model.observable_ids import NAMESPACE
from hub.model.problems import Problem
from hub.model.stix_types import SCO_TYPES
from hub.model.words import CanonicalKey, StixObject
from hub.patterns import Observable, canonical, key, key_input, pattern_key, value_candidates
from hub.patterns.observables.hashes import CHARS

_VARIANTS = {f"{digit:x}": f"{8 | digit & 3:x}" for digit in range(16)}
_STIX_ID = re.compile(r"[a-z0-9][a-z0-9-]{1,249}--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


def is_stix_id(said: str) -> bool:
    """Whether a text can only be a STIX id."""
    return _STIX_ID.fullmatch(said) is not None


def things_named(said: str) -> list[CanonicalKey] | Problem:
    """The things that a pattern or a bare value may name; a Problem for an invalid pattern."""
    if said.startswith("["):
        found = canonical(said)
        return found if isinstance(found, Problem) else [pattern_key("stix", found.text)]
    return [thing for candidate in value_candidates(said) for thing in things_of(candidate)]


def pattern_of(observable: Observable) -> str:
    """The pattern of the indicator of one value."""
    escaped = observable.value.replace("\\", "\\\\").replace("'", "\\'")
    return f"[{observable.kind}:{observable.path} = '{escaped}']"


def read_as(said: str) -> str:
    """How the text was interpreted, for a caller who gets no result."""
    if is_stix_id(said) or said.startswith("["):
        return "Nothing that you may see has this id or this pattern; ids differ from collection to collection."
    kinds = dict.fromkeys(candidate.kind for candidate in value_candidates(said))
    if not kinds:
        return "It was searched for as text, in every pattern; write an address, name, URL or hash as STIX does."
    return f"It was searched for as {' or '.join(kinds)}, and in every pattern; nothing that you may see names it."


def things_of(observable: Observable) -> list[CanonicalKey]:
    """The indicator and the observable object of one value, in canonical form."""
    written = _WRITTEN.get((observable.kind, observable.path))
    value = observable.value
    if written is None or not _is_plain(value):
        return things_in_full(observable)
    text = value.encode()
    digits = sha1(written.content + text + written.content_end, usedforsecurity=False).hexdigest()
    variant = _VARIANTS[digits[16]]  # RFC 9562, sections 4.1 and 5.5: the variant, and the version 5
    name = f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
    return [
        CanonicalKey(sha256(written.pattern + text + b"']").digest()),
        CanonicalKey(sha256(written.object_id + name.encode()).digest()),
    ]


def things_in_full(observable: Observable) -> list[CanonicalKey]:
    """``things_of`` without the fast path; tests check that both give equal results."""
    pattern = canonical(pattern_of(observable))
    things = [] if isinstance(pattern, Problem) else [pattern_key("stix", pattern.text)]
    if observable.kind in SCO_TYPES:
        found = canonical_sco(_object_of(observable))
        if not isinstance(found, Problem):
            things.append(key("object", found[0]["id"]))
    return things


def digest_path(algorithm: str) -> str:
    """The path of a digest, as patterns write it."""
    return f"hashes.'{algorithm}'" if "-" in algorithm else f"hashes.{algorithm}"


def _object_of(observable: Observable) -> StixObject:
    made: StixObject = {"type": observable.kind, "spec_version": "2.1", "id": f"{observable.kind}--none"}
    if observable.path.startswith("hashes."):
        return {**made, "hashes": {observable.path.removeprefix("hashes.").strip("'"): observable.value}}
    return {**made, observable.path: int(observable.value) if observable.path == "number" else observable.value}


def _is_plain(text: str) -> bool:
    """Whether patterns and JSON write a text as it stands."""
    return text.isascii() and text.isprintable() and not ("'" in text or '"' in text or "\\" in text)


# ---------------------------------------------------------------- the fast path of things_of


class _Written(NamedTuple):
    """What is hashed for the values of one property, around the value."""

    pattern: bytes
    object_id: bytes
    content: bytes
    """Of the id of an observable (STIX 2.1, section 2.9)."""
    content_end: bytes


def _written(kind: str, path: str, content: str, end: str) -> _Written:
    pattern, object_id = key_input("stix", f"[{kind}:{path} = '"), key_input("object", f"{kind}--")
    return _Written(pattern, object_id, NAMESPACE.bytes + content.encode(), end.encode())


_PLAIN = ("ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "mac-addr")
_WRITTEN = {(kind, "value"): _written(kind, "value", '{"value":"', '"}') for kind in _PLAIN} | {
    ("file", path): _written("file", path, f'{{"hashes":{{"{name}":"', '"}}')
    for name in CHARS
    for path in [digest_path(name)]
}

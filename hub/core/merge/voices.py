"""Counts independent sources of knowledge for confidence.

Source: docs/semantics.md, section 5, "Voices" and ``confidence``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.core.merge.project import Projection
from hub.model.policy import Source
from hub.model.words import StixId

SILENT_CONFIDENCE = 50
"""The confidence of a claim that states none, before trust, if another claim states one."""


def voices(projections: Sequence[Projection], spoken_for: Mapping[StixId, Source]) -> dict[str, list[Projection]]:
    """The projections by voice. A source's own claims and those that only it sends are one voice; an author whose
    claims several sources send is a separate voice. ``spoken_for`` maps identities to the sources that are, or speak
    for, them: these identities share the source's voice once it sends anything. A further claim may thus split voices,
    never join them.
    """
    if len(projections) == 1:  # the usual case
        return {_voice_of(projections[0].source): [*projections]}
    named = [_name(p, spoken_for) for p in projections]
    sent_by: dict[str, set[int]] = {}
    for p, name in zip(projections, named, strict=True):
        sent_by.setdefault(name, set()).add(p.source.no)
        sent_by.setdefault(_voice_of(p.source), set()).add(p.source.no)
    found: dict[str, list[Projection]] = {}
    for p, name in zip(projections, named, strict=True):
        found.setdefault(name if len(sent_by[name]) > 1 else _voice_of(p.source), []).append(p)
    return found


def _name(p: Projection, spoken_for: Mapping[StixId, Source]) -> str:
    """The voice of a claim if several sources send its author's claims."""
    if p.author is None:
        return _voice_of(p.source)
    spokesman = spoken_for.get(p.author)
    return p.author if spokesman is None else _voice_of(spokesman)


def _voice_of(source: Source) -> str:
    return f"source {source.no}"


def weight(p: Projection) -> int:
    """Trust times confidence of a claim times its percentage by age, 0 to 1,000,000."""
    return p.source.trust * int(p.obj.get("confidence", SILENT_CONFIDENCE)) * p.validity.percent


def confidence(by_voice: Mapping[str, Sequence[Projection]]) -> int | None:
    """Merged confidence, 0 to 100, computed exactly and rounded down; None if no claim states one.

    Per voice the greatest c = trust x confidence x percentage by age / 10,000; then 100 - prod(100 - c) / 100^(n-1).
    """
    if not any("confidence" in p.obj for claims in by_voice.values() for p in claims):
        return None
    doubt, scale = 1, 1
    for claims in by_voice.values():
        doubt *= 1_000_000 - max(weight(p) for p in claims)
        scale *= 1_000_000
    # 100 - 100 * doubt / scale, rounded down
    return (100 * scale - 100 * doubt) // scale

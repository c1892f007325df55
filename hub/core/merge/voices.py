"""Corroboration counts independent knowledge. Source: docs/semantics.md, section 5, "Voices" and ``confidence``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.core.merge.project import Projection
from hub.model.policy import Centre
from hub.model.words import StixId

_SILENT = 50
"""What a claim without a confidence counts as, before trust, once another states one."""


def voices(projections: Sequence[Projection], spoken_for: Mapping[StixId, Centre]) -> dict[str, list[Projection]]:
    """The projections by voice: a centre's own, and what only it relays, are one; a third party that several centres
    relay is one of its own. ``spoken_for`` maps identities to the centres that are or speak for them.
    """
    relayed_by: dict[StixId, set[int]] = {}
    for p in projections:
        if p.author is not None and p.author not in spoken_for:
            relayed_by.setdefault(p.author, set()).add(p.centre.no)
    found: dict[str, list[Projection]] = {}
    for p in projections:
        if p.author is not None and p.author in spoken_for:
            voice = f"centre {spoken_for[p.author].no}"
        elif p.author is not None and len(relayed_by[p.author]) > 1:
            voice = p.author
        else:
            voice = f"centre {p.centre.no}"
        found.setdefault(voice, []).append(p)
    return found


def confidence(by_voice: Mapping[str, Sequence[Projection]]) -> int | None:
    """Merged confidence, 0 to 100, exact and rounded down; None where no claim states one.

    Per voice the greatest c = trust x confidence / 100; then 100 - prod(100 - c) / 100^(n-1).
    """
    if not any("confidence" in p.obj for claims in by_voice.values() for p in claims):
        return None
    doubt, scale = 1, 1
    for claims in by_voice.values():
        doubt *= 10_000 - max(p.centre.trust * p.obj.get("confidence", _SILENT) for p in claims)
        scale *= 10_000
    # 100 - 100 * doubt / scale, rounded down
    return (100 * scale - 100 * doubt) // scale

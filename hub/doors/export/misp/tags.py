"""The tags of MISP's events and attributes: those of its taxonomies, and the hub's own for what these do not say.

Labels and names of the hub's sources are values of the hub's own tags, whatever they contain: a label that looks like a
tag of another taxonomy must not become one. Source: MISP taxonomies ``tlp``, ``PAP`` and ``misp``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hub.doors.export.escape import INVISIBLE, as_code
from hub.model.markings import PAP_ORDER, stated_pap

_MOST_CHARS = 255
"""The longest name of a tag in MISP."""
_ESCAPED = re.compile(rf'[{INVISIBLE}"\\]')
_CONFIDENCE = (
    (100, "completely-confident"), (75, "usually-confident"), (50, "fairly-confident"), (25, "rarely-confident"),
    (0, "unconfident"),
)  # fmt: skip
"""The taxonomy ``misp``: from which value on each word is right."""
_COLOURS = {
    "tlp:clear": "#ffffff", "tlp:green": "#33ff00", "tlp:amber": "#ffc000", "tlp:amber+strict": "#ffc000",
    "tlp:red": "#ff2b2b",
}  # fmt: skip
_OTHERS_COLOUR = "#8c8c8c"


def tag(name: str) -> dict[str, str]:
    """Returns a tag in MISP's JSON."""
    return {"name": name, "colour": _COLOURS.get(name, _OTHERS_COLOUR)}


def tlp_tag(label: str) -> str:
    """Returns the tag of a TLP level, by its label.

    >>> tlp_tag("amber+strict")
    'tlp:amber+strict'
    """
    return f"tlp:{label}"


def confidence_tag(confidence: int) -> str:
    """Returns the tag of a STIX confidence.

    >>> confidence_tag(80)
    'misp:confidence-level="usually-confident"'
    """
    word = next(word for least, word in _CONFIDENCE if confidence >= least)
    return f'misp:confidence-level="{word}"'


def label_tags(labels: Iterable[str]) -> Iterator[str]:
    """Yields the tags of labels: a PAP by its taxonomy, all others as values of the hub's own tag.

    >>> list(label_tags(["PAP:GREEN", 'a"b']))
    ['PAP:GREEN', 'ctihub:label="a\\\\u0022b"']
    """
    for label in labels:
        pap = stated_pap(label)
        yield from own_tags("label", [label]) if pap is None else [f"PAP:{PAP_ORDER[pap]}"]


def own_tags(predicate: str, values: Iterable[str]) -> Iterator[str]:
    """Yields the hub's own tags. A value whose tag would be too long for MISP has none."""
    for value in values:
        name = f'ctihub:{predicate}="{_ESCAPED.sub(as_code, value)}"'
        if len(name) <= _MOST_CHARS:
            yield name

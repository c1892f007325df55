"""The values of a pattern: those that it asserts alone, which a product could block, and the others that it names.

This is the only extraction of values: warning lists, exports, ``explain`` and views all use it. docs/asserted-values.md
has the definition; tests check it against an independent evaluator.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from hub.patterns.ast import Constant
from hub.patterns.nodes import Leaf, Node
from hub.patterns.observables.addresses import canonical_address, canonical_ipv4, canonical_ipv6, canonical_mac
from hub.patterns.observables.names import canonical_domain
from hub.patterns.values import Named, Observable

_ASSERTING = frozenset(("=", "IN", "ISSUBSET"))
_TRAFFIC = "network-traffic"
_ENDS = {"src_ref.type": "src_ref.value", "dst_ref.type": "dst_ref.value"}
"""For network traffic: the property with the type of an end, and the property with its value (MISP writes all addresses
so)."""
_END_KINDS = {
    "ipv4-addr": canonical_ipv4,
    "ipv6-addr": canonical_ipv6,
    "mac-addr": canonical_mac,
    "domain-name": canonical_domain,
}
"""The possible types of an end of network traffic (STIX 2.1, section 6.12), with the function that recognises a
value."""


def values_of(pattern: Node) -> tuple[tuple[Observable, ...], tuple[Named, ...]]:
    """The values that a pattern in canonical form asserts alone, and the others, each once, in the order of its text.

    A value is asserted alone if one observation with only this value makes the pattern true: a comparison by ``=``,
    ``IN`` or ``ISSUBSET`` without NOT that is the whole pattern, or one alternative of it. Alternatives are joined by
    OR, inside an observation or between observations.
    """
    found = _Values()
    found.read(pattern, alone=True, inside=False)
    return tuple(found.asserted), tuple(found.others)


class _Values:
    """The values found so far; dictionaries keep their order."""

    __slots__ = ("asserted", "others")

    def __init__(self) -> None:
        self.asserted: dict[Observable, None] = {}
        self.others: dict[Named, None] = {}

    def read(self, node: Node, *, alone: bool, inside: bool) -> None:
        """``alone``: whether this part alone makes the pattern true; ``inside``: it is inside an observation."""
        if node.leaf is not None:
            self._comparison(node.leaf, alone=alone, kinds=None)
        elif node.word == "[]":
            self.read(node.parts[0], alone=alone, inside=True)
        elif node.word == "AND" and inside:
            self._all_of(node.parts, alone=alone)
        else:  # OR passes ``alone`` on; AND between observations, FOLLOWEDBY and qualifiers need more than one part
            for part in node.parts:
                self.read(part, alone=alone and node.word == "OR", inside=inside)

    def _all_of(self, parts: Sequence[Node], *, alone: bool) -> None:
        """A conjunction asserts no value alone, unless all parts but one only state the type of that part's value."""
        types = [part.leaf for part in parts if part.leaf is not None and _says_a_kind(part.leaf)]
        rest = [part for part in parts if part.leaf is None or not _says_a_kind(part.leaf)]
        if alone and types and len(rest) == 1 and (leaves := _alternatives(rest[0])):
            ends = {(_TRAFFIC, _ENDS[one.path]) for one in types}
            kinds = frozenset.intersection(*(frozenset(each.text for each in one.constants) for one in types))
            if len(ends) == 1 and all((leaf.kind, leaf.path) in ends for leaf in leaves) and kinds <= set(_END_KINDS):
                for leaf in leaves:
                    self._comparison(leaf, alone=bool(kinds), kinds=kinds)
                return
        for part in rest:
            self.read(part, alone=False, inside=True)

    def _comparison(self, leaf: Leaf, *, alone: bool, kinds: frozenset[str] | None) -> None:
        negated = leaf.negated or leaf.operator == "!="
        if alone and not negated and leaf.operator in _ASSERTING:
            for constant in leaf.constants:
                self.asserted[_observable(leaf, _as_equal(leaf, constant), kinds)] = None
            return
        for constant in leaf.constants:
            self.others[Named(leaf.kind, leaf.path, _as_equal(leaf, constant), leaf.operator, negated)] = None


def _says_a_kind(leaf: Leaf) -> bool:
    """Whether a comparison only states a type: it restricts nothing that the value does not restrict."""
    return leaf.kind == _TRAFFIC and leaf.path in _ENDS and leaf.operator in ("=", "IN") and not leaf.negated


def _alternatives(node: Node) -> list[Leaf]:
    """The comparisons of an OR, or the single comparison; empty for anything else."""
    if node.leaf is not None:
        return [node.leaf]
    leaves = [part.leaf for part in node.parts if part.leaf is not None]
    return leaves if node.word == "OR" and len(leaves) == len(node.parts) else []


def _observable(leaf: Leaf, value: str, kinds: frozenset[str] | None) -> Observable:
    """The value with its kind; an end of network traffic is the address or name itself."""
    if leaf.kind == _TRAFFIC and leaf.path in _ENDS.values():
        kind = _kind_of_end(value, kinds)
        if kind is not None:
            return Observable(kind, "value", value)
    return Observable(leaf.kind, leaf.path, value)


@lru_cache(maxsize=1_024)
def _kind_of_end(value: str, said: frozenset[str] | None) -> str | None:
    """The kind of an end of traffic: as stated, else by its value; None if the value does not show it."""
    kinds = [kind for kind in _END_KINDS if said is None or kind in said]
    found = next((kind for kind in kinds if isinstance(_END_KINDS[kind](value), str)), None)
    return found if found is not None or said is None or len(said) > 1 else kinds[0]


def _as_equal(leaf: Leaf, constant: Constant) -> str:
    """The value as ``=`` would have it: a network with a full-length prefix becomes an address again."""
    if leaf.operator != "ISSUBSET":
        return constant.text
    found = canonical_address(constant.text)
    return found if isinstance(found, str) else constant.text

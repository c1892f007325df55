"""The canonical form of a tree: applies every equivalence bottom-up; applying them again changes nothing.

docs/canonical-key.md lists the equivalences; tests check each of them against an independent evaluator.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from hub.model.problems import Code, Problem, cut
from hub.patterns.ast import (
    Comparison,
    ComparisonExpression,
    Constant,
    ConstantKind,
    Junction,
    Observation,
    ObservationExpression,
    Path,
    Qualified,
    Qualifier,
    Repeats,
    StartStop,
    Within,
)
from hub.patterns.constants import normal_constant, written
from hub.patterns.lift import lifted
from hub.patterns.nodes import Leaf, Node, check_size, check_whole, joined, leaf_node, observation, qualified
from hub.patterns.observables import ObservableRule, canonical_by, meant_type, rule_for
from hub.patterns.observables.addresses import canonical_address
from hub.patterns.observables.hashes import canonical_digest, checked_algorithm
from hub.patterns.paths import normal_path, written_steps
from hub.patterns.tokens import KEY_WORDS, PatternError

AT = "/pattern"
"""JSON pointer to the property of an indicator that problems of patterns refer to."""

_CANONICAL_OPERATORS = frozenset(("=", "!=", "IN"))
_NETWORK_OPERATORS = frozenset(("ISSUBSET", "ISSUPERSET"))


class Normaliser:
    """Normalises one pattern; ``warnings`` and ``kinds`` are filled on the way."""

    __slots__ = ("_lifts", "_limit_chars", "kinds", "warnings")

    def __init__(self, *, limit_chars: int, lifts: bool = False) -> None:
        """``limit_chars``: the maximum length of any resulting text; ``lifts``: the pattern is one of STIX 2.0."""
        self._limit_chars = limit_chars
        self._lifts = lifts
        self.kinds: set[str] = set()
        self.warnings: list[Problem] = []

    def pattern(self, tree: ObservationExpression) -> Node:
        """The canonical form of the whole pattern. Raises PatternError."""
        node = self._observation(tree)
        check_whole(node, self._limit_chars)
        return node

    # -- observations

    def _observation(self, tree: ObservationExpression) -> Node:
        match tree:
            case Observation(expression):
                return observation(self._comparison(expression))
            case Qualified(expression, qualifiers):
                words = [(type(qualifier).__name__, _qualifier_text(qualifier)) for qualifier in qualifiers]
                return qualified(self._observation(expression), words, self._limit_chars)
            case _:
                return self._combined(tree.word, [self._observation(operand) for operand in tree.operands])

    def _combined(self, word: str, operands: list[Node]) -> Node:
        if word == "FOLLOWEDBY":
            # It is left-associative, so parentheses around the first operand are redundant.
            parts = [*_flat(word, operands[:1]), *operands[1:]]
        elif word == "OR":
            parts = _sorted_once(_flat(word, operands))
        else:
            # Each operand needs an observation of its own, so [a] AND [a] is not [a] (STIX 2.1, section 9.5.2).
            parts = sorted(_flat(word, operands), key=_text)
        if len(parts) == 1:
            return parts[0]
        return joined(word, parts, frozenset[str].union(*(part.roots for part in parts)), self._limit_chars)

    # -- comparisons

    def _comparison(self, tree: ComparisonExpression) -> Node:
        if isinstance(tree, Junction):
            operands = _flat(tree.word, [self._comparison(operand) for operand in tree.operands])
            return self._any_of(operands) if tree.word == "OR" else self._all_of(operands)
        return self._leaf(tree)

    def _all_of(self, operands: list[Node]) -> Node:
        parts = _sorted_once(operands)
        roots = frozenset[str].intersection(*(part.roots for part in parts))
        if not roots:
            raise PatternError(Code.PATTERN_MEANINGLESS, _no_common_type(parts))
        return parts[0] if len(parts) == 1 else joined("AND", parts, roots, self._limit_chars)

    def _any_of(self, operands: list[Node]) -> Node:
        sets: dict[tuple[str, str, str], list[Leaf]] = {}
        parts: list[Node] = []
        for node in operands:
            leaf = node.leaf
            if leaf is not None and leaf.operator in ("=", "IN") and not leaf.negated:
                sets.setdefault((leaf.kind, leaf.path, leaf.constants[0].kind), []).append(leaf)
            else:
                parts.append(node)
        for leaves in sets.values():
            parts.extend(self._one_of(leaves[0], [constant for leaf in leaves for constant in leaf.constants]))
        parts = _sorted_once(parts)
        roots = frozenset[str].union(*(part.roots for part in parts))
        return parts[0] if len(parts) == 1 else joined("OR", parts, roots, self._limit_chars)

    def _one_of(self, like: Leaf, members: Iterable[Constant]) -> list[Node]:
        """``path IN (members)``; for digests, whose sets stix2-patterns refuses, comparisons to be joined by OR
        instead.
        """
        unique = {written(member): member for member in members}
        texts = sorted(unique)
        if like.takes_sets and len(texts) > 1:
            return [leaf_node(replace(like, operator="IN", constants=tuple(unique[text] for text in texts)), texts)]
        check_size(len(texts) * (len(like.kind) + len(like.path)), self._limit_chars)
        return [leaf_node(replace(like, operator="=", constants=(unique[text],)), [text]) for text in texts]

    def _leaf(self, tree: Comparison) -> Node:
        path = normal_path(lifted(tree.path) if self._lifts else tree.path)
        if path.type in KEY_WORDS:
            raise PatternError(Code.PATTERN_SYNTAX, f"The object type {path.type} is a key word of STIX 2.1.")
        if path.type not in self.kinds:
            self.kinds.add(path.type)
            self._warn_of_a_slip(path.type)
        steps = written_steps(path)
        if tree.operator == "EXISTS":
            return leaf_node(Leaf(path.type, steps, "EXISTS", tree.negated, ()), [])
        constants = [normal_constant(constant) for constant in tree.constants]
        takes_sets = not _is_checked_digest(path, constants)
        constants = self._canonical_values(rule_for(path.type, steps), tree.operator, constants)
        leaf = Leaf(path.type, steps, tree.operator, tree.negated, tuple(constants), takes_sets)
        return self._set(leaf) if leaf.operator == "IN" else _plain(leaf)

    def _warn_of_a_slip(self, kind: str) -> None:
        meant = meant_type(kind)
        if meant is not None:
            says = f"STIX has no object type {cut(kind)}: no list has its values. Did you mean {meant}?"
            self.warnings.append(Problem(Code.VALUE_NOT_OF_ITS_KIND, AT, says))

    def _set(self, leaf: Leaf) -> Node:
        if not leaf.constants:
            raise PatternError(
                Code.PATTERN_MEANINGLESS, "The pattern compares with an empty set, IN (), which has no member."
            )
        # All members of a set are of one kind (STIX 2.1, section 9.6.1): other kinds get sets of their own.
        by_kind: dict[str, list[Constant]] = {}
        for constant in leaf.constants:
            by_kind.setdefault(constant.kind, []).append(constant)
        nodes = [node for members in by_kind.values() for node in self._one_of(leaf, members)]
        if len(nodes) == 1:
            only = nodes[0].leaf
            return nodes[0] if only is None else _plain(only)
        if leaf.negated:
            raise _negated_set(leaf, mixed=len(by_kind) > 1)
        return joined("OR", _sorted_once(nodes), frozenset((leaf.kind,)), self._limit_chars)

    def _canonical_values(
        self, rule: ObservableRule | None, operator: str, constants: list[Constant]
    ) -> list[Constant]:
        if rule is None or not (
            operator in _CANONICAL_OPERATORS or (rule.is_network and operator in _NETWORK_OPERATORS)
        ):
            return constants
        found = [self._canonical_value(rule, constant) for constant in constants]
        return [_as_network(constant) for constant in found] if operator == "ISSUBSET" else found

    def _canonical_value(self, rule: ObservableRule, constant: Constant) -> Constant:
        if constant.kind is not ConstantKind.STRING:
            return constant
        found = canonical_by(rule, constant.text, AT)
        if isinstance(found, Problem):
            raise PatternError(found.code, found.says)
        self.warnings.extend(found[1])
        return Constant(ConstantKind.STRING, found[0])


def _plain(leaf: Leaf) -> Node:
    """The canonical spelling of a comparison: ``NOT =`` becomes ``!=``. Other operators are not changed."""
    if leaf.operator == "=" and leaf.negated:
        leaf = replace(leaf, operator="!=", negated=False)
    return leaf_node(leaf, [written(constant) for constant in leaf.constants])


def _as_network(constant: Constant) -> Constant:
    """An address as a network with a full-length prefix: evaluators accept only networks for ``ISSUBSET``."""
    text = constant.text
    if "/" in text or not isinstance(canonical_address(text), str):
        return constant
    return Constant(constant.kind, f"{text}/{128 if ':' in text else 32}")


def _negated_set(leaf: Leaf, *, mixed: bool) -> PatternError:
    if mixed:
        says = f"The pattern uses NOT IN on {cut(leaf.path)} with constants of several kinds; a set has one."
        return PatternError(Code.PATTERN_MEANINGLESS, says)
    says = f"The pattern uses NOT IN on {cut(leaf.path)}, which stix2-patterns refuses: join != by AND instead."
    return PatternError(Code.STIX_HASH, says)


def _text(node: Node) -> str:
    return node.text


def _flat(word: str, operands: list[Node]) -> list[Node]:
    return [part for operand in operands for part in (operand.parts if operand.word == word else (operand,))]


def _sorted_once(nodes: list[Node]) -> list[Node]:
    unique = {node.text: node for node in nodes}
    return [unique[text] for text in sorted(unique)]


def _no_common_type(parts: list[Node]) -> str:
    names = cut(", ".join(sorted({root for part in parts for root in part.roots})))
    return (
        f"The pattern joins comparisons of different objects ({names}) by AND inside one observation, "
        "which no object meets: join observations instead, [a] AND [b]."
    )


def _is_checked_digest(path: Path, constants: list[Constant]) -> bool:
    """Whether stix2-patterns checks digests here. Raises PatternError if it would refuse the comparison.

    It checks the last step of any path with a step ``hashes``, for every operator.
    """
    if "hashes" not in path.steps:
        return False
    last = path.steps[-1]
    if not isinstance(last, str):
        if last.text == "*":
            return False
        raise PatternError(Code.PATTERN_MEANINGLESS, "The pattern takes an index of hashes, which are a dictionary.")
    name = checked_algorithm(last)
    if name is None:
        return False
    for constant in constants:
        if constant.kind is not ConstantKind.STRING:
            raise PatternError(Code.STIX_HASH, f"{cut(constant.text)} is not a {name} digest: a digest is a string.")
        found = canonical_digest(name, constant.text)
        if isinstance(found, Problem):
            raise PatternError(found.code, found.says)
    return True


def _qualifier_text(qualifier: Qualifier) -> str:
    match qualifier:
        case Within(seconds):
            number = normal_constant(seconds).text
            if number in ("0", "0.0"):
                raise PatternError(Code.PATTERN_MEANINGLESS, "The pattern says WITHIN 0 SECONDS; it must be more.")
            return f"WITHIN {number} SECONDS"
        case Repeats(times):
            number = normal_constant(times).text
            if number == "0":
                raise PatternError(Code.PATTERN_MEANINGLESS, "The pattern says REPEATS 0 TIMES; it must be more.")
            return f"REPEATS {number} TIMES"
        case StartStop(start, stop):
            return _interval(normal_constant(start), normal_constant(stop))


def _interval(start: Constant, stop: Constant) -> str:
    # Without the Z, text order is time order: 'T00:00:00' < 'T00:00:00.5'.
    if start.text[:-1] >= stop.text[:-1]:
        raise PatternError(Code.PATTERN_MEANINGLESS, "The pattern's interval is empty: STOP must be later than START.")
    return f"START {written(start)} STOP {written(stop)}"

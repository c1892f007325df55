"""Parts of a pattern in canonical form, each with its text. This module writes them, ``normal`` decides the content."""

from __future__ import annotations

from dataclasses import dataclass

from hub.model.problems import Code
from hub.patterns.ast import Constant
from hub.patterns.parse import MAX_DEPTH
from hub.patterns.tokens import PatternError

GROUP = 128
"""A longer chain of AND or OR is written in groups of this size, each in parentheses. See ``MAX_WEIGHT``."""
MAX_WEIGHT = 500
"""The maximum recursion depth of stix2-patterns on text that the hub writes; members' tools fail at about 900."""
_PARENTHESIS_WEIGHT = 4

_LOOSER = {"AND": ("OR", "FOLLOWEDBY"), "OR": ("FOLLOWEDBY",), "FOLLOWEDBY": ("FOLLOWEDBY",)}
"""Operators whose operands need parentheses inside a chain; AND and OR of comparisons never contain a FOLLOWEDBY."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison in canonical form; the constants of a set are sorted by text and distinct."""

    kind: str
    path: str
    operator: str
    negated: bool
    constants: tuple[Constant, ...]
    takes_sets: bool = True
    """False if stix2-patterns refuses ``IN``, as for digests."""


@dataclass(frozen=True, slots=True)
class Node:
    """Part of a pattern in canonical form."""

    text: str
    word: str
    """``AND``, ``OR``, ``FOLLOWEDBY`` joins ``parts``; ``[]`` is an observation, ``q`` is qualified, ``""`` a leaf."""
    parts: tuple[Node, ...]
    roots: frozenset[str]
    """Object types of which one object can match (comparisons), or all object types of the part (observations)."""
    depth: int
    """The depth of parentheses in ``text``."""
    weight: int
    """The approximate recursion depth of stix2-patterns on ``text``."""
    leaf: Leaf | None = None
    run: frozenset[str] | None = None
    """For a qualified node: the kinds of its qualifiers, or None if they follow a parenthesis."""


def leaf_node(leaf: Leaf, texts: list[str]) -> Node:
    """The node of one comparison; ``texts``: its constants as written."""
    path = f"{leaf.kind}:{leaf.path}"
    negation = "NOT " if leaf.negated else ""
    if leaf.operator == "EXISTS":
        text = f"{negation}EXISTS {path}"
    else:
        operand = f"({', '.join(texts)})" if leaf.operator == "IN" else texts[0]
        text = f"{path} {negation}{leaf.operator} {operand}"
    return Node(text, "", (), frozenset((leaf.kind,)), 0, 2 + leaf.path.count(".") + leaf.path.count("["), leaf)


def observation(inside: Node) -> Node:
    """A comparison expression in square brackets."""
    return Node(f"[{inside.text}]", "[]", (inside,), inside.roots, inside.depth, inside.weight + 1)


def joined(word: str, parts: list[Node], roots: frozenset[str], limit_chars: int) -> Node:
    """Two or more parts in a chain, in the given order. Raises PatternError above ``limit_chars``."""
    looser = _LOOSER[word]
    texts: list[str] = []
    depth = weight = 0
    for part in parts:
        wrap = part.word in looser
        texts.append(f"({part.text})" if wrap else part.text)
        depth = max(depth, part.depth + wrap)
        weight = max(weight, part.weight + wrap * _PARENTHESIS_WEIGHT)
    check_size(sum(map(len, texts)) + (len(word) + 2) * (len(texts) - 1), limit_chars)
    if word != "FOLLOWEDBY" and len(texts) > GROUP:
        groups = [texts[at : at + GROUP] for at in range(0, len(texts), GROUP)]
        texts = [f"({f' {word} '.join(group)})" if len(group) > 1 else group[0] for group in groups]
        depth, weight = depth + 1, weight + GROUP + _PARENTHESIS_WEIGHT
    return Node(f" {word} ".join(texts), word, tuple(parts), roots, depth, weight + len(texts))


def qualified(inside: Node, qualifiers: list[tuple[str, str]], limit_chars: int) -> Node:
    """A node followed by qualifiers, each a kind and a text. Raises PatternError above ``limit_chars``.

    Parentheses are written only where the grammar requires them: around a chain, or between two qualifiers of one kind.
    """
    head, depth, weight, run = inside.text, inside.depth, inside.weight, inside.run
    if inside.word == "[]":
        run = frozenset()
    elif inside.word != "q":
        head, depth, weight = f"({head})", depth + 1, weight + _PARENTHESIS_WEIGHT
    words: list[str] = []
    for kind, text in qualifiers:
        if run is not None and kind in run:
            head, words, run = f"({' '.join((head, *words))})", [], None
            depth, weight = depth + 1, weight + _PARENTHESIS_WEIGHT
        elif run is not None:
            run |= {kind}
        words.append(text)
    whole = " ".join((head, *words))
    check_size(len(whole), limit_chars)
    return Node(whole, "q", (inside,), inside.roots, depth, weight + len(qualifiers), run=run)


def check_size(chars: int, limit_chars: int) -> None:
    """Raises PatternError if a text would have more than ``limit_chars`` characters."""
    if chars > limit_chars:
        says = f"The pattern has more than {limit_chars} characters in canonical form, which is the limit."
        raise PatternError(Code.PATTERN_TOO_LONG, says)


def check_whole(node: Node, limit_chars: int) -> None:
    """Raises PatternError if a member's tool, or the hub itself, could not read the text again."""
    check_size(len(node.text), limit_chars)
    if node.depth > MAX_DEPTH:
        raise too_costly(f"nests parentheses more than {MAX_DEPTH} deep")
    if node.weight > MAX_WEIGHT:
        raise too_costly("nests and chains so much that other tools could not read it")


def too_costly(what: str) -> PatternError:
    """The error for a pattern that is too costly; ``what`` continues "The pattern"."""
    return PatternError(Code.PATTERN_TOO_COSTLY, f"The pattern {what}.")

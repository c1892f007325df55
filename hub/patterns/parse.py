"""The parser from tokens to a tree: recursive descent over the STIX 2.1 patterning grammar (STIX 2.1, section 9).

Precedence, from lowest to highest: FOLLOWEDBY, OR, AND, qualifiers between observations; OR, AND inside one. Only
parentheses recurse, and their depth is limited; chains of operators and qualifiers are loops.
"""

from __future__ import annotations

from hub.model.problems import Code
from hub.patterns.ast import (
    Combination,
    Comparison,
    ComparisonExpression,
    Constant,
    ConstantKind,
    Junction,
    Observation,
    ObservationExpression,
    Path,
    PathStep,
    Qualified,
    Qualifier,
    Repeats,
    StartStop,
    StepIndex,
    Within,
)
from hub.patterns.tokens import (
    HOW_STRINGS_ARE_WRITTEN,
    KEY_WORDS,
    KEY_WORDS_20,
    PatternError,
    PatternToken,
    ends_too_early,
    syntax_error,
    tokens_of,
)

MAX_DEPTH = 64
"""The maximum depth of parentheses; the deepest pattern seen in real feeds has 4."""
MAX_STEPS = 64
"""The maximum number of steps in an object path; the longest in STIX has 6."""

_OPERATORS = {
    "equals": "=",
    "differs": "!=",
    "IN": "IN",
    "LIKE": "LIKE",
    "MATCHES": "MATCHES",
    "ISSUBSET": "ISSUBSET",
    "ISSUPERSET": "ISSUPERSET",
}
_STRING_OPERATORS = frozenset(("LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"))
_CONSTANTS = {
    "string": ConstantKind.STRING,
    "integer": ConstantKind.INTEGER,
    "float": ConstantKind.FLOAT,
    "hex": ConstantKind.HEX,
    "binary": ConstantKind.BINARY,
    "timestamp": ConstantKind.TIMESTAMP,
    "true": ConstantKind.BOOLEAN,
    "false": ConstantKind.BOOLEAN,
}
_QUALIFIERS = frozenset(("WITHIN", "REPEATS", "START"))


def parse(pattern: str, *, spec_version: str = "2.1") -> ObservationExpression:
    """The tree of a pattern, by the grammar of STIX ``spec_version`` ("2.0" or "2.1"). Raises PatternError.

    2.0 differs in two ways: EXISTS is not a keyword, and one observation may have the same qualifier twice.
    """
    old = spec_version == "2.0"
    return _Parser(pattern, tokens_of(pattern, KEY_WORDS_20 if old else KEY_WORDS), may_repeat_qualifiers=old).pattern()


def unescaped(quoted: str) -> str:
    r"""The text of a string literal, without its quotes and with ``\'`` and ``\\`` unescaped.

    >>> unescaped(r"'it\'s'")
    "it's"
    """
    inside = quoted[1:-1]
    if "\\" not in inside:
        return inside
    return "\\".join(part.replace("\\'", "'") for part in inside.split("\\\\"))


class _Parser:
    """Parses the tokens of one pattern in one pass."""

    __slots__ = ("_at", "_depth", "_may_repeat_qualifiers", "_pattern", "_tokens")

    def __init__(self, pattern: str, tokens: list[PatternToken], *, may_repeat_qualifiers: bool) -> None:
        self._pattern = pattern
        self._tokens = tokens
        self._at = 0
        self._depth = 0
        self._may_repeat_qualifiers = may_repeat_qualifiers

    def pattern(self) -> ObservationExpression:
        whole = self._followed_by()
        if self._kind() != "end":
            raise self._unexpected("AND, OR, FOLLOWEDBY, a qualifier or the end")
        return whole

    # -- observations

    def _followed_by(self) -> ObservationExpression:
        operands = [self._observation_or()]
        while self._skip("FOLLOWEDBY"):
            operands.append(self._observation_or())
        return operands[0] if len(operands) == 1 else Combination("FOLLOWEDBY", tuple(operands))

    def _observation_or(self) -> ObservationExpression:
        operands = [self._observation_and()]
        while self._skip("OR"):
            operands.append(self._observation_and())
        return operands[0] if len(operands) == 1 else Combination("OR", tuple(operands))

    def _observation_and(self) -> ObservationExpression:
        operands = [self._qualified()]
        while self._skip("AND"):
            operands.append(self._qualified())
        return operands[0] if len(operands) == 1 else Combination("AND", tuple(operands))

    def _qualified(self) -> ObservationExpression:
        found, in_parentheses = self._observation()
        qualifiers: list[Qualifier] = []
        while self._kind() in _QUALIFIERS:
            at = self._at
            qualifiers.append(self._qualifier())
            if in_parentheses or self._may_repeat_qualifiers:
                continue
            if len({type(qualifier) for qualifier in qualifiers}) < len(qualifiers):
                raise syntax_error(self._pattern, self._tokens[at].at, "another kind of qualifier than the ones before")
        return Qualified(found, tuple(qualifiers)) if qualifiers else found

    def _observation(self) -> tuple[ObservationExpression, bool]:
        if self._skip("("):
            self._descend()
            inside = self._followed_by()
            self._take(")", "AND, OR, FOLLOWEDBY, a qualifier or ')'")
            self._depth -= 1
            return inside, True
        self._take("[", "'[' or '('")
        expression = self._comparison_or()
        self._take("]", "AND, OR or ']'")
        return Observation(expression), False

    def _qualifier(self) -> Qualifier:
        word = self._next().kind
        if word == "START":
            start = self._constant(("timestamp",), "a timestamp such as t'2026-01-01T00:00:00Z'")
            self._take("STOP", "STOP")
            return StartStop(start, self._constant(("timestamp",), "a timestamp such as t'2026-01-01T00:00:00Z'"))
        if word == "WITHIN":
            seconds = self._positive(("integer", "float"), "a number of seconds without a minus sign")
            self._take("SECONDS", "SECONDS")
            return Within(seconds)
        times = self._positive(("integer",), "a whole number without a minus sign")
        self._take("TIMES", "TIMES")
        return Repeats(times)

    def _positive(self, kinds: tuple[str, ...], expected: str) -> Constant:
        if self._tokens[self._at].text.startswith("-"):
            raise self._unexpected(expected)
        return self._constant(kinds, expected)

    # -- comparisons

    def _comparison_or(self) -> ComparisonExpression:
        operands = [self._comparison_and()]
        while self._skip("OR"):
            operands.append(self._comparison_and())
        return operands[0] if len(operands) == 1 else Junction("OR", tuple(operands))

    def _comparison_and(self) -> ComparisonExpression:
        operands = [self._comparison()]
        while self._skip("AND"):
            operands.append(self._comparison())
        return operands[0] if len(operands) == 1 else Junction("AND", tuple(operands))

    def _comparison(self) -> ComparisonExpression:
        if self._skip("("):
            self._descend()
            inside = self._comparison_or()
            self._take(")", "AND, OR or ')'")
            self._depth -= 1
            return inside
        if self._kind() in ("NOT", "EXISTS"):
            negated = self._skip("NOT")
            self._take("EXISTS", "EXISTS")
            return Comparison(self._path(), "EXISTS", negated, ())
        path = self._path()
        negated = self._skip("NOT")
        token = self._tokens[self._at]
        operator = token.text if token.kind == "order" else _OPERATORS.get(token.kind)
        if operator is None:
            raise self._unexpected("a comparison operator")
        self._at += 1
        return Comparison(path, operator, negated, self._operand(operator))

    def _operand(self, operator: str) -> tuple[Constant, ...]:
        if operator == "IN":
            return self._set()
        if operator in _STRING_OPERATORS:
            return (self._constant(("string",), f"a string in single quotes after {operator}"),)
        if operator in ("=", "!="):
            return (self._constant(None, "a constant (strings need single quotes)"),)
        if self._kind() in ("true", "false"):
            raise self._unexpected("a constant that has an order")
        return (self._constant(None, "a constant (strings need single quotes)"),)

    def _set(self) -> tuple[Constant, ...]:
        self._take("(", "'(' after IN")
        if self._skip(")"):
            return ()
        members = [self._constant(None, "a constant")]
        while self._skip(","):
            members.append(self._constant(None, "a constant"))
        self._take(")", "',' or ')'")
        return tuple(members)

    def _constant(self, kinds: tuple[str, ...] | None, expected: str) -> Constant:
        token = self._tokens[self._at]
        kind = _CONSTANTS.get(token.kind)
        if kind is None or (kinds is not None and token.kind not in kinds):
            raise self._unexpected(expected)
        self._at += 1
        if kind is ConstantKind.STRING:
            return Constant(kind, unescaped(token.text))
        return Constant(kind, token.text.split("'")[1] if "'" in token.text else token.text)

    # -- object paths

    def _path(self) -> Path:
        token = self._next()
        if token.kind not in ("identifier", "hyphenated"):
            self._at -= 1
            raise self._unexpected("an object path such as ipv4-addr:value, EXISTS or '('")
        self._take(":", "':' after the object type")
        steps: list[PathStep] = [self._key()]
        while True:
            if len(steps) > MAX_STEPS:
                raise _too_costly(f"has an object path of more than {MAX_STEPS} steps")
            if self._skip("."):
                steps.append(self._key())
            elif self._skip("["):
                steps.append(self._index())
            else:
                return Path(token.text, tuple(steps))

    def _key(self) -> str:
        token = self._next()
        if token.kind == "identifier":
            return token.text
        if token.kind == "string":
            return unescaped(token.text)
        self._at -= 1
        raise self._unexpected("a property (one with a hyphen, or named like a keyword, needs single quotes)")

    def _index(self) -> StepIndex:
        token = self._next()
        if token.kind not in ("*", "integer") or token.text.startswith("-"):
            self._at -= 1
            raise self._unexpected("'*' or an index from 0")
        self._take("]", "']'")
        return StepIndex(token.text)

    # -- tokens

    def _kind(self) -> str:
        return self._tokens[self._at].kind

    def _next(self) -> PatternToken:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _skip(self, kind: str) -> bool:
        if self._tokens[self._at].kind == kind:
            self._at += 1
            return True
        return False

    def _take(self, kind: str, expected: str) -> None:
        if self._tokens[self._at].kind != kind:
            raise self._unexpected(expected)
        self._at += 1

    def _unexpected(self, expected: str) -> PatternError:
        token = self._tokens[self._at]
        early = self._at > 0 and ends_too_early(self._tokens[self._at - 1], token)
        return syntax_error(self._pattern, token.at, expected, HOW_STRINGS_ARE_WRITTEN if early else "")

    def _descend(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _too_costly(f"nests parentheses more than {MAX_DEPTH} deep")


def _too_costly(what: str) -> PatternError:
    return PatternError(Code.PATTERN_TOO_COSTLY, f"The pattern {what}.")

"""Patterns for hypothesis: over a universe so small that they are true now and then, and in all sorts of spellings."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.patterns.reference import Observation

TYPES = ("x-one", "x-two")
_STRINGS = ("u", "v", "it's", "a\\b", "")
_TIMES = ("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2026-06-30T12:00:00.5Z")


def objects() -> st.SearchStrategy[dict[str, object]]:
    """One object: every property is there or not, of the type that the comparisons below expect."""
    return st.fixed_dictionaries(
        {"type": st.sampled_from(TYPES)},
        optional={
            "s": st.sampled_from(_STRINGS),
            "n": st.integers(0, 2),
            "f": st.sampled_from([0.5, 1.5]),
            "l": st.lists(st.integers(0, 2), max_size=3),
            "d": st.fixed_dictionaries({}, optional={"k-1": st.sampled_from(_STRINGS), "k2": st.integers(0, 2)}),
            "t": st.sampled_from(_TIMES),
            "b": st.booleans(),
        },
    )


def observations() -> st.SearchStrategy[list[Observation]]:
    """Up to four observations of up to two objects."""
    return st.lists(st.lists(objects(), min_size=1, max_size=2), min_size=1, max_size=4)


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


_strings = st.sampled_from(_STRINGS).map(_literal)
_integers = st.sampled_from(["0", "1", "2", "+1", "-0", "-1"])
_floats = st.sampled_from(["0.5", ".5", "00.50", "+1.5", "1.500"])
_times = st.sampled_from([*(f"t'{time}'" for time in _TIMES), "t'2026-01-01T00:00:00.000Z'"])
_booleans = st.sampled_from(["true", "false"])

_PROPERTIES = (
    ("s", _strings),
    ("'s'", _strings),
    ("n", _integers),
    ("f", _floats),
    ("l[*]", _integers),
    ("l[0]", _integers),
    ("l[ +1 ]", _integers),
    ("d.'k-1'", _strings),
    ("d.k2", _integers),
    ("d.'k2'", _integers),
    ("t", _times),
    ("b", _booleans),
)


@st.composite
def gaps(draw: st.DrawFn) -> str:
    """White space or a comment, or nothing, between two tokens that need none."""
    return draw(st.sampled_from(["", "", " ", " ", "\t", "\r\n", "\u3000", "/* x = ']' */", " // it's\n"]))


@st.composite
def comparisons(draw: st.DrawFn, kind: str) -> str:
    """One comparison of an object of ``kind``, with any operator that the matcher can evaluate."""
    path, constants = draw(st.sampled_from(_PROPERTIES))
    gap = draw(gaps())
    negation = draw(st.sampled_from(["", "", "", "NOT "]))
    operators = ["=", "==", "!=", "<>", "IN"]
    if constants is _integers or constants is _floats:
        operators += ["<", ">", "<=", ">="]
    if constants is _strings:
        operators += ["LIKE", "MATCHES"]
    operator = draw(st.sampled_from(operators))
    if operator == "IN":
        members = draw(st.lists(constants, min_size=1, max_size=3))
        return f"{kind}{gap}:{path} {negation}IN{gap}({f',{gap}'.join(members)}{gap})"
    if operator in ("LIKE", "MATCHES"):
        return (
            f"{kind}:{path} {negation}{operator} {draw(st.sampled_from([_literal('%'), _literal('u'), _literal('.')]))}"
        )
    return f"{kind}:{path} {negation}{gap}{operator}{gap}{draw(constants)}"


@st.composite
def expressions(draw: st.DrawFn, kind: str, depth: int = 2) -> str:
    """Comparisons of one kind of object, joined and in parentheses, needed or not."""
    if depth == 0 or draw(st.booleans()):
        text = draw(comparisons(kind))
    else:
        words = st.sampled_from([" AND ", " OR "])
        operands = draw(st.lists(expressions(kind, depth - 1), min_size=2, max_size=3))
        text = operands[0]
        for operand in operands[1:]:
            text += draw(words) + operand
    return f"({draw(gaps())}{text})" if draw(st.booleans()) and depth else text


@st.composite
def mixed_expressions(draw: st.DrawFn) -> str:
    """Comparisons of one kind of object, or of two joined by OR (AND of two kinds is meaningless)."""
    text = draw(expressions(draw(st.sampled_from(TYPES))))
    if draw(st.integers(0, 3)) == 0:
        text += " OR " + draw(expressions(draw(st.sampled_from(TYPES)), 1))
    return text


_QUALIFIERS = (
    "",
    "",
    "",
    " WITHIN 2 SECONDS",
    " WITHIN 1.50 SECONDS",
    " REPEATS 2 TIMES",
    " REPEATS +1 TIMES",
    " START t'2026-01-01T00:00:00Z' STOP t'2026-01-01T00:00:02.000Z'",
    " REPEATS 2 TIMES WITHIN 3 SECONDS",
)


@st.composite
def patterns(draw: st.DrawFn, depth: int = 2) -> str:
    """A whole pattern that both the hub and the reference take."""
    if depth == 0 or draw(st.booleans()):
        gap = draw(gaps())
        text = f"[{gap}{draw(mixed_expressions())}{gap}]"
    else:
        words = st.sampled_from([" AND ", " OR ", " OR ", " FOLLOWEDBY "])
        operands = draw(st.lists(patterns(depth - 1), min_size=2, max_size=3))
        text = operands[0]
        for operand in operands[1:]:
            text += draw(words) + operand
        if draw(st.booleans()):
            text = f"({text})"
    qualifier = draw(st.sampled_from(_QUALIFIERS))
    return f"({text}){qualifier}" if qualifier else text

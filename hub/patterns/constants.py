"""Canonical form of constants. Text is rearranged, never converted: no precision is lost, long numbers cost little."""

from __future__ import annotations

import base64

from hub.model.problems import Code, cut
from hub.patterns.ast import Constant, ConstantKind
from hub.patterns.tokens import PatternError

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def normal_constant(constant: Constant) -> Constant:
    """The constant in its canonical spelling. Raises PatternError for a date that does not exist.

    Integers and floats stay different kinds (STIX 2.1, section 9.2), and so do hex and binary: an evaluator may
    distinguish them, and the hub never merges what an evaluator may distinguish.
    """
    text = _NORMAL[constant.kind](constant.text)
    return constant if text == constant.text else Constant(constant.kind, text)


def written(constant: Constant) -> str:
    """The constant as written in a pattern."""
    match constant.kind:
        case ConstantKind.STRING:
            return quoted(constant.text)
        case ConstantKind.TIMESTAMP:
            return f"t'{constant.text}'"
        case ConstantKind.HEX:
            return f"h'{constant.text}'"
        case ConstantKind.BINARY:
            return f"b'{constant.text}'"
        case ConstantKind.INTEGER | ConstantKind.FLOAT | ConstantKind.BOOLEAN:
            return constant.text


def quoted(text: str) -> str:
    r"""A string literal for ``text``: in single quotes, with only ``\`` and ``'`` escaped.

    >>> quoted("it's")
    "'it\\'s'"
    """
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "'" in text:
        text = text.replace("'", "\\'")
    return f"'{text}'"


def _same(text: str) -> str:
    return text


def _integer(text: str) -> str:
    digits = text.removeprefix("+")
    return "0" if digits == "-0" else digits


def _float(text: str) -> str:
    sign = "-" if text.startswith("-") else ""
    whole, _, fraction = text.lstrip("+-").partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0") or "0"
    return f"{'' if (whole, fraction) == ('0', '0') else sign}{whole}.{fraction}"


def _binary(text: str) -> str:
    # The last character may contain bits that belong to no byte: 'aGl=' and 'aGk=' are the same two bytes.
    return base64.b64encode(base64.b64decode(text)).decode("ascii")


def _timestamp(text: str) -> str:
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _DAYS[month - 1] or (month == 2 and day == 29 and not leap):
        raise PatternError(Code.PATTERN_MEANINGLESS, f"The pattern has a date that does not exist: {cut(text)}.")
    if "." not in text:
        return text
    return text[:-1].rstrip("0").rstrip(".") + "Z"


_NORMAL = {
    ConstantKind.STRING: _same,
    ConstantKind.BOOLEAN: _same,
    ConstantKind.INTEGER: _integer,
    ConstantKind.FLOAT: _float,
    ConstantKind.HEX: str.lower,
    ConstantKind.BINARY: _binary,
    ConstantKind.TIMESTAMP: _timestamp,
}

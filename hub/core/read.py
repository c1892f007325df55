"""Parses bytes into one JSON object. Independent of STIX.

Refuses input that other parsers accept but read differently: duplicate keys (the second could bypass a check of the
first marking), NaN, and numbers that a double cannot hold.
"""

from __future__ import annotations

import codecs
import math
import re
from typing import Any

import jiter

from hub.model.problems import Code, Problem, cut
from hub.model.words import Limits, StixObject

_BOM = codecs.BOM_UTF8
_LARGEST_INTEGER = 2**53 - 1
"""STIX 2.1, section 2.8: integers MUST fit a signed 54-bit value, which a double holds exactly."""

_POSITION = re.compile(r" at line (\d+) column (\d+)$")
_NOT_A_NUMBER = (b"NaN", b"Infinity", b"-Infinity", b"nan", b"inf")
_DUPLICATE_KEY = re.compile(r'Detected duplicate key ("(?:[^"\\]|\\.)*")')


def read(value: bytes, limits: Limits) -> StixObject | Problem:
    """The JSON object in ``value``, or the problem that refuses it. ``value`` is UTF-8; a byte order mark is skipped.

    Whole numbers written with a fraction (``85.0``) become integers: JSON does not distinguish them, and equal claims
    must be equal. Source: RFC 8259; RFC 7493 (I-JSON) for duplicate keys and the range of numbers; STIX 2.1, section 2.
    """
    if len(value) > limits.object_bytes:
        return Problem(Code.OBJECT_TOO_LARGE, "", _too_large(len(value), limits.object_bytes))
    try:
        obj = jiter.from_json(value, catch_duplicate_keys=True, allow_inf_nan=False, cache_mode="keys")
    except ValueError as error:
        if value.startswith(_BOM):
            return read(value[len(_BOM) :], limits)
        return malformed(value, str(error))
    if type(obj) is not dict:
        return Problem(Code.JSON_NOT_OBJECT, "", f"A STIX object is a JSON object, not {_json_type(obj)}.")
    if value.count(b"{") + value.count(b"[") > limits.nesting and (deep := _too_deep(obj, limits.nesting)):
        return Problem(Code.JSON_NESTING, deep, f"Lists and objects are nested more than {limits.nesting} deep.")
    return _numbers_in(obj) or obj


def malformed(value: bytes, error: str) -> Problem:
    """Translates an error of the parser into a problem, with the position in the text."""
    place = _POSITION.search(error)
    where = f" (line {place[1]}, column {place[2]})" if place else ""
    if duplicate := _DUPLICATE_KEY.search(error):
        says = f"The key {cut(duplicate[1][1:-1])} occurs twice in one object{where}; keep one of them."
        return Problem(Code.JSON_DUPLICATE_KEY, "", says)
    if "recursion limit" in error:
        return Problem(Code.JSON_NESTING, "", f"Lists and objects are nested far too deep{where}.")
    if "surrogate" in error or "hex escape" in error or not _is_utf8(value):
        says = f"The text is not UTF-8, or holds half of a surrogate pair{where}; send JSON in UTF-8."
        return Problem(Code.JSON_NOT_UTF8, "", says)
    if "number out of range" in error or _starts_no_number(value, place):
        return Problem(Code.JSON_NUMBER, "", f"JSON has no such number{where}; NaN and Infinity are not JSON.")
    if not value.strip():
        return Problem(Code.RECORD_EMPTY, "", "The text is empty; send one STIX object.")
    what = _POSITION.sub("", error)
    hint = "; send one object at a time" if "trailing characters" in error else ""
    return Problem(Code.JSON_MALFORMED, "", f"This is not JSON: {what}{where}{hint}.")


def _starts_no_number(value: bytes, place: re.Match[str] | None) -> bool:
    if place is None:
        return False
    lines = value.split(b"\n", int(place[1]))
    line = lines[min(int(place[1]), len(lines)) - 1]
    at = max(int(place[2]) - 1, 0)
    return any(line.startswith(word, at) or line.startswith(word, at - 1) for word in _NOT_A_NUMBER)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _too_deep(obj: StixObject, limit: int) -> str | None:
    """The JSON pointer of the first container nested deeper than ``limit``; the object itself is the first level."""
    level: list[tuple[str, Any]] = [("", obj)]
    for _ in range(limit):
        inside = ((f"{at}/{key}", value) for at, holder in level for key, value in _items(holder))
        level = [(at, value) for at, value in inside if type(value) is dict or type(value) is list]
        if not level:
            return None
    return level[0][0]


def _items(holder: Any) -> list[tuple[str, Any]]:
    if type(holder) is dict:
        return [(key.replace("~", "~0").replace("/", "~1"), value) for key, value in holder.items()]
    return [(str(index), value) for index, value in enumerate(holder)]


def _numbers_in(obj: StixObject) -> Problem | None:
    """The first number that JSON parsers read differently; None if there is none. Converts whole floats to integers."""
    holders: list[Any] = [obj]
    for holder in holders:
        for key, value in holder.items() if type(holder) is dict else enumerate(holder):
            kind = type(value)
            if kind is str:
                continue
            if kind is dict or kind is list:
                holders.append(value)
            elif kind is float:
                if not math.isfinite(value):
                    return _out_of_range(key)
                if value.is_integer() and abs(value) <= _LARGEST_INTEGER:
                    holder[key] = int(value)
            elif kind is int and not -_LARGEST_INTEGER <= value <= _LARGEST_INTEGER:
                return _out_of_range(key)
    return None


def _out_of_range(key: object) -> Problem:
    says = f"A number under {cut(key)} is beyond what JSON readers agree on (integers to 2^53 - 1); send it as text."
    return Problem(Code.JSON_NUMBER, "", says)


def _json_type(value: object) -> str:
    names = {list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _too_large(size_bytes: int, limit_bytes: int) -> str:
    return f"The object has {size_bytes:,} bytes, the limit is {limit_bytes:,}; shorten it or split it."

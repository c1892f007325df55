"""Parses option values: sizes, durations, lists of words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

_SIZE = re.compile(r"([\d_,]+)\s*(B|KiB|MiB|GiB)?", re.ASCII | re.IGNORECASE)
_SIZE_UNITS = {"b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_SPAN = re.compile(r"(\d+)\s*(s|min|h|d)?", re.ASCII | re.IGNORECASE)
_SPAN_UNITS_S = {"s": 1, "min": 60, "h": 3_600, "d": 86_400}


def _size(said: object) -> object:
    """``1 MiB``, ``64MiB``, ``100,000`` or a plain number."""
    found = _SIZE.fullmatch(said.strip()) if isinstance(said, str) else None
    if found is None:
        return said
    return int(re.sub("[_,]", "", found[1])) * _SIZE_UNITS[(found[2] or "B").lower()]


def _span(said: object) -> object:
    """``10 min``, ``600 s``, ``2h`` or a plain number of seconds."""
    found = _SPAN.fullmatch(said.strip()) if isinstance(said, str) else None
    if found is None:
        return timedelta(seconds=said) if isinstance(said, int) else said
    return timedelta(seconds=int(found[1]) * _SPAN_UNITS_S[(found[2] or "s").lower()])


def _words(said: object) -> object:
    """A list, or words separated by commas."""
    return tuple(word for word in re.split(r"[\s,]+", said) if word) if isinstance(said, str) else said


def _upper(said: object) -> object:
    return said.upper() if isinstance(said, str) else said


def lower(said: object) -> object:
    """Text in lower case."""
    return said.lower() if isinstance(said, str) else said


def _network(said: object) -> object:
    """``10.1.0.0/16``, or an address."""
    try:
        return ip_network(said) if isinstance(said, str) else said
    except ValueError as error:
        raise ValueError(f"it looks like 10.1.0.0/16; {error}") from None


@dataclass(frozen=True, slots=True)
class SqliteAt:
    """The store is a file."""

    path: Path


@dataclass(frozen=True, slots=True, repr=False)
class PostgresAt:
    """The store is a PostgreSQL database. Its address may contain a password, so it has no ``repr``."""

    url: str


Size = Annotated[int, BeforeValidator(_size), Field(gt=0)]
WholeNumber = Annotated[int, BeforeValidator(_size), Field(ge=0)]
PositiveCount = Annotated[int, BeforeValidator(_size), Field(gt=0)]
Duration = Annotated[timedelta, BeforeValidator(_span), Field(ge=timedelta(0))]
Timeout = Annotated[timedelta, BeforeValidator(_span), Field(ge=timedelta(seconds=1), le=timedelta(hours=1))]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]
_Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(_network)]
Networks = Annotated[tuple[_Network, ...], NoDecode, BeforeValidator(_words)]
SecurityProtocol = Annotated[Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper)]

"""Quotas of users on Kafka: how much a principal may produce and consume, so that none slows down the others.

No Python library sets them, so this module defines the two protocol requests (AlterClientQuotas and
DescribeClientQuotas, version 0). The broker slows down a client over its quota; the client gets no error.
Source: Apache Kafka protocol guide, API keys 48 and 49.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int8, Int16, Int32, Schema, String

from hub.log.kafka_connection import KafkaConnection
from hub.model.errors import Broken
from hub.registry.kafka_ask import ask

PRODUCE = "producer_byte_rate"
CONSUME = "consumer_byte_rate"
ANY_NAMED = 2
"""In DescribeClientQuotas: all named entities of the type."""

_TEXT = String("utf-8")
_ENTITY = Array(("entity_type", _TEXT), ("entity_name", _TEXT))


class _AlterResponse(Response):  # type: ignore[misc] # the library has no types
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error_message", _TEXT), ("entity", _ENTITY))),
    )


class _AlterStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = _AlterResponse
    SCHEMA = Schema(
        (
            "entries",
            Array(("entity", _ENTITY), ("ops", Array(("key", _TEXT), ("value", Float64), ("remove", Boolean)))),
        ),
        ("validate_only", Boolean),
    )


class _Alter(Request[_AlterStruct]):  # type: ignore[misc]
    API_KEY = 49

    def __init__(self, entries: Sequence[Any]) -> None:
        self._entries = entries

    def build(self, request_struct_class: type[_AlterStruct]) -> _AlterStruct:
        return request_struct_class(self._entries, False)


class _DescribeResponse(Response):  # type: ignore[misc]
    API_KEY = 48
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", _TEXT),
        ("entries", Array(("entity", _ENTITY), ("values", Array(("key", _TEXT), ("value", Float64))))),
    )


class _DescribeStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 48
    API_VERSION = 0
    RESPONSE_TYPE = _DescribeResponse
    SCHEMA = Schema(
        ("components", Array(("entity_type", _TEXT), ("match_type", Int8), ("match", _TEXT))), ("strict", Boolean)
    )


class _Describe(Request[_DescribeStruct]):  # type: ignore[misc]
    API_KEY = 48

    def build(self, request_struct_class: type[_DescribeStruct]) -> _DescribeStruct:
        return request_struct_class([("user", ANY_NAMED, None)], True)


Quotas = Mapping[str, float | None]
"""``PRODUCE`` and ``CONSUME`` in bytes per second and broker; None: no limit."""

DEFAULT_QUOTAS: Quotas = {PRODUCE: 16 << 20, CONSUME: 32 << 20}
"""About 25,000 indicators a second in and 50,000 out per principal: far above need, less than a network link."""


async def read_quotas(connection: KafkaConnection) -> dict[str, Quotas]:
    """Returns the quotas of every user that has any. Raises TryAgain, Broken."""
    answer = await ask(connection, _Describe())
    _check(answer.error_code, answer.error_message)
    return {entity[0][1]: dict(values) for entity, values in answer.entries or ()}


async def set_quotas(connection: KafkaConnection, users: Collection[str], quotas: Quotas) -> None:
    """Set the quotas of these users. Raises TryAgain, Broken."""
    ops = [(key, rate or 0.0, rate is None) for key, rate in quotas.items()]
    answer = await ask(connection, _Alter([([("user", user)], ops) for user in sorted(users)]))
    for code, message, _ in answer.entries:
        _check(code, message)


def _check(code: int, message: str | None) -> None:
    if code:
        said = message or for_code(code).__name__
        raise Broken(
            "broker.not-allowed",
            f"Kafka does not let the hub set or read quotas: {said}.",
            "Give its administrator ALTER_CONFIGS and DESCRIBE_CONFIGS on the cluster; it works without quotas too.",
        )

"""The users with a SCRAM-SHA-512 password on Kafka.

confluent-kafka can list them too, but it ends the whole process when the brokers refuse (seen in 2.16). So this module
defines the protocol request (DescribeUserScramCredentials, version 0).
Source: Apache Kafka protocol guide, API key 50.
"""

from __future__ import annotations

from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactArray, CompactString, Int8, Int16, Int32, Schema, TaggedFields

from hub.log.kafka_connection import KafkaConnection
from hub.model.errors import Broken
from hub.registry.kafka_ask import ask

SCRAM_SHA_512 = 2
NO_SUCH_USER = 91
_TEXT = CompactString("utf-8")


class _DescribeResponse(Response):  # type: ignore[misc] # the library has no types
    API_KEY = 50
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", _TEXT),
        (
            "results",
            CompactArray(
                ("user", _TEXT),
                ("error_code", Int16),
                ("error_message", _TEXT),
                ("infos", CompactArray(("mechanism", Int8), ("iterations", Int32), ("tags", TaggedFields))),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _DescribeStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 50
    API_VERSION = 0
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _DescribeResponse
    SCHEMA = Schema(("users", CompactArray(("name", _TEXT), ("tags", TaggedFields))), ("tags", TaggedFields))


class _Describe(Request[_DescribeStruct]):  # type: ignore[misc]
    API_KEY = 50

    def build(self, request_struct_class: type[_DescribeStruct]) -> _DescribeStruct:
        return request_struct_class([], {})  # empty means all; with null, brokers fail instead of refusing


async def read_users(connection: KafkaConnection) -> frozenset[str]:
    """Returns the names of all such users. Raises TryAgain, Broken."""
    answer = await ask(connection, _Describe())
    if answer.error_code not in (0, NO_SUCH_USER):
        said = answer.error_message or for_code(answer.error_code).__name__
        raise Broken(
            "broker.not-allowed",
            f"Kafka does not tell the hub which users it has: {said}.",
            "Give the user of KAFKA_ADMIN_USERNAME DESCRIBE on the cluster.",
        )
    return frozenset(
        user
        for user, code, _, infos, _ in answer.results or ()
        if not code and any(mechanism == SCRAM_SHA_512 for mechanism, *_ in infos)
    )

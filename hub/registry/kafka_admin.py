"""Administration of Kafka with confluent-kafka's AdminClient: topics, users and grants as plain values.

Only this module uses that library. Its functions block, so call them in a thread. They raise errors of the hub.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from hub.model.errors import Broken, HubError, TryAgain
from hub.model.principals import PLACEHOLDER_USER
from hub.registry.acls import Acl, Operation, Resource

ANSWER_WITHIN_S = 10.0
CONNECT_WITHIN_S = 3.0
"""The limit for a connection, in seconds. Until then the library retries, also when brokers refuse the password."""
SCRAM_ITERATIONS = 4096
"""Kafka's minimum. More iterations would not make a token safer, as it has 256 random bits."""

NO_SUCH_USER = KafkaError.RESOURCE_NOT_FOUND

_RESOURCES = {
    Resource.TOPIC: ResourceType.TOPIC,
    Resource.GROUP: ResourceType.GROUP,
    Resource.TRANSACTION: ResourceType.TRANSACTIONAL_ID,
}
_OPERATIONS = {
    Operation.READ: AclOperation.READ,
    Operation.WRITE: AclOperation.WRITE,
    Operation.CREATE: AclOperation.CREATE,
    Operation.DELETE: AclOperation.DELETE,
}
_NOT_KNOWN = frozenset({KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._AUTHENTICATION})
_NOT_ALLOWED = frozenset(
    {
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.DELEGATION_TOKEN_AUTHORIZATION_FAILED,
    }
)
_BY_THE_SETTINGS = {
    KafkaError.INVALID_REPLICATION_FACTOR: ("broker.replication", "Set KAFKA_REPLICATION."),
    KafkaError.POLICY_VIOLATION: (
        "broker.settings-refused",
        "Make or change the topic yourself, with the settings of docs/kafka.md as far as these brokers allow them.",
    ),
    KafkaError.TOPIC_DELETION_DISABLED: (
        "broker.no-deletion",
        "Set delete.topic.enable to true, or leave the topic where it is: nobody may read it any more.",
    ),
    KafkaError.UNSUPPORTED_VERSION: (
        "broker.too-old",
        "Use Kafka 4, or make users and grants with the tools of whoever runs these brokers.",
    ),
    KafkaError.UNSUPPORTED_SASL_MECHANISM: (
        "broker.no-scram",
        "Let the brokers take SCRAM-SHA-512 (sasl.enabled.mechanisms).",
    ),
}
"""Errors that are caused by settings of the brokers: the code and what to do."""
_BY_THE_SETTINGS[KafkaError.INVALID_CONFIG] = _BY_THE_SETTINGS[KafkaError.POLICY_VIOLATION]


@dataclass(frozen=True, slots=True)
class TopicState:
    """The state of a topic on the brokers."""

    partitions: int
    replication: int
    settings: Mapping[str, str] | None
    """None if they cannot be read."""


@dataclass(frozen=True, slots=True)
class Grants:
    """All grants on the brokers: as ``Acl`` values where possible, the others as sentences."""

    allowed: frozenset[Acl]
    other: tuple[str, ...]


class KafkaAdmin:
    """An admin client that connects when first used. Methods raise TryAgain when no broker answers, Broken when one
    refuses.
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = options
        self._client: AdminClient | None = None
        self._refused = False
        self._has_placeholder = False

    def broker_count(self) -> int:
        """Returns the number of brokers."""
        with self._told_plainly("DESCRIBE on the cluster") as admin:
            return len(admin.list_topics(timeout=ANSWER_WITHIN_S).brokers)

    def topics(self, prefixes: Collection[str]) -> dict[str, TopicState]:
        """Returns the topics whose names begin with one of ``prefixes``, by name."""
        with self._told_plainly("DESCRIBE on the topics") as admin:
            listed = admin.list_topics(timeout=ANSWER_WITHIN_S).topics
            found = {name: topic for name, topic in listed.items() if name.startswith(tuple(prefixes))}
            settings = _settings_of(admin, found)
        return {
            name: TopicState(
                len(topic.partitions), min(len(at.replicas) for at in topic.partitions.values()), settings[name]
            )
            for name, topic in found.items()
        }

    def create_topic(self, name: str, *, partitions: int, replication: int, settings: Mapping[str, str]) -> None:
        """Create a topic; an existing one is not changed."""
        with self._told_plainly(f"CREATE on the topic {name}") as admin:
            topic = NewTopic(name, partitions, replication, config=dict(settings))
            _settle(admin.create_topics([topic], request_timeout=ANSWER_WITHIN_S), KafkaError.TOPIC_ALREADY_EXISTS)

    def set_settings(self, name: str, settings: Mapping[str, str]) -> None:
        """Change only these settings of a topic."""
        entries = [
            ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
            for setting, value in settings.items()
        ]
        with self._told_plainly(f"ALTER_CONFIGS on the topic {name}") as admin:
            resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
            _settle(admin.incremental_alter_configs([resource], request_timeout=ANSWER_WITHIN_S))

    def delete_topic(self, name: str) -> None:
        """Delete a topic if it exists."""
        with self._told_plainly(f"DELETE on the topic {name}") as admin:
            futures = admin.delete_topics([name], request_timeout=ANSWER_WITHIN_S)
            _settle(futures, KafkaError.UNKNOWN_TOPIC_OR_PART)

    def set_password(self, user: str, password: str) -> None:
        """Create a user or change its password; before the first, make the placeholder user."""
        self._make_placeholder_once()
        with self._told_plainly("ALTER on the cluster") as admin:
            _set_password(admin, user, password)

    def make_placeholder_user(self) -> None:
        """Create the placeholder user, or give it another password."""
        with self._told_plainly("ALTER on the cluster") as admin:
            _set_password(admin, PLACEHOLDER_USER, secrets.token_urlsafe())
        self._has_placeholder = True

    def remove_passwords(self, users: Iterable[str]) -> None:
        """Remove the passwords of users; one without a password is passed over. Before the first, make the placeholder
        user: a cluster whose users were made by others, or by an older hub, does not have it.
        """
        deletions = [UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512) for user in sorted(users)]
        if deletions:
            self._make_placeholder_once()
            with self._told_plainly("ALTER on the cluster") as admin:
                futures = admin.alter_user_scram_credentials(deletions, request_timeout=ANSWER_WITHIN_S)
                _settle(futures, NO_SUCH_USER)

    def grants(self) -> Grants:
        """Returns all grants on the brokers. Raises Broken if the brokers have no authorizer."""
        everything = AclBindingFilter(
            ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
        )
        with self._told_plainly("DESCRIBE and ALTER on the cluster") as admin:
            bindings = admin.describe_acls(everything, request_timeout=ANSWER_WITHIN_S).result()
            if not bindings:
                _ensure_enforced(admin)
        said = [(binding, _acl_of(binding)) for binding in bindings]
        return Grants(
            frozenset(acl for _, acl in said if acl is not None),
            tuple(sorted(_sentence(binding) for binding, acl in said if acl is None)),
        )

    def add_grants(self, acls: Iterable[Acl]) -> None:
        """Add these grants."""
        bindings = [_binding_of(acl) for acl in sorted(acls)]
        if bindings:
            with self._told_plainly("ALTER on the cluster") as admin:
                _settle(admin.create_acls(bindings, request_timeout=ANSWER_WITHIN_S))

    def remove_grants(self, acls: Iterable[Acl]) -> None:
        """Remove these grants."""
        filters = [_filter_of(acl) for acl in sorted(acls)]
        if filters:
            with self._told_plainly("ALTER on the cluster") as admin:
                _settle(admin.delete_acls(filters, request_timeout=ANSWER_WITHIN_S))

    def _make_placeholder_once(self) -> None:
        if not self._has_placeholder:
            self.make_placeholder_user()

    @contextmanager
    def _told_plainly(self, right: str) -> Iterator[AdminClient]:
        """Gives the connected client; errors become the hub's. ``right`` is what the administrator needs."""
        self._refused = False
        options = {**self._options, "error_cb": self._note, "log_level": 2}
        # not "or": a client without pending requests has the length 0
        client = AdminClient(options, logger=logging.getLogger(__name__)) if self._client is None else self._client
        try:
            if self._client is None:
                client.list_topics(timeout=CONNECT_WITHIN_S)
                self._client = client
            yield client
        except KafkaException as error:
            client.poll(0)  # makes the library report why it could not connect
            raise _hub_error(error.args[0], right, unknown=self._refused) from error

    def _note(self, error: KafkaError) -> None:
        self._refused = self._refused or error.code() in _NOT_KNOWN


def _set_password(admin: AdminClient, user: str, password: str) -> None:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS)
    upsertion = UserScramCredentialUpsertion(user, info, password.encode())
    _settle(admin.alter_user_scram_credentials([upsertion], request_timeout=ANSWER_WITHIN_S))


def _settings_of(admin: AdminClient, topics: Collection[str]) -> dict[str, dict[str, str] | None]:
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in topics]
    described = admin.describe_configs(resources, request_timeout=ANSWER_WITHIN_S) if resources else {}
    return {resource.name: _settings_in(future) for resource, future in described.items()}


def _settings_in(future: Future[Any]) -> dict[str, str] | None:
    try:
        return {setting: entry.value for setting, entry in future.result().items()}
    except KafkaException as error:
        if error.args[0].code() not in _NOT_ALLOWED:
            raise
        return None


def _ensure_enforced(admin: AdminClient) -> None:
    """Raises if there is no authorizer, or no right to list grants: the library returns an empty list in both cases.
    The removal of a grant that does not exist reports the error.
    """
    nobody = AclBindingFilter(
        ResourceType.GROUP, "_ctihub.nobody", ResourcePatternType.LITERAL, "User:_ctihub.nobody", "*",
        AclOperation.READ, AclPermissionType.ALLOW,
    )  # fmt: skip
    _settle(admin.delete_acls([nobody], request_timeout=ANSWER_WITHIN_S))


def _settle(futures: Mapping[Any, Future[Any]], *passed_over: int) -> None:
    """Wait for all; raises the first failure whose code is not in ``passed_over``."""
    failures = [error for future in futures.values() if (error := future.exception()) is not None]
    for failure in failures:
        if not isinstance(failure, KafkaException) or failure.args[0].code() not in passed_over:
            raise failure


def _binding_of(acl: Acl) -> AclBinding:
    return AclBinding(*_pattern(acl), f"User:{acl.user}", acl.host, _OPERATIONS[acl.operation], AclPermissionType.ALLOW)


def _filter_of(acl: Acl) -> AclBindingFilter:
    return AclBindingFilter(
        *_pattern(acl), f"User:{acl.user}", acl.host, _OPERATIONS[acl.operation], AclPermissionType.ALLOW
    )


def _pattern(acl: Acl) -> tuple[ResourceType, str, ResourcePatternType]:
    pattern = ResourcePatternType.PREFIXED if acl.prefixed else ResourcePatternType.LITERAL
    return _RESOURCES[acl.resource], acl.name, pattern


def _acl_of(binding: AclBinding) -> Acl | None:
    """Converts a grant; None for those the hub never makes: a denial, another kind of resource or right."""
    resources = {theirs: ours for ours, theirs in _RESOURCES.items()}
    operations = {theirs: ours for ours, theirs in _OPERATIONS.items()}
    if (
        binding.permission_type is not AclPermissionType.ALLOW
        or binding.restype not in resources
        or binding.operation not in operations
    ):
        return None
    prefixed = binding.resource_pattern_type is ResourcePatternType.PREFIXED
    user = binding.principal.removeprefix("User:")
    return Acl(user, operations[binding.operation], resources[binding.restype], binding.name, prefixed, binding.host)


def _sentence(binding: AclBinding) -> str:
    right = f"{binding.permission_type.name.lower()}s {binding.principal} {binding.operation.name}"
    return f"{right} on {binding.restype.name} {binding.name} from {binding.host}"


def _hub_error(error: KafkaError, right: str, *, unknown: bool) -> HubError:
    if error.code() == KafkaError.SECURITY_DISABLED:
        return Broken(
            "broker.open",
            "These brokers enforce no grants: anyone who reaches them may read and write everything.",
            "Configure an authorizer and SASL, as deploy/kafka/server.properties does.",
        )
    if unknown or error.code() in _NOT_KNOWN:
        return Broken(
            "broker.not-allowed",
            f"Kafka does not know the hub's administrator: {error.str()}.",
            "Check KAFKA_ADMIN_USERNAME and KAFKA_ADMIN_PASSWORD.",
        )
    if error.code() in _NOT_ALLOWED:
        return Broken(
            "broker.not-allowed",
            f"Kafka does not let the hub administer it: {error.str()}.",
            f"Give the user of KAFKA_ADMIN_USERNAME {right}, or do it yourself: docs/kafka.md says what is needed.",
        )
    if error.code() in _BY_THE_SETTINGS:
        code, way_out = _BY_THE_SETTINGS[error.code()]
        return Broken(code, f"Kafka refuses: {error.str()}.", way_out)
    return TryAgain("broker.away", f"Kafka does not answer: {error.str()}.", retry_after_s=5)

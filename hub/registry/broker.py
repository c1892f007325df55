"""Kafka as the registry's broker: creates, compares and repairs topics, users and grants as the registry requires."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TypeVar

from hub.log.kafka_connection import KafkaConnection, told_plainly
from hub.log.kafka_needs import brokers_of, judged
from hub.log.kafka_topics import COLLECTION_PREFIX, PREFIXES, REJECTED_PREFIX, fits, settings_of
from hub.log.port import INTAKE_PREFIX
from hub.model.errors import Broken
from hub.model.event_log import MEMBERS_TOPIC
from hub.model.principals import PLACEHOLDER_USER
from hub.model.tokens import SEPARATOR
from hub.model.words import CollectionName, SourceName
from hub.registry.acls import Acl, Resource, acls_of, acls_of_the_hub
from hub.registry.kafka_admin import Grants, KafkaAdmin, TopicState
from hub.registry.kafka_quotas import DEFAULT_QUOTAS, Quotas, read_quotas, set_quotas
from hub.registry.kafka_users import read_users
from hub.registry.port import NO_GRANTS, BrokerDifference, Entitlement, Entitlements
from hub.registry.tokens import Token

T = TypeVar("T")


class KafkaBroker:
    """A ``Broker`` over the operator's Kafka. ``username`` administers it; ``hub_username`` is the hub's own user."""

    def __init__(
        self,
        bootstrap: str,
        *,
        security_protocol: str = "SASL_SSL",
        username: str | None = None,
        password: str | None = None,
        ca_file: str | None = None,
        hub_username: str | None = None,
        partitions: int = 1,
        replication: int | None = None,
        quotas: Quotas = DEFAULT_QUOTAS,
    ) -> None:
        options = {"bootstrap.servers": bootstrap, "security.protocol": security_protocol}
        if username is not None:
            options |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": username, "sasl.password": password or ""}
        if ca_file is not None:
            options["ssl.ca.location"] = ca_file
        self._admin = KafkaAdmin(options)
        self._connection = partial(
            KafkaConnection.of,
            bootstrap,
            security_protocol=security_protocol,
            username=username,
            password=password,
            ca_file=ca_file,
        )
        self._quotas = quotas
        own = (username, hub_username, PLACEHOLDER_USER)
        self._own = frozenset(name for name in own if name is not None)
        self._hub = hub_username if hub_username != username else None
        self._partitions = partitions
        self._replication = replication

    async def set_password(self, name: str, token: Token) -> None:
        """See ``Broker.set_password``."""
        self._refuse_own(name)
        await _in_thread(lambda: self._admin.set_password(name, token))

    async def make_topics(self, centres: Collection[SourceName], collections: Collection[CollectionName]) -> None:
        """See ``Broker.make_topics``."""
        await _in_thread(lambda: self._make_topics(_topics(centres, collections)))

    async def grant(self, entitlements: Sequence[Entitlement]) -> None:
        """See ``Broker.grant``. Grants are removed before others are added, so that no one has both at a time."""
        for entitlement in entitlements:
            self._refuse_own(entitlement.name)
        await _in_thread(lambda: self._grant({entitlement.name: acls_of(entitlement) for entitlement in entitlements}))
        with suppress(Broken):  # brokers that let the hub set none work without them; doctor says so
            await set_quotas(await self._connection(), [entitlement.name for entitlement in entitlements], self._quotas)

    async def remove_users(self, names: Collection[str]) -> None:
        """See ``Broker.remove_users``. Without an authorizer there are no grants, but passwords."""
        for name in names:
            self._refuse_own(name)
        await _in_thread(lambda: self._remove_users(frozenset(names)))

    async def remove_collection(self, name: CollectionName) -> None:
        """See ``Broker.remove_collection``."""
        await _in_thread(lambda: self._remove_collection(COLLECTION_PREFIX + name))

    async def compare(self, wanted: Entitlements) -> Sequence[BrokerDifference]:
        """See ``Broker.compare``. Where reading is not allowed, the result has a note; the rest is compared."""
        topics = await _in_thread(lambda: self._admin.topics(PREFIXES))
        return [
            *self._topic_differences(wanted, topics),
            *await self._user_differences(wanted),
            *await _in_thread(lambda: list(self._grant_differences(wanted))),
            *await self._quota_differences(wanted),
            *await self._settings_differences(),
        ]

    async def repair(self, wanted: Entitlements) -> Sequence[BrokerDifference]:
        """See ``Broker.repair``. Changes that the brokers refuse remain in the result, with the missing rights."""
        refusals = (await _in_thread(lambda: self._repair(wanted)), await self._repair_users(wanted))
        with suppress(Broken):
            if without := await self._without_quotas(wanted):
                await set_quotas(await self._connection(), without, self._quotas)
        left = await self.compare(wanted)
        refusal = next((each for each in refusals if each is not None), None)
        if refusal is None:
            return left
        return [replace(each, repairable=False, way_out=refusal.way_out) if each.repairable else each for each in left]

    async def close(self) -> None:
        """See ``Broker.close``. The library closes its connections when the object is deleted."""

    async def _user_differences(self, wanted: Entitlements) -> list[BrokerDifference]:
        try:
            users = await read_users(await self._connection())
        except Broken as error:
            return [_unchecked("Users", error)]
        wrong = [f"The user {user} belongs to no token." for user in sorted(self._surplus_users(wanted, users))]
        if PLACEHOLDER_USER not in users:
            wrong.append(f"There is no user {PLACEHOLDER_USER}, without which brokers can lose all others.")
        return [
            *self._missing_users(wanted, users),
            *(BrokerDifference(says, repairable=True) for says in wrong),
        ]

    async def _repair_users(self, wanted: Entitlements) -> Broken | None:
        """Returns the refusal of the brokers to change users; None if they do not tell which they have."""
        try:
            users = await read_users(await self._connection())
        except Broken:
            return None
        try:
            if PLACEHOLDER_USER not in users:
                await _in_thread(self._admin.make_placeholder_user)
            await _in_thread(lambda: self._admin.remove_passwords(self._surplus_users(wanted, users)))
        except Broken as refusal:
            return refusal
        return None

    def _surplus_users(self, wanted: Entitlements, users: frozenset[str]) -> frozenset[str]:
        """Returns the users of removed tokens: they have a point after the name of a principal."""
        known = _known(wanted)
        return frozenset(user for user in users - known if _is_token_of(user, known)) - self._own

    def _missing_users(self, wanted: Entitlements, users: frozenset[str]) -> Iterator[BrokerDifference]:
        for principal in wanted.principals:
            if principal.name in self._own:
                way_out = "Give the hub's users on the brokers other names, such as ctihub_admin."
                yield BrokerDifference(
                    f"{principal.kind} {principal.name} has the name of a user of the hub.", False, way_out
                )
            elif principal.name not in users:
                _, named, name = principal.name.partition(SEPARATOR)
                rotate = (
                    f"token rotate {principal.principal} {name}"
                    if named
                    else f"{principal.kind} rotate {principal.name}"
                )
                way_out = f"Give it a new token: ctihub {rotate}."
                yield BrokerDifference(
                    f"{principal.kind} {principal.name} has no password on the brokers.", False, way_out
                )

    async def _quota_differences(self, wanted: Entitlements) -> list[BrokerDifference]:
        try:
            names = await self._without_quotas(wanted)
        except Broken as error:
            return [_unchecked("Quotas", error)]
        return [BrokerDifference(f"{name} does not have the quotas of the hub.", repairable=True) for name in names]

    async def _settings_differences(self) -> list[BrokerDifference]:
        with told_plainly():
            brokers = await brokers_of(await self._connection())
        if not brokers.settings:
            says = "The brokers' settings cannot be checked: the hub's administrator may not read them."
            way_out = "Compare them with docs/kafka.md, or give it DESCRIBE_CONFIGS on the cluster."
            return [BrokerDifference(says, False, way_out, note=True)]
        return [BrokerDifference(each.says, False, each.way_out, note=not each.stops) for each in judged(brokers)]

    async def _without_quotas(self, wanted: Entitlements) -> list[str]:
        there = await read_quotas(await self._connection())
        names = (principal.name for principal in wanted.principals if principal.name not in self._own)
        return [name for name in names if there.get(name) != self._quotas]

    def _refuse_own(self, name: str) -> None:
        if name in self._own:
            raise Broken(
                "broker.name-taken",
                f"{name} is the hub's own user on the brokers.",
                "Give the hub's users names that no principal can have, such as ctihub_admin (with an underscore).",
            )

    # All methods below wait for the brokers and run in a thread.

    def _replicas(self) -> int:
        return self._replication or min(self._admin.broker_count(), 3)

    def _make_topics(self, topics: Collection[str]) -> None:
        """Creates missing topics, and corrects the settings of existing ones, which a client may have created."""
        there = self._admin.topics(topics)
        replication = self._replicas()
        for topic in sorted(set(topics) - there.keys()):
            partitions = self._partitions if topic.startswith(INTAKE_PREFIX) else 1
            settings = settings_of(topic, replication)
            self._admin.create_topic(topic, partitions=partitions, replication=replication, settings=settings)
        for topic in sorted(topics & there.keys()):
            self._set_right(topic, there[topic])

    def _set_right(self, topic: str, state: TopicState) -> None:
        if wrong := _wrong_settings(topic, state):
            self._admin.set_settings(topic, {name: right for name, (_, right) in wrong.items()})

    def _grant(self, wanted: dict[str, frozenset[Acl]]) -> None:
        there = {acl for acl in self._admin.grants().allowed if acl.user in wanted}
        all_wanted = frozenset[Acl]().union(*wanted.values())
        self._admin.remove_grants(there - all_wanted)
        self._admin.add_grants(all_wanted - there)

    def _remove_users(self, names: frozenset[str]) -> None:
        """Removes the passwords also if the grants cannot be removed: they may have been removed by hand."""
        try:
            self._admin.remove_grants(acl for acl in self._admin.grants().allowed if acl.user in names)
        finally:
            self._admin.remove_passwords(names)

    def _remove_collection(self, topic: str) -> None:
        on_it = {acl for acl in self._admin.grants().allowed if acl.resource is Resource.TOPIC and acl.name == topic}
        self._admin.remove_grants(acl for acl in on_it if not acl.prefixed)
        self._admin.delete_topic(topic)

    def _repair(self, wanted: Entitlements) -> Broken | None:
        """Runs all steps, also after one failed; returns the first refusal of the brokers."""
        topics = self._admin.topics(PREFIXES)
        expected = _topics(wanted.centres, wanted.collections)
        steps: list[Callable[[], None]] = [
            *(partial(self._make_topics, {topic}) for topic in sorted(expected - topics.keys())),
            *(partial(self._set_right, topic, topics[topic]) for topic in sorted(expected & topics.keys())),
            partial(self._repair_grants, wanted),
            *(partial(self._admin.delete_topic, topic) for topic in _stray_collections(wanted, topics)),
        ]
        refusals = []
        for step in steps:
            try:
                step()
            except Broken as refusal:
                refusals.append(refusal)
        return next((each for each in refusals if each.code != NO_GRANTS), None)

    def _repair_grants(self, wanted: Entitlements) -> None:
        grants = self._admin.grants()
        self._admin.remove_grants(self._surplus(wanted, grants))
        self._admin.add_grants(self._wanted(wanted) - grants.allowed)

    def _topic_differences(self, wanted: Entitlements, topics: dict[str, TopicState]) -> Iterator[BrokerDifference]:
        expected = _topics(wanted.centres, wanted.collections)
        for topic in sorted(expected - topics.keys()):
            yield BrokerDifference(f"There is no topic {topic}.", repairable=True)
        for topic in sorted(expected & topics.keys()):
            if topics[topic].settings is None:
                way_out = f"Compare them with docs/kafka.md, or give it DESCRIBE_CONFIGS on the topic {topic}."
                yield BrokerDifference(f"The settings of {topic} may not be read.", False, way_out, note=True)
            for name, (said, right) in sorted(_wrong_settings(topic, topics[topic]).items()):
                yield BrokerDifference(f"{topic} has {name}={said} instead of {right}.", repairable=True)
            if not topic.startswith(INTAKE_PREFIX) and topics[topic].partitions != 1:
                way_out = "Delete it; ctihub doctor --fix creates it again, and the relay fills it."
                yield BrokerDifference(f"{topic} has more than one partition, which loses its order.", False, way_out)
        for topic in _stray_collections(wanted, topics):
            yield BrokerDifference(f"{topic} belongs to no collection.", repairable=True)
        for topic in sorted(topics.keys() - expected - set(_stray_collections(wanted, topics))):
            yield BrokerDifference(f"{topic} belongs to no centre.", False, "Look at what it holds, then delete it.")

    def _grant_differences(self, wanted: Entitlements) -> Iterator[BrokerDifference]:
        try:
            grants = self._admin.grants()
        except Broken as error:
            yield (
                BrokerDifference(error.says, False, error.way_out)
                if error.code == NO_GRANTS
                else _unchecked("Grants", error)
            )
            return
        for acl in sorted(self._wanted(wanted) - grants.allowed):
            yield BrokerDifference(f"{acl.user} may not {acl}.", repairable=True)
        surplus = self._surplus(wanted, grants)
        for acl in sorted(surplus):
            yield BrokerDifference(f"{acl.user} may {acl} and should not.", repairable=True)
        for acl in sorted(self._foreign(wanted, grants)):
            yield BrokerDifference(f"{acl.user}, whom the registry does not know, may {acl}.", False, BY_HAND)
        for sentence in grants.other:
            if any(f"User:{principal.name} " in sentence for principal in wanted.principals):
                yield BrokerDifference(f"A grant that the hub did not make {sentence}.", False, BY_HAND)

    def _wanted(self, wanted: Entitlements) -> frozenset[Acl]:
        principals = (acls_of(principal) for principal in wanted.principals if principal.name not in self._own)
        hub = acls_of_the_hub(self._hub) if self._hub is not None else frozenset()
        return hub.union(*principals)

    def _surplus(self, wanted: Entitlements, grants: Grants) -> frozenset[Acl]:
        """Returns grants that principals of the registry should not have."""
        known = _known(wanted)
        ours = (acl for acl in grants.allowed if acl.user in known or _is_token_of(acl.user, known))
        return frozenset(acl for acl in ours if acl.user not in self._own) - self._wanted(wanted)

    def _foreign(self, wanted: Entitlements, grants: Grants) -> frozenset[Acl]:
        """Returns grants of other users on the hub's topics. They are only reported: the Kafka may serve others too."""
        known = _known(wanted) | self._own
        foreign = (acl for acl in grants.allowed if acl.user not in known and not _is_token_of(acl.user, known))
        return frozenset(acl for acl in foreign if acl.concerns_the_hub)


BY_HAND = "If nobody needs it, take it away with kafka-acls."


def _known(wanted: Entitlements) -> frozenset[str]:
    return frozenset(principal.name for principal in wanted.principals)


def _is_token_of(user: str, known: Collection[str]) -> bool:
    """Whether a user has the name of a token of one of these principals; no other user has a point after it."""
    principal, named, _ = user.partition(SEPARATOR)
    return bool(named) and principal in known


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)


def _topics(centres: Collection[str], collections: Collection[str]) -> set[str]:
    intake = {prefix + centre for centre in centres for prefix in (INTAKE_PREFIX, REJECTED_PREFIX)}
    return {*intake, MEMBERS_TOPIC, *(COLLECTION_PREFIX + name for name in collections)}


def _stray_collections(wanted: Entitlements, topics: Collection[str]) -> list[str]:
    """Returns the topics of removed collections. Their content is in the store's change logs as well."""
    kept = _topics((), wanted.collections)
    return sorted(topic for topic in topics if topic.startswith(COLLECTION_PREFIX) and topic not in kept)


def _wrong_settings(topic: str, state: TopicState) -> dict[str, tuple[str | None, str]]:
    """Returns the actual and the right value of each wrong setting; nothing if the settings cannot be read."""
    there = state.settings
    if there is None:
        return {}
    return {
        name: (there.get(name), right)
        for name, right in settings_of(topic, state.replication).items()
        if name not in there or not fits(name, there[name], right, state.replication)
    }


def _unchecked(what: str, error: Broken) -> BrokerDifference:
    return BrokerDifference(f"{what} cannot be checked: {error.says}", False, error.way_out, note=True)

"""Brokers that others set up: one with the settings that Kafka ships, and three as a provider would run them.

Nothing of ``deploy/kafka`` is in them, and nothing of the hub's wishes: they show what it needs and does not say.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from tests.servers import java
from tests.servers.certificates import Authority
from tests.servers.kafka import KafkaServer
from tests.servers.ports import free_ports
from tests.servers.reaper import Reaper
from tests.waiting import WITHIN_S, wait_until

SHIPPED = java.PROJECT / "tests" / "data" / "kafka" / "server.properties"
CUSTOMER, PROVIDER = "ctihub_customer", "provider"
SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
SMALL_HEAP = ("-Xms96m", "-Xmx192m")
"""Three nodes share a small machine."""
SMALL = {
    "log.cleaner.dedupe.buffer.size": "16777216",
    "metadata.max.idle.interval.ms": "5000",
    "num.network.threads": "2",
    "num.io.threads": "2",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "group.initial.rebalance.delay.ms": "0",
}
MANAGED = {
    "auto.create.topics.enable": "false",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "message.max.bytes": "1000000",
    "group.min.session.timeout.ms": "6500",  # no session of the hub's own choice
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{PROVIDER};User:ctihub_broker",
}


_numbers = count(1)


def _listening(node: int, ports: tuple[int, int, int], *, quorum: int, controls: bool) -> dict[str, str]:
    """Where a node listens, and how it knows its peers and its users: what nobody can ship."""
    at = dict(zip(("CLIENT", "BROKER", "CONTROLLER"), ports, strict=True))
    if not controls:
        del at["CONTROLLER"]
    listeners = ",".join(f"{name}://127.0.0.1:{port}" for name, port in at.items())
    return {
        "process.roles": "broker,controller" if controls else "broker",
        "node.id": str(node),
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{quorum}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "BROKER",
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": "CLIENT:SASL_SSL,BROKER:SSL,CONTROLLER:SSL",
        "ssl.keystore.type": "PEM",
        "ssl.truststore.type": "PEM",
        "listener.name.broker.ssl.client.auth": "required",
        "listener.name.controller.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": SCRAM_LOGIN,
    }


@dataclass
class ForeignServer(KafkaServer):
    """A node with the settings that Kafka ships, and ``settings`` in their place."""

    settings: Mapping[str, str] = field(default_factory=dict)
    heap: tuple[str, ...] = ()
    joins: bool = False
    """It joins the cluster of another node."""

    def start(self) -> ForeignServer:
        """See ``KafkaServer``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.overrides = {}
        self.properties = self.folder / "server.properties"
        shipped = dict(line.split("=", 1) for line in SHIPPED.read_text().splitlines() if not line.startswith("#"))
        own = {
            "log.dirs": str(self.folder / "data"),
            "ssl.keystore.location": str(self.folder / "broker.pem"),
            "ssl.truststore.location": str(self.ca_file),
        }
        said = {**shipped, **self.settings, **own}
        self.properties.write_text("".join(f"{name}={value}\n" for name, value in said.items()))
        super().start()
        return self

    def _format(self) -> None:
        if self.joins:
            self._format_with()
        else:
            super()._format()

    def _command(self, main: str, *words: str, may_archive: bool = False) -> list[str]:
        command = super()._command(main, *words, may_archive=may_archive and not self.heap)
        at = command.index("-cp")
        return [*command[:at], *self.heap, *command[at:]]


@dataclass
class ManagedBrokers(KafkaServer):
    """Three nodes. ``admin_username`` is the customer's user: it may do everything but read and alter settings.

    ``kill`` and ``restart`` are of the last node, which is no controller.
    """

    nodes: list[ForeignServer] = field(default_factory=list)

    @property
    def bootstrap(self) -> str:
        """All three."""
        return ",".join(node.bootstrap for node in self.nodes)

    @property
    def running(self) -> bool:
        """Whether all three are there."""
        return all(node.running for node in self.nodes)

    def start(self) -> ManagedBrokers:
        """The controller first, then the others side by side."""
        self.nodes[0].start()
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(lambda node: node.start(), self.nodes[1:]))
        self._wait_for_all()
        return self

    def kill(self) -> None:
        """See ``KafkaServer``."""
        self.nodes[-1].kill()

    def restart(self) -> None:
        """See ``KafkaServer``."""
        self.nodes[-1].restart()
        self._wait_for_all()

    def stop(self) -> None:
        """The controller last: without it no node ends in order."""
        with ThreadPoolExecutor(len(self.nodes)) as pool:
            list(pool.map(lambda node: node.stop(), self.nodes[1:]))
        self.nodes[0].stop()

    def wipe(self) -> None:
        """Empty the cluster, give the customer its rights and user again, and wait until every node knows them.

        The password is a new one: a node that is behind would still accept the previous user.
        """
        self.nodes[0].wipe()
        self.admin_password = f"only-for-tests-{next(_numbers)}"
        everything = [ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID]
        user, allowed, denied = f"User:{self.admin_username}", AclPermissionType.ALLOW, AclPermissionType.DENY
        literal, cluster = ResourcePatternType.LITERAL, (ResourceType.BROKER, "kafka-cluster")
        bindings = [
            *(AclBinding(kind, "*", literal, user, "*", AclOperation.ALL, allowed) for kind in everything),
            AclBinding(*cluster, literal, user, "*", AclOperation.ALL, allowed),
            AclBinding(*cluster, literal, user, "*", AclOperation.DESCRIBE_CONFIGS, denied),
            AclBinding(*cluster, literal, user, "*", AclOperation.ALTER_CONFIGS, denied),
            AclBinding(ResourceType.TOPIC, "*", literal, user, "*", AclOperation.ALTER_CONFIGS, denied),
        ]
        admin = AdminClient(self.nodes[0].admin_options())  # its requests end with it
        for future in admin.create_acls(bindings).values():
            future.result(WITHIN_S)
        self.nodes[0].add_user(self.admin_username, self.admin_password)
        for node in self.nodes:
            self._wait_until_accepted(node)

    def _wait_until_accepted(self, node: ForeignServer) -> None:
        """A node that knows the user knows what was changed before, since changes reach it in their order."""
        admin = AdminClient(self.admin_options() | {"bootstrap.servers": node.bootstrap, "log_level": "0"})
        wait_until(lambda: _answers(admin), what=f"{node.bootstrap} accepts {self.admin_username}")

    def make_topics(self, *names: str, **settings: str) -> None:
        """Topics with the provider's defaults, as a customer makes them in its console, but for ``settings``."""
        config = {name.replace("_", "."): value for name, value in settings.items()}
        admin = AdminClient(self.nodes[0].admin_options())
        for future in admin.create_topics([NewTopic(name, 1, 3, config=config) for name in names]).values():
            future.result(WITHIN_S)

    def _wait_for_all(self) -> None:
        admin = AdminClient(self.nodes[0].admin_options())
        wait_until(lambda: len(admin.list_topics(timeout=WITHIN_S).brokers) == len(self.nodes))


@contextlib.contextmanager
def foreign_broker(**settings: str) -> Iterator[ForeignServer]:
    """One node with the settings that Kafka ships and these; ended and cleared away at the end."""
    with _cleared() as (folder, authority, reaper):
        client, broker, controller = _ports(3)
        own = _listening(1, (client, broker, controller), quorum=controller, controls=True)
        server = ForeignServer(
            folder / "kafka", (client, broker, controller), authority, reaper,
            settings=own | {name.replace("_", "."): value for name, value in settings.items()},
        )  # fmt: skip
        try:
            yield server.start()
        finally:
            server.stop()


@contextlib.contextmanager
def managed_brokers() -> Iterator[ManagedBrokers]:
    """Three nodes, ended and cleared away at the end."""
    with _cleared() as (folder, authority, reaper):
        ports = _ports(9)
        nodes = []
        for number in range(3):
            own = (ports[3 * number], ports[3 * number + 1], ports[3 * number + 2])
            settings = _listening(number + 1, own, quorum=ports[2], controls=number == 0) | SMALL | MANAGED
            nodes.append(
                ForeignServer(
                    folder / f"kafka-{number}", own, authority, reaper, admin_username=PROVIDER, settings=settings,
                    heap=SMALL_HEAP, joins=number > 0,
                )
            )  # fmt: skip
        brokers = ManagedBrokers(folder, nodes[0].ports, authority, reaper, admin_username=CUSTOMER, nodes=nodes)
        try:
            yield brokers.start()
        finally:
            brokers.stop()


def _answers(admin: AdminClient) -> bool:
    try:
        return bool(admin.list_topics(timeout=1).brokers)
    except KafkaException:
        return False


def _ports(number: int) -> list[int]:
    """Not the first free ones: the servers that other tests of this process share may not have taken theirs yet."""
    return free_ports(8 + number)[8:]


@contextlib.contextmanager
def _cleared() -> Iterator[tuple[Path, Authority, Reaper]]:
    reaper = Reaper()
    folder = Path(tempfile.mkdtemp(prefix="ctihub-brokers-"))
    reaper.clear(folder)
    try:
        yield folder, Authority.make(folder / "tls"), reaper
    finally:
        reaper.close()

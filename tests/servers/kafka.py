"""A real Kafka broker on loopback, started with ``deploy/kafka/server.properties``: TLS, SCRAM, ACLs."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from hub.log.kafka_connection import KafkaConnection
from hub.model.principals import PLACEHOLDER_USER
from hub.registry.kafka_quotas import CONSUME, PRODUCE, read_quotas, set_quotas
from tests.servers import java
from tests.servers.certificates import Authority
from tests.servers.reaper import Reaper
from tests.waiting import WITHIN_S, wait_until

PROPERTIES = java.PROJECT / "deploy" / "kafka" / "server.properties"
CLUSTER_ID = "Y3RpaHViLXRlc3Qta2Fma2E"
ADMIN = "ctihub_admin"
JVM = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
FOR_TESTS = {
    # Tests wait for the cleaner to compact; production leaves it its own pace and buffers.
    "log.cleaner.backoff.ms": "200",
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.initial.task.delay.ms": "500",
    # By default Kafka writes a no-op record every half second, which is a third of the work of an idle broker.
    "metadata.max.idle.interval.ms": "5000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    # With Kafka's own 3 s each of a hundred tests would wait for company before its group begins.
    "group.initial.rebalance.delay.ms": "0",
}


@dataclass
class KafkaServer:
    """One node. ``bootstrap`` speaks SASL_SSL with SCRAM-SHA-512; ``ca_file`` holds the authority behind it."""

    folder: Path
    ports: tuple[int, int, int]
    authority: Authority
    reaper: Reaper
    admin_username: str = ADMIN
    admin_password: str = "only-for-tests"
    properties: Path = PROPERTIES
    overrides: Mapping[str, str] = field(default_factory=lambda: FOR_TESTS)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def bootstrap(self) -> str:
        """``host:port`` of the CLIENT listener."""
        return f"127.0.0.1:{self.ports[0]}"

    @property
    def ca_file(self) -> Path:
        """PEM file of the authority that signed the broker's certificate."""
        return self.authority.ca_file

    @property
    def running(self) -> bool:
        """Whether the process is there (it may be starting or stopping)."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> KafkaServer:
        """Format the storage and start. Raises MissingServer, RuntimeError with the end of the broker's own log."""
        java.fetch()
        self._write_certificates()
        self._format()
        self._launch()
        return self

    def kill(self) -> None:
        """``kill -9``: whatever the broker had not written to the operating system is gone."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self._ended()

    def restart(self) -> None:
        """Start again on the data that is there (in an async test: in a thread); ends a running broker first."""
        if self.running:
            self.stop()
        self._launch()

    def freeze(self) -> None:
        """``kill -STOP``: connections stay, nothing answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)  # on a busy machine its threads run on for a moment

    def thaw(self) -> None:
        """Go on after ``freeze``."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End in order."""
        if not self.running:
            return
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._ended()
        arriving = self._archive_arriving
        if arriving.exists():
            arriving.rename(java.archive())

    def admin_options(self) -> dict[str, str]:
        """What confluent-kafka and librdkafka tools need to come in as the administrator."""
        return {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.ca_file),
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": self.admin_username,
            "sasl.password": self.admin_password,
        }

    def client_options(self, username: str = "", password: str = "") -> dict[str, object]:
        """What plain aiokafka clients need to come in, as the administrator if no name is given."""
        from aiokafka.helpers import create_ssl_context

        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": "SASL_SSL",
            "ssl_context": create_ssl_context(cafile=str(self.ca_file)),
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": username or self.admin_username,
            "sasl_plain_password": password or self.admin_password,
        }

    def wipe(self) -> None:
        """Remove every topic, group, grant, quota and user but the administrator and the placeholder user."""
        admin = AdminClient(self.admin_options())
        topics = [name for name in admin.list_topics(timeout=WITHIN_S).topics if not name.startswith("__")]
        groups = [listed.group_id for listed in admin.list_consumer_groups().result().valid]
        scram = ScramMechanism.SCRAM_SHA_512
        users = admin.describe_user_scram_credentials().result().keys() - {self.admin_username, PLACEHOLDER_USER}
        waits = [admin.delete_acls([EVERY_ACL])]
        if users:
            waits.append(
                admin.alter_user_scram_credentials([UserScramCredentialDeletion(name, scram) for name in users])
            )
        if topics:
            waits.append(admin.delete_topics(topics))
        if groups:
            waits.append(admin.delete_consumer_groups(groups))
        for futures in waits:
            for future in futures.values():
                future.exception(WITHIN_S)  # a group with a member that has not left yet cannot go: it does no harm
        with ThreadPoolExecutor(1) as pool:  # the test's own loop is set in this thread
            pool.submit(asyncio.run, self._wipe_quotas()).result()

    async def _wipe_quotas(self) -> None:
        connection = await KafkaConnection.of(
            self.bootstrap, username=self.admin_username, password=self.admin_password, ca_file=str(self.ca_file)
        )
        if limited := await read_quotas(connection):
            await set_quotas(connection, limited.keys(), {PRODUCE: None, CONSUME: None})

    def add_user(self, name: str, password: str, *grants: tuple[AclOperation, ResourceType, str]) -> None:
        """A SCRAM user with literal grants; a name that ends with ``*`` grants everything that begins so."""
        admin = AdminClient(self.admin_options())
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        for user in (PLACEHOLDER_USER, name):  # the placeholder before any other, as the hub does
            upsertion = UserScramCredentialUpsertion(user, info, password.encode())
            admin.alter_user_scram_credentials([upsertion])[user].result(WITHIN_S)
        if grants:
            for future in admin.create_acls([_binding(name, *grant) for grant in grants]).values():
                future.result(WITHIN_S)

    def _environment(self) -> dict[str, str]:
        client, broker, controller = (str(port) for port in self.ports)
        return {
            "KAFKA_NODE_ID": "1",
            "KAFKA_QUORUM": f"127.0.0.1:{controller}",
            "KAFKA_HOST": "127.0.0.1",
            "KAFKA_BIND": "127.0.0.1",
            "KAFKA_CLIENT_PORT": client,
            "KAFKA_BROKER_PORT": broker,
            "KAFKA_CONTROLLER_PORT": controller,
            "KAFKA_DATA_DIR": str(self.folder / "data"),
            "KAFKA_KEYSTORE": str(self.folder / "broker.pem"),
            "KAFKA_TRUSTSTORE": str(self.ca_file),
            "KAFKA_REPLICATION": "1",
            "KAFKA_MIN_ISR": "1",
            "KAFKA_INTERNAL_PARTITIONS": "1",
            "KAFKA_BROKER_SESSION_MS": "3000",
        }

    def _write_certificates(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        key, chain = self.authority.issue("ctihub_broker")
        key_store = self.folder / "broker.pem"
        key_store.touch(0o600)
        key_store.write_bytes(key + chain)

    def _format(self) -> None:
        scram = f"SCRAM-SHA-512=[name={self.admin_username},password={self.admin_password}]"
        self._format_with("--standalone", "--add-scram", scram)

    def _format_with(self, *options: str) -> None:
        words = ["format", "--cluster-id", CLUSTER_ID, "--config", str(self.properties), *options]
        command = self._command("kafka.tools.StorageTool", *words)
        done = subprocess.run(
            command, env=os.environ | self._environment(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")

    def _launch(self) -> None:
        overrides = [word for name, value in self.overrides.items() for word in ("--override", f"{name}={value}")]
        command = self._command("kafka.Kafka", str(self.properties), *overrides, may_archive=True)
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                env=os.environ | self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.reaper.watch(group=self.process.pid)
        wait_until(self._listens, what=f"Kafka opens its port; see {self._log}")

    def _command(self, main: str, *words: str, may_archive: bool = False) -> list[str]:
        archive = java.archive()
        if archive.exists():
            sharing = [f"-XX:SharedArchiveFile={archive}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
        elif may_archive:
            sharing = [f"-XX:ArchiveClassesAtExit={self._archive_arriving}", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]
        else:
            sharing = []
        return [java.java(), *JVM, *sharing, "-cp", java.class_path(), main, *words]

    @property
    def _archive_arriving(self) -> Path:
        return java.BUILD / f"classes.{os.getpid()}.jsa"

    @property
    def _log(self) -> Path:
        return self.folder / "kafka.log"

    def _listens(self) -> bool:
        if not self.running:
            raise RuntimeError(f"Kafka ended while starting:\n{self._log.read_text()[-3000:]}")
        with socket.socket() as probe:
            probe.settimeout(0.2)
            return probe.connect_ex(("127.0.0.1", self.ports[0])) == 0

    def _ended(self) -> None:
        assert self.process is not None
        self.process.wait(WITHIN_S)
        self.reaper.forget(group=self.process.pid)


EVERY_ACL = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)


def _binding(user: str, operation: AclOperation, kind: ResourceType, name: str) -> AclBinding:
    pattern = ResourcePatternType.PREFIXED if name.endswith("*") else ResourcePatternType.LITERAL
    return AclBinding(kind, name.removesuffix("*"), pattern, f"User:{user}", "*", operation, AclPermissionType.ALLOW)

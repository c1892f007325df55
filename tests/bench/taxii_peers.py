"""Other TAXII 2.1 servers: installed at pinned versions in an environment of their own, run as in production.

OpenTAXII: gunicorn with the number of workers that its manual recommends, and OpenTAXII's own SQLite database, which is
synchronous at each commit. medallion: gunicorn with one worker, as its memory backend needs; nothing is durable there.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from tests.bench.taxii_client import ACCEPT, Served
from tests.servers.ports import free_ports
from tests.waiting import WITHIN_S, wait_until

ENVIRONMENT = Path("build/bench-peers")
_WANTED = Path(__file__).with_name("taxii-peers.txt")
_MOST_BYTES = 100_000_000
_WORKERS = 2 * (os.cpu_count() or 1) + 1


def installed() -> Path | None:
    """The programs of the peers' environment, which is made at the first call; None where that fails."""
    marker = ENVIRONMENT / "wanted.txt"
    if not marker.exists() or marker.read_bytes() != _WANTED.read_bytes():
        pip = [str(ENVIRONMENT / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        for command in ([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], [*pip, "-r", str(_WANTED)]):
            if subprocess.run(command, check=False).returncode:
                return None
        marker.write_bytes(_WANTED.read_bytes())
    return ENVIRONMENT.resolve() / "bin"


@contextlib.contextmanager
def open_taxii(programs: Path, folder: Path, objects: Sequence[bytes]) -> Iterator[Served]:
    """OpenTAXII with one collection of these objects, dated by their ``modified``."""
    folder.mkdir()
    config = folder / "opentaxii.yml"
    config.write_text(json.dumps(_open_taxii_config(folder)))
    environment = {**os.environ, "OPENTAXII_CONFIG": str(config)}

    def call(program: str, *args: str) -> str:
        command = [str(programs / program), *args]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    account = call("opentaxii-create-account", "-u", "bench", "-p", "bench")
    token = next(line.partition(": ")[2] for line in account.splitlines() if line.startswith("token: "))
    call("opentaxii-add-api-root", "-t", "bench", "--default")
    with contextlib.closing(sqlite3.connect(folder / "data.db")) as database:
        (root,) = database.execute("select id from opentaxii_api_root").fetchone()
        root_id = str(uuid.UUID(root))
        call("opentaxii-add-collection", "-r", root_id, "-t", "bench", "-a", "bench", "--public", "--public-write")
        (collection,) = database.execute("select id from opentaxii_collection").fetchone()
        _fill_open_taxii(database, collection, objects)
    path = f"/taxii2/{root_id}/collections/{uuid.UUID(collection)}/objects/"
    arguments = ["opentaxii.http:app", "--config", "python:opentaxii.http", "--workers", str(_WORKERS)]
    with _gunicorn(programs, folder, arguments, environment) as port:
        yield _ready(Served("OpenTAXII", port, path, f"Bearer {token}"))


def stored_by_open_taxii(folder: Path) -> int:
    """The number of objects in its database. Its answer to POST is a 500 after it has stored them: it cannot write the
    id of its status as JSON.
    """
    with contextlib.closing(sqlite3.connect(folder / "data.db")) as database:
        (count,) = database.execute("select count(*) from opentaxii_stixobject").fetchone()
        return int(count)


def _open_taxii_config(folder: Path) -> dict[str, object]:
    auth = {"db_connection": f"sqlite:///{folder}/auth.db", "create_tables": True, "secret": "bench" * 10}
    data = {"db_connection": f"sqlite:///{folder}/data.db", "create_tables": True}
    return {
        "domain": "127.0.0.1",
        "support_basic_auth": True,
        "auth_api": {"class": "opentaxii.auth.sqldb.SQLDatabaseAPI", "parameters": auth},
        "taxii1": None,
        "taxii2": {
            "title": "bench",
            "max_content_length": _MOST_BYTES,
            "public_discovery": False,
            "persistence_api": {
                "class": "opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI",
                "parameters": data,
            },
        },
        "logging": {"opentaxii": "warning", "root": "warning"},
    }


def _fill_open_taxii(database: sqlite3.Connection, collection: str, objects: Sequence[bytes]) -> None:
    """What its own POST would store; that takes OpenTAXII minutes."""
    names = "pk, id, collection_id, type, spec_version, date_added, version, serialized_data"
    with database:
        for body in objects:
            obj = orjson.loads(body)
            stix_id, kind, version = (obj.pop(name) for name in ("id", "type", "spec_version"))
            at = obj["modified"].replace("T", " ").rstrip("Z").ljust(26, "0")
            row = (uuid.uuid4().hex, stix_id, collection, kind, version, at, at, json.dumps(obj))
            database.execute(f"insert into opentaxii_stixobject ({names}) values (?, ?, ?, ?, ?, ?, ?, ?)", row)


@contextlib.contextmanager
def medallion(programs: Path, folder: Path, objects: Sequence[bytes]) -> Iterator[Served]:
    """medallion with one collection of these objects."""
    folder.mkdir()
    collection_id = str(uuid.uuid4())
    bodies = [orjson.loads(body) for body in objects]
    dated = [
        {"id": obj["id"], "date_added": obj["modified"], "version": obj["modified"], "media_type": _STIX}
        for obj in bodies
    ]
    collection = {
        "id": collection_id, "title": "bench", "can_read": True, "can_write": True, "media_types": [_STIX],
        "objects": bodies, "manifest": dated,
    }  # fmt: skip
    url = "http://127.0.0.1/root/"
    information = {"title": "bench", "versions": [ACCEPT], "max_content_length": _MOST_BYTES}
    data = {
        "/discovery": {"title": "bench", "default": url, "api_roots": [url]},
        "root": {"information": information, "status": [], "collections": [collection]},
    }
    (folder / "data.json").write_text(json.dumps(data))
    config = {
        "backend": {
            "module": "medallion.backends.memory_backend", "module_class": "MemoryBackend",
            "filename": str(folder / "data.json"), "session_timeout": 3_600,
        },
        "users": {"bench": "bench"},
        "taxii": {"max_page_size": 1_000},
    }  # fmt: skip
    (folder / "medallion.json").write_text(json.dumps(config))
    basic = "Basic " + base64.b64encode(b"bench:bench").decode()
    arguments = [f"medallion:load_app('{folder}/medallion.json')", "--workers", "1", "--timeout", "600"]
    with _gunicorn(programs, folder, arguments, dict(os.environ)) as port:
        yield _ready(Served("medallion", port, f"/root/collections/{collection_id}/objects/", basic))


_STIX = "application/stix+json;version=2.1"


@contextlib.contextmanager
def _gunicorn(programs: Path, folder: Path, arguments: Sequence[str], environment: dict[str, str]) -> Iterator[int]:
    """Run a server until the end of the block; its port."""
    (port,) = free_ports(1)
    common = ["--bind", f"127.0.0.1:{port}", "--threads", "4", "--keep-alive", "60", "--no-control-socket"]
    with (folder / "gunicorn.log").open("ab") as log:
        process = subprocess.Popen(
            [programs / "gunicorn", *arguments, *common], env=environment, stdout=log, stderr=log, cwd=folder
        )
    try:
        yield port
    finally:
        process.terminate()
        process.wait(WITHIN_S)


def _ready(served: Served) -> Served:
    """The same, when it answers."""

    def answers() -> bool:
        request = urllib.request.Request(f"http://127.0.0.1:{served.port}/taxii2/")
        request.add_header("Authorization", served.authorization)
        request.add_header("Accept", ACCEPT)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False

    wait_until(answers, what=f"{served.name} answers")
    return served

"""Address and connection settings of PostgreSQL, read once from its URL; certificate files are read only then."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from hub.model.errors import Broken

CONNECT_WITHIN_S = 30.0
"""Also the limit for getting a pooled connection. It is for a slow server; one that is down refuses at once."""
ANSWER_WITHIN_S = 60.0
"""The limit for one statement. After it the server is regarded as not available."""

SETTINGS = {
    "application_name": "ctihub",
    "timezone": "UTC",
    # A worker that hangs inside a step must not keep its locks for ever. But a step with a large bundle may compute
    # for a long time between two statements, and with a lower limit it would never finish.
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "20s",
    # Look-ups of thousands of keys must use an index. Before the first ANALYZE of a fast-growing table the planner
    # assumes that each key matches half a percent of its rows, and scans the whole table.
    "enable_seqscan": "off",
    "jit": "off",
}

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_KNOWN = ("host", "sslmode", "sslrootcert", "sslcert", "sslkey")


@dataclass(frozen=True, slots=True)
class Address:
    """Connection settings."""

    arguments: Mapping[str, Any]
    """The arguments of ``asyncpg.connect``."""
    tls: ssl.SSLContext | None
    or_without: bool
    """Connect without TLS if the server has none (``sslmode=prefer``, the default of libpq)."""

    @classmethod
    async def of(cls, url: str) -> Address:
        """Parses a URL, with libpq's parameters ``host`` and ``ssl…``. Raises Broken if it is not valid."""
        return await asyncio.to_thread(_read, url)

    async def connect(self) -> Any:
        """Returns a new connection of the driver."""
        if self.tls is not None:
            try:
                return await self._connect(self.tls)
            except ConnectionError as error:
                if not self.or_without or "rejected SSL" not in str(error):
                    raise
        return await self._connect(False)

    async def _connect(self, tls: ssl.SSLContext | bool) -> Any:
        return await asyncpg.connect(
            **self.arguments,
            ssl=tls,
            timeout=CONNECT_WITHIN_S,
            command_timeout=ANSWER_WITHIN_S,
            server_settings=SETTINGS,
        )


def _read(text: str) -> Address:
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise _not_understood(str(error)) from error
    said = {name: value for name, value in url.query.items() if isinstance(value, str)}
    unknown = sorted(url.query.keys() - set(_KNOWN))
    if unknown:
        raise _not_understood(f"it says {unknown[0]}; known are {', '.join(_KNOWN)}")
    arguments = {
        "host": said.get("host") or url.host,
        "port": url.port,
        "user": url.username,
        "password": url.password,
        "database": url.database,
    }
    mode = said.get("sslmode", "prefer")
    if mode not in _MODES:
        raise _not_understood(f"sslmode is one of {', '.join(_MODES)}")
    plain = mode == "disable" or _is_socket(url, said)
    tls = None if plain else _tls(mode, said)
    return Address(
        {name: value for name, value in arguments.items() if value is not None}, tls, mode in ("allow", "prefer")
    )


def _is_socket(url: URL, said: Mapping[str, str]) -> bool:
    return (said.get("host") or url.host or "").startswith("/")


def _tls(mode: str, said: Mapping[str, str]) -> ssl.SSLContext:
    """Returns the TLS settings as libpq defines them: only ``verify-…`` modes check the server's certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname = mode == "verify-full"
    if not mode.startswith("verify"):
        tls.verify_mode = ssl.CERT_NONE
    try:
        if "sslrootcert" in said:
            tls.load_verify_locations(said["sslrootcert"])
        elif mode.startswith("verify"):
            tls.load_default_certs()
        if "sslcert" in said:
            tls.load_cert_chain(said["sslcert"], said.get("sslkey"))
    except (OSError, ssl.SSLError) as error:
        raise _not_understood(f"a file of certificates cannot be read ({error})") from error
    return tls


def _not_understood(says: str) -> Broken:
    return Broken(
        "store.url", f"DATABASE_URL is not understood: {says}.", "Write postgresql://USER:PASSWORD@HOST/NAME."
    )

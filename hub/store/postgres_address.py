"""Where PostgreSQL is and how to connect, read once from its URL; files of certificates are not looked at again."""

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
"""Also for a free connection of the pool. A server that is down refuses at once; this is for one that is slow."""
ANSWER_WITHIN_S = 60.0
"""For one statement: a server that neither answers nor closes the connection is away."""

SETTINGS = {
    "application_name": "ctihub",
    "timezone": "UTC",
    # A worker that is frozen in the middle of a step must not keep its locks from the others for ever. But a step with
    # a large bundle may think for long between two statements, and with less would never come to its end.
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "20s",
    # Look-ups of thousands of keys go by index. Before the first ANALYZE of a table that grew fast the planner takes
    # any key for half a percent of it, and reads it whole.
    "enable_seqscan": "off",
    "jit": "off",
}

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_KNOWN = ("host", "sslmode", "sslrootcert", "sslcert", "sslkey")


@dataclass(frozen=True, slots=True)
class Address:
    """How to connect."""

    arguments: Mapping[str, Any]
    """For ``asyncpg.connect``."""
    tls: ssl.SSLContext | None
    or_without: bool
    """Go on without TLS where the server has none (``sslmode=prefer``, as libpq does unless told otherwise)."""

    @classmethod
    async def of(cls, url: str) -> Address:
        """The address that a URL says, with libpq's parameters ``host`` and ``ssl…``. Raises Broken."""
        return await asyncio.to_thread(_read, url)

    async def connect(self) -> Any:
        """A connection of the driver."""
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
    """As libpq reads the parameters: only the modes that begin with ``verify`` look at the server's certificate."""
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

"""Translates errors of PostgreSQL and its driver to errors of the hub, mostly ``TryAgain``."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hub.model.errors import Broken, HubError, Refused, TryAgain

AWAY = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""What the driver raises when the server has stopped, is starting, or does not answer."""

# https://www.postgresql.org/docs/current/errcodes-appendix.html
_CONTENDED = ("40001", "40P01")
_LOCK_TABLE_FULL = "53200"
_MAY_PASS = ("08", "25P03", "40", "53", "55P03", "57")
"""Connection errors, idle timeouts, rollbacks, missing resources, lock timeouts, interventions of an operator."""
_NO_ENTRY = ("28", "3D", "42501")
_UNREADABLE_TEXT = "22021"


class Contended(TryAgain):
    """PostgreSQL resolved a deadlock of two steps by ending this one."""

    def __init__(self) -> None:
        super().__init__("store.contended", "Two workers waited for each other.", "It is repeated by itself.")


class LockTableFull(TryAgain):
    """PostgreSQL's lock table is too small for this step and the concurrent ones."""

    def __init__(self) -> None:
        says = "The step needs more locks than PostgreSQL's lock table has room for; it is repeated alone."
        super().__init__("store.crowded", says, "Raise max_locks_per_transaction in postgresql.conf.")


@contextlib.contextmanager
def told_plainly() -> Iterator[None]:
    """Raises errors of the driver as errors of the hub. Programming errors are raised unchanged.

    The block may only use the database: a TimeoutError or OSError of something else would be taken for the server's.
    """
    try:
        yield
    except DBAPIError as error:
        cause = error.orig.__cause__ if error.orig is not None else None
        raise _hub_error(cause) or error from error
    except PoolTimeout as error:
        raise TryAgain("store.busy", "All connections to PostgreSQL are in use.") from error
    except AWAY as error:
        raise _hub_error(error) or error from error


def _hub_error(error: BaseException | None) -> HubError | None:
    match error:
        case asyncpg.PostgresError():
            return _said(error.sqlstate or "", str(error))
        case ssl.SSLCertVerificationError():
            return Broken("store.not-trusted", f"PostgreSQL's certificate is not trusted: {error}.", "Set sslrootcert.")
        case asyncpg.ClientConfigurationError():
            return Broken("store.url", f"DATABASE_URL is not understood: {error}.", "Write postgresql://…")
        case asyncpg.InterfaceError() if "closed" not in str(error):
            return None
        case asyncpg.InterfaceError() | asyncpg.InternalClientError() | OSError() | TimeoutError():
            return _away(str(error) or type(error).__name__)
        case _:
            return None


def _said(sqlstate: str, says: str) -> HubError | None:
    if sqlstate in _CONTENDED:
        return Contended()
    if sqlstate == _LOCK_TABLE_FULL:
        return LockTableFull()
    if sqlstate.startswith(_MAY_PASS):
        return _away(says)
    if sqlstate.startswith(_NO_ENTRY):
        return Broken("store.refused", f"PostgreSQL refuses the hub: {says}.", "Look at DATABASE_URL and its user.")
    if sqlstate == _UNREADABLE_TEXT:
        return Refused("text.unreadable", "A text with a null character cannot be a name.", "Leave it out.")
    return None


def _away(says: str) -> TryAgain:
    return TryAgain("store.away", f"PostgreSQL does not answer: {says}.", "The hub continues when it is back.")

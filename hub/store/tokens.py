"""Reads and writes the tables of tokens. The rules are in ``hub/registry``.

Each function takes a connection with an open transaction. The statements are the same for both dialects.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from sqlalchemy import BigInteger, Row, Text, bindparam, case, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.model.tokens import StoredToken, TokenDigest, TokenRefusal, TokenRights, TokenScope, TokenUse
from hub.model.words import CollectionName
from hub.store import tables as t
from hub.store import token_tables as tt
from hub.store.journal import fold_token
from hub.store.policy_changes import insert_row

_COLUMNS = (tt.tokens, t.principals.c.name.label("of"))


async def read_tokens(conn: AsyncConnection) -> dict[str, StoredToken]:
    """Returns all tokens by full name, sorted."""
    digests: dict[int, list[TokenDigest]] = defaultdict(list)
    for row in await conn.execute(select(tt.token_digests).order_by(tt.token_digests.c.no.desc())):
        found = TokenDigest(row.no, bytes(row.sha256), row.prefix, row.created_us, row.ends_us)
        digests[row.token].append(found)
    joined = tt.tokens.join(t.principals, t.principals.c.no == tt.tokens.c.principal)
    rows = await conn.execute(select(*_COLUMNS).select_from(joined))
    tokens = [_token(row, tuple(digests[row.no])) for row in rows]
    tokens.sort(key=lambda token: (token.principal, token.name))
    return {token.full_name: token for token in tokens}


async def read_uses(conn: AsyncConnection) -> dict[int, TokenUse]:
    """Returns the last use of each secret, by the number of its digest."""
    d = tt.token_digests.c
    rows = await conn.execute(select(d.no, d.used_us, d.refused_us, d.why))
    return {row.no: TokenUse(row.used_us, row.refused_us, _why(row.why)) for row in rows}


async def note_uses(conn: AsyncConnection, uses: Mapping[int, TokenUse]) -> None:
    """Note the last uses by the number of the digest. A later time that is noted already stays.

    Every process locks the rows in the same order, so that none waits for another in a circle.
    """
    d = tt.token_digests.c
    used_us, refused_us = bindparam("used", type_=BigInteger), bindparam("refused", type_=BigInteger)
    is_refused_later = func.coalesce(refused_us, -1) > func.coalesce(d.refused_us, -1)
    later = {
        "used_us": case((func.coalesce(used_us, -1) > func.coalesce(d.used_us, -1), used_us), else_=d.used_us),
        "refused_us": case((is_refused_later, refused_us), else_=d.refused_us),
        "why": case((is_refused_later, bindparam("reason", type_=Text)), else_=d.why),
    }
    rows = [
        {"digest": no, "used": use.used_us, "refused": use.refused_us, "reason": use.why}
        for no, use in sorted(uses.items())
    ]
    if rows:
        await conn.execute(update(tt.token_digests).where(d.no == bindparam("digest")).values(later), rows)


async def remove_all(conn: AsyncConnection, principal: int) -> None:
    """Delete all tokens of a principal."""
    of = select(tt.tokens.c.no).where(tt.tokens.c.principal == principal)
    await conn.execute(delete(tt.token_digests).where(tt.token_digests.c.token.in_(of)))
    await conn.execute(delete(tt.tokens).where(tt.tokens.c.principal == principal))


class SqlTokens:
    """See ``hub/registry/port.TokenWriter``."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def add(self, principal: int, token: StoredToken) -> None:
        """See the port."""
        scope = token.scope
        row = {
            "principal": principal,
            "name": token.name,
            "rights": scope.rights,
            "collections": None if scope.collections is None else json.dumps(sorted(scope.collections)),
            "networks": json.dumps([str(network) for network in token.networks]),
            "ends_us": token.ends_us,
            "created_us": token.created_us,
        }
        no = await insert_row(self._conn, tt.tokens, row)
        for digest in reversed(token.digests):
            await self._add_digest(no, digest)

    async def replace(self, token: int, digest: TokenDigest, *, ends_us: int) -> None:
        """See the port."""
        d = tt.token_digests.c
        await self._conn.execute(delete(tt.token_digests).where(d.token == token, d.ends_us <= digest.created_us))
        later = (d.token == token) & (func.coalesce(d.ends_us, ends_us + 1) > ends_us)
        await self._conn.execute(update(tt.token_digests).where(later).values(ends_us=ends_us))
        await self._add_digest(token, digest)

    async def remove(self, token: int) -> None:
        """See the port."""
        n = tt.tokens.c
        owner, name = (await self._conn.execute(select(n.principal, n.name).where(n.no == token))).one()
        await self._conn.execute(delete(tt.token_digests).where(tt.token_digests.c.token == token))
        await self._conn.execute(delete(tt.tokens).where(n.no == token))
        await fold_token(self._conn, owner, name)

    async def _add_digest(self, token: int, digest: TokenDigest) -> None:
        row = {
            "token": token,
            "sha256": digest.sha256,
            "prefix": digest.prefix,
            "created_us": digest.created_us,
            "ends_us": digest.ends_us,
        }
        await insert_row(self._conn, tt.token_digests, row)


def _token(row: Row[Any], digests: tuple[TokenDigest, ...]) -> StoredToken:
    collections = None if row.collections is None else frozenset(map(CollectionName, json.loads(row.collections)))
    return StoredToken(
        no=row.no,
        principal=row.of,
        name=row.name,
        scope=TokenScope(TokenRights(row.rights), collections),
        networks=tuple(ip_network(network) for network in json.loads(row.networks)),
        ends_us=row.ends_us,
        created_us=row.created_us,
        digests=digests,
    )


def _why(said: str | None) -> TokenRefusal | None:
    return None if said is None else TokenRefusal(said)

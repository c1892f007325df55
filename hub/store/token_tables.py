"""The tables of tokens: what they allow, and the digests of their secrets with their last use."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from hub.store.tables import SERIAL, metadata

tokens = Table(
    "tokens",
    metadata,
    Column("no", SERIAL, primary_key=True),
    Column("principal", Integer, nullable=False),
    Column("name", Text, nullable=False),  # empty: the principal's own
    Column("rights", Text, nullable=False),
    Column("collections", Text),  # JSON: names; null: all
    Column("networks", Text, nullable=False),  # JSON
    Column("ends_us", BigInteger),
    Column("created_us", BigInteger, nullable=False),
    Index("uq_tokens_principal_name", "principal", "name", unique=True),
)

token_digests = Table(
    "token_digests",
    metadata,
    Column("no", SERIAL, primary_key=True),
    Column("token", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False),  # of a 256-bit random token
    Column("prefix", Text, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("ends_us", BigInteger),
    Column("used_us", BigInteger),
    Column("refused_us", BigInteger),
    Column("why", Text),  # model/tokens.TokenRefusal
    Index("uq_token_digests_sha256", "sha256", unique=True),
    Index("ix_token_digests_token", "token"),
)

"""The tables of the journal of reads. No step and no read of a log uses them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from hub.store.tables import metadata

journal = Table(
    "journal",
    metadata,
    Column("key", Text, primary_key=True),
    Column("reader", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("began_us", BigInteger, nullable=False),
    Column("door", Text, nullable=False),
    Column("collection", Text),
    Column("asked", Text, nullable=False),
    Column("after", BigInteger),
    Column("reached", BigInteger),
    Column("objects", BigInteger),
    Column("size_bytes", BigInteger),
    Column("status", Integer),
    Column("client", Text, nullable=False),
    Column("address", Text, nullable=False),
    Index("ix_journal_reader_at_us", "reader", "at_us"),
    Index("ix_journal_at_us", "at_us"),
    sqlite_with_rowid=False,
)
"""The last reads of each reader; see ``model/journal.JournalEntry``."""

fetched = Table(
    "fetched",
    metadata,
    Column("reader", Integer, primary_key=True, autoincrement=False),
    Column("collection", Integer, primary_key=True, autoincrement=False),
    Column("door", Text, primary_key=True),
    Column("reached", BigInteger, nullable=False, server_default=text("0")),
    Column("at_us", BigInteger, nullable=False),
)
"""How far each reader has come; see ``model/journal.FetchedUpTo``."""

"""The tables of the journal of reads. No step and no read of a log uses them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from hub.store.tables import metadata

journal = Table(
    "journal",
    metadata,
    Column("key", Text, primary_key=True),
    Column("reader", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),  # of the newest entry
    Column("door", Text, nullable=False),  # of an entry that advances; else empty
    Column("entries", Integer, nullable=False),  # how many
    Column("body", Text, nullable=False),  # JSON: entries as arrays, the newest first; each with its ``older_times``
    Index("ix_journal_reader_at_us", "reader", "at_us"),
    Index("ix_journal_at_us", "at_us"),
)
"""The last reads of each reader; see ``model/journal.JournalEntry``. A row has one entry that advances, or the complete
answers to a reader that were written together: a row for each would take ten times as long.
"""

fetched = Table(
    "fetched",
    metadata,
    Column("reader", Integer, primary_key=True, autoincrement=False),
    Column("token", Text, primary_key=True),
    Column("collection", Integer, primary_key=True, autoincrement=False),
    Column("door", Text, primary_key=True),
    Column("reached", BigInteger, nullable=False, server_default=text("0")),
    Column("at_us", BigInteger, nullable=False),
)
"""How far each reader has come; see ``model/journal.FetchedUpTo``."""

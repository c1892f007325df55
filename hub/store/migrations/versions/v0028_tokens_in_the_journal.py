"""Enters in the journal which token has read, and writes what a reader has read within a second as one row. Counts how
often webhooks are changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Make both tables of the journal again. Of earlier reads the token is not known: they are those of the principal's
    own.
    """
    op.add_column("leases", sa.Column("changes", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("create table journal_0027 as select * from journal")
    op.execute("create table fetched_0027 as select * from fetched")
    op.drop_table("journal")
    op.drop_table("fetched")
    op.create_table(
        "journal",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reader", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_journal")),
    )
    op.create_index("ix_journal_reader_at_us", "journal", ["reader", "at_us"])
    op.create_index("ix_journal_at_us", "journal", ["at_us"])
    op.create_table(
        "fetched",
        sa.Column("reader", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("collection", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("reached", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reader", "token", "collection", "door", name=op.f("pk_fetched")),
    )
    _copy()
    op.drop_table("journal_0027")
    op.drop_table("fetched_0027")


def _copy() -> None:
    array = "json_array" if op.get_bind().dialect.name == "sqlite" else "json_build_array"
    one = "at_us, began_us, door, collection, asked, after, reached, objects, size_bytes, status, client, address, ''"
    op.execute(
        "insert into journal (key, reader, at_us, door, entries, body)"  # noqa: S608 - no value of anybody
        " select key, reader, at_us, case when reader = 0 or door in ('stream', 'kafka', 'webhook') then door"
        f" else '' end, 1, cast({array}({array}({one})) as text) from journal_0027"
    )
    op.execute(
        "insert into fetched (reader, token, collection, door, reached, at_us)"
        " select reader, '', collection, door, reached, at_us from fetched_0027"
    )

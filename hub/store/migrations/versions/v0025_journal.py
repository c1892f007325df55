"""Adds the journal of reads, and how far each reader has come in each collection."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Create both tables. What was read before is not known."""
    op.create_table(
        "journal",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reader", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("began_us", sa.BigInteger(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("collection", sa.Text()),
        sa.Column("asked", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger()) for name in ("after", "reached", "objects", "size_bytes")),
        sa.Column("status", sa.Integer()),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_journal")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_journal_reader_at_us", "journal", ["reader", "at_us"])
    op.create_index("ix_journal_at_us", "journal", ["at_us"])
    op.create_table(
        "fetched",
        sa.Column("reader", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("collection", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("reached", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("reader", "collection", "door", name=op.f("pk_fetched")),
    )

"""Adds what is kept of values that were erased: the requests, keyed digests, records whose content is to be erased."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_COUNTS = ("claims", "versions", "receipts", "held", "rejections", "records", "others")


def upgrade() -> None:
    """Create the tables empty."""
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "forgettings",
        sa.Column("no", serial, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("case_ref", sa.Text()),
        sa.Column("what", sa.Text()),
        sa.Column("closing_us", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False) for name in _COUNTS),
        sa.Column("searched_us", sa.BigInteger()),
        sa.Column("done_us", sa.BigInteger()),
        sa.Column("lifted_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_forgettings")),
    )
    op.create_table(
        "forgotten",
        sa.Column("forgetting", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("words", sa.Integer(), nullable=False),
        sa.Column("chars", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("forgetting", "digest", name=op.f("pk_forgotten")),
    )
    op.create_table(
        "unwanted",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("offset", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("topic", "partition", "offset", name=op.f("pk_unwanted")),
    )

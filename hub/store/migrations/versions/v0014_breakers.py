"""Adds the circuit breaker: what it counts for each source, and withdrawals among the held objects."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Count the live claims of each source. What was taken back before is not counted."""
    op.create_table(
        "live_claims",
        sa.Column("source", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_live_claims")),
    )
    op.create_table(
        "breakers",
        sa.Column("source", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("minutes", sa.Text(), nullable=False),
        sa.Column("tripped_us", sa.BigInteger()),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_breakers")),
    )
    op.add_column("held", sa.Column("withdrawal", sa.Text()))
    live = "select source, count(*) from contributions where state = 0 group by source"
    op.execute(sa.text(f"insert into live_claims (source, count) {live}"))

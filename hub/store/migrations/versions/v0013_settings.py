"""Adds a table for the values of the policy, and to each log how far its superseded versions were deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Create it empty: every key has its default, so nothing is deleted."""
    op.create_table(
        "settings",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_settings")),
    )
    op.add_column("logs", sa.Column("pruned_seq", sa.BigInteger(), nullable=False, server_default=sa.text("0")))

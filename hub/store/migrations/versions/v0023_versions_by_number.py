"""Adds to each log how far its superseded versions were deleted by their age, and how far by their number."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """So far versions were deleted by age alone."""
    for name in ("aged_seq", "counted_seq"):
        op.add_column("logs", sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("logs", sa.Column("counted_to", sa.Integer()))
    op.execute("update logs set aged_seq = pruned_seq")

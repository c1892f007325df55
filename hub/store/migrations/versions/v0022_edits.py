"""Adds to each log how often its rows were changed or deleted in place, which validators of answers depend on."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the column."""
    op.add_column("logs", sa.Column("edits", sa.BigInteger(), nullable=False, server_default=sa.text("0")))

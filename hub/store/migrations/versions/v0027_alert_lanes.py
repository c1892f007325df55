"""Adds which collections are alert lanes, and to each row when what caused it was received."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the columns. No collection is an alert lane, and of earlier rows the time is not known."""
    op.add_column("collections", sa.Column("alert", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("changes", sa.Column("received_us", sa.BigInteger()))

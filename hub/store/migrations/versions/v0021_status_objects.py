"""Adds the ids and versions of what was pushed over TAXII, which status resources name."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Add the column."""
    op.add_column("receipt_parts", sa.Column("objects", sa.LargeBinary(), nullable=True))

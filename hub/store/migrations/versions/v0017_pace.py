"""Views get the date of their newest version, and the time at which the next one is due."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_LATE = sa.text("late_us is not null")


def upgrade() -> None:
    """Add the columns. Existing versions count as old."""
    op.add_column("views", sa.Column("dated_us", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("views", sa.Column("late_us", sa.BigInteger()))
    columns = ["collection", "late_us", "thing"]
    op.create_index("ix_views_collection_late_us_thing", "views", columns, sqlite_where=_LATE, postgresql_where=_LATE)

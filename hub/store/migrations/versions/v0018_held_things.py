"""Lets held objects be found by the thing that they are about."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the column. It is empty for what is held already, which is found by its STIX id."""
    op.add_column("held", sa.Column("thing", sa.LargeBinary()))
    op.create_index("ix_held_thing", "held", ["thing"])

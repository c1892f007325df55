"""Adds the table that maps values to the patterns that contain them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Create the table. It does not contain earlier contributions."""
    op.create_table(
        "named_values",
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("thing", sa.LargeBinary(), nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False),
    )
    op.create_index("uq_named_values_value_thing", "named_values", ["value", "thing"], unique=True)

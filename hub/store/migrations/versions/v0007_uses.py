"""Renames the table ``carried`` to ``uses``."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Rename the table and its index."""
    op.drop_index("uq_carried_collection_used", "carried")
    op.execute(sa.text("alter table carried rename to uses"))
    op.create_index("uq_uses_collection_used", "uses", ["collection", "used"], unique=True)

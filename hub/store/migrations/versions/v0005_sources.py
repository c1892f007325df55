"""Renames centres to sources, and adds a log of rejections in topics that belong to no source."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Rename the columns, and create the log."""
    op.drop_index("ix_held_centre_stix_id", "held")
    for table in ("contributions", "receipt_parts", "counts", "held"):
        op.execute(sa.text(f"alter table {table} rename column centre to source"))
    op.create_index("ix_held_source_stix_id", "held", ["source", "stix_id"])
    if op.get_bind().execute(sa.text("select 1 from hub")).first() is not None:
        op.execute(sa.text("insert into logs (name) values ('rejections')"))

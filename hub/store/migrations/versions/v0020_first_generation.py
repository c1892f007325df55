"""Adds the generation with which things begin of which a collection stores nothing, above those of erased things."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_ERASED_ROWS = (
    "select count(distinct object_id) from changes"
    " where changes.log = collections.no and changes.withdrawn and changes.version_us = 0"
)
"""No erased thing can have had more ids than have been erased from the log."""


def upgrade() -> None:
    """Begin after what was erased before."""
    op.add_column("collections", sa.Column("first_generation", sa.Integer(), nullable=False, server_default="0"))
    op.execute(f"update collections set first_generation = ({_ERASED_ROWS}) where exists (select 1 from forgettings)")  # noqa: S608 - a constant

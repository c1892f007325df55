"""Shortens ``contributions.since`` to the run of the newest version; the markings of earlier ones are not kept."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Keep since when the newest version has been visible; discard earlier versions."""
    op.execute(sa.text("update contributions set since = substr(since, 1, 24) where length(since) > 24"))

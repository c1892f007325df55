"""Has tasks over contributions begin again, because they are read in another order."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Forget how far they are."""
    begun = "update tasks set cursor = :start, done = 0, until = null, total = null, started_us = null, moved_us = null"
    op.get_bind().execute(sa.text(f"{begun} where kind in ('Recompute', 'RecomputeId')"), {"start": b""})

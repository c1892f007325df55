"""What is kept of a claim's earlier versions is who saw them, no longer how they were marked."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Keep since when the newest version has been visible, and forget those before."""
    op.execute(sa.text("update contributions set since = substr(since, 1, 24) where length(since) > 24"))

"""Members become sources of claims, which are anonymous at first."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Give the members their settings."""
    naming = {"settings": '{"naming": "anonymous"}'}
    op.get_bind().execute(sa.text("update principals set settings = :settings where kind = 'member'"), naming)

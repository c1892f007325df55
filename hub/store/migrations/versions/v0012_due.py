"""Views get the next date at which they change by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

_DUE = sa.text("due_day is not null")
_RECOMPUTE = '{"schema":1,"kind":"Recompute","value":{"source":null,"collection":null,"type":"indicator"}}'


def upgrade() -> None:
    """Add the column, and have the indicators of an existing hub computed again, which sets it."""
    op.add_column("views", sa.Column("due_day", sa.Integer()))
    columns = ["collection", "due_day", "thing"]
    op.create_index("ix_views_collection_due_day_thing", "views", columns, sqlite_where=_DUE, postgresql_where=_DUE)
    conn = op.get_bind()
    if conn.execute(sa.text("select 1 from views")).first() is not None:
        row = {"kind": "Recompute", "task": _RECOMPUTE, "cursor": b""}
        conn.execute(
            sa.text("insert into tasks (kind, task, cursor, time_us, due_us) values (:kind, :task, :cursor, 0, 0)"), row
        )

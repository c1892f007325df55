"""What carries a marking is found by the source that defines it, not by the id of the marking alone."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_RECOMPUTE = '{"schema":1,"kind":"Recompute","value":{"source":null,"collection":null}}'


def upgrade() -> None:
    """Put the source into the names of the index; what was deferred under the old names is computed again."""
    conn = op.get_bind()
    op.execute(
        sa.text(
            "update referring set target = (select 'marked:' || cast(c.source as text) || '/' || substr(target, 8)"
            " from contributions c where c.key = referring.key) where target like 'marked:%'"
        )
    )
    deferred = conn.execute(sa.text("select no from tasks where task like '%\"marked:%'")).all()
    for (no,) in deferred:
        conn.execute(sa.text("delete from tasks where no = :no"), {"no": no})
    if deferred:
        row = {"kind": "Recompute", "task": _RECOMPUTE, "cursor": b""}
        conn.execute(
            sa.text("insert into tasks (kind, task, cursor, time_us, due_us) values (:kind, :task, :cursor, 0, 0)"), row
        )

"""Adds to the terms of each centre how wide its networks may be."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_RECOMPUTE = '{"schema":1,"kind":"Recompute","value":{"source":null,"collection":null}}'


def upgrade() -> None:
    """Give every centre the defaults, and mark the wide networks in all views."""
    conn = op.get_bind()
    centres = conn.execute(sa.text("select no, settings from principals where kind = 'centre'")).all()
    for no, settings in centres:
        said = {**json.loads(settings), "widest_shown": [8, 19], "widest_blocked": [16, 29]}
        conn.execute(
            sa.text("update principals set settings = :said where no = :no"),
            {"no": no, "said": json.dumps(said, sort_keys=True)},
        )
    if centres:
        row = {"kind": "Recompute", "task": _RECOMPUTE, "cursor": b""}
        conn.execute(
            sa.text("insert into tasks (kind, task, cursor, time_us, due_us) values (:kind, :task, :cursor, 0, 0)"), row
        )

"""Replaces ``sweeps`` by a table of typed tasks with due times."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_DAY_US = 86_400_000_000
_tasks = sa.table("tasks", *(sa.column(name) for name in ("kind", "task", "cursor", "time_us", "due_us")))


def upgrade() -> None:
    """Create the table, and convert the pending work."""
    op.create_table(
        "tasks",
        sa.Column("no", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("cursor", sa.LargeBinary(), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_tasks")),
    )
    op.create_index(op.f("ix_tasks_due_us"), "tasks", ["due_us"])
    conn = op.get_bind()
    left = conn.execute(sa.text("select scope, cursor, time_us from sweeps where not done order by no")).all()
    for scope, cursor, time_us in left:
        _add(*_task(scope), bytes(cursor), time_us, 0)
    if conn.execute(sa.text("select 1 from held where state = 'released'")).first() is not None:
        _add("TakeReleased", {}, b"", 0, 0)
    if (last := _last_day_us(conn)) is not None:
        _add("SetDate", {}, b"", last, last + _DAY_US)
    op.drop_table("sweeps")


def _task(scope: str) -> tuple[str, dict[str, object]]:
    match scope.split(":", 2):
        case ["referrers", collection, name]:
            return "TakeTurns", {"collection": int(collection), "name": name}
        case ["collection", number]:
            return "Recompute", {"source": None, "collection": int(number)}
        case ["centre", number]:
            return "Recompute", {"source": int(number), "collection": None}
        case _:
            return "Recompute", {"source": None, "collection": None}


def _last_day_us(conn: sa.Connection) -> int | None:
    """Returns the start of the last date set, or else of the day the hub was created; None if it is not created yet."""
    last = conn.execute(sa.text("select max(at_us) from ticks")).scalar()
    made = conn.execute(sa.text("select created_us from hub")).scalar()
    return None if made is None else max(last or 0, made) // _DAY_US * _DAY_US


def _add(kind: str, value: dict[str, object], cursor: bytes, time_us: int, due_us: int) -> None:
    text = json.dumps({"schema": 1, "kind": kind, "value": value}, separators=(",", ":"))
    row = {"kind": kind, "task": text, "cursor": cursor, "time_us": time_us, "due_us": due_us}
    op.bulk_insert(_tasks, [row])

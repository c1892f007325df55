"""Contributions get a number in the order of arrival; tasks get their progress."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_COLUMNS = "key, source, id, type, thing, modified_us, stamp, since, state, digest, body"


def upgrade() -> None:
    """Number the contributions, and begin the tasks over them again: their cursors were keys."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
    else:
        number = "add column no bigserial, add constraint pk_contributions primary key (no)"
        op.execute(sa.text(f"alter table contributions {number}"))
    op.create_index("ix_contributions_source_no", "contributions", ["source", "no"])
    for name in ("until", "total", "started_us", "moved_us"):
        op.add_column("tasks", sa.Column(name, sa.BigInteger()))
    op.add_column("tasks", sa.Column("done", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.get_bind().execute(sa.text("update tasks set cursor = :start where kind = 'Recompute'"), {"start": b""})


def _rebuild() -> None:
    """SQLite cannot add a primary key: copy the table, in the order in which its rows were inserted."""
    for index in ("uq_contributions_key", "ix_contributions_thing"):
        op.drop_index(index, "contributions")
    op.rename_table("contributions", "contributions_before")
    op.create_table(
        "contributions",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("source", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("thing", sa.LargeBinary()),
        sa.Column("modified_us", sa.BigInteger()),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("no", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_contributions"),
    )
    rows = f"select {_COLUMNS}, rowid from contributions_before order by rowid"  # noqa: S608
    op.execute(sa.text(f"insert into contributions ({_COLUMNS}, no) {rows}"))
    op.drop_table("contributions_before")
    op.create_index("uq_contributions_key", "contributions", ["key"], unique=True)
    op.create_index("ix_contributions_thing", "contributions", ["thing"])

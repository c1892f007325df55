"""The first schema.

It does not import ``hub/store/tables.py``, since the tables there change with later versions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "carried",
        sa.Column("collection", sa.Integer(), nullable=False),
        sa.Column("used", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.create_index("uq_carried_collection_used", "carried", ["collection", "used"], unique=True)
    op.create_table(
        "changes",
        sa.Column("log", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("date_added_us", sa.BigInteger(), nullable=False),
        sa.Column("version_us", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Boolean(), nullable=False),
        sa.Column("shown", sa.SmallInteger(), nullable=False),
        sa.Column("before", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_changes_log_date_added_us", "changes", ["log", "date_added_us"], unique=False)
    op.create_index("ix_changes_log_type_seq", "changes", ["log", "type", "seq"], unique=False)
    op.create_index("uq_changes_log_seq", "changes", ["log", "seq"], unique=True)
    op.create_table(
        "collections",
        sa.Column("no", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("group", sa.Text(), nullable=False),
        sa.Column("types", sa.Text(), nullable=False),
        sa.Column("kinds", sa.Text(), nullable=False),
        sa.Column("min_confidence", sa.Integer(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_collections")),
    )
    op.create_index("uq_collections_id", "collections", ["id"], unique=True)
    op.create_index("uq_collections_name", "collections", ["name"], unique=True)
    op.create_table(
        "contributions",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("centre", sa.Integer(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("thing", sa.LargeBinary(), nullable=True),
        sa.Column("modified_us", sa.BigInteger(), nullable=True),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("since", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_contributions_thing", "contributions", ["thing"], unique=False)
    op.create_index("uq_contributions_key", "contributions", ["key"], unique=True)
    op.create_table(
        "counts",
        sa.Column("centre", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("accepted", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("centre", name=op.f("pk_counts")),
    )
    op.create_table(
        "group_members",
        sa.Column("group", sa.Integer(), nullable=False),
        sa.Column("principal", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("group", "principal", name=op.f("pk_group_members")),
    )
    op.create_table(
        "groups",
        sa.Column("no", _SERIAL, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("marking", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_groups")),
    )
    op.create_index("uq_groups_name", "groups", ["name"], unique=True)
    op.create_table(
        "held",
        sa.Column("no", _SERIAL, nullable=False),
        sa.Column("centre", sa.Integer(), nullable=False),
        sa.Column("stix_id", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("list", sa.Text(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("idx", sa.Integer(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("modified_us", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_held")),
    )
    op.create_index("ix_held_state_no", "held", ["state", "no"], unique=False)
    op.create_index("ix_held_centre_stix_id", "held", ["centre", "stix_id"], unique=False)
    op.create_table(
        "hub",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("cursor_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_hub")),
    )
    op.create_table(
        "logs",
        sa.Column("no", _SERIAL, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_us", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_logs")),
    )
    op.create_index("uq_logs_name", "logs", ["name"], unique=True)
    op.create_table(
        "past_ids",
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("collection", sa.Integer(), nullable=False),
        sa.Column("thing", sa.LargeBinary(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
    )
    op.create_index("uq_past_ids_object_id_collection", "past_ids", ["object_id", "collection"], unique=True)
    op.create_table(
        "placements",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("collection", sa.Integer(), nullable=False),
        sa.Column("thing", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_placements_thing", "placements", ["thing"], unique=False)
    op.create_index("uq_placements_key_collection", "placements", ["key", "collection"], unique=True)
    op.create_table(
        "policy_changes",
        sa.Column("no", _SERIAL, nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_policy_changes")),
    )
    op.create_table(
        "positions",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.Column("moved_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name=op.f("pk_positions")),
    )
    op.create_table(
        "principals",
        sa.Column("no", _SERIAL, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("sector", sa.Text(), nullable=True),
        sa.Column("accredited_by", sa.Integer(), nullable=True),
        sa.Column("token_digest", sa.LargeBinary(), nullable=True),
        sa.Column("suspended", sa.Boolean(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_principals")),
    )
    op.create_index("ix_principals_token_digest", "principals", ["token_digest"], unique=False)
    op.create_index("uq_principals_name", "principals", ["name"], unique=True)
    op.create_table(
        "receipt_parts",
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("centre", sa.Integer(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("unchanged", sa.Integer(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("first_index", sa.Integer(), nullable=False),
        sa.Column("problems", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_receipt_parts_receipt", "receipt_parts", ["receipt"], unique=False)
    op.create_table(
        "referring", sa.Column("target", sa.Text(), nullable=False), sa.Column("key", sa.LargeBinary(), nullable=False)
    )
    op.create_index("ix_referring_key", "referring", ["key"], unique=False)
    op.create_index("uq_referring_target_key", "referring", ["target", "key"], unique=True)
    op.create_table(
        "sweeps",
        sa.Column("no", _SERIAL, nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("cursor", sa.LargeBinary(), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("no", name=op.f("pk_sweeps")),
    )
    op.create_table(
        "ticks",
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_ticks")),
    )
    op.create_table(
        "views",
        sa.Column("thing", sa.LargeBinary(), nullable=False),
        sa.Column("collection", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("alive", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("modified_us", sa.BigInteger(), nullable=False),
        sa.Column("uses", sa.Text(), nullable=False),
    )
    op.create_index("ix_views_object_id", "views", ["object_id"], unique=False)
    op.create_index("uq_views_thing_collection", "views", ["thing", "collection"], unique=True)

"""The schema, for both dialects. There are few random indexes, since the writes per object determine the speed.

The bytes that members read are stored once, in ``changes``; ``views`` points to them. Times are microseconds since
1970-01-01 UTC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)
SERIAL = BigInteger().with_variant(Integer, "sqlite")


def written_columns(table: Table) -> list[Column[Any]]:
    """Returns the columns whose values the hub writes: all but a key that the database assigns."""
    return [column for column in table.c if column.type is not SERIAL]


# ---------------------------------------------------------------- what sources claim

contributions = Table(
    "contributions",
    metadata,
    Column("key", LargeBinary, nullable=False),  # model/claims.claim_key
    Column("source", Integer, nullable=False),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("thing", LargeBinary),
    Column("modified_us", BigInteger),
    Column("stamp", LargeBinary, nullable=False),
    Column("since", LargeBinary, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("no", SERIAL, primary_key=True),  # in the order of first arrival; later versions keep it
    Index("uq_contributions_key", "key", unique=True),
    Index("ix_contributions_thing", "thing"),
    Index("ix_contributions_source_no", "source", "no"),
)

referring = Table(
    "referring",
    metadata,
    Column("target", Text, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Index("uq_referring_target_key", "target", "key", unique=True),
    Index("ix_referring_key", "key"),
)

placements = Table(
    "placements",
    metadata,
    Column("key", LargeBinary, nullable=False),
    Column("collection", Integer, nullable=False),
    Column("thing", LargeBinary, nullable=False),
    Index("uq_placements_key_collection", "key", "collection", unique=True),
    Index("ix_placements_thing", "thing"),
)

named_values = Table(
    "named_values",
    metadata,
    Column("value", LargeBinary, nullable=False),  # hub.patterns.lookup.value_key
    Column("thing", LargeBinary, nullable=False),
    Column("alone", Boolean, nullable=False),
    Index("uq_named_values_value_thing", "value", "thing", unique=True),
)
"""The patterns that contain a value, unless the value alone determines their key. Rows depend on the pattern only
and are never deleted; what a reader may see of a thing is checked elsewhere.
"""

# ---------------------------------------------------------------- what collections show

views = Table(
    "views",
    metadata,
    Column("thing", LargeBinary, nullable=False),
    Column("collection", Integer, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("alive", Boolean, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("modified_us", BigInteger, nullable=False),
    Column("uses", Text, nullable=False),  # separated by blanks
    Column("due_day", Integer),  # when it changes by itself, in days since 1970
    Column("dated_us", BigInteger, nullable=False, server_default=text("0")),
    Column("late_us", BigInteger),  # when its next version is due, if the pace has put it off
    Index("uq_views_thing_collection", "thing", "collection", unique=True),
    Index("ix_views_object_id", "object_id"),
    Index(
        "ix_views_collection_due_day_thing",
        "collection",
        "due_day",
        "thing",
        sqlite_where=text("due_day is not null"),
        postgresql_where=text("due_day is not null"),
    ),
    Index(
        "ix_views_collection_late_us_thing",
        "collection",
        "late_us",
        "thing",
        sqlite_where=text("late_us is not null"),
        postgresql_where=text("late_us is not null"),
    ),
)

past_ids = Table(
    "past_ids",
    metadata,
    Column("object_id", Text, nullable=False),
    Column("collection", Integer, nullable=False),
    Column("thing", LargeBinary, nullable=False),
    Column("type", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Index("uq_past_ids_object_id_collection", "object_id", "collection", unique=True),
)

uses = Table(
    "uses",
    metadata,
    Column("collection", Integer, nullable=False),
    Column("used", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
    Index("uq_uses_collection_used", "collection", "used", unique=True),
)

logs = Table(
    "logs",
    metadata,
    Column("no", SERIAL, primary_key=True),
    Column("name", Text, nullable=False),  # collection.<name> or rejected.<source>
    Column("last_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("last_us", BigInteger, nullable=False, server_default=text("0")),
    # how far superseded versions were deleted; see hub.store.versions
    Column("pruned_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("aged_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("counted_seq", BigInteger, nullable=False, server_default=text("0")),
    Column("counted_to", Integer),
    Column("edits", BigInteger, nullable=False, server_default=text("0")),  # hub.store.edits
    Index("uq_logs_name", "name", unique=True),
)

SHOWN_NEVER, SHOWN_BEFORE, SHOWN_NOW = 0, 1, 2
"""``changes.shown``: the object has left the collection · an older version · the newest version."""

changes = Table(
    "changes",
    metadata,
    Column("log", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("date_added_us", BigInteger, nullable=False),
    Column("version_us", BigInteger, nullable=False),
    Column("first", Boolean, nullable=False),
    Column("shown", SmallInteger, nullable=False),
    Column("before", BigInteger),
    Column("body", LargeBinary, nullable=False),
    Column("received_us", BigInteger),  # when what caused it was received; null: nothing received now
    Index("uq_changes_log_seq", "log", "seq", unique=True),
    Index("ix_changes_log_type_seq", "log", "type", "seq"),
    Index("ix_changes_log_date_added_us", "log", "date_added_us"),
)

ERASED_US = 0
"""``changes.version_us`` of a row whose content was erased. In a collection it is a withdrawal without content."""

# ---------------------------------------------------------------- receipts, held objects

positions = Table(
    "positions",
    metadata,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next", BigInteger, nullable=False),
    Column("moved_us", BigInteger, nullable=False),
)

receipt_parts = Table(
    "receipt_parts",
    metadata,
    Column("receipt", Text, nullable=False),
    Column("source", Integer, nullable=False),
    Column("accepted", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("held", Integer, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("first_index", Integer, nullable=False),
    Column("problems", LargeBinary, nullable=False),  # JSON array
    Column("objects", LargeBinary),  # JSON array of [index, id, version]; null unless the push came over TAXII
    Index("ix_receipt_parts_receipt", "receipt"),
)

counts = Table(
    "counts",
    metadata,
    Column("source", Integer, primary_key=True, autoincrement=False),
    Column("accepted", BigInteger, nullable=False),
    Column("unchanged", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
)

held = Table(
    "held",
    metadata,
    Column("no", SERIAL, primary_key=True),
    Column("source", Integer, nullable=False),
    Column("stix_id", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("list", Text, nullable=False),
    Column("says", Text, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("stamp", LargeBinary, nullable=False),
    Column("receipt", Text),
    Column("idx", Integer, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("modified_us", BigInteger),
    Column("digest", LargeBinary, nullable=False),
    Column("withdrawal", Text),  # how it withdraws, if it is a withdrawal
    Column("state", Text, nullable=False),  # waiting, released, taken, refused, superseded
    Column("thing", LargeBinary),  # what the claim would be about
    Index("ix_held_state_no", "state", "no"),
    Index("ix_held_source_stix_id", "source", "stix_id"),
    Index("ix_held_thing", "thing"),
)

live_claims = Table(
    "live_claims",
    metadata,
    Column("source", Integer, primary_key=True, autoincrement=False),
    Column("count", BigInteger, nullable=False),
)
"""How many of each source's contributions are live."""

breakers = Table(
    "breakers",
    metadata,
    Column("source", Integer, primary_key=True, autoincrement=False),
    Column("minutes", Text, nullable=False),  # JSON: model/breaker.Minute
    Column("tripped_us", BigInteger),
)
"""What each source has taken back within the last hour, and whether its breaker has tripped."""

# ---------------------------------------------------------------- registry, policy

hub = Table(
    "hub",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),  # a single row: the settings shared by all processes
    Column("namespace", Text, nullable=False),
    Column("identity", Text, nullable=False),
    Column("cursor_key", LargeBinary, nullable=False),
    Column("created_us", BigInteger, nullable=False),
)

policy_changes = Table(
    "policy_changes",
    metadata,
    Column("no", SERIAL, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON, without secrets
)

pins = Table("pins", metadata, Column("id", Text, primary_key=True), Column("author", Text, nullable=False))
"""The authors whose claims under a STIX id come first."""

settings = Table("settings", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))
"""The values of the policy that are set; see ``hub/model/policy_keys``."""

tasks = Table(
    "tasks",
    metadata,
    Column("no", SERIAL, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("task", Text, nullable=False),  # JSON, hub.store.typed_json
    Column("cursor", LargeBinary, nullable=False),  # how far it has come
    Column("time_us", BigInteger, nullable=False),  # when it was caused
    Column("due_us", BigInteger, nullable=False),
    # of a task over contributions, from its first step on: the last ``no``, and how far it is
    Column("until", BigInteger),
    Column("total", BigInteger),
    Column("done", BigInteger, nullable=False, server_default=text("0")),
    Column("started_us", BigInteger),
    Column("moved_us", BigInteger),
    Index("ix_tasks_due_us", "due_us"),
)
"""Work for later steps, and when it is due."""

ticks = Table("ticks", metadata, Column("day", Text, primary_key=True), Column("at_us", BigInteger, nullable=False))

alive = Table(
    "alive",
    metadata,
    Column("boot", Text, primary_key=True),  # the kernel's boot id of a machine that a worker ran on
    Column("at_us", BigInteger, nullable=False),
    Column("uptime_us", BigInteger, nullable=False),
)

principals = Table(
    "principals",
    metadata,
    Column("no", SERIAL, primary_key=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),  # source, member, operator
    Column("identity", Text),
    Column("country", Text),
    Column("sector", Text),
    Column("accredited_by", Integer),
    Column("suspended", Boolean, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("settings", Text, nullable=False),  # JSON: what only a source has
    Index("uq_principals_name", "name", unique=True),
)

groups = Table(
    "groups",
    metadata,
    Column("no", SERIAL, primary_key=True),
    Column("name", Text, nullable=False),
    Column("marking", Text, nullable=False),
    Column("rules", Text, nullable=False),  # JSON: [["country", "RO"], …]
    Column("created_us", BigInteger, nullable=False),
    Index("uq_groups_name", "name", unique=True),
)

group_members = Table(
    "group_members",
    metadata,
    Column("group", Integer, primary_key=True),
    Column("principal", Integer, primary_key=True),
)

collections = Table(
    "collections",
    metadata,
    Column("no", Integer, primary_key=True, autoincrement=False),  # the number of its log
    Column("name", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("level", Text, nullable=False),
    Column("group", Text, nullable=False),
    Column("types", Text, nullable=False),  # JSON arrays
    Column("kinds", Text, nullable=False),
    Column("min_confidence", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    Column("first_generation", Integer, nullable=False, server_default=text("0")),  # of things without a row in views
    Column("alert", Boolean, nullable=False, server_default=false()),
    Index("uq_collections_name", "name", unique=True),
    Index("uq_collections_id", "id", unique=True),
)

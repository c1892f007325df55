"""The tables of webhooks; a part of the schema in ``hub/store/tables.py``."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, text

from hub.store.tables import metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("principal", Integer, nullable=False),
    Column("collection", Integer, nullable=False),  # the number of its log
    Column("collection_name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("types", Text, nullable=False),  # JSON arrays
    Column("kinds", Text, nullable=False),
    Column("min_confidence", Integer, nullable=False),
    Column("created_us", BigInteger, nullable=False),
    # model/webhooks.WebhookProgress
    Column("position", BigInteger, nullable=False),
    Column("batch_to", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("failed_us", BigInteger),
    Column("due_us", BigInteger, nullable=False),
    Column("last_failure", Text, nullable=False),
    Column("delivered_us", BigInteger),
    Column("paused", Text),
    Index("ix_webhooks_principal", "principal"),
)
"""No column has a secret: it is derived from the id and the hub's key."""

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("changes", BigInteger, nullable=False, server_default=text("0")),
)
"""Work that one process does at a time, and which one; see ``hub/store/webhook_port.Lease``. ``changes`` counts how
often others have changed what it works on."""

"""The tables of erased values: the requests, what is kept of the values, records whose content is to be erased."""

from __future__ import annotations

from dataclasses import fields

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text, text

from hub.model.forgettings import ErasedCounts
from hub.store.tables import SERIAL, metadata

forgettings = Table(
    "forgettings",
    metadata,
    Column("no", SERIAL, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    *(Column(name, Text, nullable=False) for name in ("who", "reason")),
    Column("case_ref", Text),
    Column("what", Text),  # JSON, model/forgettings.Erasable, until it is erased
    Column("closing_us", BigInteger, nullable=False),  # until when the closing versions stay
    *(Column(kind.name, BigInteger, nullable=False, server_default=text("0")) for kind in fields(ErasedCounts)),
    *(Column(name, BigInteger) for name in ("searched_us", "done_us", "lifted_us")),
)
"""The requests to erase a value: who, when, why, and how much was erased."""

forgotten = Table(
    "forgotten", metadata, Column("forgetting", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, primary_key=True), Column("words", Integer, nullable=False),
    Column("chars", Integer, nullable=False),
)  # fmt: skip
"""What is kept of erased values; see ``model/forgotten.ForgottenDigest``."""

unwanted = Table(
    "unwanted", metadata, Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
)  # fmt: skip
"""Records of the event log that say again what was erased; their content is to be erased too."""

"""Gives principals any number of tokens. Their tokens so far become their own."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables, and move the digests there."""
    op.create_table(
        "tokens",
        sa.Column("no", SERIAL, nullable=False),
        sa.Column("principal", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rights", sa.Text(), nullable=False),
        sa.Column("collections", sa.Text()),
        sa.Column("networks", sa.Text(), nullable=False),
        sa.Column("ends_us", sa.BigInteger()),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("no", name="pk_tokens"),
    )
    op.create_index("uq_tokens_principal_name", "tokens", ["principal", "name"], unique=True)
    op.create_table(
        "token_digests",
        sa.Column("no", SERIAL, nullable=False),
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.Column("ends_us", sa.BigInteger()),
        sa.Column("used_us", sa.BigInteger()),
        sa.Column("refused_us", sa.BigInteger()),
        sa.Column("why", sa.Text()),
        sa.PrimaryKeyConstraint("no", name="pk_token_digests"),
    )
    op.create_index("uq_token_digests_sha256", "token_digests", ["sha256"], unique=True)
    op.create_index("ix_token_digests_token", "token_digests", ["token"])
    op.execute(
        "insert into tokens (principal, name, rights, networks, created_us)"
        " select no, '', 'read and push', '[]', created_us from principals where token_digest is not null"
    )
    op.execute(
        "insert into token_digests (token, sha256, prefix, created_us)"
        " select t.no, p.token_digest, '', t.created_us from tokens t join principals p on p.no = t.principal"
    )
    op.drop_index("ix_principals_token_digest", "principals")
    op.drop_column("principals", "token_digest")

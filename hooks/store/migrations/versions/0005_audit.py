"""Audit: one reading of everybody, its pages, and what it found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _ID, nullable=False),
        sa.Column("began", sa.BigInteger(), nullable=False),
        sa.Column("scheduled", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=True),
        sa.Column("done", sa.BigInteger(), nullable=True),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "audit_page",
        sa.Column("audit", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.String(length=96), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("audit", "part", "ordinal"),
    )
    op.create_table(
        "drift",
        sa.Column("id", _ID, nullable=False),
        sa.Column("audit", sa.BigInteger(), nullable=False),
        sa.Column("user", sa.String(length=20), nullable=False),
        sa.Column("record", sa.String(length=128), nullable=False),
        sa.Column("directory", sa.String(length=32), nullable=False),
        sa.Column("group", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(length=32), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("drift_audit", "drift", ["audit", "kind", "id"], unique=False)
    op.create_index("ix_drift_user", "drift", ["user"], unique=False)

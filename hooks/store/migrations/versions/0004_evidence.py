"""Evidence: rows chained per person; incidents, group sizes, and removals ordered back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("step", sa.Column("read", sa.BigInteger(), nullable=True))
    for table in ("step", "outcome"):
        op.add_column(table, sa.Column("link", sa.Integer(), nullable=True))
        op.add_column(table, sa.Column("mac", sa.String(length=64), nullable=True))
    op.create_index("step_group", "step", ["group", "at"], unique=False)
    op.create_table(
        "chain",
        sa.Column("user", sa.String(length=20), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("cut", sa.BigInteger(), nullable=False),
        sa.Column("cut_head", sa.String(length=64), nullable=False),
        sa.Column("kept", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("user"),
    )
    op.add_column("hold", sa.Column("incident", sa.BigInteger(), nullable=True))
    op.create_index("ix_hold_incident", "hold", ["incident"], unique=False)
    op.create_table(
        "incident",
        sa.Column("id", _ID, nullable=False),
        sa.Column("brake_class", sa.String(length=128), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("over", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_incident_brake_class", "incident", ["brake_class"], unique=False)
    op.create_table(
        "group_size",
        sa.Column("group", sa.String(length=36), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group"),
    )
    op.add_column("operator_order", sa.Column("steps", sa.String(), nullable=True))
    op.create_index(
        "order_open",
        "operator_order",
        ["ref"],
        unique=False,
        postgresql_where=sa.text("done IS NULL"),
        sqlite_where=sa.text("done IS NULL"),
    )

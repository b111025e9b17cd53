"""The organization beside the directories: accounts, its groups, absences, what a look told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("step", sa.Column("account", sa.String(length=128), nullable=True))
    op.create_index("ix_person_account", "person", ["account"], unique=False)
    op.add_column("person", sa.Column("account_type", sa.String(length=16), nullable=True))
    op.add_column("person", sa.Column("roles", sa.String(), nullable=True))
    for name in ("absent_since", "returned", "accounted"):
        op.add_column("tie", sa.Column(name, sa.BigInteger(), nullable=True))
    op.create_table(
        "moment",
        sa.Column("user", sa.String(length=20), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("app", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user", "what", "app", "at"),
    )
    op.create_table(
        "organization_group",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("synced", sa.Boolean(), nullable=False),
        sa.Column("accept", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "look",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("user", sa.String(length=20), nullable=False),
        sa.Column("told", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_look_user", "look", ["user"], unique=False)

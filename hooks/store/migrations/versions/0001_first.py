"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "brake",
        sa.Column("brake_class", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("brake_class"),
    )
    op.create_table(
        "cursor",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "due",
        sa.Column("subject", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("lane", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("base", sa.BigInteger(), nullable=True),
        sa.Column("dead", sa.String(length=64), nullable=True),
        sa.Column("dead_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("subject"),
    )
    op.create_index(
        "due_line",
        "due",
        ["lane", "due_at"],
        unique=False,
        postgresql_where=sa.text("due_at IS NOT NULL"),
        sqlite_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_table(
        "event",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=128), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("delivery", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=32), nullable=True),
        sa.Column("claim", sa.String(length=16), nullable=True),
        sa.Column("about", sa.String(length=20), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("first_look", sa.BigInteger(), nullable=True),
        sa.Column("settled", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("uuid"),
    )
    op.create_index(
        "event_waiting",
        "event",
        ["subject"],
        unique=False,
        postgresql_where=sa.text("settled IS NULL"),
        sqlite_where=sa.text("settled IS NULL"),
    )
    op.create_index("ix_event_received", "event", ["received"], unique=False)
    op.create_table(
        "hold",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("user", sa.String(length=20), nullable=False),
        sa.Column("directory", sa.String(length=32), nullable=False),
        sa.Column("brake_class", sa.String(length=128), nullable=False),
        sa.Column("steps", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("decided", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_hold_brake_class", "hold", ["brake_class"], unique=False)
    op.create_index("ix_hold_user", "hold", ["user"], unique=False)
    op.create_table(
        "mapping",
        sa.Column("directory", sa.String(length=32), nullable=False),
        sa.Column("mapping", sa.String(length=20), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("target", sa.String(length=20), nullable=False),
        sa.Column("group", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("target_name", sa.String(), nullable=False),
        sa.Column("accept", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("directory", "mapping"),
    )
    op.create_table(
        "operator_order",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ref", sa.String(length=128), nullable=False),
        sa.Column("who", sa.String(length=128), nullable=False),
        sa.Column("why", sa.String(length=512), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=True),
        sa.Column("result", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "outcome",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_outcome_at", "outcome", ["at"], unique=False)
    op.create_index("ix_outcome_step", "outcome", ["step"], unique=False)
    op.create_table(
        "person",
        sa.Column("user", sa.String(length=20), nullable=False),
        sa.Column("account", sa.String(length=128), nullable=True),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user"),
    )
    op.create_table(
        "pin",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("okta_group", sa.String(length=20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "refused",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("user", sa.String(length=20), nullable=False),
        sa.Column("directory", sa.String(length=32), nullable=False),
        sa.Column("group", sa.String(length=36), nullable=False),
        sa.Column("cause", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.String(length=256), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_refused_user", "refused", ["user"], unique=False)
    op.create_table(
        "step",
        sa.Column("id", ROW_ID, nullable=False),
        sa.Column("user", sa.String(length=20), nullable=False),
        sa.Column("directory", sa.String(length=32), nullable=False),
        sa.Column("via", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("group", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("scim_id", sa.String(length=36), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("brake_class", sa.String(length=128), nullable=False),
        sa.Column("evidence", sa.String(), nullable=False),
        sa.Column("events", sa.String(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_step_user", "step", ["user"], unique=False)
    op.create_index("step_brake", "step", ["brake_class", "at"], unique=False)
    op.create_table(
        "tie",
        sa.Column("user", sa.String(length=20), nullable=False),
        sa.Column("directory", sa.String(length=32), nullable=False),
        sa.Column("scim_id", sa.String(length=36), nullable=True),
        sa.Column("user_name", sa.LargeBinary(), nullable=True),
        sa.Column("in_force", sa.Boolean(), nullable=False),
        sa.Column("ever_in_force", sa.Boolean(), nullable=False),
        sa.Column("standing", sa.String(length=16), nullable=True),
        sa.Column("standing_at", sa.BigInteger(), nullable=True),
        sa.Column("agreed", sa.Integer(), nullable=False),
        sa.Column("waiting_since", sa.BigInteger(), nullable=True),
        sa.Column("groups", sa.String(), nullable=False),
        sa.Column("census", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("user", "directory"),
    )
    op.create_index("ix_tie_scim_id", "tie", ["scim_id"], unique=False)

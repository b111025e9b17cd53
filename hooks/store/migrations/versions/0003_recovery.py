"""Recovery: what the log showed first, what was replayed, what was excused, what was alarmed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tie", sa.Column("excused", sa.BigInteger(), nullable=True))
    for name in ("hooked", "replayed"):
        op.add_column("event", sa.Column(name, sa.BigInteger(), nullable=True))
    op.create_index(
        "event_logged",
        "event",
        ["received"],
        unique=False,
        postgresql_where=sa.text("origin = 'log'"),
        sqlite_where=sa.text("origin = 'log'"),
    )
    op.create_table(
        "alarm",
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.String(length=16), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )

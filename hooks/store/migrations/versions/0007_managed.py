"""Managed: whose account lies outside the organization's domains; work about nobody alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("person", sa.Column("managed", sa.Boolean(), nullable=True))
    standing = sa.text("kind <> 'user'")
    op.create_index(
        "due_standing",
        "due",
        ["lane", "due_at"],
        postgresql_where=standing,
        sqlite_where=standing,
    )

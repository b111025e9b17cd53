"""Released: which SCIM record of somebody was deleted by order, and a sealed copy of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tie", sa.Column("released", sa.String(length=36), nullable=True))
    op.add_column("tie", sa.Column("released_copy", sa.LargeBinary(), nullable=True))

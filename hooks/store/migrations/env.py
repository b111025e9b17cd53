"""What alembic runs: our connection, our transaction, our tables."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import hooks.store.tables  # noqa: F401  # so that the metadata knows them

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transactional_ddl=False,  # the transaction is ours
)
context.run_migrations()

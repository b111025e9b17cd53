"""Kinds of columns that tables share. Instants are microseconds UTC."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer
from sqlmodel import Field

#: SQLite counts row ids only in INTEGER columns; PostgreSQL needs BIGINT to not run out.
ROW_ID = BigInteger().with_variant(Integer(), "sqlite")


def row_id() -> int | None:
    """A number the database gives."""
    return Field(default=None, primary_key=True, sa_type=ROW_ID)  # type: ignore[no-any-return]


def instant(*, default: int | None = None, index: bool = False) -> int:
    """When something is known to be."""
    return Field(default=default, sa_type=BigInteger, index=index)  # type: ignore[no-any-return]


def maybe_instant() -> int | None:
    """When something happened, or not yet."""
    return Field(default=None, sa_type=BigInteger)  # type: ignore[no-any-return]

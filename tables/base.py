"""The base of every table; what is in this package is had from `models`."""

from __future__ import annotations

from peewee import (
    Model,
)

from database import (
    db,
)


class Table(Model):
    """Base of every model."""

    class Meta:
        database = db
        legacy_table_names = False

"""Counts what a page asks the database."""

from __future__ import annotations

from typing import Any

import gevent
import pytest

from models import db

MOST_STATEMENTS = 12
"""A page asks no more than a dozen."""
SETTINGS = ("SET TRANSACTION", "set_config(")
"""Of a transaction: they ask nothing."""


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list that every statement of this greenlet is added to from now on.

    A page asks in its request's own, and a stop goes on in another."""
    asked: list[str] = []
    asking = gevent.getcurrent()
    execute = type(db.obj).execute_sql

    def noted(self: Any, sql: str, *rest: Any, **options: Any) -> Any:
        if gevent.getcurrent() is asking and not any(word in sql for word in SETTINGS):
            asked.append(sql)
        return execute(self, sql, *rest, **options)

    monkeypatch.setattr(type(db.obj), "execute_sql", noted)
    return asked

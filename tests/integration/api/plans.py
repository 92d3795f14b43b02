"""What PostgreSQL did for a request: the plans of its statements, as they were run."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from models import db
from tests.integration.api.site import Site


def plans_of(site: Site, path: str, monkeypatch: pytest.MonkeyPatch, *words: str) -> list[dict[str, Any]]:
    """Of the statements that have one of these words in them, of a request that succeeds."""
    found: list[dict[str, Any]] = []
    execute = db.obj.execute_sql

    def explained(sql: str, params: Any = None, *rest: Any) -> Any:
        if any(word in sql for word in words):
            ((plan,),) = execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", params).fetchall()
            found.append((orjson.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
        return execute(sql, params, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(db.obj, "execute_sql", explained)
        assert site.get(path).status_code == 200
    return found


def read(plan: dict[str, Any]) -> int:
    """How many rows of tables the plan touched, those it then left out included."""
    own = 0
    if "Relation Name" in plan:
        own = int(plan["Actual Rows"]) + int(plan.get("Rows Removed by Filter", 0))
    return own + sum(read(part) for part in plan.get("Plans", ()))

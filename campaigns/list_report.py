"""What a preview says of a list: rows taken and rejected by code, with examples, its columns, countries and repeats.

Filled by `list_doctor.py` in the process that reads the list, and handed to the one that answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class ListReport:
    """All of it before the database was asked who must not be called.

    `refused`: why the list as a whole is (`code`, `reason`); `guess`: the column that was read as the number's all
    the same. `uses`: by a column's name what it is used for. `codes`: by code how many `rows` were rejected
    for it, with `examples`. `countries`: accepted rows by country, "" of none. `repeats`: what looks as if
    it were there twice.
    """

    refused: dict[str, str] | None = None
    guess: str | None = None
    rows: int = 0
    accepted: int = 0
    uses: dict[str, str] = field(default_factory=dict)
    first_rows: list[dict[str, Any]] = field(default_factory=list)
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)
    countries: dict[str, int] = field(default_factory=dict)
    repeats: list[dict[str, Any]] = field(default_factory=list)

    def reject(self, code: str, line: int, raw: str, reason: str, column: str | None) -> None:
        """Count one more row that is rejected; the first few are shown."""
        seen = self.codes.setdefault(code, {"rows": 0, "examples": []})
        seen["rows"] += 1
        if len(seen["examples"]) < EXAMPLES:
            seen["examples"].append({"line": line, "raw": raw, "reason": reason, "column": column})


EXAMPLES = 3
"""Rows that are shown of each code."""

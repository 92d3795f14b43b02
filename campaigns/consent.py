"""When and where a person agreed to be called: the columns `consent_at` and `consent_source` of a list.

They stay columns of the contact as all others; beside that they are kept as what they are, for who has to prove it.
What a policy pack requires of a row is in `campaigns.list_policies`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from campaigns.cell_times import moment_of
from campaigns.columns import CellRefused, Columns
from campaigns.errors import quoted

AT, SOURCE = "consent_at", "consent_source"
SOURCE_MAX = 200
"""Characters."""


def consent_of(
    cells: Sequence[str], columns: Columns, now: datetime
) -> tuple[str | None, str | None] | CellRefused:
    """When (RFC 3339) and where the person of a row agreed, None where that is not said; or why it is refused."""
    when, source = _cell(cells, columns.consent_at), _cell(cells, columns.consent_source)
    if not when:
        return None, source or None
    found = moment_of(when, days=True)
    if found is None:
        rule = "it must be a day or a time with an offset, like 2026-01-31 or 2026-01-31T09:00:00Z"
        return CellRefused("invalid_consent", f"{AT} is {quoted(when)}; {rule}", AT)
    if found > now:
        return CellRefused(
            "invalid_consent", f"{AT} is {quoted(when)}, which has not come yet; correct it", AT
        )
    if len(source) > SOURCE_MAX:
        reason = f"{SOURCE} has {len(source)} characters; at most {SOURCE_MAX} are allowed: shorten it"
        return CellRefused("invalid_consent", reason, SOURCE)
    return found.isoformat(), source or None


def _cell(cells: Sequence[str], index: int | None) -> str:
    return cells[index].strip() if index is not None and index < len(cells) else ""

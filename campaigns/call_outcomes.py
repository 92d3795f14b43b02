"""A campaign's calls so far: how many by disposition, the most frequent causes of the last ones, and how many go on.

The dispositions are counted of all its calls, as they end (`campaigns.call_counts`). Causes are nowhere counted:
those of its last calls are read. Reports over a stretch of time: `campaigns/call_reports.py`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TypedDict

from campaigns.dispositions import Disposition
from models import rows

LAST_CALLS = 1000
"""So many calls are read for their causes: a list may have had a million."""
TOP = 3
_BY_DISPOSITION = """
SELECT disposition, sum(calls)::int AS calls FROM (
    SELECT disposition, calls FROM call_count WHERE campaign_id = %s
    UNION ALL SELECT disposition, calls FROM call_count_change WHERE campaign_id = %s
) AS kept WHERE disposition <> '' GROUP BY disposition HAVING sum(calls) > 0 ORDER BY calls DESC, disposition
"""
_CAUSES = """
SELECT cause, sip_status, count(*)::int AS calls FROM (
    SELECT cause, sip_status FROM call WHERE campaign_id = %s AND ended_at IS NOT NULL AND disposition IS NOT NULL
    ORDER BY created_at DESC, id DESC LIMIT %s
) AS last GROUP BY cause, sip_status ORDER BY calls DESC, cause, sip_status LIMIT %s
"""
_OUTCOMES = f"""
SELECT (SELECT kept_outcomes FROM campaign WHERE id = %s AND purged_at IS NOT NULL) AS kept,
    coalesce((SELECT json_agg(ended) FROM ({_BY_DISPOSITION}) AS ended), '[]') AS dispositions,
    coalesce((SELECT json_agg(ended) FROM ({_CAUSES}) AS ended), '[]') AS causes
"""
RATE_SECONDS = 5
RECENT = f"""(
        SELECT count(*) FROM call WHERE campaign_id = c.id
            AND created_at > now() - interval '{RATE_SECONDS} seconds' AND created_at <= now()
    )::int AS recent"""
"""The calls of a campaign `c` by which its `rate` is told."""
_FIGURES = f"""
SELECT c.id, coalesce(k.ended, 0)::int AS calls_ended, coalesce(k.picked_up, 0)::int AS picked_up, {RECENT}
FROM unnest(%s::uuid[]) AS c (id) CROSS JOIN LATERAL (
    SELECT sum(calls) FILTER (WHERE disposition NOT IN ('', '{Disposition.NOT_SENT}')) AS ended,
        sum(calls) FILTER (WHERE disposition = ANY(%s)) AS picked_up
    FROM (
        SELECT disposition, calls FROM call_count WHERE campaign_id = c.id
        UNION ALL SELECT disposition, calls FROM call_count_change WHERE campaign_id = c.id
    ) AS kept
) AS k
"""
PICKED_UP = (Disposition.ANSWERED, Disposition.ABANDONED, Disposition.AGENT_FAILED)
"""Of such a call somebody was on the line."""


class CauseCount(TypedDict):
    """How many of the calls that were looked at ended with this cause; `sip_status` None: no final response."""

    cause: str | None
    sip_status: int | None
    calls: int


class Outcomes(TypedDict):
    """What became of a campaign's calls, the most frequent first; how many were placed and are over, and how many of
    those somebody picked up."""

    calls_ended: int
    picked_up: int
    dispositions: Mapping[str, int]
    top_causes: Sequence[CauseCount]


class Figures(TypedDict):
    """How a campaign's calls go: those that were placed and are over, those of them that somebody picked up, and how
    many a second were begun, over the last five."""

    calls_ended: int
    picked_up: int
    calls_per_second: float


def figures(campaign_ids: Sequence[uuid.UUID]) -> Mapping[uuid.UUID, Figures]:
    """Those of each of these campaigns, on the connection that the caller holds."""
    found = rows(_FIGURES, [*campaign_ids], [str(word) for word in PICKED_UP])
    return {
        row["id"]: {
            "calls_ended": row["calls_ended"],
            "picked_up": row["picked_up"],
            "calls_per_second": rate(row["recent"]),
        }
        for row in found
    }


def rate(recent: int) -> float:
    """Calls a second, by those that were begun within RATE_SECONDS."""
    return round(recent / RATE_SECONDS, 1)


def of_campaign(campaign_id: uuid.UUID) -> Outcomes:
    """What became of its calls, on the connection that the caller holds; as it was kept, where they are gone."""
    (found,) = rows(_OUTCOMES, *(campaign_id,) * 4, LAST_CALLS, TOP)
    dispositions: Mapping[str, int] = {row["disposition"]: row["calls"] for row in found["dispositions"]}
    top_causes: Sequence[CauseCount] = found["causes"]
    if found["kept"] is not None:
        dispositions, top_causes = found["kept"]["dispositions"], found["kept"]["top_causes"]
    return {
        "calls_ended": sum(calls for word, calls in dispositions.items() if word != Disposition.NOT_SENT),
        "picked_up": sum(dispositions.get(word, 0) for word in PICKED_UP),
        "dispositions": dispositions,
        "top_causes": top_causes,
    }

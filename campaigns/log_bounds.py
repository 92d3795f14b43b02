"""Keeps a campaign's log from growing without bound: one that flaps, or is fed every second, writes a row each time.

What a campaign became (`campaign_log.LASTING`) stays for good, of everything else the newest entries do; how many
went is an entry of its own. Decision 0069.
"""

from __future__ import annotations

import uuid

from campaigns.campaign_log import LASTING, THINNED
from cooperative import let_others_run
from models import db, rows, transaction

MOST = 10_000
"""Entries of one campaign that are kept, beside those that last."""
SLACK = 1_000
SLICE = 5_000

_THINNABLE = f"action NOT IN ({', '.join(repr(action) for action in LASTING)})"
# Of those that were written to a moment ago: the log of a campaign at which nothing happens does not grow.
_RECENT = """
SELECT DISTINCT campaign_id FROM campaign_log
WHERE id > (SELECT coalesce(max(id), 0) - %s FROM campaign_log)"""
_OVER = f"""
SELECT id FROM campaign_log WHERE campaign_id = %s AND {_THINNABLE} ORDER BY id DESC OFFSET %s LIMIT 1"""
_THIN = f"""
WITH gone AS (
    DELETE FROM campaign_log WHERE id = ANY(ARRAY(
        SELECT id FROM campaign_log WHERE campaign_id = %(campaign)s AND id <= %(last)s AND {_THINNABLE}
        ORDER BY id LIMIT %(slice)s))
    RETURNING CASE WHEN action = '{THINNED}' THEN (details->>'entries')::bigint ELSE 1 END AS entries
)
INSERT INTO campaign_log (campaign_id, action, details)
SELECT %(campaign)s, '{THINNED}', jsonb_build_object('entries', sum(entries)) FROM gone HAVING count(*) > 0
RETURNING 1"""
LOOK_BACK = 200_000
"""Entries of all campaigns among which those are looked for that have too many: more than are written in a period."""


def allow_forgetting() -> None:
    """Entries may be deleted or made unreadable in this transaction; otherwise the database refuses it."""
    rows("SELECT set_config('carillon.forgetting', 'on', true)")


def thin() -> int:
    """Thin the logs that are too long; of how many campaigns. On a connection of its own."""
    with db.connection_context():
        recent: list[uuid.UUID] = [row["campaign_id"] for row in rows(_RECENT, LOOK_BACK)]
    return sum(_thin(campaign_id) for campaign_id in recent)


def _thin(campaign_id: uuid.UUID) -> bool:
    with db.connection_context():
        if not rows(_OVER, campaign_id, MOST + SLACK):
            return False
        # One place is for the entry that says so.
        (last,) = rows(_OVER, campaign_id, MOST - 1)
    asked = {"campaign": campaign_id, "last": last["id"], "slice": SLICE}
    while True:
        with transaction():
            allow_forgetting()
            before = db.execute_sql(_THIN, asked).fetchall()
        if not before:
            return True
        let_others_run()

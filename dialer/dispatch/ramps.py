"""Writes how far the slow starts of campaigns have come: rows of all dialers, each changed by compare-and-set.

A row is written a few times in a slow start, and again while something refuses; none of a campaign is.
"""

from __future__ import annotations

from collections.abc import Sequence

from campaigns.slow_start import DOUBLES_AFTER, LAST_LEVEL
from dialer.dispatch.slow_start import RampSteps
from models import db, rows

_SAID = "unnest(%s::uuid[], %s::int[], %s::int[]) AS said (id, generation, level)"
# Of two dialers that write several at once neither holds what the other waits for.
_IN_ORDER = f"""
WITH said AS (SELECT * FROM {_SAID}), held AS (
    SELECT campaign_id FROM campaign_ramp JOIN said ON said.id = campaign_id ORDER BY campaign_id
    FOR UPDATE OF campaign_ramp
)
"""
_BEGIN = f"""
INSERT INTO campaign_ramp (campaign_id, generation) SELECT id, generation FROM {_SAID} ORDER BY id
ON CONFLICT (campaign_id) DO UPDATE SET generation = excluded.generation, level = 0, since = now()
WHERE campaign_ramp.generation < excluded.generation
RETURNING campaign_id
"""
_UNHEALTHY = f"""
{_IN_ORDER}
UPDATE campaign_ramp AS ramp SET since = now() FROM said JOIN held ON held.campaign_id = said.id
WHERE ramp.campaign_id = said.id AND ramp.generation = said.generation AND ramp.level < {LAST_LEVEL}
    AND ramp.since < now() - interval '0.5 s'
RETURNING ramp.campaign_id
"""
# Where rounds are a little late the rhythm stays; what was missed while no dialer was there is not made up for.
_DOUBLE = f"""
{_IN_ORDER}
UPDATE campaign_ramp AS ramp SET level = ramp.level + 1,
    since = greatest(ramp.since + interval '{DOUBLES_AFTER} s', now() - interval '2 s')
FROM said JOIN held ON held.campaign_id = said.id
WHERE ramp.campaign_id = said.id AND ramp.generation = said.generation AND ramp.level = said.level
    AND ramp.since <= now() - interval '{DOUBLES_AFTER} s'
RETURNING ramp.campaign_id
"""


def write(steps: RampSteps) -> bool:
    """Write these steps; whether the level of any campaign is another one now. Raises what a database that is away
    raises."""
    wanted = [
        (statement, said)
        for statement, said in (
            (_BEGIN, steps.begun),
            (_UNHEALTHY, steps.unhealthy),
            (_DOUBLE, steps.doubled),
        )
        if said
    ]
    if not wanted:
        return False
    with db.connection_context():
        # Each stands for itself, in one order: dialers that write at once wait for each other's rows and no more.
        changed = [(statement, rows(statement, *_columns(said))) for statement, said in wanted]
    return any(found for statement, found in changed if statement is not _UNHEALTHY)


def _columns(said: Sequence[tuple[str, int, int]]) -> Sequence[list[object]]:
    return [list(column) for column in zip(*sorted(said), strict=True)]

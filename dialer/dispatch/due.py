"""Reads who may be called now, and when the first of those who wait is due. Nobody is locked by it.

Read by the scheduler before it asks for turns: who is read may be taken by another dialer before he is claimed. Each
part of a campaign is read by an index that knows where it ends, so that a long list costs no more than a short one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dialer.call_rows import TRIED
from dialer.calling_hours_sql import NEXT_IN_WINDOW, OPEN_GROUPS, not_expired
from models import Pool, db, open_pool

NEVER_SECONDS = 1e9
"""Until somebody is due whose calling window has no opening that is known."""
READ_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Due:
    """A contact that may be called now. `tried` are the gateways by which it was sent since a call that none was to
    follow; they are known as of its send `sends`."""

    contact_id: str
    phone_number: str
    sends: int = 0
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NextDue:
    """When the first pending contact of a campaign is due: `seconds` from now; `at`, in RFC 3339, is when that is
    told to be, None where it is not known. `reason`: why not before, where it does not wait for its retry."""

    at: str | None
    seconds: float
    reason: str | None = None

    @property
    def window(self) -> bool:
        """Whether the calling window is what is waited for."""
        return self.reason == "window"


_NOT_EXPIRED = not_expired("contact")
# In parts, for each of which an index knows where it ends: those that wait for a later time are not read. Each in the
# order of its index, so that no other is chosen. A callback is among the retries too, and who comes first by priority
# among all new ones. Of a campaign with windows group by group: who is outside is never read.
_PART = f"""
    (SELECT {{rank}} AS rank, {{turn}} AS turn, id, phone_number, sends, attempts, next_attempt_at, position,
        {{priority}} AS priority
    FROM contact
    WHERE campaign_id = wanted.campaign_id AND waiting AND status = 'pending' AND {{which}} AND {_NOT_EXPIRED}
        AND (%(dialers)s = 1 OR position %% %(dialers)s = %(rank)s)
        AND id NOT IN (SELECT unnest(%(passed_over)s::uuid[]))
    ORDER BY {{order}} LIMIT {{most}})"""


def _parts(which: str, order: str, most: str, *, take_turns: bool) -> str:
    """Callbacks, retries that are due, new contacts by their priority, and by the list. With `take_turns` each is
    numbered, so that of several groups the first of each come before the second of any."""
    parts = (
        (0, "callback AND next_attempt_at <= now()", f"next_attempt_at, {order}", "0"),
        (1, "next_attempt_at <= now()", f"next_attempt_at NULLS FIRST, {order}", "0"),
        (2, "next_attempt_at IS NULL AND priority > 0", f"priority DESC, {order}", "priority"),
        (2, "next_attempt_at IS NULL", f"next_attempt_at NULLS FIRST, {order}", "0"),
    )
    return " UNION ALL ".join(
        _PART.format(
            rank=rank,
            turn=f"row_number() OVER (ORDER BY {in_order})" if take_turns and rank else "0",
            priority=priority,
            which=f"{which} AND {due}",
            order=in_order,
            most=most,
        )
        for rank, due, in_order, priority in parts
    )


_OF_CAMPAIGN = _parts("campaign.windows IS NULL", "position", "wanted.most", take_turns=False)
_OF_GROUP = _parts("zone_group = open_group.zone_group", "id", "open_group.most", take_turns=True)
DUE = f"""
SELECT wanted.campaign_id::text, due.id::text AS contact_id, due.phone_number, due.sends,
    CASE WHEN due.sends > due.attempts THEN {TRIED.format(contact="due.id")} ELSE '{{}}' END AS tried
FROM unnest(%(campaigns)s::uuid[], %(most)s::int[]) AS wanted (campaign_id, most)
    JOIN campaign ON campaign.id = wanted.campaign_id,
    LATERAL ({_OF_CAMPAIGN} UNION ALL
        (SELECT in_window.* FROM ({OPEN_GROUPS}) AS open_group, LATERAL ({_OF_GROUP}) AS in_window)) AS due
ORDER BY wanted.campaign_id,
    CASE WHEN due.rank > 0 AND campaign.dial_order = 'new_first' THEN 3 - due.rank ELSE due.rank END,
    due.priority DESC, due.turn, due.next_attempt_at, due.position
"""
"""Who of each campaign is to be called next."""

NEXT_DUE = f"""
SELECT wanted.campaign_id::text, to_char(first.told_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at,
    CASE WHEN first.never THEN {NEVER_SECONDS}
        ELSE coalesce(extract(epoch FROM first.due_at - now())::float8, 0) END AS seconds,
    CASE WHEN first.of_window THEN 'window' ELSE first.wait_reason END AS reason
FROM unnest(%s::uuid[]) AS wanted (campaign_id) JOIN campaign ON campaign.id = wanted.campaign_id, LATERAL (
    (SELECT next_attempt_at AS due_at, next_attempt_at AS told_at, false AS of_window, false AS never, wait_reason
    FROM contact
    WHERE campaign.windows IS NULL AND campaign_id = wanted.campaign_id AND waiting AND status = 'pending'
        AND {_NOT_EXPIRED}
    ORDER BY next_attempt_at NULLS FIRST LIMIT 1)
    UNION ALL
    ({NEXT_IN_WINDOW})
) AS first
"""
"""When the first who waits in a campaign is due, and why not before."""


def due_parameters(
    wanted: Mapping[str, int], share: tuple[int, int], passed_over: Collection[str] = ()
) -> dict[str, Any]:
    """The parameters of the statement that reads who is due."""
    rank, dialers = share
    return {
        "campaigns": list(wanted),
        "most": list(wanted.values()),
        "rank": rank,
        "dialers": dialers,
        "passed_over": list(passed_over),
    }


def due(
    wanted: Mapping[str, int],
    share: tuple[int, int],
    passed_over: Collection[str] = (),
    through: Pool | None = None,
) -> dict[str, list[Due]]:
    """Contacts that may be called now without locking any: of each campaign at most as many as `wanted` says,
    callbacks first, then retries, the longest overdue first, then new ones, those of the highest priority first;
    retries and new ones the other way round where the campaign's `dial_order` is `new_first`.

    `share` is (rank, dialers): each dialer looks at its own part of each list first, so that they seldom reach
    for the same contact; (0, 1) looks at all of it. Who is in `passed_over` is not read, and takes nobody's place.
    Of a campaign with windows the groups that are open take turns, so that none waits until another is through. By a
    connection of `through`, or of the pool that all share.
    """
    found: dict[str, list[Due]] = {campaign_id: [] for campaign_id in wanted}
    pool = db if through is None else through
    with pool.connection_context():
        cursor = pool.execute_sql(DUE, due_parameters(wanted, share, passed_over))
        seen: set[str] = set()
        for campaign_id, contact_id, number, sends, tried in cursor.fetchall():
            if contact_id not in seen and len(found[campaign_id]) < wanted[campaign_id]:
                seen.add(contact_id)
                found[campaign_id].append(Due(contact_id, number, sends, tuple(tried)))
    return found


def next_due(campaigns: Sequence[str], through: Pool | None = None) -> dict[str, NextDue]:
    """When the first pending contact of each campaign is due; one that has none is not there. By a connection of
    `through`, or of the pool that all share."""
    pool = db if through is None else through
    with pool.connection_context():
        found = pool.execute_sql(NEXT_DUE, (list(campaigns),)).fetchall()
    return {campaign_id: NextDue(*when) for campaign_id, *when in found}


def read_pool(url: str) -> Pool:
    """The connections by which it is read who is due, and looked each second at what the rows say: the same few
    statements for as long as a dialer lives."""
    return open_pool(url, 2, READ_SECONDS, by_id=True)

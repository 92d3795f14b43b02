"""Looks every second at what the rows may say at any time: calls that have to end, stops that nobody goes on with,
contacts that have expired, records of nodes, calls whose slots are kept, dead dialers, nodes, which version of the
plans there is, when the next campaign is to start or end, and whose number is suppressed.

A control message may be lost, so that each of these is looked at every second whoever told of it. All of it is one
statement, which is committed by itself: a part that has nothing to do costs no round trip of its own. Who has is
woken, and reads for itself what there is. Halts are not among it: nobody's part may hold them up (`control`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gevent.event import Event as Signal

from campaigns import calls_to_end, erasure, expiry, schedules, stopping, suppressed_contacts
from campaigns.suppression_match import suppressed
from dialer.calls_to_end import CallsToEnd
from dialer.dispatch import claims, node_entries, plan_rows
from dialer.dispatch.dispatch import Dispatch
from dialer.dispatch.nodes import Nodes
from dialer.erasures import Erasures
from dialer.record import cdr_inbox
from dialer.recovery import takeover
from dialer.recovery.maybe_live import MaybeLiveSlots
from dialer.starts_and_deadlines import StartsAndDeadlines
from dialer.suppressions import NOTHING, Suppressions, Unsent
from models import Pool, db

_SUPPRESSED = suppressed(
    "call.phone_number",
    tenant="call.tenant_id",
    campaign="coalesce(campaign.test_of, call.campaign_id)",
    digest="unsent.digest",
)
_BEING_ERASED = claims.BEING_ERASED.format(tenant="call.tenant_id")
LOOK = f"""
SELECT {calls_to_end.WANTED} AS calls_to_end,
    {stopping.LEFT} AS stops,
    {expiry.WAITS} AS expired,
    {cdr_inbox.WAITS} AS records,
    EXISTS (SELECT FROM call WHERE dialer_id = %(dialer)s AND slot_until IS NOT NULL) AS maybe_live,
    ARRAY({takeover.UNSETTLED}) AS unsettled,
    ARRAY(SELECT name FROM node_drain) AS drained,
    (SELECT coalesce(json_agg(listed), '[]') FROM ({node_entries.LISTED}) AS listed) AS nodes,
    {plan_rows.VERSION} AS plans,
    {schedules.NEXT_DUE} AS next_due,
    {suppressed_contacts.NEWS} AS suppressions,
    {erasure.OPEN} AS erasures,
    ARRAY(SELECT call.id::text FROM unnest(%(unsent)s::uuid[], %(digests)s::bytea[]) AS unsent (id, digest)
        JOIN call ON call.id = unsent.id JOIN campaign ON campaign.id = call.campaign_id
        JOIN contact ON contact.id = call.contact_id
        WHERE ({_SUPPRESSED} OR {_BEING_ERASED} OR NOT {claims.TRIED_GOES_ON})) AS suppressed
"""
"""The one statement with which a dialer looks at all that rows may say."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What the rows said of one moment, to one dialer.

    `calls_to_end`, `stops`, `expired`, `records` and `maybe_live` say whether there is
    anything of the kind; `unsettled` are the dialers that may have left something; `drained` are nodes by name,
    `nodes` all of them as `node_entries.LISTED` shows them; `plans` is a version (`dispatch.plan_rows.VERSION`);
    `next_due`: in how many seconds the next campaign starts or ends by itself; `suppressions`: whether
    entries of do-not-call lists may concern somebody who is pending, `erasures` whether anybody's data is to be
    erased; `suppressed` are those of the unsent calls, by id, that may not leave any more: their number is
    suppressed, or they were to try a campaign that is over.
    """

    calls_to_end: bool
    stops: bool
    expired: bool
    records: bool
    maybe_live: bool
    unsettled: Sequence[str]
    drained: Sequence[str]
    nodes: Sequence[Mapping[str, Any]]
    plans: str
    next_due: float | None
    suppressions: bool = False
    erasures: bool = False
    suppressed: Sequence[str] = ()


def look(dialer_id: str, unsent: Unsent = NOTHING, through: Pool | None = None) -> Sight:
    """What the rows say now, also of a dialer's `unsent` calls. By a connection of `through`, or of the pool that all
    share. Raises what a database that is away raises."""
    asked = {"dialer": dialer_id, "unsent": list(unsent.calls), "digests": list(unsent.digests)}
    pool = db if through is None else through
    with pool.connection_context():
        cursor = pool.execute_sql(LOOK, asked)
        return Sight(*cursor.fetchone())


@dataclass(slots=True)
class Lookout:
    """One dialer's. `may_tell`: whether what is concluded here still counts. Set is what has something to do:
    `records` (of nodes), `stops`, `expired`, `others` (dialers), and the `wake` of the parts that have one."""

    dialer_id: str
    calls_to_end: CallsToEnd
    maybe_live: MaybeLiveSlots
    nodes: Nodes
    dispatch: Dispatch
    starts_and_deadlines: StartsAndDeadlines
    suppressions: Suppressions
    erasures: Erasures
    adopted: Callable[[], Sequence[str]]
    may_tell: Callable[[], bool]
    records: Signal = field(default_factory=Signal)
    stops: Signal = field(default_factory=Signal)
    expired: Signal = field(default_factory=Signal)
    others: Signal = field(default_factory=Signal)
    unsettled: Sequence[str] | None = None
    """The dialers that may have left something, until somebody has looked at them."""
    look: Callable[[str, Unsent], Sight] = look

    def round(self) -> None:
        """Called every second, and when a control message comes. Raises what a database that is away raises."""
        seen = self.look(self.dialer_id, self.suppressions.unsent())
        self.suppressions.forbid(seen.suppressed)
        # One whose row has been let go of by somebody else is forgotten, and dialers that are gone are too.
        others = [one for one in seen.unsettled if one != self.dialer_id]
        for something, signal in (
            (seen.calls_to_end or self.calls_to_end.waits(), self.calls_to_end.wake),
            (seen.stops, self.stops),
            (seen.expired, self.expired),
            (seen.records, self.records),
            (seen.maybe_live or self.maybe_live.holds(), self.maybe_live.wake),
            (others or self.adopted(), self.others),
            (seen.suppressions, self.suppressions.wake),
            (seen.erasures, self.erasures.wake),
        ):
            if something:
                signal.set()
        self.unsettled = seen.unsettled
        if self.may_tell():
            self.starts_and_deadlines.expect(seen.next_due)
            self.nodes.learn(seen.drained, seen.nodes)
            self.dispatch.read_plans(seen.plans)

    def take_unsettled(self) -> Sequence[str] | None:
        """The dialers of the last look, once; None where they are to be read."""
        taken, self.unsettled = self.unsettled, None
        return taken

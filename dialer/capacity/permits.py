"""This process' permits outside dispatch: freed as calls end, and settled where nobody knows whether a claim arrived.
Also has the limiter rebuilt from the rows of calls where Redis was emptied (`keep_epoch`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from campaigns.dispositions import Disposition
from dialer.call_rows import open_calls
from dialer.capacity.limiter_snapshot import snapshot
from dialer.capacity.number_rows import NumberRows
from dialer.errors import note
from dialer.fault_points import FaultPoint, hit
from dialer.live_calls import LiveCall
from dialer.record.commit import Commit
from dialer.record.outcome_rows import Ended
from limits import caps
from limits.caps import Permit
from limits.errors import LimiterUnavailable
from limits.eviction import evicts
from limits.limiter import Limiter

log = structlog.get_logger()

UNKNOWN_CLAIM_SECONDS = 2.0
"""A commit whose answer was lost has nearly always arrived by then, or never will."""
LATE_CLAIM_SECONDS = 300.0
"""For so long it is looked for all the same: of a server that stood still, or over a network that loses packets, it
comes later than its permit can be kept. Its sender alone knows that the call never left; whoever finds it otherwise
takes it for one that may have, and calls its contact no sooner than the node has denied it for minutes."""

COUNT_WITHOUT_A_SIGN = frozenset({Disposition.OUTCOME_UNKNOWN, Disposition.NODE_FAULT})
"""How calls end of which nobody can say that they did not reach the number, as `COUNTS_FOR_NUMBER` has it of rows."""


class Permits:
    """Frees what is over. What Redis does not hear, the limiter keeps owing and settles by itself."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._unknown_claims: list[tuple[float, Permit]] = []
        self._late_claims: dict[str, float] = {}
        """By call id, since when a claim is taken not to have arrived; its permit was given back."""
        self._evicting: str | None = None

    def after_commit(self, commit: Commit) -> None:
        """Free the slots of calls that are over; those of calls never sent are given back with their rates.

        What its end says counts: one that shows itself while it waits for a permit to be resent was sent. Those of
        a call that may be up all the same stay taken (`maybe_live`).
        """
        ended = commit.ended
        over = [call for call in commit.over if ended[call.call_id].may_live is None]
        unsent = [f.permit for f in over if f.permit is not None and ended[f.call_id].sent_age is None]
        sent = [f for f in over if f.permit is None or ended[f.call_id].sent_age is not None]
        # Each in its own right: a Redis that fails at the first must still be owed the second.
        if unsent:
            self._owing(partial(self._limiter.give_back, unsent))
        if sent:
            calls = [_over(call, ended[call.call_id]) for call in sent]
            self._owing(partial(self._limiter.release, calls))
        hit(FaultPoint.FREED)

    def note_unknown_claim(self, permits: Sequence[Permit]) -> None:
        """The answer to these permits' claim was lost; nothing of it was sent."""
        now = time.monotonic()
        self._unknown_claims += [(now, permit) for permit in permits]

    def resolve_unknown_claims(self, dialer_id: str) -> list[LiveCall]:
        """Those claims of unknown outcome that were committed, as calls to withdraw; the permits of the others go
        back, and they are looked for again, for LATE_CLAIM_SECONDS.

        Raises what a database that is away raises; the permits are settled later then. A claim that arrives after
        all of this is found by the audit.
        """
        now = time.monotonic()
        ripe = {
            permit.call_id: permit for at, permit in self._unknown_claims if now - at >= UNKNOWN_CLAIM_SECONDS
        }
        self._late_claims = {
            call_id: at for call_id, at in self._late_claims.items() if now - at < LATE_CLAIM_SECONDS
        }
        if not ripe and not self._late_claims:
            return []
        arrived = open_calls(dialer_id, [*ripe, *self._late_claims])
        self._unknown_claims = [
            (at, permit) for at, permit in self._unknown_claims if now - at < UNKNOWN_CLAIM_SECONDS
        ]
        for call in arrived:
            call.permit = ripe.pop(call.call_id, None)
            call.adopted_at = None
            self._late_claims.pop(call.call_id, None)
        self._late_claims |= dict.fromkeys(ripe, now)
        if ripe:
            self._owing(partial(self._limiter.give_back, list(ripe.values())))
        return arrived

    def unknown_claims(self) -> set[str]:
        """The calls whose claim's answer was lost, and is not settled yet."""
        return {permit.call_id for _, permit in self._unknown_claims} | self._late_claims.keys()

    def keep_epoch(self) -> None:
        """Rebuild the limiter from the database where Redis was emptied; one dialer does, nobody dials before.

        While Redis may drop keys nobody dials either; that is logged when it begins and when it is over.
        """
        policy, before = self._limiter.evicting(), self._evicting
        self._evicting = policy
        if policy is not None:
            if policy != before:
                log.error("redis_evicts", policy=policy, reason=evicts(policy))
            return
        if before is not None:
            log.info("redis_evicts_no_more")
        if not self._limiter.whole() and self._limiter.rebuild(snapshot):
            log.warning("limiter_rebuilt")

    def keep_numbers(self) -> None:
        """Have the limiter know how often numbers were called, where it does not."""
        for tenant_id in self._limiter.read_numbers(NumberRows()):
            log.info("numbers_read", tenant_id=tenant_id)

    def _owing(self, pay: Callable[[], None]) -> None:
        try:
            pay()
        except LimiterUnavailable as error:
            note(error)


def _over(call: LiveCall, ended: Ended) -> caps.EndedCall:
    return caps.EndedCall(
        call_id=call.call_id,
        campaign_id=call.campaign_id,
        tenant_id=call.tenant_id,
        gateway_id=call.gateway_id,
        node=call.node,
        billsec=ended.billsec or 0,
        reached=call.progress
        or call.answered_at is not None
        or ended.answered
        or ended.progress_ms is not None
        or ended.disposition in COUNT_WITHOUT_A_SIGN,
    )

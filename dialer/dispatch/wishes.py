"""For how many calls each campaign may ask now, and what binds one that may not ask: it is told, and looked at again.

Used by the scheduler alone, within a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from dialer.dispatch.agenda import BLOCKED_SECONDS, IDLE_SECONDS, SLOT_SECONDS, TAKEN_SECONDS, Agenda
from dialer.dispatch.blocked_reasons import BlockedReasons
from dialer.dispatch.dialled_campaign import DialledCampaign
from dialer.dispatch.plan_checks import Hindrance, PlanChecks
from dialer.dispatch.send_queue import SendQueue
from dialer.dispatch.slow_start import WORD as SLOW_START
from dialer.dispatch.slow_start import SlowStarts
from dialer.errors import DATABASE_AWAY

log = structlog.get_logger()


@dataclass(slots=True)
class Wishes:
    """What is asked for by the campaigns that are looked at."""

    agenda: Agenda
    send_queue: SendQueue
    reasons: BlockedReasons
    slow_starts: SlowStarts
    checks: PlanChecks

    def of(self, looked: Sequence[DialledCampaign], now: float) -> dict[str, int]:
        """For how many calls each campaign asks that nothing binds."""
        wishes: dict[str, int] = {}
        claimed = self.send_queue.waiting_by_campaign()
        for campaign in looked:
            if not self.agenda.dials(campaign):
                continue
            try:
                wish = self._of(campaign, claimed[campaign.campaign_id], now)
            except DATABASE_AWAY:
                raise
            except Exception:
                # What nobody foresaw of one campaign must not stop the others.
                log.exception("campaign_not_understood", campaign_id=campaign.campaign_id)
                self.agenda.look_again(campaign, BLOCKED_SECONDS)
                continue
            if wish > 0:
                wishes[campaign.campaign_id] = wish
        return wishes

    def block(
        self, campaign: DialledCampaign, reason: str, seconds: float, next_action_at: str | None = None
    ) -> None:
        """This binds a campaign: its row is to say so, and it is looked at so many seconds from now."""
        self.reasons.tell(campaign.campaign_id, reason, next_action_at)
        self.agenda.look_again(campaign, seconds)

    def _of(self, campaign: DialledCampaign, claimed: int, now: float) -> int:
        """For how many calls a campaign may ask now, of which so many are `claimed` and wait for a permit; 0 where
        something binds it, which is told."""
        plan = campaign.plan
        if plan.held is not None:
            self.block(campaign, plan.held, BLOCKED_SECONDS)
        elif (hindrance := self.checks.hindrance(plan)) is Hindrance.NOT_HERE:
            # Others may dial it: where nobody can, who writes the reasons says so.
            self.agenda.look_again(campaign, IDLE_SECONDS)
        elif hindrance is not None:
            self.block(campaign, hindrance, BLOCKED_SECONDS)
        elif (kind := plan.held_whole) is not None:
            self.block(campaign, kind, BLOCKED_SECONDS, plan.over_at(kind))
        elif claimed:
            # They go first.
            self.agenda.look_again(campaign, TAKEN_SECONDS)
        elif not self.send_queue.sender.may_claim(plan.tenant_id, plan.campaign_id, plan.generation):
            # Blocked, or the lease or the session lock is gone: what is claimed now would only go back.
            if not self.send_queue.sender.leased():
                self.reasons.tell(plan.campaign_id, "no_redis")
            self.agenda.look_again(campaign, SLOT_SECONDS)
        elif (bound := self.agenda.binding(plan, now)) is not None:
            cap, reason = bound
            self.reasons.tell(plan.campaign_id, reason)
            self.agenda.wait_for(cap, plan.campaign_id)
        else:
            free = plan.max_concurrent_calls - self.send_queue.live_calls.count_of_campaign(plan.campaign_id)
            wish = campaign.wish(free) if free > 0 else 0
            if wish and (some := self.slow_starts.within(plan, wish, now)):
                return some
            if wish:
                self.block(campaign, SLOW_START, self.slow_starts.wait(plan, now))
            else:
                self.block(campaign, "campaign_concurrency", SLOT_SECONDS)
        return 0

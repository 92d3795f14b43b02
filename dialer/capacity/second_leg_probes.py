"""Second legs that probe: a gateway that is paused, or held, comes back also where agents alone are reached by it.

A campaign whose agent cannot be reached is not dialled. Where no first leg probed its agent's gateway when that was
due, one of its calls is let through, and what becomes of its second leg decides (decision 0096). The node is asked
about a person who is still talked to; the end of the call tells of all others. Called by the process after each
commit and every second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from dialer.capacity.gateway_breaker import GatewayBreaker
from dialer.capacity.outcome_breaker import OutcomeBreaker
from dialer.capacity.suspicion import Sign, sign_of_second_leg
from dialer.errors import DATABASE_AWAY
from dialer.holds import HoldKind
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.commit import Commit
from dialer.record.outcome_rows import Ended
from freeswitch.action_proofs import JOINED, SECOND_LEG
from freeswitch.applications import CONNECT_SECONDS
from freeswitch.cluster import Cluster
from freeswitch.commands import uuid_getvar
from freeswitch.errors import FreeswitchError

log = structlog.get_logger()


@dataclass(slots=True)
class SecondLegProbes:
    """One process' part of it."""

    cluster: Cluster
    live_calls: LiveCalls
    gateways: GatewayBreaker
    outcomes: OutcomeBreaker
    now: Callable[[], float] = time.monotonic

    def round(self) -> None:
        """Look for probes whose agent has joined. Raises what a database that is away raises; it is done next time
        then."""
        for call in self.live_calls:
            if call.second_leg_probes and self._was_joined(call):
                self._got_through(call, Sign.FINE)

    def after_commit(self, commit: Commit) -> None:
        """Judge how probes ended. Never raises for a database that is away: the next probe says it again."""
        for call in commit.over:
            if call.second_leg_probes:
                try:
                    self._judge(call, commit.ended[call.call_id])
                except DATABASE_AWAY as error:
                    log.warning("second_leg_not_judged", call_id=call.call_id, error=type(error).__name__)

    def _judge(self, call: LiveCall, ended: Ended) -> None:
        if ended.second_leg is None and not ended.answered and call.answered_at is None:
            # Nobody was there for whom an agent had been called.
            self._return(call)
            return
        sign = sign_of_second_leg(ended.second_leg, ended.second_leg_status)
        log.info("second_leg_probed", call_id=call.call_id, became=ended.second_leg, sign=sign)
        if sign is not None:
            self._got_through(call, sign)

    def _got_through(self, call: LiveCall, sign: Sign) -> None:
        """Whoever answered for the agent's number, the gateway reaches people; a breaker asks for more than that."""
        for kind, subject, prefix in {
            (hold.kind, hold.subject, hold.prefix) for hold in call.second_leg_probes
        }:
            if kind is HoldKind.PAUSE:
                self.gateways.probe_got_through((subject, prefix))
            elif sign is Sign.FINE:
                self.outcomes.release(subject)
        call.second_leg_probes = ()

    def _return(self, call: LiveCall) -> None:
        for kind, subject, prefix in {
            (hold.kind, hold.subject, hold.prefix) for hold in call.second_leg_probes
        }:
            if kind is HoldKind.PAUSE:
                self.gateways.return_probe(subject, prefix)
            else:
                self.outcomes.return_probe(subject)

    def _was_joined(self, call: LiveCall) -> bool:
        """Whether its node says that its agent has joined, once he has had his time."""
        if call.answered_at is None or self.now() - call.answered_at <= CONNECT_SECONDS + 1:
            return False
        link = self.cluster.links.get(call.node)
        if link is None:
            return False
        try:
            return link.api(uuid_getvar(call.call_id, SECOND_LEG)).strip() == JOINED
        except FreeswitchError as error:
            log.info("second_leg_not_asked", call_id=call.call_id, node=call.node, error=str(error)[:200])
            return False

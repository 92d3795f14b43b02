"""Dispatch as the rest of the process sees it: what the scheduler asks of its surroundings, and what it is told.

Here it is decided which nodes are offered calls, and campaigns that have nobody left are completed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import gevent
import structlog

from campaigns.lifecycle import complete_if_exhausted, nobody_left
from campaigns.retry_rules import RetryTerms
from dialer.capacity.gateway_breaker import GatewayBreaker
from dialer.capacity.gateway_pauses import Gateway
from dialer.capacity.outcome_breaker import OutcomeBreaker
from dialer.capacity.permits import Permits
from dialer.dispatch import pace_log, ramps
from dialer.dispatch.blocked_reasons import BlockedReasons
from dialer.dispatch.claims import Claimed, Statements
from dialer.dispatch.due import Due
from dialer.dispatch.node_health import REFUSES, STALLED, NodeHealth, told
from dialer.dispatch.node_orders import NodeOrders
from dialer.dispatch.nodes import CpsNow, Nodes
from dialer.dispatch.originate_builder import OriginateBuilder
from dialer.dispatch.pace_log import PaceLog
from dialer.dispatch.plan_board import PlanBoard
from dialer.dispatch.plan_checks import Hindrance, nobody_can
from dialer.dispatch.scheduler import Scheduler
from dialer.dispatch.send_queue import SendQueue
from dialer.dispatch.sender import Sender
from dialer.dispatch.slow_start import SlowStarts
from dialer.holds import Hold, HoldKind, PrefixPause
from dialer.live_calls import LiveCall, LiveCalls
from dialer.record.commit import Commit
from dialer.record.outbox import Outbox
from dialer.record.outcome_rows import Told
from dialer.record.recorder import Recorder
from freeswitch.cluster import LinkChange
from limits.caps import NodeCaps, Permit
from limits.limiter import Limiter
from limits.rate_cuts import Target

log = structlog.get_logger()

LATE_SECONDS = 0.250
"""Where reports wait for so long nothing is healthy. One slow commit now and then does not keep a slow start low."""
PURGE_SECONDS = 600.0
"""So often rows of a day ago are looked for, by one dialer."""


@dataclass(slots=True)
class Dispatch:
    """Everything between a due contact and the frame on the wire, wired. `spawn` starts a greenlet that is started
    again where it fails; `take_turn` says whether this dialer does some work for all in this period; `dialers` is
    (rank, dialers): which part of each list this one looks at first."""

    dialer_id: str
    live_calls: LiveCalls
    guarded: Callable[[Callable[[], object]], object]
    spawn: Callable[[Callable[[], None]], gevent.Greenlet[..., None]]
    nodes_view: Nodes
    outbox: Outbox
    permits: Permits
    limiter: Limiter
    recorder: Recorder
    sender: Sender
    node_orders: NodeOrders
    originate_builder: OriginateBuilder
    refresh: Callable[[], None]
    cps_now: CpsNow
    gateways: GatewayBreaker
    outcomes: OutcomeBreaker
    node_health: NodeHealth
    take_turn: Callable[[str, float], bool]
    statements: Statements = field(default_factory=Statements)
    left_by_claims: Callable[[Sequence[Due]], object] = len
    """Hears of contacts that could not be claimed."""
    unjudged: Callable[[str], bool] = lambda _campaign_id: False
    """Whether a campaign's calls are over of which the breakers have not heard."""
    is_down: Callable[[str], bool] = lambda _gateway_id: False
    """Whether nodes say of a gateway that is paused that nobody answers its pings."""
    dialers: tuple[int, int] = (0, 1)
    living: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The living dialers, and what each says of itself; empty while that is not known."""
    board: PlanBoard = field(init=False)
    send_queue: SendQueue = field(init=False)
    scheduler: Scheduler = field(init=False)
    reasons: BlockedReasons = field(default_factory=BlockedReasons)
    slow_starts: SlowStarts = field(default_factory=SlowStarts)
    pace: PaceLog = field(init=False)
    _running: gevent.Greenlet[..., None] | None = None

    def __post_init__(self) -> None:
        self.board = PlanBoard(
            self.cps_now,
            is_down=lambda name: self.is_down(name),  # noqa: PLW0108  it may be another by then
        )
        self.send_queue = SendQueue(
            self.dialer_id,
            self.limiter,
            self.originate_builder,
            self.sender,
            self.node_orders,
            self.recorder,
            self.live_calls,
            self.board.plan,
            lambda: self.scheduler.look(),  # noqa: PLW0108  it is made of this
            self.spawn,
            take_probe=self.take_probe,
            return_probe=self.return_probe,
        )
        self.pace = PaceLog(self.dialer_id, self.live_calls.count_of_campaign, self.reasons.word)
        self.scheduler = Scheduler(
            self.dialer_id,
            self,
            self.board.plan,
            self.limiter,
            self.send_queue,
            self.reasons,
            self.statements,
            slow_starts=self.slow_starts,
            pace=self.pace.counts,
        )

    # What the scheduler asks.

    def behind(self) -> bool:
        """Whether what happened to calls is written so late that no new ones should be added."""
        if self.recorder.waited() > LATE_SECONDS:
            self.slow_starts.gated(time.monotonic())
        return self.recorder.behind()

    def patience(self) -> float:
        """For how many seconds what happened to a call may wait to be written."""
        return self.recorder.patience()

    def offers(self) -> tuple[Sequence[NodeCaps], Callable[[], Sequence[str]]]:
        """Nodes that can take a call and do answer, and how to draw the order in which one call tries them."""
        offered, order = self.nodes_view.offers()
        answering = [node for node in offered if self._answers(node)]
        if len(answering) < len(offered):
            self.slow_starts.gated(time.monotonic())
        self.slow_starts.nodes, self.slow_starts.dialers = answering, self.dialers[1]
        return answering, order

    def why_no_node(self) -> str:
        """The `blocked_reason` where there is none. Those that have room and do not answer are none, for now."""
        have_room, _ = self.nodes_view.offers()
        return STALLED if have_room else self.nodes_view.why_none()

    def refused(self) -> str | None:
        """The `blocked_reason` where every node that takes orders refuses what they are for."""
        refusing = self.node_health.refusing()
        if not refusing:
            return None
        have_room, _ = self.nodes_view.offers()
        return REFUSES if have_room and {node.name for node in have_room} <= refusing else None

    def core_uuid(self, node: str) -> str | None:
        """The Core-UUID of a node's present run."""
        return self.nodes_view.core_uuid(node)

    def node_names(self) -> Sequence[str]:
        """All nodes there are."""
        return self.nodes_view.names()

    def take_probe(self, hold: Hold) -> bool:
        """Whether one call may leave that is held, as a probe. A second leg's is one that somebody answers: there is
        none while the nodes say that its gateway is down."""
        if hold.second_leg and self.is_down(hold.gateway_id or hold.subject):
            return False
        if hold.kind is HoldKind.BREAKER:
            taken = self.outcomes.take_probe(hold.subject)
            self.scheduler.follow(set(self.board.breaker_probed(hold.subject)))
            return taken
        taken = self.gateways.take_probe(hold.subject, hold.prefix)
        self.scheduler.follow(set(self.board.probe_taken(hold.subject, hold.prefix)))
        return taken

    def return_probe(self, hold: Hold) -> None:
        """No call left with the probe that was taken."""
        if hold.kind is HoldKind.BREAKER:
            self.outcomes.return_probe(hold.subject)
        else:
            self.gateways.return_probe(hold.subject, hold.prefix)

    def share(self) -> tuple[int, int]:
        """Which part of a list this dialer looks at first: (rank, dialers)."""
        return self.dialers

    def exhausted(self, campaign_id: str) -> None:
        """Close a campaign if nobody is left in it. While its calls are up, or are to be judged, that is looked at
        once they are: contacts may come back then."""
        if self.live_calls.count_of_campaign(campaign_id) or self.unjudged(campaign_id):
            return
        if complete_if_exhausted(uuid.UUID(campaign_id), self.dialer_id):
            log.info("campaign_completed", campaign_id=campaign_id)
            self.outbox.nudge()
            self.refresh()

    def announce(self, claimed: Sequence[Claimed]) -> None:
        """Publish the transitions of a claim that was committed."""
        self.outbox.put([originated(item) for item in claimed])

    def note_unknown_claim(self, permits: Sequence[Permit]) -> None:
        """These permits' claim may or may not have been committed."""
        self.permits.note_unknown_claim(permits)

    def note_unclaimed(self, contacts: Sequence[Due]) -> None:
        """These contacts could not be claimed, whatever was in the way."""
        self.left_by_claims(contacts)

    def _answers(self, node: NodeCaps) -> bool:
        """Whether a node answers its orders, and owes no more of them than it may take in a second."""
        if self.node_orders.stalled(node.name):
            return False
        return node.cps is None or self.node_orders.owed(node.name) < max(1, node.cps)

    # What the process tells it.

    def start(self) -> None:
        """Dial, from now on."""
        self._running = self.spawn(self.scheduler.run)

    def read_plans(self, version: str | None = None) -> None:
        """Look at what runs now, where it is another version than was read. Raises what a database that is away
        raises; the plans stay as they are then."""
        changed = self.board.read(version)
        self.gateways.degraded |= self.board.faulty_gateways()
        self.outcomes.held = self.board.breakers()
        self.scheduler.checks.keep(self.board.plans)
        if changed:
            self.scheduler.follow(changed)
        self.board.read_terms(self.live_calls.campaigns())

    def write_reasons(self) -> None:
        """Show why campaigns are not dialled. Raises what a database that is away raises."""
        for campaign_id in self.scheduler.checks.cannot_run:
            if nobody_can(campaign_id, self.living):
                self.reasons.tell(campaign_id, Hindrance.NOT_HERE)
        self.reasons.write(self.board.plans)

    def write_pace(self) -> None:
        """Keep how fast each campaign was dialled. Raises what a database that is away raises."""
        self.pace.write(self.board.plans.keys() | self.live_calls.campaigns())

    def write_ramps(self) -> None:
        """Let slow starts go on that nothing refused. Raises what a database that is away raises."""
        if ramps.write(self.slow_starts.steps(self.board.plans, time.monotonic())):
            self.refresh()

    def purge_pace(self) -> None:
        """Forget how fast campaigns were dialled a day ago, where it is this dialer's turn. Raises what Redis or a
        database that is away raises."""
        if self.take_turn("pace", PURGE_SECONDS):
            pace_log.purge()

    def targets(self) -> list[Target]:
        """The gateways that calls may leave by now."""
        return self.board.targets()

    def elsewhere(self, call: LiveCall) -> bool:
        """Whether there is a gateway by which a call's contact can be sent again now, and was not tried yet."""
        return self.board.elsewhere(call)

    def retry_terms(self, call: LiveCall) -> RetryTerms | None:
        """What a call's campaign says of retries now; None where that is not known."""
        return self.board.retry_terms(call)

    def gateway_changed(self, gateway_id: str, found: Gateway) -> None:
        """Calls by this gateway were at fault: heeded before the next leaves."""
        pauses = tuple(
            PrefixPause(
                prefix, probe_due=False, probe_at=None if one.probe_at is None else told(one.probe_at)
            )
            for prefix, one in sorted(found.prefixes.items())
            if one.paused_at is not None
        )
        changes = {
            "paused": found.whole.paused_at is not None,
            "faults": found.whole.faults,
            "paused_alone": found.alone,
            "faulty": True,
            "pauses": pauses,
        }
        self.scheduler.follow(set(self.board.gateway_changed(gateway_id, **changes)))

    def on_link(self, change: LinkChange) -> None:
        """A node came or went: every campaign may have a way more, or one less."""
        self.scheduler.wake_all()

    def after_commit(self, commit: Commit) -> None:
        """Calls are over: who waits for their slots looks again, and a campaign that has nobody left is completed."""
        self.slow_starts.after_commit(commit, time.monotonic())
        self.scheduler.calls_over(commit.over)
        quiet = {
            campaign_id
            for campaign_id in {call.campaign_id for call in commit.over}
            if not self.live_calls.count_of_campaign(campaign_id)
        }
        if quiet:
            self.guarded(partial(self._complete, quiet))

    def _complete(self, quiet: Collection[str]) -> None:
        # Of many campaigns whose calls are short most have somebody left each time.
        for campaign_id in nobody_left(quiet):
            self.exhausted(campaign_id)

    def resend(self, call: LiveCall) -> bool:
        """Send a call once more; False where its campaign is not dialled any more."""
        return self.scheduler.resend(call)

    def stop(self, timeout: float) -> None:
        """No new calls; what is claimed and unsent goes back."""
        self.scheduler.stop()
        if self._running is not None:
            self._running.join(timeout=timeout)


def originated(item: Claimed) -> Told:
    """The transition of a claim, as it is published."""
    return Told(
        transition_id=item.transition_id,
        campaign_id=item.campaign_id,
        contact_id=item.contact_id,
        phone_number=item.phone_number,
        status="originated",
        disposition=None,
        attempt=item.attempt,
        call_id=item.call_id,
        cause=None,
        version=item.version,
        at=item.at,
        outbox_id=item.outbox_id,
    )

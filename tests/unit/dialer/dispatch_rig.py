"""Everything around the dispatch of one process: database, limiter, switch and process, of which a test decides."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import gevent
from peewee import DataError

from dialer.dispatch.blocked_reasons import BlockedReasons
from dialer.dispatch.claim_window import ClaimWindow
from dialer.dispatch.claims import Claimed, ClaimedAgain, ClaimRequest, Statements
from dialer.dispatch.due import Due, NextDue
from dialer.dispatch.node_orders import NodeOrders
from dialer.dispatch.originate_builder import OriginateBuilder
from dialer.dispatch.plans import Plan
from dialer.dispatch.postponing import Postponed
from dialer.dispatch.scheduler import Scheduler
from dialer.dispatch.send_queue import SendQueue
from dialer.dispatch.sender import Sender
from dialer.holds import Hold
from dialer.identity import Identity
from dialer.live_calls import LiveCalls
from dialer.send_gate import SendGate
from freeswitch.cluster import Cluster
from freeswitch.errors import NotConnected, Withheld
from freeswitch.originate import OriginateRequest
from freeswitch.originate import originate as command_of
from limits.caps import Denied, NodeCaps, Permit, PermitRequest
from tests.unit.dialer.factories import (
    CAMPAIGN,
    GATEWAY,
    ME,
    SECOND,
    call_id,
    make_gateway,
    make_plan,
    make_recorder,
)


def two_gateways(**first: Any) -> Plan:
    """A plan whose calls leave by GATEWAY, made as it is said, or else by SECOND."""
    return make_plan(gateways=(make_gateway(**first), make_gateway(gateway_id=SECOND)))


def many_plans(count: int, **changes: Any) -> list[Plan]:
    """So many campaigns, of one tenant unless it is said."""
    return [make_plan(campaign_id=call_id(), **changes) for _ in range(count)]


class Told(BlockedReasons):
    """Keeps every word."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[tuple[str, str | None]] = []

    def tell(self, campaign_id: str, reason: str | None, next_action_at: str | None = None) -> None:
        self.words.append((campaign_id, reason))
        super().tell(campaign_id, reason, next_action_at)


class World:
    """Everything around one scheduler. With `alive`, by the clock of the machine and with the greenlets that it
    spawns; else time stands still at `clock`, and what leaves is sent by `step`."""

    def __init__(self, *, alive: bool = False) -> None:
        self.clock = 1000.0
        self.now: Callable[[], float] = time.monotonic if alive else lambda: self.clock
        self.plans: dict[str, Plan] = {}
        self.lists: dict[str, list[Due]] = {}
        self.fields: dict[str, dict[str, Any]] = {}
        self.next: dict[str, NextDue] = {}
        self.up = [NodeCaps("fs1", None, None)]
        self.no_node, self.is_behind, self.may_send = "no_node", False, True
        self.leased = True
        self.finished: list[tuple[str, str]] = []
        self.unknown_claims: list[str] = []
        self.announced: list[str] = []
        self.unclaimed: list[str] = []
        self.probes: list[str] = []
        self.returned: list[str] = []
        self.take: Callable[[str], bool] = lambda _gateway: True
        # The limiter: what it is asked, what it denies, and how long its permits live from now.
        self.asked: list[list[PermitRequest]] = []
        self.answer: Callable[[PermitRequest], str | None] = lambda _request: None
        self.asking: Callable[[], None] = lambda: None
        self.life, self.turn, self.retry_after = 60.0, 0.0, 0.2
        self.given_back: list[str] = []
        # The database: what is read and claimed, and which contacts' claims it refuses.
        self.read: list[dict[str, int]] = []
        self.reading: Callable[[], None] = lambda: None
        self.claims: list[list[ClaimRequest]] = []
        self.claiming: Callable[[], None] = lambda: None
        self.poison: set[str] = set()
        self.postponed: dict[str, float] = {}
        self.left_alone: set[str] = set()
        """Contacts that no claim gets, since their number rests."""
        self.resting: dict[str, str] = {}
        self.closes_in: float | None = None
        """In how many seconds the calling window of what is claimed closes."""
        self.again: Callable[[str], dict[str, str] | None] = lambda _call: {"first_name": "Ann"}
        # The switch.
        self.originates: list[OriginateRequest] = []
        self.sent: list[str] = []
        self.answers = True
        """Whether the nodes answer orders."""
        self.reasons = Told()
        self.reasons.now = self.now
        self.live_calls = LiveCalls()
        self.send_gate = SendGate()
        self.recorder = make_recorder(self.live_calls)
        link = SimpleNamespace(core_uuid="core-1", originate=self._originate)
        links = dict.fromkeys(("fs1", "fs2"), link)
        lease = SimpleNamespace(valid=lambda: self.leased)
        identity = cast(
            Identity, SimpleNamespace(may_send=lambda: self.may_send and self.leased, lease=lease)
        )
        self.node_orders = NodeOrders(self.now)
        self.sender = Sender(
            cast(Cluster, SimpleNamespace(links=links)),
            self.recorder,
            self.send_gate,
            identity,
            self.node_orders,
            now=self.now,
        )
        self.send_queue = SendQueue(
            ME,
            self,
            OriginateBuilder("/s", (), ()),
            self.sender,
            self.node_orders,
            self.recorder,
            self.live_calls,
            self.plan,
            lambda: self.scheduler.look(),  # noqa: PLW0108  it is made of this
            gevent.spawn if alive else gevent.Greenlet,
            self.now,
        )
        statements = Statements(
            self._due, self._next_due, self._claim, self._claim_again, self._postpone, self._postpone_resting
        )
        self.scheduler = Scheduler(
            ME,
            self,
            self.plan,
            self,
            self.send_queue,
            self.reasons,
            statements,
            now=self.now,
            # Its calls are shown where a test says so, and not for a test's sake.
            window=ClaimWindow(floor=1_000_000),
        )

    def _claim_again(self, call: str, _dialer: str, _number: str) -> ClaimedAgain | None:
        found = self.again(call)
        return None if found is None else ClaimedAgain(found, self.closes_in)

    # The process.

    def plan(self, campaign_id: str) -> Plan | None:
        return self.plans.get(campaign_id)

    def behind(self) -> bool:
        return self.is_behind

    def patience(self) -> float:
        return 0.1

    def offers(self) -> tuple[Sequence[NodeCaps], Callable[[], Sequence[str]]]:
        return self.up, lambda: [node.name for node in self.up]

    def why_no_node(self) -> str:
        return self.no_node

    def refused(self) -> str | None:
        return None

    def core_uuid(self, _node: str) -> str | None:
        return "core-1"

    def node_names(self) -> Sequence[str]:
        return ["fs1", "fs2"]

    def take_probe(self, hold: Hold) -> bool:
        self.probes.append(hold.subject)
        return self.take(hold.subject)

    def return_probe(self, hold: Hold) -> None:
        self.returned.append(hold.subject)

    def share(self) -> tuple[int, int]:
        return (0, 1)

    def exhausted(self, campaign_id: str) -> None:
        self.finished.append((campaign_id, "exhausted"))

    def announce(self, claimed: Sequence[Claimed]) -> None:
        self.announced += [item.call_id for item in claimed]

    def note_unclaimed(self, contacts: Sequence[Due]) -> None:
        self.unclaimed += [due.contact_id for due in contacts]

    def note_unknown_claim(self, permits: Sequence[Permit]) -> None:
        self.unknown_claims += [permit.call_id for permit in permits]

    # The limiter.

    def acquire(
        self, nodes: Sequence[NodeCaps], requests: Sequence[PermitRequest], *, lead: float, horizon: float
    ) -> list[Permit | Denied]:
        assert lead >= 0.0 < horizon
        self.asked.append(list(requests))
        self.asking()
        names = {node.name for node in nodes}
        return [self._answer(request, names) for request in requests]

    def give_back(self, permits: Sequence[Permit]) -> None:
        self.given_back += [permit.call_id for permit in permits]

    def _answer(self, request: PermitRequest, offered: set[str]) -> Permit | Denied:
        reason = self.answer(request)
        if reason is not None:
            return Denied(request.call_id, reason, self.retry_after)
        node = next(name for name in request.nodes if name in offered)
        return Permit(request.call_id, node, self.now() + self.turn, self.now() + self.life)

    # The database and the switch.

    def _due(
        self, wanted: Mapping[str, int], share: tuple[int, int], passed_over: Collection[str]
    ) -> dict[str, list[Due]]:
        self.read.append(dict(wanted))
        self.reading()
        found = {
            name: [due for due in self.lists.get(name, []) if due.contact_id not in passed_over]
            for name in wanted
        }
        return {name: found[name][:most] for name, most in wanted.items()}

    def _next_due(self, campaigns: Sequence[str]) -> dict[str, NextDue]:
        return {name: self.next[name] for name in campaigns if name in self.next}

    def _claim(self, _dialer: str, wanted: Sequence[ClaimRequest]) -> list[Claimed]:
        self.claims.append(list(wanted))
        self.claiming()
        if any(item.contact_id in self.poison for item in wanted):
            raise DataError("not in this database")
        found = []
        for item in wanted:
            pending = self.lists[item.campaign_id]
            due = next((one for one in pending if one.contact_id == item.contact_id), None)
            if due is not None and due.contact_id not in self.left_alone:
                pending.remove(due)
                found.append(self._claimed(item, due))
        return found

    def _postpone(self, late: Sequence[Postponed], reason: str) -> None:
        assert reason == "number_cap"
        self.postponed |= {one.contact_id: one.seconds for one in late}
        for name, pending in self.lists.items():
            self.lists[name] = [due for due in pending if due.contact_id not in self.postponed]

    def _postpone_resting(self, resting: Mapping[str, str]) -> None:
        self.resting |= resting
        for name, pending in self.lists.items():
            self.lists[name] = [due for due in pending if due.contact_id not in resting]

    def _claimed(self, item: ClaimRequest, due: Due) -> Claimed:
        return Claimed(
            call_id=item.call_id,
            contact_id=item.contact_id,
            campaign_id=item.campaign_id,
            node=item.node,
            gateway_id=item.gateway_id,
            caller_id="+14155550199",
            phone_number=due.phone_number,
            generation=1,
            seq=1,
            attempt=1,
            free_sends=0,
            carrier_refusals=0,
            gateway_faults=0,
            disturbed=0,
            rejected=False,
            custom_fields=self.fields.get(item.contact_id, {"first_name": "Ann"}),
            version=1,
            transition_id=1,
            at="now",
            closes_in=self.closes_in,
        )

    def _originate(
        self,
        request: OriginateRequest,
        guard: Callable[[], bool],
        reply: Callable[[str], None],
        on_read: Callable[[], None],
    ) -> None:
        command_of(request)
        self.originates.append(request)
        if not self.up:
            raise NotConnected("fs1", "down")
        if not guard():
            raise Withheld("fs1", "no")
        self.sent.append(request.call_id)
        if self.answers:
            on_read()
            reply("+OK Job-UUID: x")

    # What the test does, and sees.

    def run(self, *plans: Plan, contacts: int = 6) -> None:
        """These campaigns run, or changed; those that are new here have so many contacts."""
        for plan in plans:
            self.plans[plan.campaign_id] = plan
            self.lists.setdefault(
                plan.campaign_id, [Due(call_id(), f"+1415555{n:04d}") for n in range(contacts)]
            )
        self.scheduler.follow([plan.campaign_id for plan in plans])

    def end(self, campaign_id: str = CAMPAIGN) -> None:
        """This campaign is not dialled any more."""
        del self.plans[campaign_id]
        self.scheduler.follow([campaign_id])

    def step(self, seconds: float = 0.0) -> float:
        """One look, `seconds` from now, and what leaves then."""
        self.clock += seconds
        wait = self.scheduler.step()
        for node in self.send_queue.nodes():
            self.send_queue.send_due(node)
        return wait

    def look(self) -> float:
        """A look at every campaign."""
        self.scheduler.wake_all()
        return self.step()

    @property
    def contacts(self) -> list[Due]:
        """Those of CAMPAIGN that are pending."""
        return self.lists[CAMPAIGN]

    @contacts.setter
    def contacts(self, contacts: list[Due]) -> None:
        self.lists[CAMPAIGN] = contacts

    @property
    def words(self) -> list[str | None]:
        """Every reason that was told, in order."""
        return [reason for _, reason in self.reasons.words]

    def gateways(self) -> Counter[str]:
        """How many calls leave by each gateway."""
        return Counter(call.gateway_id for call in self.live_calls)

    def calls(self) -> Counter[str]:
        """How many calls each campaign has."""
        return Counter(call.campaign_id for call in self.live_calls)

    def ends(self) -> dict[str, str]:
        """What the recorder was told, by call: the cause."""
        return {r.call_id: r.ended.cause for r in self.recorder.waiting if r.ended is not None}


def full_gateway(reason: str, gateway_id: str = GATEWAY) -> Callable[[PermitRequest], str | None]:
    """The answers of a limiter that denies one gateway."""
    return lambda request: reason if request.caps.gateway.id == gateway_id else None

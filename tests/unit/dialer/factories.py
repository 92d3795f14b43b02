"""Values for tests of the dialer: live calls, plans, events and permits with sensible fields."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import count
from types import SimpleNamespace
from typing import Any, cast

from campaigns.retry_rules import RetryTerms
from dialer.dispatch.plans import GatewayPlan, Plan
from dialer.live_calls import LiveCall, LiveCalls, LiveState
from dialer.record.commit import Commit, CommitFollower
from dialer.record.outcome_rows import Ended, Written
from dialer.record.recorder import Recorder
from dialer.recovery.node_restart import NodeRestarts
from dialer.recovery.reconciler import Reconciler
from freeswitch.cluster import Cluster
from freeswitch.events import ChannelEvent, ChannelEventKind, JobResult
from freeswitch.hangup import Hangup
from limits.caps import Permit

ME = "d00000000000a"
OTHER = "d00000000000b"
CAMPAIGN = "00000000-0000-7000-8000-00000000000c"
GATEWAY = "00000000-0000-7000-8000-00000000000e"
SECOND = "00000000-0000-7000-8000-00000000000f"

# Beyond the names above.
_numbers = count(0x100)


def call_id() -> str:
    """A new call's id."""
    return f"00000000-0000-7000-8000-{next(_numbers):012x}"


def make_call(**changes: Any) -> LiveCall:
    """A call that was claimed a moment ago and not sent; its state follows from `answered_at` and `sent_at`."""
    values: dict[str, Any] = {
        "call_id": call_id(),
        "contact_id": call_id(),
        "campaign_id": CAMPAIGN,
        "tenant_id": "demo",
        "gateway_id": GATEWAY,
        "caller_id": "+14155550199",
        "node": "fs1",
        "core_uuid": "core-1",
        "phone_number": "+14155550100",
        "generation": 1,
        "attempt": 1,
        "free_sends": 0,
        "carrier_refusals": 0,
        "gateway_faults": 0,
        "disturbed": 0,
        "rejected": False,
        "retries_per_contact": 0,
        "retry_delay_seconds": 60,
        "ring_seconds": 30,
        "max_seconds": 1800,
        "sent_by": ME,
        "claimed_at": time.monotonic(),
    }
    values |= changes
    if "state" not in changes:
        known = {"answered_at": LiveState.ANSWERED, "sent_at": LiveState.ACKNOWLEDGED}
        values["state"] = next(
            (state for field, state in known.items() if values.get(field) is not None), LiveState.CLAIMED
        )
    return LiveCall(**values)


def make_gateway(**changes: Any) -> GatewayPlan:
    """An open gateway without caps that carries every number."""
    values: dict[str, Any] = {
        "gateway_id": GATEWAY,
        "dial_string": "sofia/gateway/carrier/{number}",
        "cps": None,
        "channels": None,
    }
    return GatewayPlan(**(values | changes))


def make_plan(**changes: Any) -> Plan:
    """A running campaign whose agent parks."""
    values: dict[str, Any] = {
        "campaign_id": CAMPAIGN,
        "tenant_id": "demo",
        "generation": 1,
        "max_concurrent_calls": 5,
        "retries_per_contact": 0,
        "retry_delay_seconds": 60,
        "blocked_reason": None,
        "next_action_at": None,
        "held": None,
        "caller_id": "+14155550199",
        "gateways": (make_gateway(),),
        "action": {"type": "park"},
        "ring_timeout_seconds": 30,
        "max_call_seconds": 1800,
        "variables": None,
        "concurrent_max": None,
        "calls_per_minute": None,
        "daily_calls_max": None,
        "daily_minutes_max": None,
        "dialplan_context": None,
        "gateway_ids": (),
        "queues": (),
        "bridge_gateways": {},
    }
    return Plan(**(values | changes))


def make_permit(call_or_id: LiveCall | str, node: str = "fs1", life: float = 60.0) -> Permit:
    """A permit that holds for a minute."""
    name = call_or_id if isinstance(call_or_id, str) else call_or_id.call_id
    return Permit(name, node, 0.0, time.monotonic() + life)


def make_hangup(cause: str = "NORMAL_CLEARING", **changes: Any) -> Hangup:
    """The end of an answered call of 4 s."""
    values: dict[str, Any] = {
        "cause": cause,
        "q850": 16,
        "sip_status": 200,
        "sip_phrase": None,
        "sip_reason": None,
        "sip_603plus_reason": None,
        "hung_up_by": "remote",
        "answered": True,
        "progress": True,
        "billsec": 4,
        "billmsec": 4000,
        "duration_ms": 5500,
        "pdd_ms": 20,
        "ring_ms": 1500,
        "gateway": "carrier",
    }
    return Hangup(**(values | changes))


def busy(**changes: Any) -> Hangup:
    """The end of a call that was busy."""
    values: dict[str, Any] = {
        "q850": 17,
        "sip_status": 486,
        "answered": False,
        "progress": False,
        "billsec": 0,
    }
    return make_hangup("USER_BUSY", **(values | changes))


def channel_event(name: str, kind: ChannelEventKind, hangup: Hangup | None = None) -> ChannelEvent:
    """One event of the call `name`."""
    return ChannelEvent(kind, name, "core-1", 0, ME, hangup)


def job(name: str, text: str) -> JobResult:
    """The failed end of the job of the call `name`."""
    return JobResult(name, ME, False, text, "core-1", 0)


class Followers:
    """What a recorder is followed by: keeps every commit, and calls `then` with it."""

    def __init__(self, then: Callable[[Commit], object] = lambda _commit: None) -> None:
        self.commits: list[Commit] = []
        self._then = then

    def after_commit(self, commit: Commit) -> None:
        self.commits.append(commit)
        self._then(commit)


def make_commit(ended: Mapping[str, Ended], *over: LiveCall) -> Commit:
    """A commit by which the calls `over` are over."""
    return Commit(Written([], frozenset(ended)), over, ended)


def make_recorder(
    live_calls: LiveCalls | None = None,
    *followers: CommitFollower,
    ask: Callable[[LiveCall], None] = lambda _call: None,
    owner: str = ME,
    retry_terms: Callable[[LiveCall], RetryTerms | None] = lambda _call: None,
) -> Recorder:
    """A recorder of this process that nothing follows, unless it is said what."""
    known = LiveCalls() if live_calls is None else live_calls
    return Recorder(owner, known, followers, ask, retry_terms=retry_terms)


def make_reconciler(
    links: Mapping[str, object],
    live_calls: LiveCalls,
    recorder: Recorder,
    resend: Callable[[LiveCall], bool] = lambda _call: True,
    owner: str = ME,
    **changes: Any,
) -> Reconciler:
    """Recovery over these links by node."""
    cluster = cast(Cluster, SimpleNamespace(links=links))
    given = {"may_tell": lambda: True} | changes
    return Reconciler(owner, cluster, live_calls, recorder, resend, NodeRestarts(), **given)

"""The limiter: permits for calls, over every cap at once, shared by any number of processes through Redis.

Called by dispatch (`acquire`, `give_back`), the recorder (`release`), the dialer's heartbeat (`renew`) and
recovery (`take_over`, `rebuild`); the tests look at it by `usage`. What holds, whatever dies or is lost:

- No cap is exceeded over any window by what is sent within the life of its permit. A permit is stamped with its turn,
  by Redis' time, up to FURTHEST_TURN ahead, and may be used for 50 ms from then on, less what is not known of how its
  clock and ours differ (`redis_clock`); so a window holds for what is sent, less those 50 ms. The calls a minute are
  counted over 50 ms more, and hold for any whole minute.
- Asking, giving back and releasing can each be repeated at will: all goes by the call's id and its record.
- Counts of live calls are counts of leases. A lease lapses 60 s after its last renewal, and every living dialer
  renews those of dead ones too until they are taken over. Leases that nobody renewed never make room for a call,
  the state is rebuilt first: where nobody renews at all the epoch lapses sooner, and where some do, a request
  that meets the lapsed lease of a permit that is still held ends it.
- Without a whole state nobody dials: not while Redis is away, nor after it was emptied or came back from its disk,
  nor while it may drop keys of its own choice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from redis import Redis

from coordination.errors import Fenced, translated
from limits import scripts
from limits.acquire_request import WIRE_SECONDS, AcquireRequest
from limits.caps import (
    DAY_SECONDS,
    FURTHEST_TURN,
    MINUTE_WINDOW_MS,
    PERMIT_LIFE,
    POSTPONED_SECONDS,
    CallCaps,
    Denied,
    EndedCall,
    GatewayCaps,
    InUse,
    LateSeconds,
    LimiterSnapshot,
    NodeCaps,
    NumberCaps,
    Permit,
    PermitRequest,
    Rate,
    TenantCaps,
    UncountedCall,
    Usage,
    WayUsage,
)
from limits.epoch import EpochChangedError, EpochStore
from limits.errors import LimiterUnavailable
from limits.eviction import evicting
from limits.number_history import NumberRows, read_numbers
from limits.permit_leases import PermitLeases
from limits.rebuild import rebuild
from limits.redis_clock import Distance, RedisClock
from limits.releases import NEVER_SENT, PendingRelease, PendingReleases
from limits.ttls import Ttls

log = structlog.get_logger()

__all__ = [
    "CallCaps",
    "Denied",
    "EndedCall",
    "Fenced",
    "GatewayCaps",
    "Limiter",
    "LimiterSnapshot",
    "LimiterUnavailable",
    "NodeCaps",
    "Permit",
    "PermitRequest",
    "Rate",
    "TenantCaps",
    "Usage",
]

PERMIT_LEASE_SECONDS = 60.0


class Limiter:
    """One process' way to the caps. `dialer_id` is that of its lease; "" for one that only reads.

    `redis` decodes its answers, and does not retry by itself. Every method raises LimiterUnavailable when Redis
    fails.
    """

    def __init__(
        self, redis: Redis, prefix: str, dialer_id: str, *, lease_seconds: float = PERMIT_LEASE_SECONDS
    ) -> None:
        self._ttls = Ttls.of_lease(lease_seconds)
        self._dialer_id = dialer_id
        self._store = EpochStore(redis, prefix)
        self._leases = PermitLeases(self._store, self._ttls, dialer_id)
        self._releases = PendingReleases(self._store, dialer_id)
        self._clock, self._clock_of = RedisClock(), ""
        self._distance = Distance(PERMIT_LIFE - WIRE_SECONDS)
        self._ask_number = 0
        self._unknown_numbers: dict[str, NumberCaps] = {}

    def acquire(
        self,
        nodes: Sequence[NodeCaps],
        requests: Sequence[PermitRequest],
        *,
        lead: float = 0.0,
        horizon: float = 0.0,
    ) -> list[Permit | Denied]:
        """Ask for a batch of calls, of any campaigns, at most a few hundred; one answer for each, in their order.

        Each permit names the node that takes the call, and the turn at which it may leave: the next instant that
        every rate allows, not before `lead` seconds from now and not later than `horizon` seconds after that;
        what of the two is beyond FURTHEST_TURN is cut off. A call that holds a permit already (it lapsed before it
        was used, or its answer was lost) keeps its slots and its node, which its request must name, and its turn
        while that lasts; then it moves to its next turn in the rates, or is told how long that is off, and the turn
        is kept for it until 50 ms after it.
        Raises Fenced when this dialer has lost its lease. After LimiterUnavailable nothing is held: whatever
        these calls hold or were granted is undone, unless they are asked for again first.
        """
        if not requests:
            return []
        lead = min(lead, FURTHEST_TURN)
        asked = AcquireRequest(nodes, requests, lead, min(horizon, FURTHEST_TURN - lead))
        self._releases.withdraw(request.call_id for request in requests)
        with translated(LimiterUnavailable, "asking for permits"):
            self._releases.flush()
            answers = self._store.in_epoch(partial(self._ask, asked))
        return asked.no_redis() if answers is None else answers

    def give_back(self, permits: Iterable[Permit]) -> None:
        """These calls were never sent: undo their slots, their places in the rates and the day's count.

        What cannot be undone now, since Redis is away, is kept and undone with a later call of any method, unless
        it is asked for again before.
        """
        ask, epoch = self._ask_number, self._store.last_epoch
        self._releases.enqueue(PendingRelease(permit.call_id, NEVER_SENT, ask, epoch) for permit in permits)
        self._flush("giving permits back")

    def release(self, ended: Iterable[EndedCall]) -> None:
        """These calls are over, whoever placed them: free their slots, add their seconds to their day, once.

        What cannot be released now, since Redis is away, is kept and released with a later call of any method.
        """
        self._releases.enqueue(
            PendingRelease(call.call_id, call.billsec, reached=call.reached) for call in ended
        )
        self._flush("releasing permits")

    def postpone(self, call_ids: Sequence[str]) -> None:
        """These orders were written and are not carried out, as far as anybody knows: in every rate they count as
        leaving at any moment of the next `POSTPONED_SECONDS`. To be repeated sooner than that until their node has
        answered: so what it carries out late finds its place in the second, and the minute, in which it does."""
        with translated(LimiterUnavailable, "postponing orders"):
            self._store.in_epoch(partial(self._postpone, call_ids))

    def add_seconds(self, calls: Sequence[LateSeconds]) -> None:
        """Add to what tenants spoke today the lengths of calls that became known after their permits were released:
        each call's once, however often this is asked, so that it can be asked before the rows that say so are
        committed. Raises LimiterUnavailable, also where the state is not whole: whoever rebuilds it does not see
        those rows yet.
        """
        with translated(LimiterUnavailable, "adding seconds"):
            added = self._store.in_epoch(partial(self._add_seconds, calls))
        if added is None:
            raise LimiterUnavailable("adding seconds", "the limiter's state is not whole")

    def _add_seconds(self, calls: Sequence[LateSeconds], epoch: str) -> list[Any] | None:
        keys = self._store.epoch_keys(epoch)
        paths = [
            path for call in calls for path in (keys.day(call.tenant_id), keys.added_late(call.tenant_id))
        ]
        items = [[call.call_id, call.seconds] for call in calls]
        return self._store.run(scripts.LATE_SECONDS, epoch, paths, {"keep": 2 * DAY_SECONDS, "items": items})

    def uncount(self, calls: Iterable[UncountedCall]) -> None:
        """These calls, whose permits were released, do not count for their numbers after all."""
        with (
            translated(LimiterUnavailable, "giving counts of numbers back"),
            self._store.redis.pipeline(transaction=False) as pipe,
        ):
            for call in calls:
                log, _ = self._store.keys.number_history(call.tenant_id, call.number)
                pipe.zrem(log, call.call_id)
            pipe.execute()

    def renew(self) -> None:
        """Extend the leases of this dialer's permits, and of dead dialers' until somebody takes them over.

        To be called every 10 s. Also carries out the releases that Redis' absence left pending.
        """
        self._releases.requeue_lost()
        self._flush("releasing what is pending")
        self._store.forget()
        with translated(LimiterUnavailable, "renewing leases"):
            epoch = self._store.epoch()
            if epoch is not None:
                with suppress(EpochChangedError):
                    self._leases.renew(epoch)

    def held_by(self, dialer_id: str) -> list[str]:
        """The calls whose permits a dialer holds, for the database to be asked what became of them."""
        with translated(LimiterUnavailable, "reading a dialer's permits"):
            epoch = self._store.epoch()
            return [] if epoch is None else self._store.held_by(epoch, dialer_id)

    def take_over(
        self,
        dead_dialer_id: str,
        live_call_ids: Container[str],
        ended: Mapping[str, int] | None = None,
        reached: Container[str] = (),
        among: Container[str] | None = None,
    ) -> list[str]:
        """Take a dead dialer's permits: those of calls that are open, whoever takes them up, become this dialer's.

        The others are released, and their call ids returned. The dead one must be fenced and its lease lapsed,
        and `live_call_ids` read after that. `ended` has the billed seconds of those that have ended; any that is
        neither there nor live never became a row and is undone; those in `reached` count for their numbers.
        Without `ended` all the others keep their place in the day's count and add no seconds to it. `among` are
        those whose rows were read: others are left as they are, since a state that was rebuilt meanwhile has permits
        of calls that nobody asked about. Raises Fenced when this dialer has lost its lease: whoever
        takes over from it may have asked already what it holds.
        """
        lost: list[str] = []

        def transfer(epoch: str) -> None:
            held = self._store.held_by(epoch, dead_dialer_id)
            call_ids = [call_id for call_id in held if among is None or call_id in among]
            lost[:] = [call_id for call_id in call_ids if call_id not in live_call_ids]
            live = [call_id for call_id in call_ids if call_id in live_call_ids]
            self._leases.transfer(epoch, dead_dialer_id, live)

        with translated(LimiterUnavailable, "taking over permits"):
            self._store.in_epoch(transfer)
        self._releases.enqueue(
            PendingRelease(
                call_id,
                0 if ended is None else ended.get(call_id, NEVER_SENT),
                owner=dead_dialer_id,
                reached=ended is None or call_id in reached,
            )
            for call_id in lost
        )
        self._flush("releasing a dead dialer's permits")
        return lost

    def rebuild(self, snapshot: Callable[[], LimiterSnapshot]) -> bool:
        """Where the state is not whole, make it so from the database; True when this call did.

        Of any number of dialers one does it; it asks `snapshot` once all permits granted before have lapsed.
        False where the state is whole, another is at it, or Redis evicts keys. What `snapshot` raises comes through,
        and leaves no epoch.
        """
        self._store.forget()
        with translated(LimiterUnavailable, "rebuilding"):
            return rebuild(self._store, snapshot, self._ttls, self._dialer_id)

    def read_numbers(self, rows: NumberRows) -> list[str]:
        """Where it is not known how often a tenant's numbers were called (since Redis was emptied, or the caps on
        them are new), learn it from the rows; the tenants of which it is known now. To be called every second.

        Of any number of dialers one does it; the tenant is not dialled before. What `rows` raises comes through, and
        it is done again then.
        """
        known: list[str] = []
        for tenant_id, caps in list(self._unknown_numbers.items()):
            with translated(LimiterUnavailable, "reading numbers"):
                if read_numbers(self._store, self._dialer_id, tenant_id, caps, rows):
                    known.append(tenant_id)
            # Whoever is denied once more says so again.
            del self._unknown_numbers[tenant_id]
        return known

    def evicting(self) -> str | None:
        """The policy by which Redis may drop single counts (`limits.eviction`); None where it keeps all.

        Where there is one the epoch ends with this call: what was dropped until now nobody can tell.
        """
        policy = evicting(self._store.redis)
        if policy is not None:
            self._store.forget()
            with translated(LimiterUnavailable, "ending the epoch"):
                self._store.redis.delete(self._store.keys.epoch)
        return policy

    def whole(self) -> bool:
        """Whether the state is whole; where it is not, `rebuild` is due."""
        self._store.forget()
        with translated(LimiterUnavailable, "reading the epoch"):
            return self._store.epoch() is not None

    def usage(self, tenant_id: str) -> Usage | None:
        """What a tenant uses now; None while the state has to be rebuilt."""
        found = self.in_use([tenant_id])
        return None if found is None else found.tenants[tenant_id]

    def in_use(
        self, tenants: Sequence[str] = (), gateways: Sequence[str] = (), nodes: Sequence[str] = ()
    ) -> InUse | None:
        """What each of them uses now, in one call; None while the state has to be rebuilt. Nobody dials meanwhile: of
        many, a page at a time."""
        with translated(LimiterUnavailable, "reading usage"):
            return self._store.in_epoch(partial(self._in_use, tenants, gateways, nodes))

    def _in_use(
        self, tenants: Sequence[str], gateways: Sequence[str], nodes: Sequence[str], epoch: str
    ) -> InUse | None:
        keys = self._store.epoch_keys(epoch)
        paths = [
            key for of in tenants for key in (keys.slots("tenant", of), keys.rate("tenant", of), keys.day(of))
        ]
        ways = [("gateway", of) for of in gateways] + [("node", of) for of in nodes]
        paths += [key for kind, of in ways for key in (keys.slots(kind, of), keys.rate(kind, of))]
        answer = self._store.run(scripts.USAGE, epoch, paths, {"tenants": len(tenants)})
        if answer is None:
            return None
        used, carried = answer[1 : 1 + len(tenants)], [WayUsage(*one) for one in answer[1 + len(tenants) :]]
        return InUse(
            {of: Usage(*one) for of, one in zip(tenants, used, strict=True)},
            dict(zip(gateways, carried[: len(gateways)], strict=True)),
            dict(zip(nodes, carried[len(gateways) :], strict=True)),
        )

    def _ask(self, asked: AcquireRequest, epoch: str) -> list[Permit | Denied] | None:
        store, me = self._store, self._dialer_id
        self._ask_number = ask = self._ask_number + 1
        job = {
            **asked.job(),
            "dialer": me,
            "ask": ask,
            "lease": self._ttls.lease,
            "keep": self._ttls.keep,
        }
        paths = asked.keys(store.keys, store.epoch_keys(epoch), me)
        asked_at = time.monotonic()
        try:
            answer = store.run(scripts.ACQUIRE, epoch, paths, job)
        except EpochChangedError:
            raise
        except BaseException:
            # Also a greenlet that is killed while it waits: nobody else knows what it was granted.
            self._releases.enqueue_lost([request.call_id for request in asked.requests], ask, epoch)
            raise
        if answer is None:
            return None
        if answer[0] == "fenced":
            raise Fenced(me)
        _, now, *replies = answer
        if epoch != self._clock_of:
            # Another server, maybe, whose clock is not that of the last: the answers from it alone tell.
            self._clock, self._clock_of = RedisClock(), epoch
        read_at = time.monotonic()
        self._clock.note(asked_at, now / 1_000_000, read_at)
        if self._distance.is_to_be_said(self._clock.width, read_at):
            log.warning("redis_too_far", milliseconds=round(self._clock.width * 1000))
        self._unknown_numbers |= asked.unknown_numbers(replies)
        return asked.answers(now, replies, self._clock)

    def _postpone(self, call_ids: Sequence[str], epoch: str) -> None:
        store, keys = self._store, self._store.epoch_keys(epoch)
        records = store.records(epoch, call_ids)
        paths = [keys.permits]
        for record in records.values():
            paths += record.rate_keys(keys)
        items = [[call_id, record.raw] for call_id, record in records.items()]
        job = {
            "ahead": round(POSTPONED_SECONDS * 1_000_000),
            "keep": 2 * MINUTE_WINDOW_MS,
            "items": items,
        }
        store.run(scripts.POSTPONE, epoch, paths, job)

    def _flush(self, action: str) -> None:
        with translated(LimiterUnavailable, action):
            self._releases.flush()

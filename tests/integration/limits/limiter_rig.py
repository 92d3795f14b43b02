"""What the tests of the limiter share: a client as the processes make it, caps, and a dialer with a whole state."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from coordination.membership import Membership
from limits.caps import NO_NUMBER_CAPS, DayUse, NumberCaps, OpenCall, RecentSend
from limits.keys import Keys
from limits.limiter import (
    CallCaps,
    Denied,
    EndedCall,
    GatewayCaps,
    Limiter,
    LimiterSnapshot,
    NodeCaps,
    Permit,
    PermitRequest,
    TenantCaps,
)

PREFIX = "test:"
OPEN_TENANT = TenantCaps(None, None, None, None)
OPEN_GATEWAY = GatewayCaps("gw", None, None)
OPEN_NODES = (NodeCaps("fs1", None, None),)
Argument = bytes | bytearray | memoryview | str | int | float
ScriptHook = Callable[[str, Callable[[str], Any]], Any]


class HookedRedis(redis.Redis):
    """A client whose scripts go through `on_script` where one is set: it gets a script's text, and what sends a text.

    By then a script goes by its text, never by its digest, so that what the hook sends is what runs.
    """

    on_script: ScriptHook | None = None

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Argument) -> Any:
        if self.on_script is not None:
            raise redis.exceptions.NoScriptError
        return super().evalsha(sha, numkeys, *keys_and_args)

    def eval(self, script: str, numkeys: int, *keys_and_args: Argument) -> Any:
        send = super().eval
        if self.on_script is None:
            return send(script, numkeys, *keys_and_args)
        return self.on_script(script, lambda text: send(text, numkeys, *keys_and_args))

    @contextmanager
    def hooked(self, on_script: ScriptHook) -> Iterator[None]:
        """For as long as the block runs, every script goes through `on_script`."""
        self.on_script = on_script
        try:
            yield
        finally:
            self.on_script = None


def connect(url: str, *, timeout: float = 2.0) -> HookedRedis:
    """A client as the processes make it: no retries of its own, everything bounded."""
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=16,
        timeout=30,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
    )
    client = HookedRedis(connection_pool=pool)
    client.auto_close_connection_pool = True
    return client


def snapshot(
    live: Sequence[OpenCall] = (), recent: Sequence[RecentSend] = (), days: Sequence[DayUse] = ()
) -> Callable[[], LimiterSnapshot]:
    """What a database with these rows would say."""
    return lambda: LimiterSnapshot(dt.datetime.now(dt.UTC).date(), live, recent, days)


CLOCK = "test:virtual"
"""Where a test keeps the time that scripts take for Redis', in microseconds."""
NOON = 1_800_014_400_000_000


class Clock:
    """The virtual time of one Redis."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self.now = NOON

    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.now += round(seconds * 1e6)
        self._client.set(CLOCK, self.now)


class Dialer:
    """A registered dialer with its limiter, and short words for what the tests do over and over."""

    def __init__(
        self,
        client: HookedRedis,
        name: str = "d1",
        *,
        lease_seconds: float = 60.0,
        membership_seconds: float = 600.0,
    ) -> None:
        self.client = client
        self.name = name
        self.membership = Membership(client, PREFIX, lease_seconds=membership_seconds)
        self.membership.register(name, {})
        self.limiter = Limiter(client, PREFIX, name, lease_seconds=lease_seconds)

    def open(self) -> Dialer:
        """Make the state whole over an empty database, where it is not."""
        self.limiter.rebuild(snapshot())
        return self

    def ask(
        self,
        *call_ids: str,
        number: str | None = None,
        tenant_id: str = "t",
        campaign_id: str = "c",
        concurrency: int = 1000,
        tenant: TenantCaps = OPEN_TENANT,
        gateway: GatewayCaps = OPEN_GATEWAY,
        nodes: Sequence[NodeCaps] = OPEN_NODES,
        lead: float = 0.0,
        horizon: float = 0.0,
        may_have_left: bool = False,
        second_leg: GatewayCaps | None = None,
        single: bool = False,
        number_caps: NumberCaps = NO_NUMBER_CAPS,
    ) -> list[Permit | Denied]:
        """Ask for these calls, each to a number of its own unless `number` is given."""
        caps = CallCaps(tenant_id, campaign_id, concurrency, tenant, gateway, second_leg, single)
        names = [node.name for node in nodes]
        requests = [
            PermitRequest(call_id, number or f"+{call_id}", caps, names, may_have_left, number_caps)
            for call_id in call_ids
        ]
        return self.limiter.acquire(nodes, requests, lead=lead, horizon=horizon)

    def turns(self, kind: str, name: str) -> dict[str, int]:
        """The log of a rate: each call's turn, in µs of the clock."""
        epoch = str(self.client.get(f"{PREFIX}epoch"))
        key = Keys(PREFIX).epoch_keys(epoch).rate(kind, name)
        log = cast("list[tuple[str, float]]", self.client.zrange(key, 0, -1, withscores=True))
        return {call_id: int(turn) for call_id, turn in log}

    def end(self, *call_ids: str, billsec: int = 0) -> None:
        """These calls of the default campaign are over."""
        self.limiter.release([EndedCall(call_id, "c", "t", "gw", "fs1", billsec) for call_id in call_ids])


def lapse(client: redis.Redis, *call_ids: str) -> None:
    """Nobody has renewed these permits for longer than a lease lasts."""
    for key in client.scan_iter(match=f"{PREFIX}*:slots:*"):
        client.zadd(key, dict.fromkeys(call_ids, 1), xx=True)


def words(answers: Sequence[Permit | Denied]) -> list[str]:
    """The node of each permit, the reason of each denial."""
    return [answer.node if isinstance(answer, Permit) else answer.reason for answer in answers]

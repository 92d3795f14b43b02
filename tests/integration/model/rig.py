"""Whole dialers, real servers and a node that does what it is told: driven step by step, at a clock that jumps.

Nothing here runs by itself. A dialer does one thing at a time (`run`), and may be stopped on the way at a named
point: then it is woken or killed. Time passes by `tick`, which moves every clock that the dialers look at: the
monotonic one, the ages in the database and the leases in Redis.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import orjson
import psycopg
import pytest
from redis import Redis

from campaigns.dispositions import Disposition
from coordination import membership
from coordination.membership import LEASE_SECONDS
from coordination.redis_client import client
from dialer.record import recorder as recorder_module
from dialer.record.outcome_rows import write
from limits import acquire_request as acquire_request_module
from limits.keys import Keys
from limits.limiter import Limiter
from models import db, rows
from settings import Settings
from tests.factories import World, make_campaign
from tests.integration.model.dialer import Dialer
from tests.integration.model.switch import Switch
from tests.waiting import wait_until

PREFIX = "carillon:"
DONE = {"completed", "failed", "cancelled"}
MOST_ROUNDS = 60


class Rig:
    """One campaign, its dialers and its node; `check` is what must hold after every step."""

    def __init__(
        self, database_url: str, redis_url: str, world: World, contacts: int, **campaign: Any
    ) -> None:
        self.ahead = 0.0
        self._monotonic = time.monotonic
        self.settings = Settings.from_environ(
            {
                "DATABASE_URL": database_url,
                "REDIS_URL": redis_url,
                "FREESWITCH_URLS": "esl://:x@127.0.0.1:1?name=fs1&cps=1000",
            }
        )
        self.redis: Redis = client(redis_url)
        # A server that has not been up for longer than a lease proves no lease lapsed.
        wait_until(
            lambda: self.redis.info("server")["uptime_in_seconds"] > LEASE_SECONDS + 1, "the server's age"
        )
        self.switch = Switch(self.clock)
        self.contacts = contacts
        self.retries = campaign.setdefault("retries_per_contact", 1)
        self.campaign_id = str(make_campaign(world, contacts, **campaign))
        self.dialers: list[Dialer] = []
        self.held = False
        self.excused: set[str] = set()
        # Kept, not raised: what sends a frame goes on whatever the socket raises.
        self.wrong: list[str] = []
        self.limiter = Limiter(self.redis, PREFIX, "")
        self._witness = psycopg.connect(database_url, autocommit=True)

    def clock(self) -> float:
        return self._monotonic() + self.ahead

    def new_dialer(self) -> Dialer:
        dialer = Dialer(self)
        self.dialers.append(dialer)
        dialer.process.permits.keep_epoch()
        return dialer

    def pointed(
        self, function: Callable[..., Any], owner: int, before: str, after: str
    ) -> Callable[..., Any]:
        """`function`, with two points at which the dialer may be stopped that is its argument number `owner`."""

        def call(*arguments: Any) -> Any:
            dialer = self.of(arguments[owner])
            if dialer is not None:
                dialer.point(before)
            answer = function(*arguments)
            if dialer is not None:
                dialer.point(after)
            return answer

        return call

    def running(self) -> list[Dialer]:
        return [dialer for dialer in self.dialers if dialer.running]

    def of(self, dialer_id: str) -> Dialer | None:
        return next((dialer for dialer in self.dialers if dialer.id == dialer_id), None)

    def tick(self, seconds: float) -> None:
        """Time passes; who runs renews its lease all the while, and nobody else's is renewed."""
        for dialer in self.running():
            dialer.probe_nodes()
        self.ahead += seconds
        for dialer in self.running():
            dialer.probe_nodes()
        keys = Keys(PREFIX)
        for turn in self.redis.scan_iter(f"{PREFIX}turn:*"):
            # A turn lasts for seconds, and a step of this clock is longer than any.
            self.redis.delete(turn)
        for dialer in self.dialers:
            if dialer.running:
                dialer.process.identity.lease.extend(self.clock() + LEASE_SECONDS)
            elif (left := self.redis.pttl(keys.lease(dialer.id)) - int(seconds * 1000)) > 0:
                self.redis.pexpire(keys.lease(dialer.id), left)
            else:
                self.redis.delete(keys.lease(dialer.id))
            lapsed: Any = self.redis.get(keys.fenced(dialer.id))
            if lapsed is not None:
                self.redis.set(keys.fenced(dialer.id), int(lapsed) - int(seconds * 1000), keepttl=True)
        with db.connection_context(), db.atomic():
            rows("UPDATE contact SET next_attempt_at = next_attempt_at - make_interval(secs => %s)", seconds)
            rows(
                "UPDATE call SET created_at = created_at - by, sent_at = sent_at - by, answered_at = answered_at - by"
                " FROM make_interval(secs => %s) AS by",
                seconds,
            )
            rows("UPDATE campaign SET stopping_at = stopping_at - make_interval(secs => %s)", seconds)
            rows(
                "UPDATE transition SET at = at - make_interval(secs => %s)"
                " WHERE NOT published OR id IN (SELECT unnest(transition_ids) FROM outbox)",
                seconds,
            )
        for dialer in self.running():
            dialer.keep_alive()

    def arrive(self, index: int = 0, *, again: bool = False) -> None:
        """One event reaches whoever hears its dialer's calls; nobody does where that one is dead and has no
        successor.

        With `again` a copy of it stays on its way.
        """
        sender, event = self.switch.events[index]
        ears = [dialer for dialer in self.dialers if not dialer.dead and sender in dialer.link.hears]
        for dialer in ears:
            dialer.process.recorder.on_event("fs1", event)
        if not again:
            del self.switch.events[index]

    def ship(self) -> None:
        """The node's records reach the inbox."""
        for call_id, variables in self.switch.spool:
            with db.connection_context():
                rows(
                    "INSERT INTO cdr_inbox (uuid, node, variables) VALUES (%s, 'fs1', %s) ON CONFLICT DO NOTHING",
                    call_id,
                    orjson.dumps(variables).decode(),
                )
        self.switch.spool.clear()

    def hold(self, generation: int) -> None:
        """What the API does before it answers a pause or a stop: everybody says that he holds, or is fenced off."""
        for dialer in self.dialers:
            if dialer.running:
                dialer.process.send_gate.block(self.campaign_id, generation)
            elif not dialer.dead:
                dialer.process.membership.fence(dialer.id)
                self.excused.add(dialer.id)
        self.tick(LEASE_SECONDS if self.excused else 0.0)
        self.held = True

    def on_write(self, dialer: Dialer, call_id: str) -> None:
        """A frame is about to leave."""
        found = self._witness.execute("SELECT state FROM call WHERE id = %s::uuid", (call_id,)).fetchone()
        if found is None:
            self.wrong.append("a frame leaves without a committed row")
        elif found[0] != "dispatching":
            self.wrong.append(f"a frame leaves for a call that is {found[0]}")
        if self.held and dialer.id not in self.excused:
            self.wrong.append("a frame leaves after a pause was answered")
        self.excused.discard(dialer.id)

    # What must hold.

    def check(self) -> None:
        """After every step."""
        assert not self.wrong, self.wrong
        calls = self.calls()
        self._nobody_twice(calls)
        self._counts_add_up()
        permits = self.permits()
        for call_id in self.switch.alive:
            assert call_id in permits, "a call is up without a permit"
        self._stream_is_a_prefix()

    def calls(self) -> list[dict[str, Any]]:
        with db.connection_context():
            return rows(
                "SELECT id::text, contact_id::text, attempt, seq, state FROM call WHERE campaign_id = %s",
                self.campaign_id,
            )

    def permits(self) -> set[str]:
        """The calls that hold one."""
        epoch = cast("str | None", self.redis.get(Keys(PREFIX).epoch))
        assert epoch is not None
        return set(cast("list[str]", self.redis.hkeys(Keys(PREFIX).epoch_keys(epoch).permits)))

    def _nobody_twice(self, calls: list[dict[str, Any]]) -> None:
        by_id = {call["id"]: call for call in calls}
        dialled: Counter[tuple[str, int | None]] = Counter()
        up: Counter[str] = Counter()
        for call_id, times in self.switch.executed.items():
            call = by_id[call_id]
            assert call["attempt"] is not None, "a call that was placed does not count"
            dialled[call["contact_id"], call["attempt"]] += times
            up[call["contact_id"]] += call_id in self.switch.alive
        assert set(dialled.values()) <= {1}, "somebody was called twice for one attempt"
        assert set(up.values()) <= {0, 1}, "somebody has two calls at once"

    def _counts_add_up(self) -> None:
        names = ("pending", "originated", "connected", "completed", "failed", "cancelled")
        with db.connection_context():
            (kept,) = rows(
                f"SELECT {', '.join(f'sum({name})::int AS {name}' for name in names)} FROM campaign_count"
                " WHERE campaign_id = %s",
                self.campaign_id,
            )
            found = rows(
                "SELECT status, count(*)::int AS n FROM contact WHERE campaign_id = %s GROUP BY status",
                self.campaign_id,
            )
        assert kept == dict.fromkeys(names, 0) | {row["status"]: row["n"] for row in found}
        assert sum(kept.values()) == self.contacts

    def told(self) -> dict[str, list[str]]:
        """What listeners saw of each contact."""
        seen: dict[str, list[str]] = {}
        entries: Any = self.redis.xrange(f"{PREFIX}live:{self.campaign_id}")
        for _, fields in entries:
            data = orjson.loads(fields["data"])
            seen.setdefault(data.get("contact_id", "campaign"), []).append(data["status"])
        return seen

    def committed(self) -> dict[str, list[str]]:
        """The transitions of each contact, in order."""
        found: dict[str, list[str]] = {}
        with db.connection_context():
            for row in rows(
                "SELECT coalesce(contact_id::text, 'campaign') AS subject, status FROM transition"
                " WHERE campaign_id = %s ORDER BY version",
                self.campaign_id,
            ):
                found.setdefault(row["subject"], []).append(row["status"])
        return found

    def _stream_is_a_prefix(self) -> None:
        # In this order: what is committed and told between the two readings is no more than was committed.
        told = self.told()
        committed = self.committed()
        for subject, seen in told.items():
            assert seen == committed.get(subject, [])[: len(seen)], "a listener saw what was not, or twice"

    # The end of a history.

    def finish(self) -> None:
        """Everything that can come comes, and one dialer at least lives: then nobody is lost and nothing is left."""
        for dialer in self.dialers:
            if dialer.stopped:
                dialer.wake()
            if dialer.dead:
                dialer.drop_lock()
        if not any(dialer.running and dialer.process.identity.may_send() for dialer in self.dialers):
            self.new_dialer()
        for _ in range(MOST_ROUNDS):
            self._everything_once()
            self.check()
            if self._is_over():
                break
        self._nobody_lost()

    def _everything_once(self) -> None:
        self.tick(16)
        for dialer in [dialer for dialer in self.running() if dialer.process.identity.lost]:
            # As the process does once it has lost its identity: it records what it knows, and ends.
            dialer.run(dialer.record)
            dialer.kill()
        for dialer in self.running() or [self.new_dialer()]:
            for action in (dialer.adopt, dialer.round, dialer.dial, dialer.record, dialer.look_around):
                dialer.run(action)
        while self.switch.frames:
            self.switch.execute()
        for call_id in list(self.switch.alive):
            self.switch.hang_up(call_id)
        while self.switch.events:
            self.arrive()
        self.ship()
        for dialer in self.running():
            for action in (dialer.record, dialer.look_around, dialer.record, dialer.publish):
                dialer.run(action)

    def _is_over(self) -> bool:
        with db.connection_context():
            open_contacts = rows(
                "SELECT 1 FROM contact WHERE campaign_id = %s AND status IN ('pending', 'originated', 'connected')",
                self.campaign_id,
            )
            unpublished = rows("SELECT 1 FROM transition WHERE NOT published UNION ALL SELECT 1 FROM outbox")
        return not open_contacts and not unpublished and not self.permits()

    def _nobody_lost(self) -> None:
        calls = self.calls()
        assert {call["state"] for call in calls} <= {"ended"}
        with db.connection_context():
            contacts = rows(
                "SELECT id::text, status, disposition, attempts FROM contact WHERE campaign_id = %s",
                self.campaign_id,
            )
        assert {contact["status"] for contact in contacts} <= DONE, "somebody was lost"
        assert self.permits() == set(), "a permit stayed behind"
        assert self.told() == self.committed(), "listeners missed something"
        placed = Counter(call["contact_id"] for call in calls if call["id"] in self.switch.executed)
        for contact in contacts:
            assert contact["attempts"] <= self.retries + 1
            if contact["disposition"] == Disposition.OUTCOME_UNKNOWN:
                last = max(
                    (c for c in calls if c["contact_id"] == contact["id"]), key=lambda c: int(c["seq"])
                )
                assert last["id"] not in self.switch.executed, "what a record told is not known"
            elif contact["status"] == "failed":
                assert placed[contact["id"]] == contact["attempts"], (
                    "an attempt was used up by a fault of ours"
                )

    def close(self) -> None:
        for dialer in self.dialers:
            if not dialer.dead:
                dialer.kill()
            dialer.drop_lock()
        self._witness.close()
        self.redis.close()
        with db.connection_context(), db.atomic():
            for table in (
                "cdr_inbox",
                "transition",
                "call",
                "campaign_count",
                "contact",
                "campaign",
                "dialer",
            ):
                rows(f"DELETE FROM {table}")


@contextmanager
def rig_over(
    database_url: str, redis_url: str, world: World, contacts: int = 2, **campaign: Any
) -> Iterator[Rig]:
    """A rig, with the points of the product's functions in place, for as long as the block runs."""
    rig = Rig(database_url, redis_url, world, contacts, **campaign)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "monotonic", rig.clock)
        patch.setattr(membership, "elapsed", rig.clock)
        # Only a tick lets a permit lapse, not a machine that is busy.
        patch.setattr(acquire_request_module, "PERMIT_LIFE", LEASE_SECONDS)
        patch.setattr(
            recorder_module, "write", rig.pointed(write, 0, "before the outcome", "outcome written")
        )
        try:
            yield rig
        finally:
            rig.close()

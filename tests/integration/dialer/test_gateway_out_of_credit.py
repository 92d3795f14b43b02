"""A gateway that answers every call with a refusal: few calls, no attempt used, and back by itself when it works."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dialer.capacity import gateway_pauses
from dialer.capacity.gateway_breaker import GatewayBreaker
from dialer.live_calls import LiveCall, LiveCalls, LiveState
from dialer.record import call_end
from freeswitch.hangup import Hangup
from models import db, rows
from simulator.ledger import read_ledger
from simulator.process import SimulatedNode
from tests.examples import long
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, is_over
from tests.unit.dialer.factories import make_call, make_commit, make_hangup
from tests.unit.freeswitch.transcripts import swallowed
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONTACTS = 40
MOST_INVITES = 10
LATER_SECONDS = 24 * 3600

STANDING = """
SELECT count(*) FILTER (WHERE status = 'pending') AS pending, sum(attempts) AS attempts,
    (SELECT count(attempt) FROM call) AS numbered, (SELECT count(*) FROM call WHERE state <> 'ended') AS open,
    sum(carrier_refusals + gateway_faults) AS charged
FROM contact"""
UNTOUCHED = {"pending": CONTACTS, "attempts": 0, "numbered": 0, "open": 0, "charged": 0}
"""No attempt is used, and nobody is nearer to a bound: the refusals were the gateway's, not theirs."""


def one(sql: str, *values: object) -> dict[str, object]:
    with db.connection_context():
        (row,) = rows(sql, *values)
    return row


def is_paused() -> bool:
    return one("SELECT paused_at FROM gateway")["paused_at"] is not None


def shows(campaign_id: object, reason: str | None) -> bool:
    return one("SELECT blocked_reason FROM campaign WHERE id = %s", campaign_id)["blocked_reason"] == reason


def invites(node: SimulatedNode) -> int:
    return sum(read_ledger(node.ledger or "").dialled().values())


def open_calls() -> object:
    return one("SELECT count(*) AS n FROM call WHERE state <> 'ended'")["n"]


@pytest.fixture
def no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a machine that takes longer than a minute."""
    monkeypatch.setattr(gateway_pauses, "FIRST_PROBE_SECONDS", LATER_SECONDS)


@pytest.mark.parametrize(
    ("refusal", "dialers"),
    [
        ("403 Forbidden", 2),
        ("503 Service Unavailable", 1),
        *map(long, [("403 Forbidden", 1), ("500 Server Internal Error", 1)]),
    ],
)
@pytest.mark.usefixtures("no_probe")
def test_a_gateway_that_refuses_everything_costs_no_contact(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], refusal: str, dialers: int
) -> None:
    with db.connection_context():
        # Slow enough for a machine that takes half a second from a refusal to the row that pauses the gateway.
        db.execute_sql("UPDATE gateway SET cps = 5")
    node.fault("gateway-refuses", status=int(refusal[:3]))
    campaign_id = make_campaign(world, CONTACTS, max_concurrent_calls=30)
    for _ in range(dialers):
        start()
    wait_until(lambda: shows(campaign_id, "gateway_paused"), "the campaign to say why")
    wait_until(lambda: not open_calls(), "the last calls to end")
    assert one("SELECT paused_reason FROM gateway")["paused_reason"] == refusal
    # In one statement: another dialer may be late to hear of the pause, and has a call refused meanwhile.
    wait_until(lambda: one(STANDING) == UNTOUCHED, "nobody to be charged")
    assert gateway_pauses.FAULTS_THAT_PAUSE <= invites(node) <= MOST_INVITES


@pytest.mark.parametrize("status", [403, 503])
def test_one_call_tries_a_paused_gateway_and_brings_it_back(
    world: World, node: SimulatedNode, start: Callable[[], Dialer], status: int
) -> None:
    with db.connection_context():
        db.execute_sql(
            "UPDATE gateway SET paused_at = now(), paused_reason = '403', probe_at = now(), faults_in_row = 5"
        )
    campaign_id = make_campaign(world, 3)
    node.fault("gateway-refuses", status=status)
    start()
    wait_until(lambda: invites(node) == 1 and not open_calls(), "the first probe to fail")
    assert is_paused()
    tried = one("SELECT probes, extract(epoch FROM probe_at - now())::int AS wait FROM gateway")
    assert tried["probes"] == 1
    assert (
        gateway_pauses.FIRST_PROBE_SECONDS < int(str(tried["wait"])) <= gateway_pauses.FIRST_PROBE_SECONDS * 2
    )
    assert one("SELECT sum(attempts) + sum(gateway_faults) AS n FROM contact")["n"] == 0
    node.clear()
    with db.connection_context():
        db.execute_sql("UPDATE gateway SET probe_at = now()")
        db.execute_sql("UPDATE contact SET next_attempt_at = NULL WHERE status = 'pending'")
    wait_until(lambda: not is_paused(), "the probe that gets through")
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert one("SELECT sum(attempts) AS n FROM contact")["n"] == 3


def test_a_fault_now_and_then_pauses_nothing(world: World, start: Callable[[], Dialer]) -> None:
    with db.connection_context():
        db.execute_sql("UPDATE gateway SET faults_in_row = 4")
    campaign_id = make_campaign(world, 2)
    start()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert one("SELECT faults_in_row AS n FROM gateway")["n"] == 0
    assert not is_paused()


def refusals_of(world: World, contacts: int, *, charged: int, age: float, count: int = 1) -> list[LiveCall]:
    """Calls by the world's gateway that it has just refused with 503, of contacts that have been `charged`, and each
    with `count` earlier refusals `age` seconds ago."""
    campaign_id, found = make_campaign(world, contacts), []
    with db.connection_context():
        for contact in rows("SELECT id::text FROM contact WHERE campaign_id = %s", campaign_id):
            for seq in range(1, count + 2):
                last = seq == count + 1
                (row,) = rows(
                    "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, state, generation, phone_number,"
                    " caller_id, gateway_id, node, dialer_id, sent_by, sent_at, ended_at, disposition, cause,"
                    " sip_status) SELECT gen_random_uuid(), tenant_id, campaign.id, %s::uuid, %s, 'ended', 1, '+1',"
                    " '+1', %s, 'fs1', 'd', 'd', now(), now() - make_interval(secs => %s), 'congestion', 'X', 503"
                    " FROM campaign WHERE id = %s RETURNING id::text",
                    *(contact["id"], seq, world.gateway_id, 0.0 if last else age, campaign_id),
                )
            db.execute_sql(
                "UPDATE contact SET carrier_refusals = %s WHERE id = %s::uuid", (charged, contact["id"])
            )
            found.append(
                make_call(
                    call_id=row["id"],
                    contact_id=contact["id"],
                    gateway_id=str(world.gateway_id),
                    carrier_refusals=charged,
                    sent_at=1.0,
                    state=LiveState.SEEN,
                )
            )
    return found


REFUSED = make_hangup("NORMAL_TEMPORARY_FAILURE", sip_status=503, answered=False, progress=False)


def make_breaker() -> GatewayBreaker:
    return GatewayBreaker(LiveCalls(), lambda *_: None, lambda: None)


def end(breaker: GatewayBreaker, calls: list[LiveCall], hangup: Hangup) -> None:
    ended = {call.call_id: call_end.hung_up(call, 2.0, hangup) for call in calls}
    breaker.after_commit(make_commit(ended, *calls))


def refuse(calls: list[LiveCall]) -> None:
    end(make_breaker(), calls, REFUSED)


def test_a_call_that_nobody_answers_for_does_not_begin_the_count_of_refusals_anew(world: World) -> None:
    breaker = make_breaker()
    ends = [REFUSED] * 4 + swallowed() + [REFUSED]
    assert [hangup.sip_status for hangup in ends] == [503, 503, 503, 503, 487, 408, 503]
    for hangup in ends:
        assert not is_paused()
        end(breaker, refusals_of(world, 1, charged=0, age=0.0, count=0), hangup)
    assert is_paused()


def test_a_probe_that_nobody_answers_for_leaves_the_gateway_paused_until_the_next(world: World) -> None:
    refuse(refusals_of(world, 5, charged=0, age=0.0, count=0))
    breaker = make_breaker()
    for probes, hangup in enumerate(swallowed(), start=1):
        with db.connection_context():
            db.execute_sql("UPDATE gateway SET probe_at = now()")
        assert breaker.take_probe(str(world.gateway_id), "+1")
        (probe,) = refusals_of(world, 1, charged=0, age=0.0, count=0)
        probe.probe = True
        end(breaker, [probe], hangup)
        assert is_paused()
        assert one("SELECT probes, probe_at > now() AS waits FROM gateway") == {
            "probes": probes,
            "waits": True,
        }


def test_contacts_that_were_refused_while_others_got_through_pause_nothing(world: World) -> None:
    """The end of a list: those are left whom the carrier will not have."""
    refuse(refusals_of(world, 6, charged=1, age=600.0))
    assert not is_paused()
    assert one("SELECT sum(carrier_refusals) AS n FROM contact")["n"] == 6


def test_few_contacts_whom_nobody_got_past_pause_it_and_are_given_back_what_they_were_charged(
    world: World,
) -> None:
    with db.connection_context():
        db.execute_sql("UPDATE gateway SET faults_in_row = 3, faults_since = now() - interval '60 s'")
    calls = refusals_of(world, 3, charged=1, age=30.0)
    with db.connection_context():
        db.execute_sql("UPDATE gateway SET refused_calls = (SELECT jsonb_agg(id) FROM call WHERE seq = 1)")
    refuse(calls)
    assert is_paused()
    assert one("SELECT sum(carrier_refusals) AS n FROM contact")["n"] == 0

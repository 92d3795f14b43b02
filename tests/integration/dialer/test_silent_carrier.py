"""A carrier that answers no INVITE: its gateway is paused, nobody is charged, and a probe brings it back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dialer.capacity import gateway_pauses, outcome_breaker_rows
from dialer.capacity.gateway_breaker import GatewayBreaker
from dialer.capacity.gateway_pauses import SILENT_THAT_PAUSE
from dialer.live_calls import LiveCall, LiveCalls, LiveState
from dialer.record import call_end
from models import db, rows
from simulator.process import SimulatedNode
from tests.factories import World, make_campaign
from tests.integration.dialer.dialer_rig import Dialer, is_over
from tests.unit.dialer.factories import make_call, make_commit
from tests.unit.freeswitch.transcripts import swallowed
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

CONTACTS = 40
LATER_SECONDS = 24 * 3600

STANDING = """
SELECT count(*) FILTER (WHERE status = 'pending') AS pending, sum(attempts) AS attempts,
    (SELECT count(attempt) FROM call) AS numbered, (SELECT count(*) FROM call WHERE state <> 'ended') AS open,
    (SELECT count(*) FROM (SELECT contact_id FROM call GROUP BY 1 HAVING count(*) > 1) AS twice) AS twice
FROM contact"""
UNTOUCHED = {"pending": CONTACTS, "attempts": 0, "numbered": 0, "open": 0, "twice": 0}


def one(sql: str, *values: object) -> dict[str, object]:
    with db.connection_context():
        (row,) = rows(sql, *values)
    return row


def leave_by(dial_string: str) -> None:
    with db.connection_context():
        db.execute_sql("UPDATE gateway SET dial_string = %s", (dial_string,))


def probe_now() -> None:
    """Whoever comes back is due as well: nobody waits for a campaign's delay here."""
    with db.connection_context():
        db.execute_sql("UPDATE gateway SET probe_at = now()")
        db.execute_sql("UPDATE contact SET next_attempt_at = NULL WHERE status = 'pending'")


def paused() -> object:
    return one("SELECT paused_reason FROM gateway")["paused_reason"]


def shows(campaign_id: object, reason: str | None) -> bool:
    return one("SELECT blocked_reason FROM campaign WHERE id = %s", campaign_id)["blocked_reason"] == reason


@pytest.mark.parametrize("dialers", [1, 2])
def test_a_carrier_that_answers_no_invite_is_paused_and_costs_no_contact(
    monkeypatch: pytest.MonkeyPatch, world: World, start: Callable[[], Dialer], dialers: int
) -> None:
    # Also on a machine that takes longer than a minute.
    monkeypatch.setattr(gateway_pauses, "FIRST_PROBE_SECONDS", LATER_SECONDS)
    leave_by("sofia/gateway/carrier_hole/{number}")
    campaign_id = make_campaign(world, CONTACTS, max_concurrent_calls=20)
    for _ in range(dialers):
        start()
    wait_until(lambda: shows(campaign_id, "gateway_paused"), "the campaign to say why")
    assert paused() == "no response"
    # Those that were up when it was known end so, too: all come back, and none is called again at once.
    wait_until(lambda: one(STANDING) == UNTOUCHED, "nobody to be charged")


def test_a_probe_that_somebody_answers_brings_it_back(
    world: World, node: SimulatedNode, start: Callable[[], Dialer]
) -> None:
    leave_by("sofia/gateway/carrier_hole/{number}")
    campaign_id = make_campaign(world, 11, max_concurrent_calls=10)
    start()
    wait_until(lambda: paused() is not None, "the pause")
    probe_now()
    wait_until(lambda: one("SELECT probes FROM gateway")["probes"] == 1, "a probe that nobody answers")
    wait_until(lambda: not one("SELECT count(*) AS n FROM call WHERE state <> 'ended'")["n"], "its end")
    assert paused() == "no response"
    leave_by("sofia/gateway/carrier/{number}")
    probe_now()
    wait_until(lambda: is_over(campaign_id), "the campaign's end")
    assert paused() is None
    assert one("SELECT sum(attempts) AS n FROM contact")["n"] == 11


def silent_calls(
    world: World, contacts: int, *, earlier: str | None = None, **columns: Any
) -> list[LiveCall]:
    """Calls by the world's gateway to which nobody responded, of contacts whose call before ended as is said."""
    campaign_id, found = make_campaign(world, contacts, **columns), []
    with db.connection_context():
        for contact in rows("SELECT id::text, phone_number FROM contact WHERE campaign_id = %s", campaign_id):
            for seq, disposition in enumerate(
                [earlier, "unreachable"] if earlier else ["unreachable"], start=1
            ):
                (row,) = rows(
                    "INSERT INTO call (id, tenant_id, campaign_id, contact_id, seq, state, generation, phone_number,"
                    " caller_id, gateway_id, node, dialer_id, sent_by, sent_at, ended_at, disposition, cause)"
                    " SELECT gen_random_uuid(), tenant_id, campaign.id, %s::uuid, %s, 'ended', 1, %s, '+1', %s,"
                    " 'fs1', 'd', 'd', now(), now(), %s, 'PROGRESS_TIMEOUT' FROM campaign WHERE id = %s"
                    " RETURNING id::text",
                    *(
                        contact["id"],
                        seq,
                        contact["phone_number"],
                        world.gateway_id,
                        disposition,
                        campaign_id,
                    ),
                )
            found.append(
                make_call(
                    call_id=row["id"],
                    contact_id=contact["id"],
                    gateway_id=str(world.gateway_id),
                    phone_number=contact["phone_number"],
                    sent_at=1.0,
                    state=LiveState.SEEN,
                )
            )
    return found


def end(*calls: LiveCall) -> list[str]:
    """End calls as a node recorded it of a carrier that swallows packets; those that are brought back."""
    back: list[str] = []
    breaker = GatewayBreaker(LiveCalls(), lambda *_: None, lambda: None, bring_back=back.extend)
    ended = {call.call_id: call_end.hung_up(call, 2.0, swallowed()[1]) for call in calls}
    breaker.after_commit(make_commit(ended, *calls))
    return back


def test_what_several_dialers_hear_is_counted_together(world: World) -> None:
    calls = silent_calls(world, SILENT_THAT_PAUSE)
    assert end(*calls[:5]) == []
    assert paused() is None
    assert set(end(*calls[5:])) == {call.call_id for call in calls}
    assert paused() == "no response"


def test_a_few_phones_that_are_switched_off_are_in_no_row(world: World) -> None:
    assert end(*silent_calls(world, 4)) == []
    assert one("SELECT silent_calls, silent_since FROM gateway") == {"silent_calls": [], "silent_since": None}


def test_the_numbers_that_are_left_at_the_end_of_a_list_pause_nothing(world: World) -> None:
    """Whose phones were off before: they are so still, whatever the carrier does."""
    assert end(*silent_calls(world, 2 * SILENT_THAT_PAUSE, earlier="unreachable")) == []
    assert paused() is None
    assert end(*silent_calls(world, SILENT_THAT_PAUSE, earlier="busy")) != []


def test_one_number_however_often_pauses_nothing(world: World) -> None:
    for _ in range(3):
        assert end(*silent_calls(world, 5)) == []
    assert paused() is None


def test_a_campaign_whose_outcomes_are_said_to_be_true_pauses_nothing(world: World) -> None:
    calls = silent_calls(world, SILENT_THAT_PAUSE)
    with db.connection_context():
        db.execute_sql("UPDATE campaign SET breaker_exempt_at = now(), breaker_exempt_by = 'somebody'")
    assert end(*calls) == []
    assert paused() is None


def test_who_comes_back_is_called_after_the_campaigns_delay(world: World) -> None:
    """Where only the way back is cut, his phone rang all the while."""
    calls = [call.call_id for call in silent_calls(world, 2, retry_delay_seconds=600)]
    with db.connection_context():
        db.execute_sql("UPDATE call SET attempt = 1")
        db.execute_sql("UPDATE contact SET sends = 1, attempts = 1, status = 'failed'")
    assert len(outcome_breaker_rows.bring_unanswered_back(calls, "d000000000001")) == 2
    assert one(
        "SELECT count(*) FILTER (WHERE next_attempt_at > now() + interval '9 minutes') AS later,"
        " sum(attempts) AS attempts, count(*) FILTER (WHERE status = 'pending') AS pending FROM contact"
    ) == {"later": 2, "attempts": 0, "pending": 2}

"""What a process owes to the limiter is told, whatever is in its way."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from dialer.capacity import permits as permits_module
from dialer.capacity.permits import LATE_CLAIM_SECONDS, UNKNOWN_CLAIM_SECONDS, Permits
from dialer.live_calls import LiveCall, LiveState
from dialer.record.call_end import hung_up, withdrawn
from dialer.record.outcome_rows import Ended
from limits import caps
from limits.caps import Permit
from limits.errors import LimiterUnavailable
from limits.limiter import Limiter
from tests.unit.dialer.factories import ME, busy, make_call, make_commit, make_permit


class FakeLimiter:
    """Notes what it is told, and then fails as one whose Redis is away."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.given_back: list[str] = []
        self.released: list[str] = []
        self.reached: list[str] = []

    def give_back(self, permits: Iterable[Permit]) -> None:
        self.given_back += [permit.call_id for permit in permits]
        self._fail()

    def release(self, ended: Iterable[caps.EndedCall]) -> None:
        over = list(ended)
        self.released += [call.call_id for call in over]
        self.reached += [call.call_id for call in over if call.reached]
        self._fail()

    def _fail(self) -> None:
        if self.away:
            raise LimiterUnavailable("releasing", "away")


class Evicting:
    """A limiter whose Redis has one eviction policy after the other; its state is never whole."""

    def __init__(self, *policies: str | None) -> None:
        self.policies = list(policies)
        self.rebuilt = 0

    def evicting(self) -> str | None:
        return self.policies.pop(0)

    def whole(self) -> bool:
        return False

    def rebuild(self, _snapshot: object) -> bool:
        self.rebuilt += 1
        return True


def end_of(call: LiveCall) -> Ended:
    if call.unsent:
        return withdrawn(call, "NOT_SENT", None)
    return hung_up(call, 10.0, busy())


def test_a_redis_that_is_away_hears_of_sent_and_unsent_calls_all_the_same() -> None:
    limiter = FakeLimiter(away=True)
    unsent = make_call()
    unsent.permit = make_permit(unsent)
    sent = make_call(sent_at=1.0)
    endings = {call.call_id: end_of(call) for call in (unsent, sent)}
    Permits(cast(Limiter, limiter)).after_commit(make_commit(endings, unsent, sent))
    assert limiter.given_back == [unsent.call_id]
    assert limiter.released == [sent.call_id]


@pytest.mark.parametrize(
    ("call", "end", "counts"),
    [
        ({}, {}, False),
        ({"progress": True}, {}, True),
        ({}, {"progress_ms": 100}, True),
        ({"answered_at": 5.0}, {}, True),
        ({}, {"answered": True}, True),
        ({}, {"disposition": "outcome_unknown"}, True),
        ({}, {"disposition": "node_fault"}, True),
    ],
)
def test_a_call_counts_for_its_number_where_it_rang_was_answered_or_nobody_knows(
    call: dict[str, Any], end: dict[str, Any], counts: bool
) -> None:
    limiter = FakeLimiter()
    over = make_call(sent_at=1.0, **call)
    ends = {over.call_id: end_of(over)._replace(**end)}
    Permits(cast(Limiter, limiter)).after_commit(make_commit(ends, over))
    assert limiter.reached == ([over.call_id] if counts else [])


def test_a_call_that_shows_itself_before_its_repeat_leaves_counts_as_sent() -> None:
    limiter = FakeLimiter()
    call = make_call(resent=True, state=LiveState.SEEN)
    call.permit = make_permit(call)
    Permits(cast(Limiter, limiter)).after_commit(make_commit({call.call_id: end_of(call)}, call))
    assert limiter.released == [call.call_id]
    assert limiter.given_back == []


def test_a_call_that_may_be_up_all_the_same_keeps_its_slots() -> None:
    limiter = FakeLimiter()
    unseen, sent = make_call(), make_call(sent_at=1.0)
    unseen.permit = make_permit(unseen)
    ends = {call.call_id: end_of(call)._replace(may_live=1000.0) for call in (unseen, sent)}
    Permits(cast(Limiter, limiter)).after_commit(make_commit(ends, unseen, sent))
    assert (limiter.given_back, limiter.released) == ([], [])


def test_a_claim_that_did_arrive_is_found_although_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter = FakeLimiter(away=True)
    permits = Permits(cast(Limiter, limiter))
    arrived = make_call()
    lost = make_call()
    monkeypatch.setattr(permits_module, "open_calls", lambda _dialer, ids: [arrived])
    clock = [100.0]
    monkeypatch.setattr("dialer.capacity.permits.time.monotonic", lambda: clock[0])
    permits.note_unknown_claim([make_permit(arrived), make_permit(lost)])
    assert permits.resolve_unknown_claims(ME) == []
    clock[0] += UNKNOWN_CLAIM_SECONDS
    assert [call.call_id for call in permits.resolve_unknown_claims(ME)] == [arrived.call_id]
    assert limiter.given_back == [lost.call_id]
    monkeypatch.setattr(permits_module, "open_calls", lambda _dialer, ids: [])
    assert permits.resolve_unknown_claims(ME) == []


def test_a_claim_that_arrives_after_its_permit_was_given_back_is_still_known_never_to_have_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its own process at its next look; found by the audit it would be one that may have left."""
    limiter = FakeLimiter()
    permits = Permits(cast(Limiter, limiter))
    late, lost = make_call(adopted_at=1.0), make_call()
    rows: list[LiveCall] = []
    asked: list[list[str]] = []

    def there(_dialer: str, ids: list[str]) -> list[LiveCall]:
        asked.append(ids)
        return [call for call in rows if call.call_id in ids]

    monkeypatch.setattr(permits_module, "open_calls", there)
    clock = [100.0]
    monkeypatch.setattr("dialer.capacity.permits.time.monotonic", lambda: clock[0])
    permits.note_unknown_claim([make_permit(late), make_permit(lost)])
    clock[0] += UNKNOWN_CLAIM_SECONDS
    assert permits.resolve_unknown_claims(ME) == []
    assert sorted(limiter.given_back) == sorted([late.call_id, lost.call_id])
    assert permits.unknown_claims() == {late.call_id, lost.call_id}, "they are not the audit's"
    rows.append(late)
    clock[0] += LATE_CLAIM_SECONDS - 1
    assert permits.resolve_unknown_claims(ME) == [late]
    assert (late.may_have_left, late.permit) == (False, None)
    assert permits.unknown_claims() == {lost.call_id}
    clock[0] += 1
    asked.clear()
    assert permits.resolve_unknown_claims(ME) == []
    assert (asked, permits.unknown_claims()) == ([], set())
    assert len(limiter.given_back) == 2


def test_a_redis_that_may_drop_keys_is_said_once_and_nothing_is_rebuilt_in_it() -> None:
    limiter = Evicting("allkeys-lru", "allkeys-lru", "volatile-ttl", "volatile-ttl", None, None)
    permits = Permits(cast(Limiter, limiter))
    with capture_logs() as said:
        for _ in range(4):
            permits.keep_epoch()
        assert limiter.rebuilt == 0
        for _ in range(2):
            permits.keep_epoch()
    assert limiter.rebuilt == 2
    assert [(line["event"], line.get("policy")) for line in said] == [
        ("redis_evicts", "allkeys-lru"),
        ("redis_evicts", "volatile-ttl"),
        ("redis_evicts_no_more", None),
        ("limiter_rebuilt", None),
        ("limiter_rebuilt", None),
    ]
    assert said[0]["log_level"] == "error"
    assert said[0]["reason"] == (
        "Redis may drop keys: its maxmemory-policy is allkeys-lru; set it to noeviction."
    )

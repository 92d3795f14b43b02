"""How often a number is called: caps over rolling days and a gap between calls, exact, and known again from rows."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pytest

from limits.caps import NumberCall, NumberCaps, UncountedCall
from limits.keys import Keys
from limits.limiter import Denied, EndedCall, Permit, TenantCaps
from tests.integration.limits.limiter_rig import PREFIX, Clock, Dialer, HookedRedis, words

NUMBER = "+14155550100"
DAY = 86_400.0
LIFE = 0.05


@dataclass
class Rows:
    """What a database with these calls would say."""

    calls: dict[str, NumberCall] = field(default_factory=dict)
    later: dict[str, NumberCall] = field(default_factory=dict)
    reading: list[str] = field(default_factory=list)

    def since(self, tenant_id: str, seconds: float) -> Iterable[Sequence[NumberCall]]:
        self.reading.append(tenant_id)
        yield [call for call in self.calls.values() if call.age_ms <= seconds * 1000]

    def again(self, call_ids: Sequence[str]) -> Sequence[NumberCall]:
        return [self.later.get(call_id, self.calls[call_id]) for call_id in call_ids]


def tenant(
    gap: int = 0, day: int | None = None, week: int | None = None, month: int | None = None
) -> TenantCaps:
    return TenantCaps(None, None, None, None, NumberCaps(gap, day, week, month))


def ask(
    dialer: Dialer, call_id: str, caps: TenantCaps, *, campaign: str = "c", number: str = NUMBER
) -> Permit | Denied:
    (answer,) = dialer.ask(call_id, number=number, campaign_id=campaign, tenant=caps)
    return answer


def end(dialer: Dialer, call_id: str, *, reached: bool = True) -> None:
    dialer.limiter.release([EndedCall(call_id, "c", "t", "gw", "fs1", 0, reached)])


def known(dialer: Dialer, caps: TenantCaps, rows: Rows | None = None) -> Dialer:
    """Have the tenant's numbers read, after a first question that is denied."""
    answer = ask(dialer, "first", caps, number="+19")
    assert isinstance(answer, Denied)
    assert answer.reason == "number_cap"
    assert dialer.limiter.read_numbers(rows or Rows()) == ["t"]
    return dialer


def wait_of(answer: Permit | Denied) -> float:
    assert isinstance(answer, Denied)
    assert answer.reason == "number_cap"
    return answer.retry_after


def test_a_number_has_so_many_calls_in_any_24_hours_from_all_campaigns(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    caps = tenant(day=2)
    known(timed_dialer, caps)
    for call_id, campaign in (("a", "c"), ("b", "d")):
        assert isinstance(ask(timed_dialer, call_id, caps, campaign=campaign), Permit)
        timed_dialer.limiter.release([EndedCall(call_id, campaign, "t", "gw", "fs1", 0)])
        virtual_clock.advance(3600)
    assert wait_of(ask(timed_dialer, "x", caps)) == pytest.approx(DAY - 7200 + LIFE, abs=0.002)
    assert isinstance(ask(timed_dialer, "other", caps, number="+14155550101"), Permit)
    end(timed_dialer, "other")
    virtual_clock.advance(DAY - 7200)
    assert wait_of(ask(timed_dialer, "x", caps)) == pytest.approx(LIFE, abs=0.002)
    virtual_clock.advance(LIFE)
    assert isinstance(ask(timed_dialer, "x", caps), Permit)


def test_the_strictest_of_the_windows_binds(timed_dialer: Dialer, virtual_clock: Clock) -> None:
    caps = tenant(day=2, week=3, month=4)
    known(timed_dialer, caps)
    answers = []
    for n in range(12):
        answer = ask(timed_dialer, f"call{n}", caps)
        answers.append("permit" if isinstance(answer, Permit) else round(answer.retry_after / DAY, 1))
        if isinstance(answer, Permit):
            end(timed_dialer, f"call{n}")
        virtual_clock.advance(DAY / 2)
    assert answers[:4] == ["permit", "permit", 0.0, "permit"]
    assert answers[4:] == [5.0, 4.5, 4.0, 3.5, 3.0, 2.5, 2.0, 1.5]


def test_what_never_rang_gives_its_count_back_and_a_permit_never_used_too(dialer: Dialer) -> None:
    caps = tenant(gap=3600, day=1)
    known(dialer, caps)
    assert isinstance(ask(dialer, "refused", caps), Permit)
    end(dialer, "refused", reached=False)
    unused = ask(dialer, "unused", caps)
    assert isinstance(unused, Permit)
    dialer.limiter.give_back([unused])
    assert isinstance(ask(dialer, "rang", caps), Permit)
    end(dialer, "rang")
    assert wait_of(ask(dialer, "again", caps)) > DAY - 60


def test_what_turns_out_later_not_to_count_gives_its_count_back(dialer: Dialer) -> None:
    caps = tenant(day=1)
    known(dialer, caps)
    assert isinstance(ask(dialer, "unknown", caps), Permit)
    end(dialer, "unknown")
    dialer.limiter.uncount([UncountedCall("t", NUMBER, "unknown")])
    assert isinstance(ask(dialer, "a", caps), Permit)


def test_a_gap_runs_from_the_end_of_a_call_to_the_next_from_any_campaign(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    caps = tenant(gap=600)
    known(timed_dialer, caps)
    assert isinstance(ask(timed_dialer, "a", caps), Permit)
    virtual_clock.advance(30)
    end(timed_dialer, "a")
    virtual_clock.advance(0.9)
    assert wait_of(ask(timed_dialer, "b", caps, campaign="other")) == pytest.approx(599.1, abs=0.002)
    virtual_clock.advance(599.1)
    assert isinstance(ask(timed_dialer, "b", caps, campaign="other"), Permit)


def test_a_call_that_asks_again_for_its_permit_counts_once_and_from_its_last_turn(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    caps = tenant(day=2)
    known(timed_dialer, caps)
    for _ in range(3):
        assert isinstance(ask(timed_dialer, "a", caps), Permit)
        virtual_clock.advance(10)
    end(timed_dialer, "a")
    assert isinstance(ask(timed_dialer, "b", caps), Permit)
    end(timed_dialer, "b")
    assert wait_of(ask(timed_dialer, "c", caps)) == pytest.approx(DAY - 10 + LIFE, abs=0.002)


def test_random_histories_are_as_a_plain_list_says(timed_dialer: Dialer, virtual_clock: Clock) -> None:
    draw = random.Random(7)
    caps = tenant(gap=300, day=3, week=7)
    known(timed_dialer, caps)
    starts: list[float] = []
    ended, now = -1e9, 0.0
    for n in range(200):
        step = draw.choice([1, 299, 600, 7200, 40_000])
        now += step
        virtual_clock.advance(step)
        free = now - ended >= 300 and all(
            sum(at > now - days * DAY - LIFE for at in starts) < most for days, most in ((1, 3), (7, 7))
        )
        answer = ask(timed_dialer, f"call{n}", caps)
        assert isinstance(answer, Permit) == free, (n, answer)
        if free:
            reached = draw.random() < 0.7
            end(timed_dialer, f"call{n}", reached=reached)
            if reached:
                starts.append(now)
                ended = now


def test_what_redis_lost_is_read_from_the_rows(client: HookedRedis) -> None:
    caps = tenant(gap=600, day=2)
    hour = 3_600_000
    rows = Rows(
        {
            "a": NumberCall("a", NUMBER, 20 * hour, 20 * hour - 60_000, counts=True),
            "b": NumberCall("b", NUMBER, 10 * hour, 10 * hour, counts=False),
            "c": NumberCall("c", NUMBER, 23 * hour, 23 * hour - 60_000, counts=True),
            "old": NumberCall("old", "+12", 25 * hour, 25 * hour, counts=True),
            "new": NumberCall("new", "+13", 120_000, 60_000, counts=True),
        }
    )
    dialer = known(Dialer(client).open(), caps, rows)
    for answer in (ask(dialer, "x", caps), ask(dialer, "x", tenant(day=2))):
        assert wait_of(answer) == pytest.approx(3600, abs=60)
    assert wait_of(ask(dialer, "y", caps, number="+13")) == pytest.approx(540, abs=60)
    assert isinstance(ask(dialer, "z", caps, number="+12"), Permit)
    client.flushdb()
    dialer = Dialer(client, "d2").open()
    known(dialer, caps, rows)
    assert wait_of(ask(dialer, "x", caps)) == pytest.approx(3600, abs=60)
    assert rows.reading == ["t", "t"]


def test_a_cap_that_looks_back_further_is_not_judged_by_what_is_known_of_less(dialer: Dialer) -> None:
    known(dialer, tenant(day=2))
    old = NumberCall("a", NUMBER, 3 * 86_400_000, 3 * 86_400_000, counts=True)
    known(dialer, tenant(week=1), Rows({"a": old}))
    assert wait_of(ask(dialer, "x", tenant(week=1))) == pytest.approx(4 * DAY, abs=60)
    assert isinstance(ask(dialer, "x", tenant(day=1)), Permit)


def test_calls_of_a_time_without_caps_are_not_forgotten(dialer: Dialer) -> None:
    """Whoever knows of no caps logs nothing: what was whole is so no more, and what is being read is void."""
    caps = tenant(day=1)
    known(dialer, caps)
    assert isinstance(ask(dialer, "a", tenant()), Permit)
    end(dialer, "a")

    class Meanwhile(Rows):
        def since(self, tenant_id: str, seconds: float) -> Iterable[Sequence[NumberCall]]:
            assert words([ask(dialer, "b", tenant(), number="+12")]) == ["fs1"]
            return super().since(tenant_id, seconds)

    assert words([ask(dialer, "x", caps)]) == ["number_cap"]
    assert dialer.limiter.read_numbers(Meanwhile()) == []
    called = Rows({"a": NumberCall("a", NUMBER, 1000, 1000, counts=True)})
    known(dialer, caps, called)
    assert wait_of(ask(dialer, "x", caps)) == pytest.approx(DAY, abs=60)


def remembering(days: int, gap: int = 0) -> TenantCaps:
    """A tenant of whose numbers calls are known, as a pack of one of its campaigns asks for."""
    memory = NumberCaps(calls_24h=1 if days == 1 else None, calls_7d=1 if days == 7 else None).longest_ms
    return TenantCaps(None, None, None, None, NumberCaps(gap, memory_ms=memory))


def test_calls_of_a_time_with_a_gap_alone_are_not_forgotten_by_a_cap(dialer: Dialer) -> None:
    """The campaign whose pack counts pauses, another one of the tenant calls, and the first one goes on."""
    known(dialer, remembering(7, gap=1))
    assert isinstance(ask(dialer, "a", tenant(gap=1)), Permit)
    end(dialer, "a")
    assert ask(dialer, "x", remembering(7, gap=1)) == Denied("x", "number_cap", 0.5, of_tenant=True)
    called = Rows({"a": NumberCall("a", NUMBER, 5000, 5000, counts=True)})
    assert dialer.limiter.read_numbers(called) == ["t"]
    (answer,) = dialer.ask(
        "x",
        number=NUMBER,
        campaign_id="c",
        tenant=remembering(7, gap=1),
        number_caps=NumberCaps(calls_7d=1),
    )
    assert wait_of(answer) == pytest.approx(7 * DAY, abs=60)


def test_who_knows_of_a_gap_alone_is_granted_again_and_again(dialer: Dialer) -> None:
    known(dialer, remembering(7, gap=1))
    for n in range(3):
        assert isinstance(ask(dialer, f"a{n}", tenant(gap=1), number=f"+1{n}"), Permit)


class Meanwhile(Rows):
    """A dialer asks for these caps while the rows are read, by then known of one call to the number."""

    def __init__(self, dialer: Dialer, caps: TenantCaps, age_ms: int) -> None:
        super().__init__({"old": NumberCall("old", NUMBER, age_ms, age_ms, counts=True)})
        self.dialer, self.caps = dialer, caps

    def since(self, tenant_id: str, seconds: float) -> Iterable[Sequence[NumberCall]]:
        yield from super().since(tenant_id, seconds)
        assert isinstance(ask(self.dialer, "meanwhile", self.caps), Permit)
        end(self.dialer, "meanwhile")


def test_a_grant_by_a_gap_alone_voids_what_is_being_read(dialer: Dialer) -> None:
    known(dialer, tenant(gap=1))
    assert words([ask(dialer, "x", remembering(7, gap=1))]) == ["number_cap"]
    assert dialer.limiter.read_numbers(Meanwhile(dialer, tenant(gap=1), 5000)) == []


def test_a_grant_by_a_shorter_cap_takes_nothing_out_of_what_is_being_read(dialer: Dialer) -> None:
    known(dialer, tenant(day=5))
    assert words([ask(dialer, "x", tenant(week=2))]) == ["number_cap"]
    three_days = 3 * 86_400_000
    assert dialer.limiter.read_numbers(Meanwhile(dialer, tenant(day=5), three_days)) == ["t"]
    assert wait_of(ask(dialer, "x", tenant(week=2))) == pytest.approx(4 * DAY, abs=60)


def test_a_reading_of_less_that_fails_leaves_nobody_believing_in_more(dialer: Dialer) -> None:
    known(dialer, tenant(week=1))
    assert words([ask(dialer, "x", tenant(gap=600, day=1))]) == ["number_cap"]

    class Away(Rows):
        def since(self, tenant_id: str, seconds: float) -> Iterable[Sequence[NumberCall]]:
            raise OSError("the database is away")

    with pytest.raises(OSError, match="away"):
        dialer.limiter.read_numbers(Away())
    assert words([ask(dialer, "x", tenant(week=1))]) == ["number_cap"]


def test_a_call_that_ends_while_rows_are_read_is_looked_at_again(dialer: Dialer) -> None:
    caps = tenant(gap=600, day=1)
    up = {name: NumberCall(name, f"+1{name}", 60_000, None, counts=True) for name in ("7", "8")}
    over = {
        "7": NumberCall("7", "+17", 60_000, 0, counts=False),
        "8": NumberCall("8", "+18", 60_000, 0, counts=True),
    }
    known(dialer, caps, Rows(up, over))
    assert isinstance(ask(dialer, "x", caps, number="+17"), Permit)
    assert wait_of(ask(dialer, "y", caps, number="+18")) > DAY - 120


def test_a_tenant_without_caps_on_numbers_keeps_nothing_of_them(dialer: Dialer, client: HookedRedis) -> None:
    assert isinstance(ask(dialer, "a", tenant()), Permit)
    end(dialer, "a")
    assert not client.exists(*Keys(PREFIX).number_history("t", NUMBER))


def test_a_call_may_have_windows_of_its_own_beside_its_tenants(
    timed_dialer: Dialer, virtual_clock: Clock
) -> None:
    """As a policy pack asks for: the calls of others of the tenant count, and bind nobody else."""
    own = NumberCaps(calls_24h=2)
    plain = tenant()
    remembering = TenantCaps(None, None, None, None, NumberCaps(memory_ms=own.longest_ms))

    def asked(call_id: str, *, bound: bool, caps: TenantCaps = remembering) -> Permit | Denied:
        (answer,) = timed_dialer.ask(
            call_id, number=NUMBER, campaign_id="c", tenant=caps, number_caps=own if bound else NumberCaps()
        )
        return answer

    unknown = asked("first", bound=True, caps=plain)
    assert isinstance(unknown, Denied)
    assert (unknown.reason, unknown.of_tenant) == ("number_cap", True)
    assert timed_dialer.limiter.read_numbers(Rows()) == ["t"]
    for call_id in ("a", "b"):
        assert isinstance(asked(call_id, bound=False), Permit)
        end(timed_dialer, call_id)
        virtual_clock.advance(3600)
    assert wait_of(asked("c", bound=True)) == pytest.approx(DAY - 7200 + LIFE, abs=0.002)
    assert isinstance(asked("d", bound=False), Permit)
    end(timed_dialer, "d")
    virtual_clock.advance(DAY)
    assert isinstance(asked("e", bound=True), Permit)


def test_the_less_of_both_windows_holds(timed_dialer: Dialer) -> None:
    caps = tenant(day=1)
    known(timed_dialer, caps)
    for own in (NumberCaps(calls_24h=5), NumberCaps(calls_7d=1)):
        (answer,) = timed_dialer.ask(
            f"a{own.calls_7d}", number=NUMBER, campaign_id="c", tenant=caps, number_caps=own
        )
        if own.calls_24h:
            assert isinstance(answer, Permit)
            end(timed_dialer, "aNone")
        else:
            assert isinstance(answer, Denied)

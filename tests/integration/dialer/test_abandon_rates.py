"""A campaign that abandons more of its calls than the law allows is paused, and goes on when it does so no more."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest
from peewee import OperationalError

from campaigns import abandon_rates, campaign_log, lifecycle, policy_shown
from campaigns.abandon_rates import FEWEST, WORD, Rate
from campaigns.lifecycle_errors import UnusableError
from coordination.topics import Topic
from dialer.abandon_guard import AbandonGuard
from models import Campaign, CampaignStatus, db, rows, transaction
from tests.factories import World, make_campaign
from tests.integration.dialer.test_claims_and_outcomes import DIALER

RUNNING, PAUSED = CampaignStatus.RUNNING, CampaignStatus.PAUSED


class Told:
    """A dialer's guard, and what it told."""

    def __init__(self, *, turn: bool = True) -> None:
        self.messages: list[tuple[Topic, dict[str, object]]] = []
        self.nudges = 0
        self.subject = AbandonGuard(
            DIALER, lambda: turn, lambda topic, said: self.messages.append((topic, said)), self.nudge
        )

    def nudge(self) -> None:
        self.nudges += 1


def change(statement: str, *values: object) -> list[dict[str, Any]]:
    with db.connection_context():
        return rows(statement, *values)


def calling(world: World, *places: str, purpose: str = "sales", **columns: Any) -> uuid.UUID:
    """A running campaign that packs bind, whose contacts are in these places."""
    columns = {"policy_packs": "on", "purpose": purpose} | columns
    campaign_id = make_campaign(world, 1, **columns)
    for group, place in enumerate(places):
        change(
            "INSERT INTO campaign_zone (campaign_id, zone_group, zones, places)"
            " VALUES (%s, %s, '[]', jsonb_build_array(%s::text))",
            campaign_id,
            group,
            place,
        )
    return campaign_id


def had(campaign_id: uuid.UUID, abandoned: int, live: int, attempts: int = 0, hours_ago: float = 0) -> None:
    """So many calls ended so long ago."""
    change(
        "INSERT INTO abandon_count SELECT %s, date_bin('10 minutes', now() - make_interval(secs => %s), 'epoch'),"
        " (random() * 1e9)::int, %s, %s, %s",
        campaign_id,
        hours_ago * 3600,
        attempts or live,
        live,
        abandoned,
    )


def status_of(campaign_id: uuid.UUID) -> tuple[str, str | None]:
    with db.connection_context():
        found = Campaign.get_by_id(campaign_id)
    return found.status, found.blocked_reason


def figures(campaign_id: uuid.UUID) -> dict[tuple[str, int], tuple[int, int, float | None, float | None]]:
    with transaction():
        (row,) = rows("SELECT policy_packs, purpose FROM campaign WHERE id = %s", campaign_id)
        shown: Any = policy_shown.of_campaign(campaign_id, row["policy_packs"], row["purpose"])
    return {
        (one["of"], one["hours"]): (one["abandoned"], one["calls"], one["percent"], one["most_percent"])
        for one in shown["abandoned"]
    }


@pytest.mark.parametrize(
    ("abandoned", "calls", "over"),
    [
        (0, 0, False),
        (3, 100, False),
        (4, 100, True),
        (1, FEWEST, True),
        (5, FEWEST - 1, False),
        (31, 1000, True),
    ],
)
def test_a_rate_is_over_where_it_is_more_than_the_limit_of_enough_calls(
    abandoned: int, calls: int, over: bool
) -> None:
    assert Rate("live", 720, abandoned, calls).exceeds(3) == over


def test_a_campaign_over_the_limit_is_paused_and_says_why(world: World) -> None:
    campaign_id, other = calling(world, "US-NY"), calling(world, "US-NY")
    had(campaign_id, 4, 100, 400)
    had(other, 3, 100)
    told = Told()
    told.subject.round()
    assert status_of(campaign_id) == (PAUSED, WORD)
    assert status_of(other) == (RUNNING, None)
    with db.connection_context():
        generation = Campaign.get_by_id(campaign_id).generation
    said = {"campaign_id": str(campaign_id), "generation": generation}
    assert (told.messages, told.nudges) == ([(Topic.HOLD, said)], 1)
    with transaction():
        entries, _ = campaign_log.page(campaign_id, 10, 0)
    assert [(entry.action, entry.reason, entry.by) for entry in entries[-1:]] == [("paused", WORD, None)]
    told.subject.round()
    assert len(told.messages) == 1


def test_both_formulas_are_shown_with_numerator_and_denominator(world: World) -> None:
    campaign_id = calling(world, "US-NY", "GB", purpose="sales")
    had(campaign_id, 2, 50, 200)
    had(campaign_id, 1, 150, 400, hours_ago=48)
    had(campaign_id, 9, 10, hours_ago=31 * 24)
    assert figures(campaign_id) == {
        ("live", 24): (2, 50, 4.0, 3),
        ("attempts", 24): (2, 200, 1.0, None),
        ("live", 720): (3, 200, 1.5, 3),
        ("attempts", 720): (3, 600, 0.5, None),
    }


def test_the_strictest_limit_of_all_places_holds_over_its_own_time(world: World) -> None:
    canada, both = calling(world, "CA-ON"), calling(world, "CA-ON", "US-NY")
    for campaign_id in (canada, both):
        had(campaign_id, 4, 100, hours_ago=20 * 24)
    british = calling(world, "GB", purpose="service")
    had(british, 4, 100, hours_ago=20 * 24)
    Told().subject.round()
    assert [status_of(one)[0] for one in (canada, both, british)] == [RUNNING, PAUSED, RUNNING]
    had(british, 4, 100)
    had(canada, 6, 100)
    Told().subject.round()
    assert [status_of(one)[0] for one in (canada, british)] == [RUNNING, PAUSED], (
        "5 % of 200 are allowed there"
    )
    had(canada, 1, 1)
    Told().subject.round()
    assert status_of(canada)[0] == PAUSED


def test_what_no_pack_bounds_is_left_alone(world: World) -> None:
    unbound = calling(world, "US-NY", policy_packs="off")
    service, german = calling(world, "US-NY", purpose="service"), calling(world, "DE")
    for campaign_id in (unbound, service, german):
        had(campaign_id, 50, 100)
    Told().subject.round()
    assert {status_of(one)[0] for one in (unbound, service, german)} == {RUNNING}
    with transaction():
        assert policy_shown.of_campaign(unbound, "off", "sales") is None


def test_whoever_is_within_the_limit_is_not_locked(world: World, database_url: str) -> None:
    """Every running campaign is looked at, every few seconds: one that somebody has locked holds up nobody."""
    within, over = calling(world, "US-NY"), calling(world, "US-NY")
    had(within, 3, 100)
    had(over, 4, 100)
    with psycopg.connect(database_url) as busy:
        busy.execute("SELECT FROM campaign WHERE id = %s FOR UPDATE", (within,))
        Told().subject.round()
    assert [status_of(one)[0] for one in (within, over)] == [RUNNING, PAUSED]


def test_what_is_within_the_limit_by_the_time_of_the_lock_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign_id = calling(world, "US-NY")
    had(campaign_id, 3, 100)
    monkeypatch.setattr(abandon_rates, "is_over", lambda _: True)
    told = Told()
    told.subject.round()
    assert (status_of(campaign_id)[0], told.messages) == (RUNNING, [])


@pytest.mark.parametrize("step", ["is_over", "pause_over"])
def test_one_that_cannot_be_judged_hides_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    first, second = calling(world, "US-NY"), calling(world, "US-NY")
    had(first, 4, 100)
    had(second, 4, 100)
    real = getattr(abandon_rates, step)

    def judged(campaign_id: uuid.UUID, *rest: str) -> object:
        if campaign_id == first:
            raise ValueError("no such pack")
        return real(campaign_id, *rest)

    monkeypatch.setattr(abandon_rates, step, judged)
    Told().subject.round()
    assert [status_of(one)[0] for one in (first, second)] == [RUNNING, PAUSED]


def test_one_that_is_locked_for_too_long_keeps_no_other_from_being_paused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = calling(world, "US-NY"), calling(world, "US-NY")
    had(first, 4, 100)
    had(second, 4, 100)
    real = abandon_rates.pause_over

    def locked(campaign_id: uuid.UUID, owner: str) -> object:
        if campaign_id == first:
            raise OperationalError("canceling statement due to lock timeout")
        return real(campaign_id, owner)

    monkeypatch.setattr(abandon_rates, "pause_over", locked)
    with pytest.raises(OperationalError):
        Told().subject.round()
    assert [status_of(one)[0] for one in (first, second)] == [RUNNING, PAUSED]


def test_another_dialer_looks(world: World) -> None:
    campaign_id = calling(world, "US-NY")
    had(campaign_id, 50, 100)
    Told(turn=False).subject.round()
    assert status_of(campaign_id)[0] == RUNNING


def test_it_cannot_be_resumed_before_the_rate_is_within_the_limit(world: World) -> None:
    campaign_id = calling(world, "US-NY")
    had(campaign_id, 4, 100)
    Told().subject.round()
    with pytest.raises(UnusableError) as refused, transaction():
        lifecycle.resume(campaign_id, world.tenant_id)
    assert str(refused.value).startswith(
        "4 of 100 calls that somebody answered within 720 hours were abandoned (4.0 %); "
        "Telemarketing Sales Rule, 16 CFR 310.4, (b)(4)(i) (policy pack us "
    )
    assert refused.value.blocked_reason == WORD
    change("UPDATE abandon_count SET since = since - interval '31 days'")
    with transaction():
        assert lifecycle.resume(campaign_id, world.tenant_id).status is RUNNING


def test_switched_off_it_goes_on(world: World) -> None:
    campaign_id = calling(world, "US-NY")
    had(campaign_id, 4, 100)
    paused = abandon_rates.pause_over(campaign_id, DIALER)
    assert paused is not None
    assert abandon_rates.pause_over(campaign_id, DIALER) is None
    change("UPDATE campaign SET policy_packs = 'off' WHERE id = %s", campaign_id)
    with transaction():
        assert lifecycle.resume(campaign_id, world.tenant_id).status is RUNNING

"""Single calls among campaigns: who goes first, and which caps are whose. Limits of a tenant, judged beforehand."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from campaigns.single_calls import Cap, Limits, Used
from dialer.dispatch.agenda import Agenda
from dialer.dispatch.batch import Answered, Outcome
from dialer.dispatch.cap_waits import cap_of, caps_over, tenant_caps
from dialer.dispatch.dialled_campaign import DialledCampaign
from dialer.dispatch.plans import Plan
from limits.caps import Denied
from tests.unit.dialer.dispatch_rig import many_plans
from tests.unit.dialer.factories import GATEWAY, make_plan

COUNTS = st.integers(0, 5)


def agenda_of(*plans: Plan) -> tuple[Agenda, dict[str, DialledCampaign]]:
    agenda = Agenda(lambda: 0.0)
    agenda.follow({plan.campaign_id: plan for plan in plans})
    return agenda, {one.campaign_id: one for one in agenda.due(0.0)}


def full(agenda: Agenda, *, single: bool) -> None:
    """The tenant's places are taken, as one call was told."""
    denied = Denied("c", "tenant_concurrency", 0.25)
    agenda.learn([Answered("demo", GATEWAY, denied, single=single)], 0.0, lambda denial: denial.retry_after)


def test_single_calls_go_before_campaigns_that_ask_for_everything() -> None:
    campaigns = many_plans(3)
    single = make_plan(single_call=True, campaign_id="00000000-0000-7000-8000-0000000000aa")
    agenda, asking = agenda_of(*campaigns, single)
    order = agenda.choose(asking, {**{plan.campaign_id: 100 for plan in campaigns}, single.campaign_id: 1})
    assert order[0] == single.campaign_id
    assert len(order) == 200


@given(st.integers(2, 60), st.integers(1, 3), st.lists(st.integers(1, 12), min_size=1, max_size=8))
def test_who_asks_for_many_single_calls_has_no_more_turns_than_others(
    singles: int, others: int, batches: list[int]
) -> None:
    """Whatever of each order is granted: of a gateway that all share everybody gets as much."""
    asks = [make_plan(campaign_id=f"s{n}", tenant_id="loud", single_call=True) for n in range(singles)]
    rest = [make_plan(campaign_id=f"c{n}", tenant_id=f"t{n}") for n in range(others)]
    agenda, asking = agenda_of(*asks, *rest)
    served: Counter[str] = Counter()
    wanted = {plan.campaign_id: 1 for plan in asks}
    for count in batches:
        wishes = wanted | {plan.campaign_id: 100 for plan in rest}
        granted = agenda.choose(asking, wishes)[:count]
        got = Counter(granted)
        agenda.give(asking, {name: Outcome(claimed=got[name]) for name in wishes})
        wanted = {name: 1 for name in wanted if name not in got}
        served.update(asking[name].plan.tenant_id for name in granted)
        if not wanted:
            break
        assert (
            max(served.values()) - min(served[name] for name in ("loud", *(f"t{n}" for n in range(others))))
            <= 1
        )


def test_of_those_that_wait_for_a_shared_cap_others_single_calls_go_in_turn() -> None:
    asks = [make_plan(campaign_id=f"s{n}", tenant_id="loud", single_call=True) for n in range(9)]
    agenda, _ = agenda_of(*asks, make_plan(campaign_id="c", tenant_id="quiet"))
    assert "c" in list(agenda.fairest([*(plan.campaign_id for plan in asks), "c"]))[:2]


def test_what_is_full_for_campaigns_is_not_for_single_calls() -> None:
    campaign, single = make_plan(), make_plan(single_call=True, campaign_id="s")
    agenda, _ = agenda_of(campaign, single)
    full(agenda, single=False)
    assert agenda.binding(campaign, 0.1) == (tenant_caps("demo"), "tenant_concurrency")
    assert agenda.binding(single, 0.1) is None
    full(agenda, single=True)
    assert agenda.binding(single, 0.1) == (tenant_caps("demo", single=True), "tenant_concurrency")


def test_of_those_that_wait_single_calls_are_served_first() -> None:
    campaigns, single = many_plans(2), make_plan(single_call=True, campaign_id="s")
    agenda, _ = agenda_of(*campaigns, single)
    waiting = [*(plan.campaign_id for plan in campaigns), "s"]
    assert next(agenda.fairest(waiting)) == "s"


def test_each_plan_names_the_cap_that_a_denial_speaks_of() -> None:
    for single in (False, True):
        denied = cap_of("tenant_minute", "demo", GATEWAY, single=single)
        assert denied in caps_over(make_plan(single_call=single))
        assert denied not in caps_over(make_plan(single_call=not single))


@given(st.tuples(*[st.none() | COUNTS] * 4), st.tuples(COUNTS, COUNTS, COUNTS, st.integers(0, 400)), COUNTS)
def test_a_call_is_taken_exactly_where_every_cap_has_room_for_one_more(
    limits: tuple[int | None, ...], used: tuple[int, int, int, int], waiting: int
) -> None:
    concurrent, minute, calls, minutes = limits
    cap = Limits(concurrent, minute, calls, minutes).reached(Used(*used), waiting)
    room = [
        concurrent is None or used[0] + waiting + 1 <= concurrent,
        minute is None or used[1] + waiting + 1 <= minute,
        calls is None or used[2] + waiting + 1 <= calls,
        minutes is None or used[3] < minutes * 60,
    ]
    assert cap == (None if all(room) else list(Cap)[room.index(False)])

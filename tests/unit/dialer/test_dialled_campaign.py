"""What is remembered of a campaign between two looks: who is due, who is passed over, how many to ask for."""

from __future__ import annotations

from dialer.dispatch.dialled_campaign import FIRST_GROUP, GROUP, READ_AGAIN_SECONDS, DialledCampaign
from dialer.dispatch.due import Due
from limits.caps import Denied
from tests.unit.dialer.dispatch_rig import two_gateways
from tests.unit.dialer.factories import SECOND, call_id, make_gateway, make_plan

NOW = 1000.0


def people(count: int) -> list[Due]:
    return [Due(call_id(), f"+1415555{n:04d}") for n in range(count)]


def denied(due: Due, reason: str, retry_after: float = 0.2) -> tuple[Due, Denied]:
    return due, Denied("", reason, retry_after)


def test_the_group_grows_while_all_is_granted_and_follows_what_a_cap_lets_through() -> None:
    campaign = DialledCampaign(make_plan())
    assert campaign.wish(1000) == FIRST_GROUP
    for _ in range(10):
        campaign.asked(campaign.wish(1000), [], NOW)
    assert campaign.wish(1000) == GROUP
    assert campaign.wish(3) == 3
    (one,) = people(1)
    campaign.asked(7, [denied(one, "gateway_cps")], NOW)
    assert campaign.wish(1000) == 14
    campaign.asked(0, [denied(one, "gateway_cps")], NOW)
    assert campaign.wish(1000) == 2


def test_a_question_without_an_answer_says_nothing_of_the_group() -> None:
    campaign = DialledCampaign(make_plan())
    campaign.asked(0, [], NOW)
    assert campaign.wish(1000) == FIRST_GROUP


def test_what_is_known_of_the_list_is_not_read_again_before_it_is_used_up_or_old() -> None:
    campaign, list_of = DialledCampaign(make_plan()), people(6)
    assert campaign.to_read(4, NOW) == 4
    campaign.read(list_of, NOW)
    assert campaign.to_read(4, NOW) == 0
    assert campaign.take(4) == list_of[:4]
    assert campaign.to_read(2, NOW) == 0
    assert campaign.to_read(3, NOW) == 3
    assert campaign.take(3) == list_of[4:]
    campaign.read(list_of, NOW)
    assert campaign.to_read(4, NOW + READ_AGAIN_SECONDS + 0.1) == 4
    assert not campaign.due


def test_who_was_denied_for_another_reason_than_its_own_is_the_first_again() -> None:
    campaign, list_of = DialledCampaign(make_plan()), people(5)
    campaign.read(list_of, NOW)
    first, second, third = campaign.take(3)
    binding = campaign.asked(1, [denied(second, "tenant_minute", 3.0), denied(third, "tenant_minute")], NOW)
    assert binding is not None
    assert (binding.reason, binding.retry_after) == ("tenant_minute", 0.2)
    assert campaign.take(4) == list_of[1:]
    assert first not in campaign.due


def test_where_no_number_s_calls_are_known_the_campaign_waits_and_nobody_is_passed_over() -> None:
    campaign, list_of = DialledCampaign(make_plan()), people(3)
    campaign.read(list_of, NOW)
    unknown = [(due, Denied("", "number_cap", 0.5, of_tenant=True)) for due in campaign.take(2)]
    binding = campaign.asked(0, unknown, NOW)
    assert binding is not None
    assert (binding.reason, binding.retry_after) == ("number_cap", 0.5)
    assert campaign.passed_over(NOW) is None
    assert campaign.take(3) == list_of


def test_a_number_in_use_is_passed_over_for_a_while_and_binds_nobody() -> None:
    campaign, list_of = DialledCampaign(make_plan()), people(3)
    campaign.read(list_of, NOW)
    (taken,) = campaign.take(1)
    assert campaign.asked(0, [denied(taken, "number_cap")], NOW) is None
    passed_over = campaign.passed_over(NOW)
    assert passed_over is not None
    assert passed_over.reason == "number_cap"
    # It takes nobody's place among those that are read.
    assert campaign.to_read(3, NOW) == 3
    assert list(campaign.skipped(NOW)) == [taken.contact_id]
    campaign.read(list_of, NOW)
    assert campaign.take(3) == list_of[1:]
    campaign.read(list_of, NOW + 2.0)
    assert campaign.take(3) == list_of
    assert campaign.passed_over(NOW + 2.0) is None


def test_a_gateway_with_prefixes_holds_up_its_own_contacts_only() -> None:
    gateways = (make_gateway(prefixes=("+44",)), make_gateway(gateway_id=SECOND))
    campaign, (one, two) = DialledCampaign(make_plan(gateways=gateways)), people(2)
    assert campaign.asked(0, [denied(one, "gateway_channels")], NOW) is None
    assert campaign.passed_over(NOW) is not None
    mixed = campaign.asked(0, [denied(one, "gateway_channels"), denied(two, "tenant_minute", 0.5)], NOW)
    assert mixed is not None
    assert list(campaign.due) == [two]


def test_a_gateway_without_prefixes_binds_the_campaign() -> None:
    campaign, (one,) = DialledCampaign(two_gateways()), people(1)
    binding = campaign.asked(0, [denied(one, "gateway_channels")], NOW)
    assert binding is not None
    assert binding.reason == "gateway_channels"

"""What a group of ended calls says of an agent."""

from __future__ import annotations

from dialer.capacity.agent_breaker import AgentSigns, agent_signs
from dialer.live_calls import LiveCall
from dialer.record.call_end import hung_up
from dialer.record.outcome_rows import Ended
from freeswitch.hangup import Hangup
from tests.unit.dialer.factories import busy, make_call, make_hangup

FAILED = make_hangup(hung_up_by="us", agent_failure="FILE_NOT_FOUND")
RAN = make_hangup()
ABANDONED = make_hangup(hung_up_by="us", abandoned=True)


def signs_of(*hangups: Hangup) -> AgentSigns | None:
    calls: list[tuple[LiveCall, Ended]] = [
        (call, hung_up(call, 9.0, hangup)) for hangup in hangups if (call := make_call(sent_at=1.0))
    ]
    ended = {call.call_id: end for call, end in calls}
    return agent_signs([call for call, _ in calls], ended).get(make_call().campaign_id)


def test_failures_in_a_row_are_those_since_the_last_call_that_was_given_to_the_agent() -> None:
    assert signs_of(FAILED, FAILED) == AgentSigns(False, 2, "FILE_NOT_FOUND")
    assert signs_of(FAILED, FAILED, RAN, FAILED) == AgentSigns(True, 1, "FILE_NOT_FOUND")
    assert signs_of(FAILED, RAN) == AgentSigns(ran=True)


def test_who_was_abandoned_was_offered_to_the_agent_and_who_did_not_answer_says_nothing() -> None:
    assert signs_of(FAILED, ABANDONED) == AgentSigns(ran=True)
    assert signs_of(FAILED, busy()) == AgentSigns(False, 1, "FILE_NOT_FOUND")
    assert signs_of(busy()) is None

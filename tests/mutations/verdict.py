"""Mutations of the chaos verdict itself: a proof that cannot see proves nothing."""

from __future__ import annotations

from tests.mutations.mutation import VERDICT, Mutation

JUDGE = "tests/chaos/caps.py"

SEEN = (
    Mutation(
        "gateways not told apart",
        "a gateway's channels and calls a second are judged for nobody",
        JUDGE,
        "Scope.GATEWAY: lambda line: line.gateway,",
        'Scope.GATEWAY: lambda line: "",',
        (
            f"{VERDICT}::test_one_live_call_too_many_is_found_in_the_ledger_alone",
            f"{VERDICT}::test_one_call_a_second_too_many_is_found_over_any_number_of_seconds",
        ),
    ),
    Mutation(
        "tenants not told apart",
        "a tenant's live calls and calls a minute are judged for nobody",
        JUDGE,
        "Scope.TENANT: lambda line: line.tenant,",
        'Scope.TENANT: lambda line: "",',
        (
            f"{VERDICT}::test_one_live_call_too_many_is_found_in_the_ledger_alone",
            f"{VERDICT}::test_one_call_a_minute_too_many_is_found",
        ),
    ),
    Mutation(
        "numbers not told apart",
        "two calls at once to one number are not seen",
        JUDGE,
        'Scope.NUMBER: lambda line: f"{line.number} of {line.tenant}",',
        "Scope.NUMBER: lambda line: line.uuid,",
        (f"{VERDICT}::test_a_cap_without_a_name_holds_for_each_of_its_scope",),
    ),
    Mutation(
        "one more is let pass",
        "one call more than any cap allows is not seen",
        JUDGE,
        "return self.most > self.allowed",
        "return self.most > self.allowed + 1",
        (
            f"{VERDICT}::test_one_live_call_too_many_is_found_in_the_ledger_alone",
            f"{VERDICT}::test_one_call_a_second_too_many_is_found_over_any_number_of_seconds",
            f"{VERDICT}::test_one_call_a_minute_too_many_is_found",
        ),
    ),
    Mutation(
        "only single seconds are judged",
        "a rate that is a little too high all the time is not seen",
        JUDGE,
        "for count in (1, 2, 10, 60))",
        "for count in (1,))",
        (f"{VERDICT}::test_one_call_a_second_too_many_is_found_over_any_number_of_seconds",),
    ),
    Mutation(
        "a second without what leaves late",
        "a call that left within its permit's life is taken for one too many",
        JUDGE,
        "LATE_SECONDS = 0.05\n",
        "LATE_SECONDS = 0.0\n",
        (f"{VERDICT}::test_one_call_a_second_too_many_is_found_over_any_number_of_seconds",),
    ),
    Mutation(
        "refused sessions not counted",
        "a node that is asked for too much and refuses it is not seen",
        JUDGE,
        "counted = orders if cap.scope is Scope.NODE else [call.line for call in calls]",
        "counted = [call.line for call in calls]",
        (f"{VERDICT}::test_what_a_node_refused_is_a_session_of_it_and_no_call",),
    ),
    Mutation(
        "the first cap judged throughout",
        "calls that begin although the cap was lowered are not seen",
        JUDGE,
        "return max(before, *found) if found else before",
        "return self.first",
        (f"{VERDICT}::test_a_cap_that_is_lowered_says_who_may_begin_from_then_on",),
    ),
    Mutation(
        "a node's death not read",
        "a killed node's calls are taken for up beside those that followed",
        JUDGE,
        "for node, at in [*deaths, *((start.node, start.t) for start in view.starts)]:",
        "for node, at in deaths:",
        (f"{VERDICT}::test_the_calls_of_a_node_that_died_end_with_it",),
    ),
    Mutation(
        "ends as they fell due",
        "the calls of a node that stood still are not seen to be up",
        JUDGE,
        "lost if end is None else max(end.t, end.written)",
        "lost if end is None else end.t",
        (f"{VERDICT}::test_the_calls_of_a_node_that_died_end_with_it",),
    ),
    Mutation(
        "left when it was first given",
        "an order that is given again counts for when it was given first, and is free",
        JUDGE,
        "return max((t for t in left",
        "return min((t for t in left",
        (f"{VERDICT}::test_a_rate_is_that_at_which_orders_left_whatever_held_them_on_the_way",),
    ),
    Mutation(
        "a cap left out",
        "a run that judges no gateway, or one that nobody named, is taken for a proof",
        "tests/chaos/verdict.py",
        "    verdict.found[CAPS] += unjudged(records.caps, ours)\n",
        "",
        (f"{VERDICT}::test_no_cap_is_left_out",),
    ),
    Mutation(
        "calls that never end not seen",
        "a call that is up at its node when all is over is not seen",
        "tests/chaos/verdict.py",
        'if call.end == float("inf")',
        "if call.end < 0",
        (f"{VERDICT}::test_what_may_not_happen_is_found",),
    ),
)

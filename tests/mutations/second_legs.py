"""Mutations of: the agent's leg is under its gateway's caps as every call is."""

from __future__ import annotations

from tests.mutations.mutation import Mutation

SLOTS = "tests/integration/limits/test_second_legs.py"
ROWS = "tests/integration/dialer/test_second_legs.py"
SHARES = "tests/unit/dialer/test_second_legs.py"
ASKED = "tests/unit/dialer/test_second_leg_dispatch.py"
BUILT = "tests/unit/dialer/test_originate_builder.py"
HELD = "tests/unit/dialer/test_second_leg_holds.py"
PROBES = "tests/unit/dialer/test_second_leg_probes.py"
REFUSED = "tests/unit/dialer/test_second_leg_refusals.py"
PAUSED = "tests/integration/dialer/test_paused_second_legs.py"
DISPATCH = "tests/unit/dialer/test_dispatch.py"
BOARD = "tests/unit/dialer/test_plan_board.py"
PINGS = "tests/integration/dialer/test_gateway_pings.py"

SECOND_LEGS = (
    Mutation(
        "no channel for the second leg",
        "a call leaves whose agent's gateway has no channel free, and takes one more",
        "limits/acquire.lua",
        "    take(second.slots, second_leg(id))\n",
        "",
        (f"{SLOTS}::test_no_call_leaves_whose_second_leg_would_find_no_channel",),
    ),
    Mutation(
        "one channel for two legs",
        "of a gateway by which both legs leave the second one takes a channel that is not there",
        "limits/acquire.lua",
        "second == gateway and 1 or 0",
        "0",
        (f"{SLOTS}::test_by_one_gateway_a_call_needs_two_channels",),
    ),
    Mutation(
        "a second leg is not renewed",
        "the channel of a second leg lapses while its call is up",
        "limits/renew.lua",
        "    renew(KEYS[5 + 5 * #job.ids + i], id .. ':b')\n",
        "",
        (f"{SLOTS}::test_what_is_renewed_holds_and_what_nobody_renews_makes_no_room",),
    ),
    Mutation(
        "a second leg is not given back",
        "a gateway that agents are reached by fills up for good",
        "limits/release.lua",
        "    leave(slots, items[base + 15], id .. ':b')\n",
        "",
        (f"{SLOTS}::test_its_end_gives_the_channel_back",),
    ),
    Mutation(
        "a lapsed second leg makes room",
        "the channel of a second leg that could not be renewed is given to another call, while it is up",
        "limits/slots.lua",
        "redis.call('HEXISTS', KEYS[5], call_of(id)) == 1",
        "redis.call('HEXISTS', KEYS[5], id) == 1",
        (f"{SLOTS}::test_what_is_renewed_holds_and_what_nobody_renews_makes_no_room",),
    ),
    Mutation(
        "a second leg lost with its dialer",
        "whoever takes a call over does not know that it holds a channel of its agent's gateway",
        "limits/keys.py",
        "            second_leg_gateway_id=self.second_leg_gateway_id,\n",
        "",
        (f"{SLOTS}::test_another_dialer_takes_it_over_and_gives_it_back",),
    ),
    Mutation(
        "a second leg lost with Valkey's memory",
        "the rebuilt state has no channel for the second legs that are up",
        "limits/rebuild.py",
        "            second_leg_gateway_id=call.second_leg_gateway_id,\n",
        "",
        (f"{SLOTS}::test_a_rebuilt_state_has_it",),
    ),
    Mutation(
        "a second leg not read from the rows",
        "who rebuilds the state is not told of second legs",
        "dialer/capacity/limiter_snapshot.py",
        " AS age_ms, second_leg_gateway_id::text\n",
        " AS age_ms\n",
        (f"{ROWS}::test_a_claim_notes_the_second_legs_gateway_and_all_who_read_the_row_learn_it",),
    ),
    Mutation(
        "a second leg not noted in its row",
        "nobody but the dialer that placed a call knows of its second leg",
        "dialer/dispatch/batch.py",
        "            plan.max_call_seconds,\n"
        "            None if plan.second_leg is None else plan.second_leg.gateway_id,\n",
        "            plan.max_call_seconds,\n",
        (f"{ASKED}::test_a_permit_is_asked_for_both_legs_and_the_row_says_so",),
    ),
    Mutation(
        "shares that sum to twice the rate",
        "two windows of a second that touch let twice the rate of a gateway through",
        "dialer/dispatch/second_legs.py",
        "divmod(cps // 2, len(order))",
        "divmod(cps, len(order))",
        (f"{SHARES}::test_the_shares_never_sum_above_the_rate",),
    ),
    Mutation(
        "one in each second of the clock",
        "a gateway of one call a second gets two within a moment",
        "dialer/dispatch/second_legs.py",
        "(1, 1 if place < twice else 2)",
        "(1, 1)",
        (f"{SHARES}::test_one_call_a_second_is_one_nodes",),
    ),
    Mutation(
        "a rate given out twice",
        "first and second legs by one gateway have the whole of its rate each",
        "dialer/dispatch/second_legs.py",
        "cps - second if dialled and bridged else cps, second",
        "cps, second",
        (f"{SHARES}::test_first_legs_have_what_second_ones_leave",),
    ),
    Mutation(
        "a rate given back too early",
        "calls that ring while their campaign is paused are connected within a rate that first legs have again",
        "dialer/dispatch/plan_rows.py",
        '{row["gateway_id"] for row in rows(BRIDGED)}',
        "set[str]()",
        (f"{ROWS}::test_first_legs_have_the_whole_rate_once_no_second_leg_can_leave_any_more",),
    ),
    Mutation(
        "called without a rate for the agent",
        "people are called whom nothing of their agent's gateway's rate is left to connect",
        "dialer/dispatch/plan_rows.py",
        "plan.second_leg.cps == 0",
        "plan.second_leg.cps == -1",
        (
            f"{ROWS}::test_a_single_call_a_second_is_not_divided_and_whoever_could_not_be_connected_is_not_called",
        ),
    ),
    Mutation(
        "bridged without a rate",
        "a node calls agents by a gateway as fast as people answer",
        "dialer/dispatch/originate_builder.py",
        "applications.bridge(leg, rate)",
        "applications.bridge(leg)",
        (
            f"{BUILT}::test_a_second_leg_leaves_within_the_rate_that_its_node_keeps_and_else_the_message_is_heard",
        ),
    ),
    Mutation(
        "sent with another agent's permit",
        "a call that waited or is repeated is connected by a gateway of which it holds no channel",
        "dialer/dispatch/originate_builder.py",
        "if call.second_leg_gateway_id != (None if second is None else second.gateway_id):",
        "if False:",
        (f"{BUILT}::test_a_call_without_a_permit_for_its_second_leg_does_not_leave",),
    ),
    Mutation(
        "nodes without a share are asked",
        "a call leaves by a node that may not call its agent",
        "dialer/dispatch/batch.py",
        "[name for name in self.order() if self._may_take(choice.plan, name)]",
        "self.order()",
        (f"{ASKED}::test_only_nodes_with_a_share_of_the_agents_gateway_are_asked",),
    ),
    Mutation(
        "the wrong gateway is full",
        "a campaign whose agent's gateway is full keeps all waiting that leave by its own",
        "dialer/dispatch/agenda.py",
        "one.second_leg_gateway_id if one.answer.of_second_leg else one.gateway_id",
        "one.gateway_id",
        (f"{ASKED}::test_who_waits_for_the_second_legs_gateway_keeps_nobody_from_the_first_ones",),
    ),
    Mutation(
        "a second leg that an older dialer forgot",
        "the channel of a second leg lapses while its call is up, and nobody dials while the state is rebuilt",
        "limits/acquire.lua",
        "    record.b = second.id\n",
        "",
        (f"{SLOTS}::test_what_an_older_dialer_wrote_without_it_is_whole_once_the_call_is_asked_for_again",),
    ),
    Mutation(
        "the rate of first legs binds second ones",
        "a campaign whose agent is reached by a gateway waits for calls a second of it that it does not use",
        "dialer/dispatch/cap_waits.py",
        "        found.append((CHANNELS, second.gateway_id))\n",
        "        found += gateway_caps(second.gateway_id)\n",
        (f"{ASKED}::test_who_bridges_by_a_gateway_does_not_wait_for_the_rate_of_its_first_legs",),
    ),
    Mutation(
        "called although the agent cannot be",
        "everybody answers, and nobody is connected: the gateway that agents are reached by is paused",
        "dialer/dispatch/plans.py",
        "return found + [hold for hold in self._agents_holds if hold.subject not in probed]",
        "return found",
        (
            f"{HELD}::test_one_call_probes_by_its_second_leg_and_is_none_of_its_own_gateways",
            f"{HELD}::test_a_call_that_waits_does_not_leave_once_its_agent_cannot_be_reached",
        ),
    ),
    Mutation(
        "a pause not read for second legs",
        "who reads the plans is not told that the gateway of agents is paused",
        "dialer/dispatch/plan_rows.py",
        '        paused=row["paused"],\n',
        "",
        (f"{PAUSED}::test_a_first_leg_goes_first",),
    ),
    Mutation(
        "people before first legs",
        "somebody is called to probe a gateway that a first leg would have probed without disturbing anybody",
        "dialer/dispatch/plan_rows.py",
        'probe_due=row["second_due"]',
        'probe_due=row["probe_due"]',
        (f"{PAUSED}::test_a_first_leg_goes_first",),
    ),
    Mutation(
        "a gateway of agents that is never probed",
        "nobody notices that a probe of it is due, since nothing was written",
        "dialer/dispatch/plan_rows.py",
        "row(id, xmin, {_PROBE_DUE}, {_SECOND_DUE}, {_OF_CALLERS})",
        "row(id, xmin, {_PROBE_DUE}, {_OF_CALLERS})",
        (f"{PAUSED}::test_what_is_read_again_says_when_a_second_leg_may_probe",),
    ),
    Mutation(
        "probed by whom nobody answered",
        "a gateway of agents stays paused for half an hour since a few people did not pick up",
        "dialer/capacity/second_leg_probes.py",
        "        if ended.second_leg is None and not ended.answered and",
        "        if ended.answered and",
        (f"{PROBES}::test_whom_nobody_answered_probes_nothing_and_the_next_call_may",),
    ),
    Mutation(
        "a list abandoned one by one",
        "a gateway refuses every agent, and everybody of a list answers, hears the message and is let go",
        "dialer/capacity/second_leg_refusals.py",
        "                if is_refusal(became, status):\n",
        "                if False:\n",
        (
            f"{REFUSED}::test_what_a_gateway_says_for_itself_is_a_refusal_and_what_is_said_for_the_agent_is_not",
        ),
    ),
    Mutation(
        "a busy agent pauses his gateway",
        "agents who are busy keep everybody's calls from a gateway that works",
        "dialer/capacity/second_leg_refusals.py",
        "        status in CARRIER_BUSY_STATUS\n",
        "        True\n",
        (
            f"{REFUSED}::test_what_a_gateway_says_for_itself_is_a_refusal_and_what_is_said_for_the_agent_is_not",
        ),
    ),
    Mutation(
        "a second leg that was refused got through",
        "a gateway that still refuses is resumed by the call that it refused",
        "dialer/capacity/suspicion.py",
        "    if disposition not in COUNTED:\n",
        "    if disposition not in Disposition:\n",
        (f"{PROBES}::test_the_end_of_the_leg_decides",),
    ),
    Mutation(
        "joined and not known until the end",
        "all campaigns wait until the agent of the probe hangs up",
        "dialer/capacity/second_leg_probes.py",
        "SECOND_LEG)).strip() == JOINED",
        'SECOND_LEG)).strip() == ""',
        (f"{PROBES}::test_an_agent_who_has_joined_is_known_before_the_call_is_over",),
    ),
    Mutation(
        "a pause heeded late for second legs",
        "people go on being called until the plans are read again, whose agents cannot be reached any more",
        "dialer/dispatch/plan_board.py",
        "lambda second: replace(second, **of_agents)",
        "lambda second: second",
        (f"{BOARD}::test_a_pause_of_the_gateway_that_an_agent_is_reached_by_is_heeded_at_once",),
    ),
    Mutation(
        "somebody called for a gateway that is down",
        "a person is called to learn what the nodes' pings say",
        "dialer/dispatch/dispatch.py",
        "        if hold.second_leg and self.is_down(",
        "        if not hold and self.is_down(",
        (f"{DISPATCH}::test_nobody_is_called_to_probe_a_gateway_of_agents_that_does_not_answer_its_pings",),
    ),
    Mutation(
        "a probe that is refused once a second",
        "while a gateway's pings are not answered, permits are taken and given back for its probe for as long",
        "dialer/dispatch/plan_board.py",
        "return frozenset(filter(self.is_down, paused))",
        "return frozenset()",
        (f"{BOARD}::test_while_it_does_not_answer_its_pings_no_probe_is_due_and_no_time_is_told",),
    ),
    Mutation(
        "each contact claimed to learn that nobody is reached",
        "a whole list is claimed and given back, minute by minute, for as long as a gateway is paused",
        "dialer/dispatch/plans.py",
        "return second.shut if number is None else",
        "return [] if number is None else",
        (f"{HELD}::test_while_no_agent_is_reached_nobody_is_claimed_to_learn_whose_own_he_is",),
    ),
    Mutation(
        "one node that cannot reach it",
        "a gateway of agents stays paused for good, since one node of several never reaches it",
        "dialer/capacity/gateway_pings.py",
        "if known and not any(known):",
        "if known and not all(known):",
        (f"{PINGS}::test_one_that_answers_no_nodes_pings_is_down_for_as_long_as_it_is_paused",),
    ),
    Mutation(
        "an agent of one's own who cannot be reached",
        "contacts are called whose own agent is where the gateway gets nobody through",
        "dialer/dispatch/originate_builder.py",
        "if not call.probes(hold)]:",
        "if not hold]:",
        (f"{HELD}::test_of_agents_that_are_each_contacts_own_only_those_leave_who_can_be_reached",),
    ),
)

"""Mutations of how fast a campaign is dialled beside others, of its slow start, and of what it says about both."""

from __future__ import annotations

from tests.mutations.mutation import SCHEDULER, Mutation

SHARES = "tests/unit/dialer/test_fair_share.py"
SLOW_STARTS = "tests/unit/dialer/test_slow_start.py"
PACES = "tests/unit/dialer/test_pace_counts.py"
REASONS = "tests/unit/dialer/test_blocked_reasons.py"
ROWS = "tests/integration/dialer/test_pacing_rows.py"
PRESSURE = "tests/unit/dialer/test_backpressure.py"
LOOKED = "tests/integration/dialer/test_lookout.py"

WEIGHED = "test_where_all_ask_nobody_is_a_call_ahead_of_its_weight_or_behind_it"
EACH_SECOND = "test_each_second_is_shared_by_weight_and_none_of_it_is_left"

PACED = (
    Mutation(
        "our own stall held against the node",
        "a node that is well is asked for half since this process was busy when it answered",
        "dialer/capacity/backpressure.py",
        "(read - sent - own_lag.within(sent, read) for",
        "(read - sent for",
        (f"{PRESSURE}::test_what_this_process_itself_was_late_is_not_the_nodes_fault",),
    ),
    Mutation(
        "single refusals of a node",
        "a node that refuses a call now and then is asked for half all the time",
        "dialer/capacity/backpressure.py",
        "full = refused >= self.fewest and refused >= REFUSED_SHARE * len(self._asked)",
        "full = refused >= self.fewest",
        (f"{PRESSURE}::test_a_node_that_refuses_a_call_now_and_then_is_not_slowed",),
    ),
    Mutation(
        "a plan that has changed and is not read",
        "an agent that is held goes on being dialled for, for as long as nothing else changes",
        "dialer/dispatch/plan_rows.py",
        " agent.xmin,",
        "",
        (f"{LOOKED}::test_whatever_is_another_plan_is_another_version",),
    ),
    Mutation(
        "a paused destination that others do not hear of",
        "a destination that one dialer paused is dialled by all others, for as long as nothing else changes",
        "dialer/dispatch/plan_rows.py",
        " {_OF_PREFIXES}),\n",
        " FROM gateway_prefix WHERE false),\n",
        (
            f"{LOOKED}::test_whatever_is_another_plan_is_another_version",
            f"{LOOKED}::test_a_probe_that_becomes_due_is_another_version",
            f"{LOOKED}::test_what_another_dialer_holds_and_lets_go_is_heeded_through_the_version_alone",
        ),
    ),
    Mutation(
        "what is held that others do not hear of",
        "calls that one dialer holds are dialled by all others, for as long as nothing else changes",
        "dialer/dispatch/plan_rows.py",
        " {_OF_BREAKERS}),\n",
        " FROM breaker WHERE false),\n",
        (
            f"{LOOKED}::test_whatever_is_another_plan_is_another_version",
            f"{LOOKED}::test_a_probe_that_becomes_due_is_another_version",
            f"{LOOKED}::test_what_another_dialer_holds_and_lets_go_is_heeded_through_the_version_alone",
        ),
    ),
    Mutation(
        "weights not heeded",
        "a tenant or campaign of weight 10 gets as many calls as one of weight 1",
        "dialer/dispatch/fair_share.py",
        "return self.weights.get(name, 1)",
        "return 1",
        (f"{SHARES}::{WEIGHED}", f"{SCHEDULER}::{EACH_SECOND}"),
    ),
    Mutation(
        "who is ahead may be next",
        "a campaign of weight 100 gets a hundred calls at a stretch, and the others nothing for a second",
        "dialer/dispatch/fair_share.py",
        "while self._early and (self._early[0][0] <= mean or not self._due):",
        "while self._early:",
        (f"{SHARES}::{WEIGHED}",),
    ),
    Mutation(
        "a batch of small groups",
        "of a campaign of great weight no more than a part of its share fits into a batch",
        "dialer/dispatch/dialled_campaign.py",
        "\nGROUP = 200\n",
        "\nGROUP = 50\n",
        (f"{SCHEDULER}::{EACH_SECOND}",),
    ),
    Mutation(
        "every dialer takes the whole slow start",
        "three dialers begin at three tenths of the rate",
        "dialer/dispatch/slow_start.py",
        " / max(1, self.dialers)",
        "",
        (f"{SLOW_STARTS}::test_it_begins_at_a_tenth_and_doubles_however_many_dialers_share_it",),
    ),
    Mutation(
        "doubled whatever the others saw",
        "a dialer that saw no refusal doubles the rate right after another saw one",
        "dialer/dispatch/ramps.py",
        "AND ramp.level = said.level\n    AND ramp.since <= now() - interval '{DOUBLES_AFTER} s'\n",
        "AND ramp.level = said.level\n",
        (f"{ROWS}::test_an_unhealthy_moment_that_one_dialer_saw_holds_up_all",),
    ),
    Mutation(
        "doubled twice",
        "dialers that look at the same moment each double the rate",
        "dialer/dispatch/ramps.py",
        " AND ramp.level = said.level\n    AND ramp.since <= now() - interval '{DOUBLES_AFTER} s'\n",
        "\n",
        (f"{ROWS}::test_of_dialers_that_double_one_level_at_once_one_does",),
    ),
    Mutation(
        "healthy without a call",
        "a campaign that nothing was dialled of for a minute starts at its full rate",
        "dialer/dispatch/slow_start.py",
        "return watch.placed and long_ago",
        "return long_ago",
        (f"{SLOW_STARTS}::test_a_level_at_which_nothing_was_placed_has_shown_nothing",),
    ),
    Mutation(
        "what was written is counted again",
        "each second of a campaign's pacing is told once more with the next",
        "dialer/dispatch/pace_counts.py",
        "        self._seconds = {at: found for at, found in self._seconds.items() if at >= second}\n",
        "",
        (f"{PACES}::test_each_second_is_said_once_when_it_is_over",),
    ),
    Mutation(
        "told of before the last call",
        "a campaign says that it is blocked right after another dialer dialled it",
        "dialer/dispatch/blocked_reasons.py",
        "CASE WHEN holds THEN reason END AS reason",
        "reason",
        (f"{ROWS}::test_nobody_is_blocked_for_longer_than_since_the_last_call_whoever_placed_it",),
    ),
    Mutation(
        "told at the next round",
        "a campaign goes on saying why it was not dialled for a second in which it is",
        "dialer/dispatch/blocked_reasons.py",
        "            self._stale.add(campaign_id)\n            self.gone.set()\n",
        "            self._stale.add(campaign_id)\n",
        (f"{REASONS}::test_the_first_decision_to_dial_has_the_row_written_at_once",),
    ),
)

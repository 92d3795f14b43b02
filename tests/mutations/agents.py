"""Mutations of: what is said of an answered call is true, and an agent that cannot run disturbs few."""

from __future__ import annotations

from tests.mutations.mutation import CLAIMS, Mutation

PROOFS = "tests/unit/freeswitch/test_action_proofs.py"
FAILURES = "tests/unit/simulator/test_agent_failures.py"
NODES = "tests/unit/dialer/test_nodes.py"
RESTS = "tests/unit/dialer/test_node_rests.py"
CALL_END = "tests/unit/dialer/test_call_end.py"
RETRIES = "tests/unit/campaigns/test_dispositions.py"
HOLDS = "tests/integration/dialer/test_agent_holds.py"
SHIPPER = "tests/unit/freeswitch/test_ship_cdrs.py"
INBOX = "tests/integration/dialer/test_cdr_inbox.py"
PINGS = "tests/integration/dialer/test_gateway_pings.py"
ALONE = "tests/unit/simulator/test_bridging.py"

TOLD = (
    Mutation(
        "heard nothing and answered",
        "whoever picked up and heard nothing is recorded as answered and never called again",
        "freeswitch/hangup.py",
        'if answer and _party(disposition) == "us" else None',
        "if False else None",
        (f"{FAILURES}::test_what_cannot_run_is_told_with_its_cause",),
    ),
    Mutation(
        "hung up first and called again",
        "who hangs up while an action fails is taken for somebody who heard nothing",
        "freeswitch/hangup.py",
        'if answer and _party(disposition) == "us" else None',
        "if answer else None",
        (f"{PROOFS}::test_who_hung_up_first_was_answered_whatever_the_action_would_have_done",),
    ),
    Mutation(
        "called and never sent",
        "a second leg that was busy counts as one whose INVITE never left, and the person is called again",
        "freeswitch/action_proofs.py",
        "return became if became in NEVER_SENT else None",
        "return became or None",
        (f"{PROOFS}::test_an_action_that_ran_or_whose_leg_was_sent_is_no_failure",),
    ),
    Mutation(
        "answered in spite of its agent",
        "a call whose answer was noted before its end counts as answered although its agent failed",
        "dialer/record/outcome_rows.py",
        "\n            AND seen.disposition IS DISTINCT FROM 'agent_failed' AS was_answered",
        " AS was_answered",
        (f"{CLAIMS}::test_an_answered_call_whose_agent_failed_gives_its_attempt_back_and_waits",),
    ),
    Mutation(
        "disturbed for ever",
        "a person whose agent keeps failing is called again and again",
        "campaigns/retry.py",
        "    if history.disturbed >= UNCOUNTED_BOUND[reason]:\n",
        "    if False:\n",
        (f"{RETRIES}::test_who_was_disturbed_for_nothing_is_not_charged_and_called_twice_more_at_most",),
    ),
    Mutation(
        "disturbed at once",
        "a person who picked up for nothing is called again within seconds",
        "campaigns/retry.py",
        """    delay = _with_jitter(float(history.retry_delay_seconds), jitter)
    return Next(ContactStatus.PENDING, disposition, counts=False""",
        """    delay = _with_jitter(FIRST_BACKOFF_SECONDS, jitter)
    return Next(ContactStatus.PENDING, disposition, counts=False""",
        (f"{RETRIES}::test_who_was_disturbed_for_nothing_is_not_charged_and_called_twice_more_at_most",),
    ),
    Mutation(
        "late and the person's",
        "who answered a node that stood still is recorded as somebody who did not",
        "dialer/record/call_end.py",
        "    late = _ran_late(hangup, most_seconds(call.ring_seconds))\n",
        "    late = False\n",
        (f"{CALL_END}::test_a_timer_that_ran_late_is_the_nodes_fault",),
    ),
    Mutation(
        "late and the person's by a record",
        "a record that comes late says of who answered a node that stood still that he did not",
        "dialer/record/call_end.py",
        "    late = hangup.originate_seconds is not None and _ran_late(hangup, hangup.originate_seconds)\n",
        "    late = False\n",
        (f"{CALL_END}::test_a_record_that_comes_late_says_so_too_by_the_limit_that_its_call_had",),
    ),
    Mutation(
        "without media and the person's",
        "a call that was picked up and that the node had no port for uses up an attempt",
        "campaigns/dispositions.py",
        'return evidence.cause == "INCOMPATIBLE_DESTINATION" and evidence.channel and own',
        "return False",
        (f"{RETRIES}::test_a_call_without_media_is_the_nodes_fault_unless_the_carrier_said_so",),
    ),
    Mutation(
        "never left and the person's",
        "a call that the node had no port for, and that never left, uses up an attempt",
        "campaigns/dispositions.py",
        'evidence.cause == "DESTINATION_OUT_OF_ORDER" and evidence.channel and not evidence.invited',
        "False",
        (f"{CALL_END}::test_a_node_whose_ports_are_used_up_has_refused_and_nobody_was_called",),
    ),
    Mutation(
        "picks up for nothing, one after the other",
        "a node without ports goes on calling the whole list",
        "dialer/dispatch/nodes.py",
        "for name in self._open() if not self._rested(name)}",
        "for name in self._open()}",
        (f"{NODES}::test_a_node_that_rests_is_offered_no_call_and_then_one_a_second",),
    ),
    Mutation(
        "one carrier's codecs rest every node",
        "a phone or a carrier without a codec in common keeps all tenants from dialling",
        "dialer/record/call_end.py",
        "return NO_CODEC if hangup.no_codec else NO_MEDIA",
        "return NO_MEDIA",
        (f"{CALL_END}::test_who_has_no_codec_in_common_is_told_so_and_disturbed_like_any_other",),
    ),
    Mutation(
        "tried with many",
        "a node that rested is tried with as many calls as fit, all of whom pick up for nothing",
        "dialer/dispatch/node_rests.py",
        "any(call.claimed_at >= found.until for call in up)",
        "False",
        (
            f"{RESTS}::test_one_call_tries_a_node_that_rested_and_twice_as_long_a_rest_follows_each_that_fails",
        ),
    ),
    Mutation(
        "completed by a late record",
        "a contact whose agent failed is completed by the record that says so",
        "dialer/record/cdr_correction.py",
        "held.answered AND held.disposition <> 'agent_failed' THEN",
        "held.answered THEN",
        (f"{INBOX}::test_a_late_record_of_an_agent_that_could_not_run_says_so_and_calls_nobody",),
    ),
    Mutation(
        "a record that is refused among others is deleted",
        "nobody ever sees what the service could not read",
        "freeswitch/conf/ship_cdrs.py",
        "self._settle(record, refused.get(place))",
        "self._settle(record, None)",
        (f"{SHIPPER}::test_what_waits_together_goes_together_and_refused_ones_are_kept_aside",),
    ),
    Mutation(
        "of records that come together one is no record",
        "the end of every call beside it is not heard",
        "api/routes/cdr.py",
        "            kept.append(_stored(record))\n        except ApiError as error:\n",
        "            kept.append(_stored(record))\n        except KeyError as error:\n",
        (
            "tests/integration/api/test_cdr.py::test_of_records_that_come_together_those_that_are_none_are_named",
        ),
    ),
)
HELD = (
    Mutation(
        "failing at the full rate",
        "a campaign whose agent fails goes on calling people for nothing",
        "dialer/dispatch/plan_rows.py",
        " OR agent.held_at IS NOT NULL",
        "",
        (f"{HOLDS}::test_five_failures_in_a_row_hold_the_campaigns_whoever_counted_them",),
    ),
    Mutation(
        "a success that nobody wrote down yet",
        "an agent that runs every second time is held: what ran is forgotten by the next that fails",
        "dialer/capacity/agent_breaker.py",
        "                if self._ran:\n",
        "                if not signs:\n",
        (f"{HOLDS}::test_one_that_ran_between_two_failures_counts_although_nobody_wrote_it_down_yet",),
    ),
    Mutation(
        "let go by one node of two",
        "a held agent goes on although calls still go to a node that cannot run it",
        "dialer/node_needs.py",
        "not any(missing(link, wanted, self.reaches) for link in links)",
        "not all(missing(link, wanted, self.reaches) for link in links)",
        (f"{HOLDS}::test_a_held_agent_goes_on_once_every_node_has_what_it_failed_for",),
    ),
    Mutation(
        "refused for one node of two",
        "a campaign cannot be started because one node could not run its agent",
        "campaigns/agent_needs.py",
        "return found if all(found.values()) else {}",
        "return found if any(found.values()) else {}",
        (
            "tests/unit/campaigns/test_agent_needs.py::test_only_where_every_node_lacks_something_can_none_run_it",
        ),
    ),
    Mutation(
        "kept in silence",
        "whom the host of a conference leaves stays alone in the room until the call's maximum",
        "freeswitch/applications.py",
        "return [_ROOM_TERMS, *watch, ",
        "return [_ROOM_TERMS, ",
        (
            f"{ALONE}::test_whom_the_host_of_a_room_leaves_is_let_go_with_the_message_and_the_host_is_never_got_out",
        ),
    ),
    Mutation(
        "kept by a queue",
        "whom an agent leaves in the moment of being joined stays in the queue until the call's maximum",
        "freeswitch/applications.py",
        "return [*kept, *watch, ",
        "return [*kept, ",
        (f"{ALONE}::test_who_is_in_a_queue_with_no_agent_and_no_timer_is_let_go_and_who_is_joined_stays",),
    ),
    Mutation(
        "back and not probed",
        "a carrier that answers pings again is left alone until the probe's own time, half an hour later",
        "dialer/capacity/gateway_pings.py",
        "self.now() - since < STEADY_SECONDS",
        "self.now() - since < 1e9",
        (f"{PINGS}::test_a_gateway_that_has_been_up_again_for_long_enough_is_probed_now",),
    ),
)

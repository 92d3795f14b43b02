"""Mutations of: no cap is exceeded, without Redis nothing is dialled, and no permit stays behind."""

from __future__ import annotations

from tests.mutations.mutation import (
    CAPS,
    DISPATCHER,
    EPOCH,
    LAPSES,
    LEASES,
    ORDERS,
    REPEATS,
    SENDER,
    Mutation,
)

EXCEEDED = (
    Mutation(
        "number cap dropped",
        "a number is called while another call to it is up",
        "limits/acquire.lua",
        "'number_cap', NUMBER_WAIT)",
        "'number_cap', NUMBER_WAIT)\n  number_slots.limit = -1",
        (f"{CAPS}::test_a_number_has_one_live_call_of_a_tenant_in_whichever_campaign",),
    ),
    Mutation(
        "concurrency cap off by one",
        "one call more than the cap is up",
        "limits/acquire.lua",
        "scope.limit < 0 or scope.used < scope.limit",
        "scope.limit < 0 or scope.used <= scope.limit",
        (f"{CAPS}::test_a_slot_cap_binds_until_a_call_ends",),
    ),
    Mutation(
        "window slides too early",
        "a rate holds for less than its window",
        "limits/acquire.lua",
        "redis.call('ZREMRANGEBYSCORE', key, '-inf', now - rate.window)",
        "redis.call('ZREMRANGEBYSCORE', key, '-inf', now - rate.window / 2)",
        ("tests/integration/limits/test_model.py::test_after_a_stall_every_second_holds_and_nobody_starves",),
    ),
    Mutation(
        "day's calls not counted",
        "the cap on a day's calls never binds",
        "limits/acquire.lua",
        "if job.calls >= 0 and calls >= job.calls then",
        "if false then",
        (f"{CAPS}::test_the_days_calls_stay_counted_after_they_ended",),
    ),
    Mutation(
        "lapsed permit used",
        "a call leaves under a permit of long ago, into another call's window",
        "dialer/send/sender.py",
        "if now >= permit_expires or not flight.unsent",
        "if not flight.unsent",
        (
            f"{SENDER}::test_a_call_whose_permit_lapsed_asks_again",
            f"{DISPATCHER}::test_a_lapsed_permit_is_asked_for_again_and_the_call_leaves_once",
        ),
    ),
    Mutation(
        "dials without a whole state",
        "a Redis that came back from its disk, with the last calls missing, counts as whole",
        "limits/common.lua",
        "  if string.sub(epoch, -#run) ~= run then\n    return nil\n  end\n",
        "",
        (f"{EPOCH}::test_a_state_that_came_back_from_a_disk_is_not_whole",),
    ),
    Mutation(
        "held slot swept",
        "a living dialer that could not renew its permits loses their slots while its calls are up",
        "limits/acquire.lua",
        "lapsed_in_use = lapsed_in_use or redis.call('HEXISTS', KEYS[5], id) == 1",
        "lapsed_in_use = false",
        (f"{LAPSES}::test_a_living_dialer_that_cannot_renew_keeps_its_slots",),
    ),
    Mutation(
        "epoch kept by a dialer without calls",
        "a Redis that is full refuses to renew permits, and nobody rebuilds the state",
        "limits/renew.lua",
        "redis.call('SET', KEYS[1], epoch, 'PX', job.epoch_life)",
        "redis.call('PEXPIRE', KEYS[1], job.epoch_life)",
        (f"{LAPSES}::test_a_redis_that_is_full_lets_nobody_keep_the_epoch",),
    ),
    Mutation(
        "rebuild forgets the day",
        "a limiter that is rebuilt starts the day's counts anew",
        "dialer/caps/reserve.py",
        "days=[DayUse(**row) for row in rows(_DAYS)],",
        "days=[],",
        (f"{ORDERS}::test_the_limiter_is_rebuilt_with_what_the_rows_know",),
    ),
    Mutation(
        "rebuild forgets the live calls",
        "a limiter that is rebuilt takes the calls that are up for none",
        "dialer/caps/reserve.py",
        "live=[LiveCall(**row) for row in rows(_LIVE)],",
        "live=[],",
        (f"{ORDERS}::test_the_limiter_is_rebuilt_with_what_the_rows_know",),
    ),
    Mutation(
        "rebuild before permits lapse",
        "a permit granted before Redis was emptied is used after the rebuild, uncounted",
        "limits/rebuild.py",
        "        time.sleep(PERMIT_LIFE + MARGIN)\n",
        "",
        (f"{EPOCH}::test_the_database_is_read_once_all_earlier_permits_have_lapsed",),
    ),
)

LEAKED = (
    Mutation(
        "permit not released",
        "the slots of a call that is over stay taken",
        "dialer/caps/permits.py",
        "            self._owing(partial(self._limiter.release, calls))\n",
        "            _ = calls\n",
        (
            "tests/unit/dialer/test_permits.py::test_a_redis_that_is_away_hears_of_sent_and_unsent_calls_all_the_same",
        ),
    ),
    Mutation(
        "unused permit kept",
        "the permit of a contact that another dialer claimed stays taken",
        "dialer/send/dispatcher.py",
        "            self.departures.limiter.give_back(unused)\n",
        "            pass\n",
        (f"{DISPATCHER}::test_only_what_the_claim_won_is_sent",),
    ),
    Mutation(
        "another's permit released",
        "a permit that an heir has taken over meanwhile is let go of by its former owner",
        "limits/settle.lua",
        "  if raw == item[2] then\n",
        "  if raw then\n",
        (f"{REPEATS}::test_a_permit_that_changes_hands_while_it_is_given_back_stays",),
    ),
    Mutation(
        "debt forgotten",
        "what could not be released while Redis was away is never released",
        "limits/debts.py",
        "                        self._owed.setdefault(debt.call_id, debt)\n",
        "                        pass\n",
        (f"{REPEATS}::test_what_cannot_be_released_is_released_later",),
    ),
    Mutation(
        "dead dialer's permits dropped",
        "the slots of a dead dialer's living calls are freed while the calls are up",
        "limits/limiter.py",
        "live = [call_id for call_id in call_ids if call_id in live_call_ids]",
        "live: list[str] = []; lost = call_ids",
        (f"{LEASES}::test_taking_over_keeps_live_calls_and_releases_the_others",),
    ),
)

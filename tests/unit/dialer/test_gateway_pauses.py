"""When a gateway is paused, when one destination of it, and when they are back; over any order of signs too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from dialer.capacity import gateway_pauses
from dialer.capacity.gateway_pauses import (
    FAULTS_THAT_PAUSE,
    SILENT_THAT_PAUSE,
    Gateway,
    Refusals,
    Silence,
    Standing,
    got_through,
    return_probe,
    take_probe,
)

NOW = datetime(2026, 1, 31, 9, tzinfo=UTC)
MINUTE = timedelta(seconds=60)


def refused(
    gateway: Gateway, prefix: str, calls: int = 1, at: datetime = NOW
) -> tuple[Gateway, tuple[str, ...]]:
    names = [f"{prefix} {n}" for n in range(calls)]
    seen = Refusals(prefix, calls, calls, names, at, "403 Forbidden")
    return gateway_pauses.refused(gateway, seen, at)


def unanswered(
    gateway: Gateway, prefix: str, calls: int = 1, at: datetime = NOW
) -> tuple[Gateway, tuple[str, ...]]:
    known = len(gateway.whole.silent) + len(gateway.prefix(prefix).silent)
    names = [f"{prefix} {known + n}" for n in range(calls)]
    return gateway_pauses.unanswered(gateway, Silence(prefix, names, names, names, "no response"), at)


def paused(gateway: Gateway) -> set[str]:
    whole = {"*"} if gateway.whole.paused_at is not None else set()
    return whole | {name for name, one in gateway.prefixes.items() if one.paused_at is not None}


def works(prefix: str, at: datetime = NOW, *, probe: bool = False) -> Callable[[Gateway], Gateway]:
    return lambda gateway: got_through(gateway, prefix, at, probe=probe)


def test_five_refusals_of_one_destination_pause_it_alone_where_others_get_through() -> None:
    gateway, given_back = refused(works("+1")(Gateway()), "+44", 5)
    assert paused(gateway) == {"+44"}
    assert gateway.prefix("+44").reason == "403 Forbidden"
    assert gateway.prefix("+44").probe_at == NOW + MINUTE
    assert given_back == tuple(f"+44 {n}" for n in range(5))
    # And they say nothing of the gateway any more.
    assert paused(refused(gateway, "+49")[0]) == {"+44"}


def test_four_pause_nothing() -> None:
    gateway, given_back = refused(works("+1")(Gateway()), "+44", 4)
    assert (paused(gateway), given_back) == (set(), ())


def test_refusals_across_destinations_pause_the_gateway() -> None:
    gateway = works("+1")(Gateway())
    for prefix in ("+44", "+1", "+49", "+44"):
        gateway, given_back = refused(gateway, prefix)
        assert (paused(gateway), given_back) == (set(), ())
    gateway, given_back = refused(gateway, "+1")
    assert (paused(gateway), gateway.alone) == ({"*"}, None)
    assert set(given_back) == {"+44 0", "+1 0", "+49 0"}


def test_what_got_through_long_ago_says_nothing_of_now() -> None:
    gateway = works("+1", NOW - MINUTE - timedelta(seconds=1))(Gateway())
    gateway, _ = refused(gateway, "+44", 5)
    assert (paused(gateway), gateway.alone) == ({"*"}, "+44")


def test_what_got_through_since_the_first_refusal_says_that_others_do_however_long_ago() -> None:
    gateway, _ = refused(Gateway(), "+44", 4)
    gateway = works("+1")(gateway)
    gateway, _ = refused(gateway, "+44", 1, NOW + 10 * MINUTE)
    assert paused(gateway) == {"+44"}


def test_a_call_elsewhere_probes_at_once_a_gateway_that_refused_one_destination_alone() -> None:
    gateway, _ = refused(Gateway(), "+44", 5)
    assert take_probe(gateway, "+44", NOW) is None
    probed = take_probe(gateway, "+1", NOW)
    assert probed is not None
    # Of all dialers one gets it, and the next waits for its time.
    assert take_probe(probed, "+1", NOW) is None
    back = works("+1", probe=True)(probed)
    assert paused(back) == {"+44"}
    assert back.prefix("+44").reason == "403 Forbidden"
    still, _ = refused(probed, "+1")
    assert paused(still) == {"*"}


def test_only_a_probe_ends_a_pause() -> None:
    gateway, _ = refused(works("+1")(Gateway()), "+44", 5)
    assert paused(works("+44")(gateway)) == {"+44"}
    assert paused(works("+1", probe=True)(gateway)) == {"+44"}
    assert paused(works("+44", probe=True)(gateway)) == set()
    whole, _ = refused(Gateway(), "+44", 5)
    assert paused(works("+44")(whole)) == {"*"}
    assert paused(works("+44", probe=True)(whole)) == set()


def test_probes_wait_longer_each_time_and_one_that_never_left_costs_nothing() -> None:
    gateway, _ = refused(works("+1")(Gateway()), "+44", 5)
    at, waits = NOW, []
    for _ in range(7):
        probe_at = gateway.prefix("+44").probe_at
        assert probe_at is not None
        assert take_probe(gateway, "+44", probe_at - timedelta(seconds=1)) is None
        waits.append((probe_at - at).total_seconds())
        at = probe_at
        taken = take_probe(gateway, "+44", at)
        assert taken is not None
        assert take_probe(return_probe(taken, "+44", at), "+44", at) == taken
        gateway = taken
    assert waits == [60, 120, 240, 480, 960, 1800, 1800]


def test_whose_call_left_before_the_pause_was_known_is_given_back_as_well() -> None:
    gateway, _ = refused(works("+1")(Gateway()), "+44", 5)
    after, given_back = refused(gateway, "+44", 2)
    assert given_back == ("+44 0", "+44 1")
    assert paused(after) == {"+44"}


def test_contacts_that_were_refused_before_say_nothing() -> None:
    seen = Refusals("+44", 0, 0, ["a"], NOW, "503")
    assert gateway_pauses.refused(Gateway(), seen, NOW) == (Gateway(), ())


class Pauses(RuleBasedStateMachine):
    """Two witnesses beside the decisions: who was refused in a row, and who is owed what he was charged."""

    def __init__(self) -> None:
        super().__init__()
        self.gateway, self.now, self.serial = Gateway(), NOW, 0
        self.row: list[str] = []
        self.owed: set[str] = set()
        self.given: list[str] = []

    @rule(seconds=st.integers(0, 120))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(prefix=st.sampled_from(["+1", "+44", "+49"]))
    def refuse(self, prefix: str) -> None:
        before = paused(self.gateway)
        self.serial += 1
        self.row.append(prefix)
        seen = Refusals(prefix, 1, 1, [str(self.serial)], self.now, "403")
        self.gateway, given = gateway_pauses.refused(self.gateway, seen, self.now)
        self.given += given
        new = paused(self.gateway) - before
        if "*" in new:
            # Five in a row, and nobody got through between them.
            assert len(self.row) >= FAULTS_THAT_PAUSE
        if new or before & {prefix, "*"}:
            assert str(self.serial) in self.given

    @rule(prefix=st.sampled_from(["+1", "+44", "+49"]), probe=st.booleans())
    def get_through(self, prefix: str, probe: bool) -> None:
        before = paused(self.gateway)
        if probe:
            taken = take_probe(self.gateway, prefix, self.now)
            if taken is None:
                return
            self.gateway = taken
        self.gateway = got_through(self.gateway, prefix, self.now, probe=probe)
        self.row = []
        after = paused(self.gateway)
        assert prefix not in after or not probe
        assert "*" not in after or not probe
        if not probe:
            assert before == after

    @invariant()
    def nobody_is_given_back_twice(self) -> None:
        assert len(self.given) == len(set(self.given))

    @invariant()
    def what_is_paused_will_be_probed(self) -> None:
        for one in (self.gateway.whole, *self.gateway.prefixes.values()):
            assert (one.paused_at is None) == (one.probe_at is None)


TestPauses = Pauses.TestCase


def test_a_standing_that_is_not_paused_has_no_probe() -> None:
    assert replace(Standing(), faults=3).probe_at is None


def test_ten_calls_that_nobody_responds_to_pause_a_gateway_and_all_of_them_come_back() -> None:
    gateway, back = unanswered(Gateway(), "+44", SILENT_THAT_PAUSE - 1)
    assert (paused(gateway), back) == (set(), ())
    gateway, back = unanswered(gateway, "+1")
    assert (paused(gateway), gateway.alone, gateway.whole.reason) == ({"*"}, None, "no response")
    assert len(back) == SILENT_THAT_PAUSE
    # What was up when it was known comes back as well, and so does each probe.
    assert unanswered(gateway, "+49", 2) == (gateway, ("+49 0", "+49 1"))


def test_silence_of_one_destination_pauses_it_alone_where_others_respond_meanwhile() -> None:
    gateway, _ = unanswered(Gateway(), "+44", SILENT_THAT_PAUSE - 1)
    gateway, back = unanswered(works("+1", NOW + MINUTE)(gateway), "+44")
    assert paused(gateway) == {"+44"}
    assert len(back) == SILENT_THAT_PAUSE
    assert gateway.whole.silent == ()


def test_others_that_responded_before_the_silence_began_say_nothing_of_now() -> None:
    gateway, _ = unanswered(works("+1", NOW - timedelta(seconds=1))(Gateway()), "+44", SILENT_THAT_PAUSE)
    assert (paused(gateway), gateway.alone) == ({"*"}, "+44")
    # The first call to another destination may try it, and where it gets through the pause is that one's alone.
    assert take_probe(gateway, "+1", NOW) is not None
    assert paused(works("+1", probe=True)(gateway)) == {"+44"}


def test_a_response_begins_the_count_anew_and_a_ring_of_long_ago_does_not() -> None:
    gateway, _ = unanswered(Gateway(), "+44", SILENT_THAT_PAUSE - 1)
    rang_before = got_through(gateway, "+44", NOW, probe=False, alive=False)
    assert paused(unanswered(rang_before, "+44")[0]) == {"*"}
    assert paused(unanswered(works("+44")(gateway), "+44")[0]) == set()


def test_refusals_and_silence_are_counted_apart() -> None:
    gateway, _ = unanswered(Gateway(), "+44", SILENT_THAT_PAUSE - 1)
    gateway, _ = refused(gateway, "+44", FAULTS_THAT_PAUSE - 1)
    assert paused(gateway) == set()
    assert paused(unanswered(gateway, "+44")[0]) == {"*"}

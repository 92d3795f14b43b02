"""What is said of each campaign and second: all that was asked for, once, and nothing of those that are idle."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from dialer.dispatch.pace_counts import AGAIN_SECONDS, KEPT_SECONDS, PaceCounts, PaceRow
from tests.unit.dialer.dispatch_rig import World, many_plans
from tests.unit.dialer.factories import CAMPAIGN, make_plan

A, B = "a", "b"
EPOCH = 1_700_000_000


class Log:
    """Counts by a clock of the test, and what was written of them."""

    def __init__(self) -> None:
        self.clock = 5.25
        self.counts = PaceCounts(lambda: self.clock)
        self.live: dict[str, int] = {}
        self.words: dict[str, str] = {}
        self.kept: list[PaceRow] = []

    def write(self, *campaigns: str, lost: bool = False) -> list[PaceRow]:
        if self.counts.offset is None:
            # The database is at a whole second.
            self.counts.offset = EPOCH - self.clock
        found = self.counts.rows(campaigns, lambda name: self.live.get(name, 0), self.words.get)
        if not lost:
            self.counts.written(found, campaigns)
            self.kept += found
        return found


def test_each_second_is_said_once_when_it_is_over() -> None:
    log = Log()
    assert log.write(A) == []
    log.counts.note(A, 3, 2, "gateway_cps")
    log.counts.note(A, 2, 2, None)
    assert log.write(A) == []
    log.clock += 1.0
    log.live[A] = 4
    log.counts.note(A, 7, 7, None)
    assert log.write(A) == [PaceRow(A, EPOCH, 5, 4, 4, None)]
    assert log.write(A) == []
    log.clock += 1.0
    assert log.write(A) == [PaceRow(A, EPOCH + 1, 7, 7, 4, None)]


def test_what_was_counted_before_the_databases_clock_was_known_is_not_lost() -> None:
    log = Log()
    log.counts.note(A, 3, 2, None)
    log.write(A)
    log.clock += 1.0
    assert log.write(A) == [PaceRow(A, EPOCH, 3, 2, 0, None)]


def test_what_is_idle_says_nothing() -> None:
    log = Log()
    for _ in range(200):
        log.clock += 1.0
        log.write(A, B)
    assert log.kept == []


def test_calls_in_progress_are_said_each_second_though_nothing_is_offered() -> None:
    log = Log()
    log.live[A] = 2
    log.write(A, B)
    for _ in range(5):
        log.clock += 1.0
        log.write(A, B)
    assert [
        (row.campaign_id, row.second - EPOCH, row.live_calls) for row in log.kept if row.second >= EPOCH
    ] == [(A, second, 2) for second in range(5)]


def test_a_word_that_holds_is_said_when_it_comes_every_minute_and_when_it_goes() -> None:
    log = Log()
    log.write(A)
    log.words[A] = "no_node"
    for _ in range(2 * AGAIN_SECONDS + 10):
        log.clock += 1.0
        log.write(A)
    del log.words[A]
    for _ in range(10):
        log.clock += 1.0
        log.write(A)
    assert [(row.second - EPOCH, row.cap) for row in log.kept] == [
        (0, "no_node"),
        (AGAIN_SECONDS, "no_node"),
        (2 * AGAIN_SECONDS, "no_node"),
        (2 * AGAIN_SECONDS + 10, None),
    ]


def test_what_could_not_be_written_is_written_with_the_next_and_not_for_ever() -> None:
    log = Log()
    log.write(A)
    log.counts.note(A, 1, 1, None)
    log.clock += 1.0
    assert len(log.write(A, lost=True)) == 1
    log.counts.note(A, 2, 2, None)
    log.clock += 1.0
    assert [row.offered for row in log.write(A, lost=True)] == [1, 2]
    assert [row.offered for row in log.write(A)] == [1, 2]
    log.counts.note(A, 3, 3, None)
    log.clock += KEPT_SECONDS + 1
    assert log.write(A) == []
    log.clock -= KEPT_SECONDS
    assert log.write(A) == [], "it is kept no longer, whatever the clock says then"


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 2.5), st.sampled_from([A, B]), st.integers(0, 5), st.booleans(), st.booleans()
        ),
        max_size=40,
    )
)
def test_all_that_was_asked_for_is_said_once_whenever_rounds_come(
    moments: list[tuple[float, str, int, bool, bool]],
) -> None:
    log, noted = Log(), Counter[str]()
    for seconds, campaign_id, offered, written, lost in moments:
        log.clock += seconds
        log.counts.note(campaign_id, offered, offered, None)
        noted[campaign_id] += offered
        if written:
            log.write(A, B, lost=lost)
    if log.counts.offset is None:
        log.write(A, B)
    log.clock += 1.0
    log.write(A, B)
    said = Counter[str]()
    for row in log.kept:
        said[row.campaign_id] += row.offered
    assert +said == +noted
    assert len({(row.campaign_id, row.second) for row in log.kept}) == len(log.kept)


# In the scheduler.


def said(world: World) -> list[PaceRow]:
    """What is said of all that was counted, a second later."""
    counts, clock = world.scheduler.pace, EPOCH
    counts.now, counts.offset = lambda: clock, 0.0

    def rows() -> list[PaceRow]:
        return counts.rows(world.plans.keys(), lambda _campaign: 0, lambda _campaign: None)

    assert rows() == []
    clock += 1
    return rows()


def test_each_batch_is_counted_with_what_it_asked_for_and_got_and_the_cap_that_bound() -> None:
    world = World()
    room = [3]

    def answer(_request: object) -> str | None:
        room[0] -= 1
        return None if room[0] >= 0 else "gateway_cps"

    world.answer = answer
    world.run(make_plan(), contacts=50)
    world.step()
    (counted,) = said(world)
    assert (counted.offered, counted.admitted, counted.cap) == (4, 3, "gateway_cps")
    # While calls leave the campaign is not blocked, and what binds it is told here all the same.
    assert world.words == [None]


def test_a_campaign_that_is_not_looked_at_counts_nothing() -> None:
    world = World()
    world.run(*many_plans(5), contacts=0)
    world.run(make_plan())
    for _ in range(20):
        world.step(0.05)
    assert {row.campaign_id for row in said(world)} == {CAMPAIGN}

"""How many calls may be under way: as many as are shown within the time that it takes, and never a flood."""

from __future__ import annotations

from dialer.dispatch.claim_window import FORGET_SECONDS, RATE_SECONDS, ClaimWindow
from dialer.live_calls import LiveCall
from tests.unit.dialer.factories import call_id, make_call

PATIENCE = 0.1
FLOOR = 16


def calls(count: int, now: float, **changes: object) -> list[LiveCall]:
    return [make_call(call_id=call_id(), claimed_at=now, **changes) for _ in range(count)]


def send(them: list[LiveCall], now: float) -> None:
    for call in them:
        assert call.write(now, None)


def show(them: list[LiveCall]) -> None:
    for call in them:
        call.show()


def test_who_begins_may_have_a_few_under_way() -> None:
    window = ClaimWindow(FLOOR)
    assert window.room(0.0, PATIENCE) == FLOOR
    window.claimed(calls(FLOOR, 0.0), 0.0)
    assert window.room(0.01, PATIENCE) == 0


def test_a_call_that_was_shown_makes_room_and_one_that_ended_unshown_does() -> None:
    window = ClaimWindow(FLOOR)
    them = calls(FLOOR, 0.0)
    window.claimed(them, 0.0)
    send(them, 0.0)
    show(them[:5])
    for call in them[5:8]:
        call.end()
    assert window.room(0.01, PATIENCE) == 8


def test_so_many_are_under_way_as_are_shown_within_the_time_of_one() -> None:
    """A process that shows 400 a second, whose turns are 50 ms ahead."""
    window = ClaimWindow(FLOOR)
    for step in range(10):
        them = calls(20, step * 0.05)
        window.claimed(them, 0.05)
        send(them, step * 0.05)
        show(them)
        assert window.room(step * 0.05 + 0.04, PATIENCE) > 0
    assert window.room(0.5, PATIENCE) == round(200 / RATE_SECONDS * (0.05 + PATIENCE))


def test_where_each_is_shown_in_time_the_window_grows_and_where_they_wait_it_stays() -> None:
    """Shown within 20 ms of its claim each, or never more than 300 a second."""
    for per_second, grown in ((10_000, True), (300, False)):
        window, now, waiting, sizes = ClaimWindow(FLOOR), 0.0, list[LiveCall](), list[int]()
        for _ in range(200):
            now += 0.02
            done = round(per_second * 0.02)
            send(waiting[:done], now)
            show(waiting[:done])
            del waiting[:done]
            room = min(200, window.room(now, PATIENCE))
            them = calls(room, now)
            window.claimed(them, 0.0)
            waiting += them
            sizes.append(len(waiting))
        assert (max(sizes) == 200) is grown
        if not grown:
            # What waits is done within the patience that a report has, and one step.
            assert max(sizes[50:]) <= per_second * (PATIENCE + 0.02)


def test_few_free_places_are_not_worth_a_claim() -> None:
    window = ClaimWindow(FLOOR)
    them = calls(FLOOR, 0.0)
    window.claimed(them, 0.0)
    send(them, 0.0)
    show(them[:3])
    assert window.room(0.01, PATIENCE) == 0
    show(them[3:4])
    assert window.room(0.03, PATIENCE) == 4


def test_a_call_that_waits_for_its_node_takes_no_room() -> None:
    """A node across an ocean shows a call after 150 ms: until then nothing is up to this process."""
    window = ClaimWindow(FLOOR)
    first = calls(FLOOR, 0.0)
    window.claimed(first, 0.0)
    send(first, 0.0)
    show(first)
    assert window.room(0.15, PATIENCE) == FLOOR
    second = calls(FLOOR, 1.0)
    window.claimed(second, 0.0)
    send(second, 1.0)
    assert window.room(1.1, PATIENCE) == FLOOR
    assert window.room(1.2, PATIENCE) == 0


def test_a_node_that_never_answers_holds_the_others_up_for_no_longer_than_a_second() -> None:
    window = ClaimWindow(FLOOR)
    window.claimed(calls(FLOOR, 0.0), 0.0)
    assert window.room(FORGET_SECONDS - 0.01, PATIENCE) == 0
    assert window.room(FORGET_SECONDS, PATIENCE) == FLOOR

"""What happens around the dialers in the model: processes die, time passes, the node acts; and what must hold."""

from __future__ import annotations

from collections.abc import Iterator

from tests.unit.model.state import FLYING, PENDING, Dialer, State, with_dialer


def fate(state: State, who: int, dialer: Dialer) -> Iterator[tuple[str, State]]:
    name = "AB"[who]
    if dialer.life == "runs":
        if state.deaths:
            dead = Dialer(life="dead", lock=False, hears=frozenset())
            yield f"{name} is killed", with_dialer(state._replace(deaths=state.deaths - 1), who, dead)
            vanished = dead._replace(lock=True)
            yield (
                f"{name}'s host vanishes",
                with_dialer(state._replace(deaths=state.deaths - 1), who, vanished),
            )
        if state.stops:
            stopped = dialer._replace(life="stopped", slept=dialer.at == "guarded")
            yield f"{name} is stopped", with_dialer(state._replace(stops=state.stops - 1), who, stopped)
        return
    if dialer.lease:
        yield f"{name}'s lease lapses", with_dialer(state, who, dialer._replace(lease=False))
    elif dialer.lock and dialer.at != "guarded":
        yield f"{name}'s lock goes", with_dialer(state, who, dialer._replace(lock=False))
    if dialer.life == "stopped":
        yield f"{name} wakes", with_dialer(state, who, dialer._replace(life="runs"))


def time_passes(state: State) -> Iterator[tuple[str, State]]:
    """Time passes, for everybody. Nothing sits in a buffer for longer than a moment, and no lease outlives a stop."""
    if state.frames or any(_hurries(dialer) for dialer in state.dialers):
        return
    first, second = (_older(dialer, bool(state.events)) for dialer in state.dialers)
    if (first, second) != state.dialers:
        yield "time passes", state._replace(dialers=(first, second))


def _older(dialer: Dialer, words_to_come: bool) -> Dialer:
    flight = dialer.flight
    if flight is None or dialer.life == "dead":
        return dialer
    gone = 1 if flight.gone == 0 and not words_to_come else flight.gone
    return dialer._replace(flight=flight._replace(age=min(2, flight.age + 1), gone=gone))


def _hurries(dialer: Dialer) -> bool:
    """Whether no time passes before it has done more: its lease runs, or it is between its guard and the socket."""
    return (dialer.life == "runs" and dialer.at == "guarded") or (dialer.life != "runs" and dialer.lease)


def node(state: State) -> Iterator[tuple[str, State]]:
    for frame in state.frames:
        sender, call = frame
        left = state._replace(frames=state.frames - {frame})
        if state.alive == call:
            yield f"the node refuses {call}", left._replace(events=state.events | {(sender, call, "refused")})
            continue
        if state.alive >= 0:
            yield f"the node dials {call}", left._replace(wrong="somebody has two calls at once")
            continue
        times = tuple(n + (name == call) for name, n in enumerate(state.executed))
        yield (
            f"the node dials {call}",
            left._replace(
                alive=call, alive_by=sender, executed=times, events=state.events | {(sender, call, "created")}
            ),
        )
    if state.alive >= 0:
        ended = (state.alive_by, state.alive, "ended")
        yield (
            f"{state.alive} ends",
            state._replace(
                alive=-1, alive_by=-1, marks=state.marks | {state.alive}, events=state.events | {ended}
            ),
        )
    for event in state.events:
        if not any(event[0] in dialer.hears for dialer in state.dialers if dialer.life != "dead"):
            yield f"nobody hears {event[2]} of {event[1]}", state._replace(events=state.events - {event})


def check(state: State) -> str | None:
    """What is wrong with a state; None where every invariant holds."""
    if state.wrong is not None:
        return state.wrong
    if any(times > 1 for times in state.executed):
        return "somebody was called twice for one attempt"
    if state.attempts > state.retries + 1:
        return "more attempts than there may be"
    row = state.row
    if row is not None and row.open:
        if state.contact not in FLYING:
            return f"a call is open and its contact is {state.contact}"
    elif state.contact in FLYING:
        return "a contact is in flight without a call"
    if state.alive >= 0 and (row is None or row.call != state.alive):
        return "a call is up that no row knows"
    held = {call for call, _ in state.permits}
    at_the_switch = {call for _, call in state.frames} | ({state.alive} - {-1})
    seen = {row.call} if row is not None and row.open and row.seen else set()
    if not (at_the_switch | seen) - state.past <= held:
        return "a call is up and holds no permit"
    return None


def is_done(state: State) -> bool:
    """Whether everybody is settled, and nothing is left anywhere."""
    settled = state.contact not in FLYING and (state.contact is not PENDING or state.calls == state.most)
    idle = all(
        d.life == "dead" or (d.flight is None and d.report is None and d.at == "") for d in state.dialers
    )
    return settled and idle and not state.permits and not state.frames and state.alive < 0

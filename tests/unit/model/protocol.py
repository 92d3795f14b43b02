"""The protocol of one call as a model: permit, claim, guard, frame, events, settlement, adoption, with two dialers.

One contact, one node. Dialers die, are stopped and wake, messages wait as long as they like, come twice and out of
order, and the campaign may be paused. What is decided is decided by the product itself: `decide` for what recovery
does, `after_call` for what follows a call, and the tables of the states. `Order` says which rules of the product
are left out, so that a test can see each of them missed.

Assumed, as the product assumes it: a node carries out what sits in its buffer within 5 s of its sender's end, and a
process that is stopped between its guard and the socket keeps its session lock.
"""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.dispositions import Disposition
from campaigns.lifecycle_table import LIFECYCLE, Action
from dialer.recovery.resend_or_close import RecoveryAction
from models import CampaignStatus, ContactStatus
from tests.unit.model.state import (
    PENDING,
    Asked,
    Dialer,
    Flight,
    Order,
    Report,
    Row,
    State,
    answer_about,
    following,
    may_send,
    move,
    release,
    verdict,
    with_dialer,
)
from tests.unit.model.surroundings import fate, node, time_passes


class Protocol:
    """The steps that may come next from a state, without the rules in `wrong`."""

    def __init__(self, *wrong: Order) -> None:
        self._wrong = frozenset(wrong)

    def steps(self, state: State) -> Iterator[tuple[str, State]]:
        """Every step that anybody can make, with its name."""
        for who, dialer in enumerate(state.dialers):
            if dialer.life == "runs":
                for label, after in self._runs(state, who, dialer):
                    yield f"{'AB'[who]}: {label}", after
            yield from fate(state, who, dialer)
        yield from node(state)
        yield from time_passes(state)
        yield from self._campaign(state)

    def _without(self, order: Order) -> bool:
        return order in self._wrong

    def _runs(self, state: State, who: int, dialer: Dialer) -> Iterator[tuple[str, State]]:
        yield from self._sends(state, who, dialer)
        yield from self._hears(state, who, dialer)
        yield from self._records(state, who, dialer)
        if dialer.flight is not None and dialer.at == "" and dialer.report is None:
            yield from self._asks(state, who, dialer, dialer.flight)
        other = state.dialers[1 - who]
        takes = not other.lease and other.life != "runs" and not self._without(Order.NOT_ADOPTED)
        if (
            takes
            and state.row is not None
            and dialer.flight is None
            and dialer.report is None
            and dialer.at == ""
        ):
            yield from self._adopts(state, who, dialer)
        elif takes and any(owner == 1 - who for _, owner in state.permits):
            yield "takes over permits", self._take_permits(state, who)

    # From the permit to the frame.

    def _sends(self, state: State, who: int, dialer: Dialer) -> Iterator[tuple[str, State]]:
        if dialer.at == "":
            idle = dialer.flight is None and dialer.report is None and may_send(dialer)
            if idle and state.contact is PENDING and state.calls < state.most and not dialer.holds:
                permits = state.permits | {(state.calls, who)}
                at = dialer._replace(at="permit", call=state.calls)
                yield (
                    "gets a permit",
                    with_dialer(state._replace(permits=permits, calls=state.calls + 1), who, at),
                )
        elif dialer.at == "permit":
            if self._without(Order.COMMIT_AFTER_SEND):
                frames = state.frames | {(who, dialer.call)}
                yield "sends, then claims", self._claim(state._replace(frames=frames), who, dialer, at="")
                yield (
                    "sends",
                    with_dialer(state._replace(frames=frames), who, dialer._replace(at="late claim")),
                )
            else:
                yield "claims", self._claim(state, who, dialer, at="claimed")
        elif dialer.at == "late claim":
            yield "claims", self._claim(state, who, dialer, at="")
        elif dialer.at == "claimed":
            yield self._guard(state, who, dialer)
        else:
            yield "writes", self._write(state, who, dialer)

    def _claim(self, state: State, who: int, dialer: Dialer, *, at: str) -> State:
        runs = state.campaign is CampaignStatus.RUNNING
        free = state.contact is PENDING or self._without(Order.NO_CLAIM_CHECK)
        if not (runs and free):
            back = state._replace(permits=state.permits - {(dialer.call, who)})
            return with_dialer(back, who, dialer._replace(at="", call=-1))
        claimed = move(state, ContactStatus.ORIGINATED)._replace(
            attempts=state.attempts + 1, row=Row(dialer.call, who, who)
        )
        flight = Flight(dialer.call, sent=at == "")
        return with_dialer(claimed, who, dialer._replace(at=at, call=-1, flight=flight))

    def _guard(self, state: State, who: int, dialer: Dialer) -> tuple[str, State]:
        flight = dialer.flight
        if flight is None:
            return "finds its call over", with_dialer(state, who, dialer._replace(at=""))
        unsent = not (flight.sent or flight.seen)
        lease = may_send(dialer) or self._without(Order.NO_LEASE_AT_GUARD)
        if unsent and lease and not dialer.holds and dialer.report is None:
            return "passes the guard", with_dialer(
                state, who, dialer._replace(at="guarded", flight=flight._replace(sent=True))
            )
        if unsent and dialer.report is None:
            report = Report(flight.call, None, fact=False, unsent=True)
            return "withdraws", with_dialer(state, who, dialer._replace(at="", report=report))
        return "leaves it", with_dialer(state, who, dialer._replace(at=""))

    def _write(self, state: State, who: int, dialer: Dialer) -> State:
        flight = dialer.flight
        call = flight.call if flight is not None else -1
        if dialer.slept:
            state = state._replace(past=state.past | {call})
        elif state.row is None or state.row.call != call or not state.row.open:
            state = state._replace(wrong="a frame leaves for a call that is not open")
        if state.answered and who not in state.excused:
            state = state._replace(wrong="a frame leaves after a pause was answered")
        again = dialer._replace(at="", slept=False, flight=flight and flight._replace(age=0))
        return with_dialer(state._replace(frames=state.frames | {(who, call)}), who, again)

    # What the switch says.

    def _hears(self, state: State, who: int, dialer: Dialer) -> Iterator[tuple[str, State]]:
        for event in state.events:
            sender, call, kind = event
            if sender not in dialer.hears:
                continue
            for again in (False, True):
                left = state if again else state._replace(events=state.events - {event})
                label = f"hears {kind} of {call}" + (", and will again" if again else "")
                yield label, self._fold(left, who, dialer, call, kind)

    def _fold(self, state: State, who: int, dialer: Dialer, call: int, kind: str) -> State:
        flight = dialer.flight
        applied_twice = self._without(Order.NO_END_CHECK) and kind == "ended" and dialer.report is None
        if flight is None or flight.call != call:
            if applied_twice:
                report = Report(call, Disposition.BUSY, fact=True)
                return with_dialer(state, who, dialer._replace(report=report))
            return state
        if dialer.report is not None and not (dialer.report.unsent and not dialer.report.committed):
            return state
        if kind == "created":
            seen = dialer._replace(flight=flight._replace(seen=True, age=0), report=None)
            row = state.row
            if row is not None and row.call == call and row.open:
                state = state._replace(row=row._replace(seen=True))
            return with_dialer(state, who, seen)
        if kind == "ended":
            return with_dialer(state, who, dialer._replace(report=Report(call, Disposition.BUSY, fact=True)))
        if flight.seen or flight.repeated:
            return state
        refused = Report(call, Disposition.CONGESTION, fact=True, refused=True)
        return with_dialer(state, who, dialer._replace(report=refused))

    # Into the database, and what follows.

    def _records(self, state: State, who: int, dialer: Dialer) -> Iterator[tuple[str, State]]:
        report = dialer.report
        if report is None:
            return
        if not report.committed:
            early = release(state, report.call)
            if early != state and self._without(Order.RELEASE_BEFORE_COMMIT):
                yield "frees the slot", early
                return
            yield "commits an end", self._commit(state, who, dialer, report)
            return
        after = dialer._replace(report=None)
        if after.flight is not None and after.flight.call == report.call:
            after = after._replace(flight=None, asked=None)
        released = report.over and not self._without(Order.NOT_RELEASED)
        yield "follows it up", with_dialer(release(state, report.call) if released else state, who, after)

    def _commit(self, state: State, who: int, dialer: Dialer, report: Report) -> State:
        row = state.row
        mine = row is not None and row.call == report.call
        is_open = mine and row is not None and row.open
        owns = row is not None and (row.owner == who or self._without(Order.ANYBODY_DECIDES))
        unseen = row is not None and not row.seen
        allowed = report.fact or (owns and (not report.unsent or unseen))
        over = not is_open
        if (is_open or (self._without(Order.NO_END_CHECK) and report.fact)) and allowed:
            state, over = self._end(state, report), True
        return with_dialer(state, who, dialer._replace(report=report._replace(committed=True, over=over)))

    def _end(self, state: State, report: Report) -> State:
        if report.disposition is None:
            to, counts = PENDING, False
        else:
            after = following(report.disposition, state.attempts, state.free, state.retries, report.refused)
            to, counts = after.status, after.counts
        if report.unsent and state.executed[report.call]:
            state = state._replace(wrong="a call that was placed is taken back as never sent")
        if report.refused and state.alive == report.call:
            state = state._replace(wrong="a call that is up is closed as refused")
        ended = move(state, to)._replace(
            attempts=state.attempts - (not counts), free=state.free + report.refused
        )
        row = ended.row
        return ended._replace(row=row and row._replace(open=row.open and row.call != report.call))

    # Recovery.

    def _asks(self, state: State, who: int, dialer: Dialer, flight: Flight) -> Iterator[tuple[str, State]]:
        if not flight.sent and not flight.adopted:
            return
        first, second = ("mark", "channel") if self._without(Order.MARK_FIRST) else ("channel", "mark")
        if self._without(Order.NO_QUESTION):
            yield "assumes that it was never seen", self._act(state, who, dialer, flight, "never", None)
        elif dialer.asked is None:
            asked = Asked(answer_about(state, flight.call, first), flight.age, flight.gone)
            yield f"asks for the {first}", with_dialer(state, who, dialer._replace(asked=asked))
        else:
            asked = dialer.asked
            said = asked.said if asked.said != "no" else answer_about(state, flight.call, second)
            answer = {"no": "never", "yes": "lived"}.get(said, said)
            yield (
                f"asks for the {second}",
                self._act(state, who, dialer._replace(asked=None), flight, answer, asked),
            )

    def _act(  # noqa: PLR0917
        self, state: State, who: int, dialer: Dialer, flight: Flight, answer: str, asked: Asked | None
    ) -> State:
        row = state.row
        sender = row.sent_by if row is not None and row.call == flight.call else who
        dead = not state.dialers[sender].lock or self._without(Order.REPEAT_BEFORE_DEATH)
        then = flight
        if asked is not None and not self._without(Order.AGE_AFTER_QUESTION):
            then = flight._replace(age=min(asked.age, flight.age), gone=min(asked.gone, flight.gone))
        does, gone = verdict(then, answer, sender == who, dead, self._without(Order.REPEAT_AT_ONCE))
        if answer == "alive":
            flight = flight._replace(seen=True, sent=True, gone=-1)
            if row is not None and row.call == flight.call and row.open:
                state = state._replace(row=row._replace(seen=True))
        elif gone and flight.gone < 0:
            flight = flight._replace(gone=0)
        dialer = dialer._replace(flight=flight)
        if does.act is RecoveryAction.CLOSE:
            report = Report(flight.call, does.disposition, fact=False, refused=does.no_channel)
            dialer = dialer._replace(report=report)
        elif does.act is RecoveryAction.RESEND:
            return self._repeat(state, who, dialer, flight)
        return with_dialer(state, who, dialer)

    def _repeat(self, state: State, who: int, dialer: Dialer, flight: Flight) -> State:
        row = state.row
        if dialer.holds or not may_send(dialer):
            report = Report(flight.call, None, fact=False, unsent=True)
            return with_dialer(state, who, dialer._replace(report=report))
        if row is None or row.call != flight.call or row.owner != who or row.seen or not row.open:
            return with_dialer(state, who, dialer)
        flight = flight._replace(sent=False, repeated=True, age=0)
        permits = {held for held in state.permits if held[0] != flight.call} | {(flight.call, who)}
        state = state._replace(row=row._replace(sent_by=who), permits=frozenset(permits))
        return with_dialer(state, who, dialer._replace(at="claimed", flight=flight))

    # Adoption: filters, then permits, then rows.

    def _adopts(self, state: State, who: int, dialer: Dialer) -> Iterator[tuple[str, State]]:
        row = state.row
        assert row is not None
        if not (row.open and row.owner == 1 - who):
            if any(owner == 1 - who for _, owner in state.permits):
                yield "takes over permits", self._take_permits(state, who)
            return
        if not {1 - who, row.sent_by} <= dialer.hears:
            yield (
                "sets filters",
                with_dialer(state, who, dialer._replace(hears=dialer.hears | {1 - who, row.sent_by})),
            )
        elif any(owner == 1 - who for _, owner in state.permits):
            yield "takes over permits", self._take_permits(state, who)
        else:
            flight = Flight(row.call, sent=row.seen, seen=row.seen, adopted=True)
            taken = state._replace(row=row._replace(owner=who))
            yield "adopts", with_dialer(taken, who, dialer._replace(flight=flight, asked=None))

    def _take_permits(self, state: State, who: int) -> State:
        row = state.row
        left = set(state.permits)
        for call, owner in state.permits:
            if owner == who:
                continue
            left.discard((call, owner))
            lives = row is not None and row.call == call and row.open
            if lives and not self._without(Order.HEIR_DROPS_PERMITS):
                left.add((call, who))
        return state._replace(permits=frozenset(left))

    # The campaign.

    def _campaign(self, state: State) -> Iterator[tuple[str, State]]:
        table = LIFECYCLE[state.campaign]
        if state.pauses and table[Action.PAUSE] is CampaignStatus.PAUSED:
            yield (
                "the campaign is paused",
                state._replace(campaign=CampaignStatus.PAUSED, pauses=state.pauses - 1),
            )
        if state.campaign is not CampaignStatus.PAUSED:
            return
        if state.answered:
            dialers = tuple(dialer._replace(holds=False, acked=False) for dialer in state.dialers)
            resumed = state._replace(campaign=CampaignStatus.RUNNING, answered=False, excused=frozenset())
            yield "the campaign is resumed", resumed._replace(dialers=(dialers[0], dialers[1]))
            return
        for who, dialer in enumerate(state.dialers):
            if dialer.life == "runs" and not dialer.acked:
                if not dialer.holds:
                    early = self._without(Order.ACK_BEFORE_HOLD)
                    yield (
                        f"{'AB'[who]}: holds",
                        with_dialer(state, who, dialer._replace(holds=True, acked=early)),
                    )
                    if early:
                        yield f"{'AB'[who]}: says so", with_dialer(state, who, dialer._replace(acked=True))
                elif dialer.at != "guarded" or self._without(Order.ACK_DURING_WRITE):
                    yield f"{'AB'[who]}: says so", with_dialer(state, who, dialer._replace(acked=True))
        if all(dialer.acked or not dialer.lease or dialer.life == "dead" for dialer in state.dialers):
            excused = frozenset(
                who
                for who, dialer in enumerate(state.dialers)
                if dialer.life == "stopped" and dialer.at == "guarded"
            )
            yield "the pause is answered", state._replace(answered=True, excused=excused)


def after(start: State, *labels: str) -> State:
    """The state to which these steps of the product lead."""
    protocol = Protocol()
    for label in labels:
        start = dict(protocol.steps(start))[label]
    return start

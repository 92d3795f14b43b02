"""What the model of the protocol is made of: the state, and the product's own decisions about it."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import NamedTuple

from campaigns.dispositions import Disposition
from campaigns.retry import History, Next, after_call
from dialer.live_calls import LiveState
from dialer.recovery.resend_or_close import Answer, Verdict, decide, is_gone
from freeswitch.events import LiveChannel
from models import CONTACT_TRANSITIONS, CampaignStatus, ContactStatus
from tests.unit.dialer.factories import make_call

MOST_CALLS = 2
NOW = 10_000.0
AGES = (1.0, 7.0, 200.0)
"""How long ago something was: a moment, longer than a buffer holds a frame, longer than anybody waits."""
PENDING = ContactStatus.PENDING
FLYING = frozenset({ContactStatus.ORIGINATED, ContactStatus.CONNECTED})


class Order(StrEnum):
    """The known wrong orders of steps, and rules left out."""

    COMMIT_AFTER_SEND = "commit after send"
    NO_LEASE_AT_GUARD = "lease not checked at the guard"
    REPEAT_BEFORE_DEATH = "repeat before the owner is dead"
    REPEAT_AT_ONCE = "repeat while a frame may sit in a buffer"
    MARK_FIRST = "mark asked for before the channel"
    AGE_AFTER_QUESTION = "age of a call taken after the node was asked"
    NO_QUESTION = "repeat without asking the node"
    NO_CLAIM_CHECK = "claim without compare-and-set"
    NO_END_CHECK = "event applied twice"
    ANYBODY_DECIDES = "a decision about somebody else's call"
    RELEASE_BEFORE_COMMIT = "permit released before the end is committed"
    NOT_RELEASED = "permit not released"
    HEIR_DROPS_PERMITS = "a successor lets go of living calls' permits"
    ACK_DURING_WRITE = "pause answered with a write under way"
    ACK_BEFORE_HOLD = "pause answered before it is held"
    NOT_ADOPTED = "nobody takes over from the dead"


class Flight(NamedTuple):
    """What a dialer knows of its call; `age` and `gone` index AGES (`gone` is -1 where the node never said so)."""

    call: int
    sent: bool = False
    seen: bool = False
    repeated: bool = False
    adopted: bool = False
    age: int = 0
    gone: int = -1


class Report(NamedTuple):
    """An end on its way into the database, and, once `committed`, to what follows it.

    `fact`: the switch said so, and not a dialer's decision. `unsent`: taken back. `refused`: no channel was made.
    """

    call: int
    disposition: Disposition | None
    fact: bool
    unsent: bool = False
    refused: bool = False
    committed: bool = False
    over: bool = False


class Asked(NamedTuple):
    """The first half of a question: what the node said, and how old the call and its end were when it was put."""

    said: str
    age: int
    gone: int


class Dialer(NamedTuple):
    """`at` is where its sender is: "", "permit", "claimed" or "guarded"; `slept`: it was
    stopped there."""

    life: str = "runs"
    lease: bool = True
    lock: bool = True
    at: str = ""
    call: int = -1
    holds: bool = False
    acked: bool = False
    hears: frozenset[int] = frozenset()
    flight: Flight | None = None
    report: Report | None = None
    asked: Asked | None = None
    slept: bool = False


class Row(NamedTuple):
    """A call's row."""

    call: int
    owner: int
    sent_by: int
    seen: bool = False
    open: bool = True


class State(NamedTuple):
    """Everything: database, Redis, the node with its buffers, and both processes.

    `deaths`, `stops` and `pauses` say how many there may still be, `most` how many permits are asked for in all.
    `past` are the calls whose frame left after a stop between its guard and the socket: the one frame that may.
    """

    contact: ContactStatus = PENDING
    attempts: int = 0
    free: int = 0
    calls: int = 0
    row: Row | None = None
    permits: frozenset[tuple[int, int]] = frozenset()
    frames: frozenset[tuple[int, int]] = frozenset()
    alive: int = -1
    alive_by: int = -1
    marks: frozenset[int] = frozenset()
    executed: tuple[int, ...] = (0,) * MOST_CALLS
    events: frozenset[tuple[int, int, str]] = frozenset()
    dialers: tuple[Dialer, Dialer] = (Dialer(hears=frozenset({0})), Dialer(hears=frozenset({1})))
    campaign: CampaignStatus = CampaignStatus.RUNNING
    answered: bool = False
    excused: frozenset[int] = frozenset()
    deaths: int = 0
    stops: int = 0
    pauses: int = 0
    retries: int = 0
    most: int = 1
    past: frozenset[int] = frozenset()
    wrong: str | None = None


def _state(flight: Flight) -> LiveState:
    if flight.seen:
        return LiveState.SEEN
    return LiveState.ACKNOWLEDGED if flight.sent else LiveState.CLAIMED


@cache
def verdict(flight: Flight, answer: str, ours: bool, dead: bool, at_once: bool) -> tuple[Verdict, bool]:
    """What the product decides, and whether it then takes the call for gone."""
    age = AGES[max(flight.age, 1)] if at_once else AGES[flight.age]
    known = make_call(
        sent_by="me" if ours else "other",
        claimed_at=NOW - age,
        sent_at=NOW - age if flight.sent else None,
        adopted_at=NOW - age if flight.adopted else None,
        state=_state(flight),
        resent=flight.repeated,
        # Its node has denied it since a moment after its order.
        never_seen_since=NOW - age + AGES[1] if flight.age == 2 else None,
        gone_since=None if flight.gone < 0 else NOW - (AGES[flight.gone] if flight.gone != 1 else 20.0),
    )
    channel = LiveChannel("", "core-1", None, False, False, False, 1000, None, None)
    said = Answer(channel if answer == "alive" else None, answer != "never", "core-1")
    return decide(
        known, said, "me", NOW, lambda: dead, drained_since=NOW - 1000.0
    ), said.alive is None and is_gone(known, said)


@cache
def following(disposition: Disposition, attempts: int, free: int, retries: int, refused: bool) -> Next:
    """What the product does with a contact after a call."""
    history = History(attempts, free, rejected=False, retries_per_contact=retries, retry_delay_seconds=60)
    return after_call(disposition, history, refused=refused, jitter=0.0)


def with_dialer(state: State, who: int, dialer: Dialer) -> State:
    first, second = state.dialers
    return state._replace(dialers=(dialer, second) if who == 0 else (first, dialer))


def may_send(dialer: Dialer) -> bool:
    return dialer.lease and dialer.lock


def move(state: State, to: ContactStatus) -> State:
    if to not in CONTACT_TRANSITIONS[state.contact]:
        return state._replace(contact=to, wrong=f"a contact goes from {state.contact} to {to}")
    return state._replace(contact=to)


def release(state: State, call: int) -> State:
    return state._replace(permits=frozenset(held for held in state.permits if held[0] != call))


def answer_about(state: State, call: int, about: str) -> str:
    if about == "channel":
        return "alive" if state.alive == call else "no"
    return "yes" if call in state.marks else "no"

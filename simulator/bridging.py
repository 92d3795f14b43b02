"""Who joins an answered channel: a second leg, a queue's agent, the others in a conference room.

A second leg has no channel and no events here, only its effect on the first: a bridge's number obeys the number plan,
and so does a queue whose name ends in a dash and two digits (`support-02` has agents who never answer). Any other
queue has an agent who answers at once and stays; `empty...` has none, and `nosuch...` is not configured.

As recorded on a node (docs/freeswitch.md): a bridge gives up after `call_timeout`, and goes on to the next
application only with `continue_on_fail`; an end of the other side ends this one with `hangup_after_bridge`; a
conference lets nobody into an empty room when the flags say `join-only`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from simulator.calls import Call
from simulator.dialstring import Leg
from simulator.parse_number import decimal
from simulator.plan import ANSWERS_AT_ONCE, Outcome, by_number
from simulator.routing import Refused
from simulator.scheduler import tick

if TYPE_CHECKING:
    from simulator.switch import Switch

DEFAULT_TIMEOUT: Final = 60
_PLANNED: Final = re.compile(r"-(\d\d)(?:@.*)?")
_FLAGS: Final = re.compile(r"\+flags\{([^}]*)\}")

GoOn = Callable[[float, Call], None]


class Joining:
    """Joins the channels of one switch; `go_on` runs a channel's next application, `hook` one of a hook."""

    def __init__(self, switch: Switch, go_on: GoOn, hook: Callable[[float, Call, str], None]) -> None:
        self._switch = switch
        self._go_on = go_on
        self._hook = hook
        self._rooms: dict[str, list[str]] = {}
        self._members = 0

    def bridge(self, at: float, call: Call, argument: str) -> None:
        """Call a second leg, and join it once it has answered."""
        endpoint, _, data = argument.partition("/")
        if endpoint == "user":
            self._later(at, call, self._joined, ANSWERS_AT_ONCE)
            return
        route = self._switch.router.route(Leg(endpoint, data, {}))
        if isinstance(route, Refused) or route.fault:
            self._later(at, call, self._failed)
            return
        outcome = route.outcome or by_number(route.number)
        limit = tick(at, decimal(call.variable("call_timeout") or "") or DEFAULT_TIMEOUT)
        if outcome.answer is not None and at + outcome.answer < limit:
            self._later(at + outcome.answer, call, self._joined, outcome)
        else:
            refused = limit if outcome.refuse is None else at + outcome.refuse
            self._later(min(limit, refused), call, self._failed)

    def queue(self, at: float, call: Call, argument: str) -> bool:
        """Wait for an agent; False where there is no such queue."""
        if argument.startswith("nosuch"):
            return False
        planned = _PLANNED.search(argument)
        outcome = by_number(planned[1]) if planned else ANSWERS_AT_ONCE
        if outcome.answer is not None and not argument.startswith("empty"):
            self._later(at + outcome.answer, call, self._joined, outcome)
        return True

    def conference(self, call: Call, argument: str) -> bool:
        """Enter a room; False where nobody is in it and the flags say join-only."""
        room = argument.partition("@")[0].partition("+")[0]
        inside = [uuid for uuid in self._rooms.get(room, ()) if self._switch.find(uuid) is not None]
        flags = _FLAGS.search(argument)
        if not inside and "join-only" in (
            flags[1] if flags else call.variable("conference_member_flags") or ""
        ):
            self._rooms.pop(room, None)
            return False
        self._members += 1
        self._rooms[room] = [*inside, call.uuid]
        call.set_variable("conference_member_id", str(self._members))
        return True

    def _later(self, at: float, call: Call, then: Callable[..., None], *arguments: Outcome) -> None:
        step = (call.applications, call.application_index)

        def unless_moved(now: float) -> None:
            if call.alive() and (call.applications, call.application_index) == step:
                then(now, call, *arguments)

        self._switch.scheduler.at(at, unless_moved)

    def _joined(self, at: float, call: Call, outcome: Outcome) -> None:
        bridged = call.microseconds(at)
        call.fields.update(bridged=str(bridged), bridge_epoch=str(bridged // 1_000_000))
        if hook := call.variable("execute_on_pre_bridge"):
            self._hook(at, call, hook)
        if outcome.talk is not None:
            self._later(at + outcome.talk, call, self._left)

    def _left(self, at: float, call: Call) -> None:
        if call.variable("hangup_after_bridge") == "true":
            self._switch.hang_up(at, call, "NORMAL_CLEARING")
        else:
            self._go_on(at, call)

    def _failed(self, at: float, call: Call) -> None:
        if call.variable("continue_on_fail") == "true":
            self._go_on(at, call)
        else:
            self._switch.hang_up(at, call, "NO_ANSWER")

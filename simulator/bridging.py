"""Whom an answered channel is bridged to: a second leg, a queue's agent, the others in a conference room.

A second leg has no channel and no events here, only its effect on the first, and its lines in the ledger, where it is
a bridge's: a bridge's number obeys the number plan, and so does a queue whose name ends in a dash and two digits
(`support-02` has agents who never answer). Any other queue has an agent who answers at once and stays; `empty...` has
none, and `nosuch...` is not configured.

As recorded on a node (docs/freeswitch.md): a bridge gives up after `call_timeout`, and goes on to the next
application only with `continue_on_fail`; an end of the other side ends this one with `hangup_after_bridge`; a
conference lets nobody into an empty room when the flags say `join-only`.
"""

from __future__ import annotations

import re
import uuid as uuids
from collections.abc import Callable
from typing import Final

from simulator.calls import Call
from simulator.causes import final_response
from simulator.core import Core
from simulator.dialstring import Leg
from simulator.hangup import Hangups
from simulator.integers import decimal
from simulator.number_plan import ANSWERS_AT_ONCE, CalledParty, by_number
from simulator.routing import Refused
from simulator.scheduler import tick

DEFAULT_TIMEOUT: Final = 60
_PLANNED: Final = re.compile(r"-(\d\d)(?:@.*)?")
_FLAGS: Final = re.compile(r"\+flags\{([^}]*)\}")

RunNext = Callable[[float, Call], None]


class Bridging:
    """Bridges the channels of one node; `run_next` runs a channel's next application, `run_hook` that of a hook."""

    def __init__(
        self, core: Core, hangups: Hangups, run_next: RunNext, run_hook: Callable[[float, Call, str], None]
    ) -> None:
        self._core = core
        self._hangups = hangups
        self._run_next = run_next
        self._run_hook = run_hook
        self._rooms: dict[str, list[str]] = {}
        self._members = 0

    def bridge(self, at: float, call: Call, argument: str) -> None:
        """Call a second leg, and bridge to it once it has answered."""
        endpoint, _, data = argument.partition("/")
        if endpoint == "user":
            self._later(at, call, self._bridged, ANSWERS_AT_ONCE)
            return
        route = self._core.router.route(Leg(endpoint, data, {}))
        if isinstance(route, Refused) or route.fault:
            # No leg, no INVITE: the cause alone is told.
            call.set_variable(
                "originate_disposition", route.cause if isinstance(route, Refused) else route.fault
            )
            self._later(at, call, self._no_answer)
            return
        leg = str(uuids.uuid4())
        call.set_variable("originate_causes", f"{leg};NONE")
        call.set_variable("originate_disposition", "failure")
        call.second_leg = leg
        self._core.journal.leg(self._core.clock.wall(at), call, route)
        party = route.called_party or by_number(route.number)
        limit = tick(at, decimal(call.variable("call_timeout") or "") or DEFAULT_TIMEOUT)
        if party.answer is not None and at + party.answer < limit:
            self._later(at + party.answer, call, self._joined, party)
        elif party.refuse is not None and at + party.refuse < limit:
            self._later(at + party.refuse, call, self._refused, party)
        else:
            self._later(limit, call, self._timed_out)

    def queue(self, at: float, call: Call, argument: str) -> bool:
        """Wait for an agent; False where there is no such queue."""
        if argument.startswith("nosuch"):
            return False
        call.set_variable("cc_queue_joined_epoch", str(call.microseconds(at) // 1_000_000))
        planned = _PLANNED.search(argument)
        party = by_number(planned[1]) if planned else ANSWERS_AT_ONCE
        if party.answer is not None and not argument.startswith("empty"):
            self._later(at + party.answer, call, self._bridged, party)
        return True

    def conference(self, call: Call, argument: str) -> bool:
        """Enter a room; False where nobody is in it and the flags say join-only."""
        room = argument.partition("@")[0].partition("+")[0]
        inside = self.in_room(room)
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

    def in_room(self, room: str) -> list[str]:
        """Who is in a room, by their channels."""
        return [uuid for uuid in self._rooms.get(room, ()) if self._core.channels.find(uuid) is not None]

    def kick(self, at: float, room: str, uuid: str) -> bool:
        """Get somebody out of a room: his channel goes on with its next application."""
        call = self._core.channels.find(uuid)
        if call is None or uuid not in self.in_room(room):
            return False
        self._rooms[room] = [other for other in self.in_room(room) if other != uuid]
        self._run_next(at, call)
        return True

    def _later(self, at: float, call: Call, then: Callable[..., None], *arguments: CalledParty) -> None:
        step = (call.applications, call.application_index)

        def unless_moved(now: float) -> None:
            if call.alive() and (call.applications, call.application_index) == step:
                then(now, call, *arguments)
            else:
                self._hangups.end_leg(now, call)

        self._core.scheduler.at(at, unless_moved)

    def _refused(self, at: float, call: Call, party: CalledParty) -> None:
        call.set_variable("originate_disposition", final_response(party.status)[1])
        call.set_variable("last_bridge_proto_specific_hangup_cause", f"sip:{party.status}")
        self._no_answer(at, call)

    def _timed_out(self, at: float, call: Call) -> None:
        call.set_variable("originate_disposition", "NO_ANSWER")
        self._no_answer(at, call)

    def _joined(self, at: float, call: Call, party: CalledParty) -> None:
        call.set_variable("originate_disposition", "SUCCESS")
        self._bridged(at, call, party)

    def _bridged(self, at: float, call: Call, party: CalledParty) -> None:
        bridged = call.microseconds(at)
        call.fields.update(bridged=str(bridged), bridge_epoch=str(bridged // 1_000_000))
        call.set_variable("signal_bond", str(uuids.uuid4()))
        if hook := call.variable("execute_on_pre_bridge"):
            self._run_hook(at, call, hook)
        if party.talk is not None:
            self._later(at + party.talk, call, self._unbridged)

    def _unbridged(self, at: float, call: Call) -> None:
        self._hangups.end_leg(at, call)
        if call.variable("hangup_after_bridge") == "true":
            self._hangups.hang_up(at, call, "NORMAL_CLEARING")
        else:
            self._run_next(at, call)

    def _no_answer(self, at: float, call: Call) -> None:
        self._hangups.end_leg(at, call)
        if call.variable("continue_on_fail") == "true":
            self._run_next(at, call)
        else:
            self._hangups.hang_up(at, call, "NO_ANSWER")

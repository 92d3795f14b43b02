"""The core of the simulated node: channels, their life from INVITE to destruction, and who ends them.

Every public method takes `at`, simulated seconds since the epoch; nothing here reads a clock or touches a socket.
Events go to the hub, originates and their ends to the ledger, finished calls to the CDR writer.
"""

from __future__ import annotations

import uuid as uuids
from collections import deque
from collections.abc import Callable

from simulator import calls
from simulator.admission import Admission
from simulator.applications import Applications
from simulator.attempts import Attempt, Done
from simulator.calls import Call
from simulator.causes import final_response, q850
from simulator.dialstring import DialStringError, Leg, parse_originate
from simulator.events import Hub
from simulator.journal import Journal
from simulator.ledger import LedgerSink
from simulator.parse_number import decimal
from simulator.plan import NETWORK_SECONDS, Outcome
from simulator.routing import Refused, Route, Router
from simulator.scheduler import Clock, Scheduler, tick
from simulator.show_calls import SHOW_LAG_SECONDS

OUT_OF_ORDER = "DESTINATION_OUT_OF_ORDER"


class Switch:
    """One node."""

    def __init__(
        self,
        name: str,
        *,
        hub: Hub,
        clock: Clock,
        scheduler: Scheduler,
        ledger: LedgerSink,
        admission: Admission,
        router: Router,
        outcome: Callable[[str], Outcome],
        on_end: Callable[[Call], None] | None = None,
    ) -> None:
        self.name = name
        self.hub = hub
        self.clock = clock
        self.scheduler = scheduler
        self.journal = Journal(ledger, name)
        self.admission = admission
        self.router = router
        self.faults = router.faults
        self.sessions: dict[str, Call] = {}
        self.recent: deque[tuple[float, Call]] = deque()
        self.marks: dict[str, str] = {}
        self.unloaded: set[str] = set()
        self.run_api: Callable[[str, str, float], str] = lambda _name, _argument, _at: ""
        self.applications = Applications(self)
        self._outcome = outcome
        self._on_end = on_end
        self._session_number = 0

    # Starting

    def originate(self, at: float, argument: str, done: Done) -> None:
        """Run an `originate`; `done` gets the text the job ends with, now or later."""
        try:
            spec = parse_originate(argument)
        except DialStringError as error:
            done(error.reply)
            return
        attempt = Attempt(spec, done)
        self._start_group(at, attempt)
        if attempt.open:
            attempt.timer = self.scheduler.at(tick(at, spec.timeout), self._give_up, attempt)

    def _start_group(self, at: float, attempt: Attempt) -> None:
        legs = attempt.spec.groups[attempt.group]
        for leg in legs:
            self._start_leg(at, attempt, leg)
        self._next_group(at, attempt)

    def _next_group(self, at: float, attempt: Attempt) -> None:
        """Go on to the next alternative, or answer the job, once no leg of this group is left."""
        if attempt.legs or not attempt.open:
            return
        if attempt.has_next_group:
            attempt.group += 1
            self._start_group(at, attempt)
        else:
            self._answer_job(attempt, f"-ERR {attempt.cause}\n")

    def _answer_job(self, attempt: Attempt, text: str) -> None:
        if attempt.timer is not None:
            self.scheduler.cancel(attempt.timer)
        attempt.legs = []
        attempt.finish(text)

    def _start_leg(self, at: float, attempt: Attempt, leg: Leg) -> None:
        route = self.router.route(leg)
        wall = self.clock.wall(at)
        uuid = leg.variables.get("origination_uuid") or str(uuids.uuid4())
        if isinstance(route, Refused) and not route.session:
            self._refuse(wall, attempt, leg, uuid, route)
            return
        if uuid in self.sessions and leg.endpoint != "sofia":
            uuid = str(uuids.uuid4())
        if uuid in self.sessions or not self.admission.admit(wall, len(self.sessions)):
            self._refuse(wall, attempt, leg, uuid, Refused(OUT_OF_ORDER, route.number, route.gateway))
            return
        self._session_number += 1
        call = Call(
            leg,
            uuid=uuid,
            number=route.number,
            gateway=route.gateway,
            session=self._session_number,
            at=at,
            wall=wall,
            attempt=attempt,
        )
        if isinstance(route, Refused):
            self._refuse(wall, attempt, leg, uuid, route)
            self.hub.channel("STILLBORN", call)
            call.fields["state"] = "CS_DESTROY"
            self.hub.channel("STILLBORN_STATE", call)
            return
        self.sessions[uuid] = call
        attempt.legs.append(call)
        self.hub.channel("CHANNEL_OUTGOING", call)
        call.flags |= calls.UNINVITED
        self.applications.hooks(at, call, "execute_on_originate")
        if call.alive():
            call.flags &= ~calls.UNINVITED
            self.journal.originate(wall, leg, uuid, route, "accepted")
            self._invite(at, call, leg, route)
        else:
            attempt.legs.remove(call)
            self._refuse(wall, attempt, leg, uuid, Refused(call.cause, route.number, route.gateway))
            self.scheduler.at(at + NETWORK_SECONDS, self._finish, call)

    def _invite(self, at: float, call: Call, leg: Leg, route: Route) -> None:
        channel = self.hub.channel
        self.change_state(call, "CS_INIT", "1")
        channel("CHANNEL_CREATE", call)
        channel("CHANNEL_ORIGINATE", call)
        self.change_state(call, "CS_ROUTING", "2")
        self.change_state(call, "CS_CONSUME_MEDIA", "7")
        if route.fault:
            self._down(at, call, route.fault, 0)
            self.scheduler.at(at + NETWORK_SECONDS, self._finish_ours, call)
            return
        call.outcome = outcome = route.outcome or self._outcome(route.number)
        at_ = self.scheduler.at
        if patience := decimal(leg.variables.get("leg_progress_timeout", "")):
            call.patience = at_(tick(at, patience + 1), self._no_progress, call)
        if outcome.ring is not None:
            at_(at + outcome.ring, self._ring, call)
        if outcome.early is not None:
            at_(at + outcome.early, self._early, call)
        if outcome.refuse is not None:
            at_(at + outcome.refuse, self._far_refusal, call)
        elif outcome.answer == 0.0:
            self._answer(at, call)
        elif outcome.answer is not None:
            at_(at + outcome.answer, self._answer, call)

    def _refuse(self, wall: float, attempt: Attempt, leg: Leg, uuid: str, route: Refused) -> None:
        attempt.cause = route.cause
        self.journal.originate(wall, leg, uuid, route, f"refused:{route.cause}")

    # What the far end does

    def _ring(self, at: float, call: Call) -> None:
        if not call.alive() or call.answered:
            return
        call.set_phase(calls.RINGING)
        call.flags |= calls.RANG
        call.progress_us = call.microseconds(at)
        call.fields["progress"] = str(call.progress_us)
        self.hub.channel("CHANNEL_PROGRESS", call)
        self._call_state(call, "RINGING")
        self.journal.step(self.clock.wall(at), "ring", call)
        self.applications.hooks(at, call, "execute_on_ring")

    def _early(self, at: float, call: Call) -> None:
        if not call.alive() or call.answered:
            return
        call.set_phase(calls.EARLY)
        call.flags |= calls.MEDIA | calls.DISPOSED
        call.set_foreign(disposition="EARLY MEDIA")
        call.media_us = call.microseconds(at)
        call.fields.update(progress_media=str(call.media_us), answer_state="early")
        self.hub.channel("CHANNEL_PROGRESS_MEDIA", call)
        self._call_state(call, "EARLY")
        call.flags |= calls.FLOWING
        self.journal.step(self.clock.wall(at), "ring", call)
        self.applications.hooks(at, call, "execute_on_pre_answer")
        self.applications.hooks(at, call, "execute_on_media")
        if call.alive() and not calls.ignores_early_media(call.variables):
            self._win(at, call)

    def _answer(self, at: float, call: Call) -> None:
        if not call.alive():
            return
        first_media = not call.media_us
        call.set_phase(calls.ANSWERED)
        call.flags |= calls.FLOWING
        call.answered_us = call.microseconds(at)
        call.sip = 200
        call.fields.update(answered=str(call.answered_us), answer_state="answered")
        self.hub.channel("CHANNEL_ANSWER", call)
        call.flags |= calls.DISPOSED
        call.set_foreign(disposition="ANSWER")
        self.journal.step(self.clock.wall(at), "answer", call)
        self.applications.hooks(at, call, "execute_on_answer")
        if first_media:
            self.applications.hooks(at, call, "execute_on_media")
        for value in call.hooks("api_on_answer"):
            self.applications.api_hook(at, value)
        if not call.alive():
            return
        self._call_state(call, "ACTIVE")
        if call.outcome.talk is not None:
            self.scheduler.at(at + call.outcome.talk, self.far_bye, call)
        if not call.executing:
            self._win(at, call)

    def far_bye(self, at: float, call: Call) -> None:
        """The called party hangs up."""
        if call.alive() and not self.faults.spares(call.uuid):
            call.set_foreign(reason=call.outcome.reason)
            self._down(at, call, "NORMAL_CLEARING", calls.FAR_BYE)
            self._finish(at, call)

    def _far_refusal(self, at: float, call: Call) -> None:
        if not call.alive():
            return
        outcome = call.outcome
        phrase, cause = final_response(outcome.status)
        call.sip = outcome.status
        call.fields.update(status=str(outcome.status), q850=str(q850(cause)))
        call.set_foreign(phrase=outcome.phrase or phrase)
        if outcome.reached:
            call.flags |= calls.HEARD
        self._down(at, call, cause, calls.refused_with(outcome.status))
        if not outcome.reached:
            self._leg_failed(at, call)
            self._finish(at, call)
            return
        self._report(at, call)
        self.scheduler.at(at + NETWORK_SECONDS, self._settle, call)

    # What this side does

    def _win(self, at: float, call: Call) -> None:
        """The originate is done: the other legs lose, the job is told, the applications start."""
        attempt = call.attempt
        if not attempt.open:
            return
        losers = [leg for leg in attempt.legs if leg is not call]
        self._answer_job(attempt, f"+OK {call.uuid}\n")
        for loser in losers:
            self.hang_up(at, loser, "LOSE_RACE")
        self.applications.start(at, call)

    def _give_up(self, at: float, attempt: Attempt) -> None:
        """originate_timeout fires: job first, then the channel's end (fact A5)."""
        if not attempt.open:
            return
        legs, attempt.legs = attempt.legs, []
        for call in legs:
            self._down(at, call, "NO_ANSWER", calls.CANCELLED)
        self._answer_job(attempt, "-ERR NO_ANSWER\n")
        for call in legs:
            self._finish(at, call)

    def _no_progress(self, at: float, call: Call) -> None:
        """leg_progress_timeout fires, N to N+1 seconds after the INVITE; any of 180, 183 and 200 satisfies it."""
        if not call.answered and not call.flags & (calls.RANG | calls.MEDIA):
            self.hang_up(at, call, "PROGRESS_TIMEOUT")

    def hang_up(self, at: float, call: Call, cause: str) -> None:
        """End a call from this side: CANCEL while it rings, BYE once answered."""
        if not call.alive() or (call.answered and self.faults.spares(call.uuid)):
            return
        if call.flags & calls.UNINVITED:
            self._down(at, call, cause, 0)
            return
        self._down(at, call, cause, calls.OUR_BYE if call.answered else calls.CANCELLED)
        self.scheduler.at(at + NETWORK_SECONDS, self._finish_ours, call)

    def end_zombies(self, at: float) -> None:
        """End every channel that a fault has kept from ending."""
        zombies, self.faults.zombies = self.faults.zombies, set()
        for uuid in sorted(zombies):
            if (call := self.find(uuid)) is not None:
                self.hang_up(at, call, "NORMAL_CLEARING")

    def hang_up_all(self, at: float, cause: str, variable: str = "", value: str = "") -> int:
        """End every call, or those whose variable has the value; how many."""
        chosen = [
            call for call in self.sessions.values() if not variable or self.value(call, variable) == value
        ]
        for call in chosen:
            self.hang_up(at, call, cause)
        return len(chosen)

    def end_everything(self, at: float, cause: str) -> None:
        """End every call and see each through to its destruction, now."""
        chosen = [call for call in reversed(self.sessions.values()) if call.alive()]
        for call in chosen:
            self._down(at, call, cause, calls.OUR_BYE if call.answered else calls.CANCELLED)
        for call in chosen:
            self._finish_ours(at, call)

    def schedule_hang_up(self, at: float, call: Call, seconds: int, cause: str) -> None:
        """sched_hangup: N-1 to N seconds from now (fact J9)."""
        call.tasks.append(self.scheduler.at(tick(at, seconds), self.hang_up, call, cause))

    def unschedule(self, call: Call, number: int | None = None) -> int:
        """sched_del: forget what is scheduled for a call, or the task of this number; how much it was."""
        chosen = [task for task in call.tasks if number in (None, task[1])]
        for task in chosen:
            self.scheduler.cancel(task)
            call.tasks.remove(task)
        return len(chosen)

    # Endings

    def _down(self, at: float, call: Call, cause: str, how: int) -> None:
        call.ended_us = max(call.microseconds(at), call.answered_us, call.created_us)
        call.cause = cause
        call.flags |= calls.GONE | how
        call.sip = call.sip or (487 if how & calls.CANCELLED else 0)
        call.fields.update(cause=cause, q850=str(q850(cause)), answer_state="hangup", state_number="10")
        self.unschedule(call)
        if call.patience is not None:
            self.scheduler.cancel(call.patience)
        self.hub.channel("CHANNEL_HANGUP", call)
        if not call.flags & calls.UNINVITED:
            self.journal.end(self.clock.wall(at), call)

    def _report(self, at: float, call: Call) -> None:
        call.flags |= calls.PAST
        if call.executing:
            self.applications.stop(call)
        self.change_state(call, "CS_HANGUP", "10")
        call.fields["hangup"] = str(call.ended_us)
        self._call_state(call, "HANGUP")
        self.change_state(call, "CS_REPORTING", "11")
        call.complete()
        if self._on_end is not None:
            self._on_end(call)
        self.hub.channel("CHANNEL_HANGUP_COMPLETE", call)
        for value in call.hooks("api_hangup_hook"):
            self.applications.api_hook(at, value)

    def _destroy(self, at: float, call: Call) -> None:
        self.hub.channel("CHANNEL_DESTROY", call)
        self.change_state(call, "CS_DESTROY", "12")
        if self.sessions.get(call.uuid) is call:
            del self.sessions[call.uuid]
        recent = self.recent
        recent.append((at, call))
        while recent and recent[0][0] < at - SHOW_LAG_SECONDS:
            recent.popleft()

    def _finish(self, at: float, call: Call) -> None:
        self._report(at, call)
        self._destroy(at, call)

    def _finish_ours(self, at: float, call: Call) -> None:
        self._report(at, call)
        self._settle(at, call)

    def _settle(self, at: float, call: Call) -> None:
        self._leg_failed(at, call)
        self._destroy(at, call)

    def _leg_failed(self, at: float, call: Call) -> None:
        attempt = call.attempt
        if call in attempt.legs:
            attempt.legs.remove(call)
            attempt.cause = call.cause
            self._next_group(at, attempt)

    # Shared

    def find(self, uuid: str) -> Call | None:
        """The channel with this uuid, if it has not hung up."""
        call = self.sessions.get(uuid)
        return call if call is not None and call.alive() else None

    def value(self, call: Call, name: str) -> str | None:
        """A channel variable, the switch's own included."""
        found = call.variable(name)
        if found is not None:
            return found
        return dict(call.snapshot(self.hub.renderer, "CHANNEL_DATA")).get(f"variable_{name}")

    def change_state(self, call: Call, state: str, number: str) -> None:
        """Set the channel's state and tell it."""
        call.fields.update(state=state, state_number=number)
        self.hub.channel("CHANNEL_STATE", call)

    def _call_state(self, call: Call, state: str) -> None:
        call.set_call_state(state)
        self.hub.channel("CHANNEL_CALLSTATE", call)

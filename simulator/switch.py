"""Originates: their groups of legs, the channel of each from its INVITE to its answer, and the answer of the job.

Every public method takes `at`, simulated seconds since the epoch; nothing here reads a clock or touches a socket.
Events go to the hub, originates to the ledger; how a channel ends is in `hangup`.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable, Collection

from simulator import calls
from simulator.applications import Applications
from simulator.calls import Call, OriginateJob
from simulator.causes import final_response, q850
from simulator.core import Core
from simulator.dialstring import DialStringError, Leg, parse_originate
from simulator.hangup import Hangups
from simulator.integers import decimal
from simulator.number_plan import NETWORK_SECONDS, CalledParty
from simulator.routing import Refused, Route
from simulator.scheduler import tick

OUT_OF_ORDER = "DESTINATION_OUT_OF_ORDER"
NO_MEDIA = "INCOMPATIBLE_DESTINATION"


class Switch:
    """Places the calls of one node. `called_party` says what the called number does; `on_end` as in `Hangups`."""

    def __init__(
        self,
        core: Core,
        *,
        called_party: Callable[[str], CalledParty],
        on_end: Callable[[Call], None] | None = None,
    ) -> None:
        self.core = core
        self.hangups = Hangups(core, leg_ended=self._leg_ended, on_end=on_end)
        self.applications = Applications(core, self.hangups)
        self._called_party = called_party
        self._session_number = 0

    # Starting

    def originate(self, at: float, argument: str, done: Callable[[str], None]) -> None:
        """Run an `originate`; `done` gets the text the job ends with, now or later."""
        try:
            spec = parse_originate(argument)
        except DialStringError as error:
            done(error.reply)
            return
        job = OriginateJob(spec, done)
        self._start_group(at, job)
        if job.open:
            job.timer = self.core.scheduler.at(tick(at, spec.timeout), self._give_up, job)

    def _start_group(self, at: float, job: OriginateJob) -> None:
        legs = job.spec.groups[job.group]
        for leg in legs:
            self._start_leg(at, job, leg)
        self._next_group(at, job)

    def _next_group(self, at: float, job: OriginateJob) -> None:
        """Go on to the next alternative, or answer the job, once no leg of this group is left."""
        if job.legs or not job.open:
            return
        if job.has_next_group:
            job.group += 1
            self._start_group(at, job)
        else:
            self._answer_job(job, f"-ERR {job.cause}\n")

    def _answer_job(self, job: OriginateJob, text: str) -> None:
        if job.timer is not None:
            self.core.scheduler.cancel(job.timer)
        job.legs = []
        job.finish(text)

    def _start_leg(self, at: float, job: OriginateJob, leg: Leg) -> None:
        route = self.core.router.route(leg)
        wall = self.core.clock.wall(at)
        uuid = leg.variables.get("origination_uuid") or str(uuids.uuid4())
        if isinstance(route, Refused) and not route.session:
            self._refuse(wall, job, leg, uuid, route)
            return
        if uuid in self.core.channels and leg.endpoint != "sofia":
            uuid = str(uuids.uuid4())
        if uuid in self.core.channels or not self.core.session_limits.admit(wall, len(self.core.channels)):
            self._refuse(wall, job, leg, uuid, Refused(OUT_OF_ORDER, route.number, route.gateway))
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
            job=job,
        )
        if isinstance(route, Refused):
            self._refuse(wall, job, leg, uuid, route)
            self.core.hub.channel("STILLBORN", call)
            call.fields["state"] = "CS_DESTROY"
            self.core.hub.channel("STILLBORN_STATE", call)
        else:
            self._place(at, call, leg, route)

    def _place(self, at: float, call: Call, leg: Leg, route: Route) -> None:
        """Make the leg's channel known, and invite unless its own hook ended it before."""
        job, wall = call.job, self.core.clock.wall(at)
        self.core.channels.add(call)
        job.legs.append(call)
        self.core.hub.channel("CHANNEL_OUTGOING", call)
        call.flags |= calls.UNINVITED
        self.applications.hooks(at, call, "execute_on_originate")
        if call.alive() and self.core.faults.lacks_media("invite"):
            self.hangups.hang_up(at, call, OUT_OF_ORDER)
            self.core.hub.channel("CHANNEL_CREATE", call)
        if call.alive():
            call.flags &= ~calls.UNINVITED
            self.core.journal.originate(wall, leg, call.uuid, route, "accepted")
            self._invite(at, call, leg, route)
        else:
            job.legs.remove(call)
            self._refuse(wall, job, leg, call.uuid, Refused(call.cause, route.number, route.gateway))
            self.core.scheduler.at(at + NETWORK_SECONDS, self.hangups.finish, call)

    def _invite(self, at: float, call: Call, leg: Leg, route: Route) -> None:
        channel = self.core.hub.channel
        self.core.hub.channel_state(call, "CS_INIT", "1")
        channel("CHANNEL_CREATE", call)
        channel("CHANNEL_ORIGINATE", call)
        self.core.hub.channel_state(call, "CS_ROUTING", "2")
        self.core.hub.channel_state(call, "CS_CONSUME_MEDIA", "7")
        if route.fault:
            self.hangups.end_channel(at, call, route.fault, 0)
            self.core.scheduler.at(at + NETWORK_SECONDS, self.hangups.finish, call)
            return
        call.called_party = party = route.called_party or self._called_party(route.number)
        at_ = self.core.scheduler.at
        if progress_seconds := decimal(leg.variables.get("leg_progress_timeout", "")):
            call.progress_timer = at_(tick(at, progress_seconds + 1), self._no_progress, call)
        if party.ring is not None:
            at_(at + party.ring, self._ring, call)
        if party.early is not None:
            at_(at + party.early, self._early, call)
        if party.refuse is not None:
            at_(at + party.refuse, self._far_refusal, call)
        elif party.answer == 0.0:
            self._answer(at, call)
        elif party.answer is not None:
            at_(at + party.answer, self._answer, call)

    def _refuse(self, wall: float, job: OriginateJob, leg: Leg, uuid: str, route: Refused) -> None:
        job.cause = route.cause
        self.core.journal.originate(wall, leg, uuid, route, f"refused:{route.cause}")

    # What the far end does

    @property
    def far_ends(self) -> Collection[Callable[..., None]]:
        """What the called parties do, as the scheduler has it: a node that stood still hears of it last."""
        return (self._ring, self._early, self._answer, self._far_refusal, self.far_bye)

    def _ring(self, at: float, call: Call) -> None:
        if not call.alive() or call.answered:
            return
        call.set_phase(calls.RINGING)
        call.flags |= calls.RANG
        call.progress_us = call.microseconds(at)
        call.fields["progress"] = str(call.progress_us)
        self.core.hub.channel("CHANNEL_PROGRESS", call)
        self.core.hub.call_state(call, "RINGING")
        self.core.journal.step(self.core.clock.wall(at), "ring", call)
        self.applications.hooks(at, call, "execute_on_ring")

    def _early(self, at: float, call: Call) -> None:
        if not call.alive() or call.answered:
            return
        if self._without_media(call):
            self.hangups.hang_up(at, call, NO_MEDIA)
            return
        call.set_phase(calls.EARLY)
        call.flags |= calls.MEDIA | calls.DISPOSED
        call.set_foreign(disposition="EARLY MEDIA")
        call.media_us = call.microseconds(at)
        call.fields.update(progress_media=str(call.media_us), answer_state="early")
        self.core.hub.channel("CHANNEL_PROGRESS_MEDIA", call)
        self.core.hub.call_state(call, "EARLY")
        call.flags |= calls.FLOWING
        self.core.journal.step(self.core.clock.wall(at), "ring", call)
        self.applications.hooks(at, call, "execute_on_pre_answer")
        self.applications.hooks(at, call, "execute_on_media")
        if call.alive() and not calls.ignores_early_media(call.variables):
            self._win(at, call)

    def _answer(self, at: float, call: Call) -> None:
        if not call.alive():
            return
        first_media = not call.media_us
        if first_media and self._without_media(call):
            # ACK and BYE, and nobody is told that it was answered.
            self.hangups.end_channel(at, call, NO_MEDIA, 0)
            self.core.scheduler.at(at + NETWORK_SECONDS, self.hangups.finish, call)
            return
        call.set_phase(calls.ANSWERED)
        call.flags |= calls.FLOWING
        call.answered_us = call.microseconds(at)
        call.sip = 200
        call.fields.update(answered=str(call.answered_us), answer_state="answered")
        self.core.hub.channel("CHANNEL_ANSWER", call)
        call.flags |= calls.DISPOSED
        call.set_foreign(disposition="ANSWER")
        self.core.journal.step(self.core.clock.wall(at), "answer", call)
        self.applications.hooks(at, call, "execute_on_answer")
        if first_media:
            self.applications.hooks(at, call, "execute_on_media")
        for value in call.hooks("api_on_answer"):
            self.hangups.run_api_hook(at, value)
        if not call.alive():
            return
        self.core.hub.call_state(call, "ACTIVE")
        if call.called_party.talk is not None:
            self.core.scheduler.at(at + call.called_party.talk, self.far_bye, call)
        if not call.executing:
            self._win(at, call)

    def _without_media(self, call: Call) -> bool:
        faults = self.core.faults
        if not faults.lacks_media("codec"):
            return faults.lacks_media("answer")
        call.flags |= calls.DISPOSED
        call.set_foreign(disposition="NO CODECS")
        return True

    def far_bye(self, at: float, call: Call) -> None:
        """The called party hangs up."""
        if call.alive() and not self.core.faults.stays_up(call.uuid):
            call.set_foreign(reason=call.called_party.reason)
            self.hangups.end_channel(at, call, "NORMAL_CLEARING", calls.FAR_BYE)
            self.hangups.finish(at, call)

    def _far_refusal(self, at: float, call: Call) -> None:
        if not call.alive():
            return
        party = call.called_party
        phrase, cause = final_response(party.status)
        call.sip = party.status
        call.fields.update(status=str(party.status), q850=str(q850(cause)))
        call.set_foreign(phrase=party.phrase or phrase)
        if party.reached:
            call.flags |= calls.HEARD
        self.hangups.end_channel(at, call, cause, calls.refused_with(party.status))
        if not party.reached:
            self._leg_ended(at, call)
            self.hangups.finish(at, call)
            return
        self.hangups.report(at, call)
        self.core.scheduler.at(at + NETWORK_SECONDS, self.hangups.destroy, call)

    # What this side does

    def _win(self, at: float, call: Call) -> None:
        """The originate is done: the other legs lose, the job is told, the applications start."""
        job = call.job
        if not job.open:
            return
        losers = [leg for leg in job.legs if leg is not call]
        self._answer_job(job, f"+OK {call.uuid}\n")
        for loser in losers:
            self.hangups.hang_up(at, loser, "LOSE_RACE")
        self.applications.start(at, call)

    def _give_up(self, at: float, job: OriginateJob) -> None:
        """originate_timeout fires: job first, then the channel's end."""
        if not job.open:
            return
        legs, job.legs = job.legs, []
        for call in legs:
            self.hangups.end_channel(at, call, "NO_ANSWER", calls.CANCELLED)
        self._answer_job(job, "-ERR NO_ANSWER\n")
        for call in legs:
            self.hangups.finish(at, call)

    def _no_progress(self, at: float, call: Call) -> None:
        """leg_progress_timeout fires, N to N+1 seconds after the INVITE; any of 180, 183 and 200 satisfies it."""
        if not call.answered and not call.flags & (calls.RANG | calls.MEDIA):
            self.hangups.hang_up(at, call, "PROGRESS_TIMEOUT")

    def _leg_ended(self, at: float, call: Call) -> None:
        job = call.job
        if call in job.legs:
            job.legs.remove(call)
            job.cause = call.cause
            self._next_group(at, job)

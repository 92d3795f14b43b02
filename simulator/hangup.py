"""How channels end: who is hung up and when, and what a node reports of it until the channel is destroyed.

Every method takes `at`, simulated seconds since the epoch. A channel that hung up is found by its uuid no longer; its
CHANNEL_HANGUP_COMPLETE and its destruction follow at once or one network delay later, as on the real node.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator import calls
from simulator.calls import Call
from simulator.causes import q850
from simulator.core import Core
from simulator.number_plan import NETWORK_SECONDS
from simulator.scheduler import tick


class Hangups:
    """Ends the channels of one node.

    `on_end` gets each call that had a channel before its HANGUP_COMPLETE; `leg_ended` is told of each before its
    destruction, since an originate goes on without it.
    """

    def __init__(
        self,
        core: Core,
        *,
        leg_ended: Callable[[float, Call], None],
        on_end: Callable[[Call], None] | None = None,
    ) -> None:
        self._core = core
        self._leg_ended = leg_ended
        self._on_end = on_end

    def hang_up(self, at: float, call: Call, cause: str) -> None:
        """End a call from this side: CANCEL while it rings, BYE once answered."""
        if not call.alive() or (call.answered and self._core.faults.stays_up(call.uuid)):
            return
        if call.flags & calls.UNINVITED:
            self.end_channel(at, call, cause, 0)
            return
        self.end_channel(at, call, cause, calls.OUR_BYE if call.answered else calls.CANCELLED)
        self._core.scheduler.at(at + NETWORK_SECONDS, self.finish, call)

    def hang_up_all(self, at: float, cause: str, variable: str = "", value: str = "") -> int:
        """End every call, or those whose variable has the value; how many."""
        renderer = self._core.hub.renderer
        chosen = [
            call for call in self._core.channels if not variable or call.value(renderer, variable) == value
        ]
        for call in chosen:
            self.hang_up(at, call, cause)
        return len(chosen)

    def hang_up_zombies(self, at: float) -> None:
        """End every channel that a fault has kept from ending."""
        faults = self._core.faults
        zombies, faults.zombies = faults.zombies, set()
        for uuid in sorted(zombies):
            if (call := self._core.channels.find(uuid)) is not None:
                self.hang_up(at, call, "NORMAL_CLEARING")

    def end_everything(self, at: float, cause: str) -> None:
        """End every call and see each through to its destruction, now."""
        chosen = [call for call in reversed(list(self._core.channels)) if call.alive()]
        for call in chosen:
            self.end_channel(at, call, cause, calls.OUR_BYE if call.answered else calls.CANCELLED)
        for call in chosen:
            self.finish(at, call)

    def schedule(self, at: float, call: Call, seconds: int, cause: str) -> None:
        """sched_hangup: N-1 to N seconds from now."""
        call.tasks.append(self._core.scheduler.at(tick(at, seconds), self.hang_up, call, cause))

    def unschedule(self, call: Call, number: int | None = None) -> int:
        """sched_del: forget what is scheduled for a call, or the task of this number; how much it was."""
        chosen = [task for task in call.tasks if number in (None, task.number)]
        for task in chosen:
            self._core.scheduler.cancel(task)
            call.tasks.remove(task)
        return len(chosen)

    # The steps of one end

    def end_channel(self, at: float, call: Call, cause: str, how: int) -> None:
        """CHANNEL_HANGUP, and the ledger's line; `how` are the flags that say who ended it by what."""
        call.ended_us = max(call.microseconds(at), call.answered_us, call.created_us)
        call.cause = cause
        call.flags |= calls.GONE | how
        call.sip = call.sip or (487 if how & calls.CANCELLED else 0)
        call.fields.update(cause=cause, q850=str(q850(cause)), answer_state="hangup", state_number="10")
        self.unschedule(call)
        if call.progress_timer is not None:
            self._core.scheduler.cancel(call.progress_timer)
        self._core.hub.channel("CHANNEL_HANGUP", call)
        if not call.flags & calls.UNINVITED:
            self._core.journal.end(self._core.clock.wall(at), call)
        self.end_leg(at, call)

    def end_leg(self, at: float, call: Call) -> None:
        """Its second leg, where it has one, is over."""
        if call.second_leg:
            if call.variable("originate_disposition") == "failure":
                # It was still being called.
                call.set_variable("originate_disposition", "ORIGINATOR_CANCEL")
            self._core.journal.leg_end(self._core.clock.wall(at), call)
            call.second_leg = ""

    def report(self, at: float, call: Call) -> None:
        """CS_HANGUP and CS_REPORTING: its applications are over, its record is written, HANGUP_COMPLETE is sent."""
        hub = self._core.hub
        call.flags |= calls.PAST
        if call.executing:
            self._end_application(call)
        hub.channel_state(call, "CS_HANGUP", "10")
        call.fields["hangup"] = str(call.ended_us)
        hub.call_state(call, "HANGUP")
        hub.channel_state(call, "CS_REPORTING", "11")
        call.complete()
        if hook := call.variable("api_reporting_hook"):
            self.run_api_hook(at, hook)
        if self._on_end is not None:
            self._on_end(call)
        hub.channel("CHANNEL_HANGUP_COMPLETE", call)
        for value in call.hooks("api_hangup_hook"):
            self.run_api_hook(at, value)

    def destroy(self, at: float, call: Call) -> None:
        """CHANNEL_DESTROY, after the originate has gone on without this leg."""
        self._leg_ended(at, call)
        hub = self._core.hub
        hub.channel("CHANNEL_DESTROY", call)
        hub.channel_state(call, "CS_DESTROY", "12")
        self._core.channels.remove(at, call)

    def finish(self, at: float, call: Call) -> None:
        """Everything that follows CHANNEL_HANGUP."""
        self.report(at, call)
        self.destroy(at, call)

    def run_api_hook(self, at: float, value: str) -> None:
        """Run an api_on_* variable or the hangup hook: a command and its argument."""
        name, _, argument = value.partition(" ")
        self._core.run_api(name, argument, at)

    def _end_application(self, call: Call) -> None:
        if not call.flags & calls.RAN:
            return
        if call.fields["application"] == "park":
            self._core.hub.channel("CHANNEL_UNPARK", call)
        self._core.hub.channel("CHANNEL_EXECUTE_COMPLETE", call)

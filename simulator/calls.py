"""One simulated channel: its originate, its state, and the field values its events are rendered from.

Owned by the switch, which moves it along; nothing here looks at a clock. `at` is simulated seconds since the epoch.
A call's own times start at the wall clock and run in simulated time, so that at any speed a call reports the
seconds the plan says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from simulator.call_fields import TICK_MICROSECONDS, CallTimes, final_fields, first_fields
from simulator.causes import is_redirection
from simulator.dialstring import Leg, Originate, has_expansion
from simulator.number_plan import CalledParty
from simulator.render import FLAGS, PHASES, Renderer, escape, json_block
from simulator.scheduler import Timer

INVITED, RINGING, EARLY, ANSWERED = (FLAGS[letter] for letter in "IREA")
SOFIA, NAMED, HEARD, EXECUTING, DISPOSED, ARGUMENT = (FLAGS[letter] for letter in "snhxdp")
REFUSED, STATUS, FAR_BYE, OUR_BYE, CANCELLED, GONE, COMPLETE = (FLAGS[letter] for letter in "fvbkcgz")
RANG, MEDIA, FLOWING, RAN, PAST, REDIRECTED, UNINVITED = (FLAGS[letter] for letter in "twmoyru")
CALL_STATES = {"DOWN": "0", "RINGING": "2", "EARLY": "3", "ACTIVE": "4", "HANGUP": "7"}
_HOOKS = ("execute_on_", "api_")
_TRUE = frozenset(("true", "yes", "on", "enable", "enabled", "active", "allow", "ring_ready", "consume", "1"))


def refused_with(status: int) -> int:
    """The flags of a call that got this final response. A redirection ends by the node's own CANCEL."""
    return REDIRECTED | CANCELLED if is_redirection(status) else REFUSED | STATUS


class OriginateJob:
    """An originate under way: its groups of legs, tried in order. `done` is called once, with the job's reply."""

    __slots__ = ("_done", "cause", "group", "legs", "spec", "timer")

    def __init__(self, spec: Originate, done: Callable[[str], None]) -> None:
        self.spec = spec
        self._done: Callable[[str], None] | None = done
        self.group = 0
        self.legs: list[Call] = []
        self.timer: Timer | None = None
        self.cause = "DESTINATION_OUT_OF_ORDER"

    @property
    def open(self) -> bool:
        """Whether the job still waits for its answer."""
        return self._done is not None

    @property
    def has_next_group(self) -> bool:
        """Whether another `|` alternative is left."""
        return self.group + 1 < len(self.spec.groups)

    def finish(self, text: str) -> None:
        """Answer the job; only the first answer counts."""
        done, self._done = self._done, None
        if done is not None:
            done(text)


class Call:
    """A channel from its creation to its destruction."""

    __slots__ = (
        "_hooks",
        "answered_us",
        "application_index",
        "applications",
        "at",
        "called_party",
        "cause",
        "created_us",
        "ended_us",
        "executing",
        "fields",
        "flags",
        "gateway",
        "job",
        "late",
        "media_us",
        "number",
        "progress_timer",
        "progress_us",
        "second_leg",
        "sip",
        "tasks",
        "uuid",
        "variables",
    )

    def __init__(
        self,
        leg: Leg,
        *,
        uuid: str,
        number: str,
        gateway: str,
        session: int,
        at: float,
        wall: float,
        job: OriginateJob,
    ) -> None:
        self.uuid = uuid
        self.number = number
        self.gateway = gateway
        self.job = job
        self.at = at
        self.created_us = int(wall * 50) * TICK_MICROSECONDS + 4_216
        self.answered_us = self.progress_us = self.media_us = self.ended_us = 0
        self.variables = {name: value for name, value in leg.variables.items() if not has_expansion(value)}
        self._hooks = {name: value for name, value in self.variables.items() if name.startswith(_HOOKS)}
        self.late: dict[str, str] = {}
        self.tasks: list[Timer] = []
        self.progress_timer: Timer | None = None
        self.applications: list[tuple[str, str]] | None = None
        self.application_index = 0
        self.executing = False
        self.cause = ""
        self.second_leg = ""
        self.sip = 0
        self.called_party: CalledParty
        spec = job.spec
        self.flags = INVITED | (SOFIA if leg.endpoint == "sofia" else 0) | (NAMED if spec.caller_name else 0)
        self.fields = first_fields(
            uuid,
            number,
            gateway,
            endpoint=leg.endpoint,
            caller=(spec.caller_name, spec.caller_number),
            session=session,
            created_us=self.created_us,
            early_media_wins=not ignores_early_media(self.variables),
        )
        self.fields["user_j"] = json_block(self.variables)

    def alive(self) -> bool:
        """Whether the channel can still be found by its uuid (not hung up)."""
        return not self.flags & GONE

    @property
    def answered(self) -> bool:
        """Whether a 200 came."""
        return bool(self.flags & ANSWERED)

    def set_foreign(self, **values: str) -> None:
        """Set fields whose text comes from outside."""
        for name, value in values.items():
            self.fields[name] = value
            self.fields[name + "_j"] = escape(value)

    def set_phase(self, phase: int) -> None:
        """Move to RINGING, EARLY or ANSWERED."""
        self.flags = self.flags & ~PHASES | phase | HEARD

    def set_call_state(self, state: str) -> None:
        """DOWN, RINGING, EARLY, ACTIVE or HANGUP; CHANNEL_CALLSTATE also tells the one before."""
        self.fields["original_state"] = self.fields["call_state"]
        self.fields.update(call_state=state, call_state_number=CALL_STATES[state])

    def microseconds(self, at: float) -> int:
        """The wall microseconds this call reports for the simulated moment `at`."""
        return self.created_us + round((at - self.at) * 1e6)

    def set_variable(self, name: str, value: str) -> None:
        """Set a channel variable; an empty value unsets it."""
        if name in self.variables:
            del self.variables[name]
            self._hooks.pop(name, None)
            self.fields["user_j"] = json_block(self.variables)
        if value:
            self.late[name] = value
        else:
            self.late.pop(name, None)
        self.fields["late_j"] = json_block(self.late)

    def learn(self, values: Mapping[str, str]) -> None:
        """Take variables that the switch itself sets."""
        self.late |= values
        self.fields["late_j"] = json_block(self.late)

    def variable(self, name: str) -> str | None:
        """A variable that was set from outside, by exact name."""
        return self.variables.get(name) or self.late.get(name)

    def hooks(self, prefix: str) -> Iterator[str]:
        """The values of the variables whose names start with `prefix`, such as execute_on_ring."""
        return (value for name, value in [*self._hooks.items()] if name.startswith(prefix))

    def complete(self) -> None:
        """Fill in what a call knows only at its end: the CDR values."""
        times = CallTimes(self.created_us, self.progress_us, self.media_us, self.answered_us, self.ended_us)
        self.fields.update(final_fields(times))
        self.flags |= COMPLETE

    @property
    def billsec(self) -> int:
        """Whole seconds between answer and end, as FreeSWITCH counts them; 0 before the end."""
        return (
            self.ended_us // 1_000_000 - self.answered_us // 1_000_000
            if self.answered_us and self.ended_us
            else 0
        )

    @property
    def blocks(self) -> Mapping[str, Mapping[str, str]]:
        """The runs of variables that were set from outside, by the name of their place in an event."""
        return {"user": self.variables, "late": self.late}

    def value(self, renderer: Renderer, name: str) -> str | None:
        """A channel variable, the switch's own included."""
        found = self.variable(name)
        if found is not None:
            return found
        return dict(self.snapshot(renderer, "CHANNEL_DATA")).get(f"variable_{name}")

    def snapshot(self, renderer: Renderer, kind: str) -> list[tuple[str, str]]:
        """Every header of an event of this call, in order, as plain values; what is empty has no header."""
        found: list[tuple[str, str]] = []
        for name, value in renderer.pairs(kind, self.flags):
            if name:
                if text := value % self.fields:
                    found.append((name, text))
            else:
                block = self.blocks[value]
                found.extend((f"variable_{key}", setting) for key, setting in block.items() if setting)
        return found


def ignores_early_media(variables: Mapping[str, str]) -> bool:
    """Whether a 183 leaves the originate waiting for the 200."""
    return variables.get("ignore_early_media", "").lower() in _TRUE

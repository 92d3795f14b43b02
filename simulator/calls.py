"""One channel: its state, and the field values its events are rendered from.

Owned by the switch, which moves it along; nothing here looks at a clock. `at` is simulated seconds since the epoch.
A call's own times start at the wall clock and run in simulated time, so that at any speed a call reports the
seconds the plan says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from simulator.causes import is_redirection
from simulator.dialstring import Leg, holds_expansion
from simulator.render import FLAGS, PHASES, Renderer, escape, json_block, stamp
from simulator.scheduler import Timer

if TYPE_CHECKING:
    from simulator.attempts import Attempt
    from simulator.plan import Outcome

INVITED, RINGING, EARLY, ANSWERED = (FLAGS[letter] for letter in "IREA")
SOFIA, NAMED, HEARD, EXECUTING, DISPOSED, ARGUMENT = (FLAGS[letter] for letter in "snhxdp")
REFUSED, STATUS, FAR_BYE, OUR_BYE, CANCELLED, GONE, COMPLETE = (FLAGS[letter] for letter in "fvbkcgz")
RANG, MEDIA, FLOWING, RAN, PAST, REDIRECTED, UNINVITED = (FLAGS[letter] for letter in "twmoyru")
CALL_STATES = {"DOWN": "0", "RINGING": "2", "EARLY": "3", "ACTIVE": "4", "HANGUP": "7"}
_HOOKS = ("execute_on_", "api_")
TICK_MICROSECONDS = 20_000
_TRUE = frozenset(("true", "yes", "on", "enable", "enabled", "active", "allow", "ring_ready", "consume", "1"))
_DIGITS = "23456789ABCDEFGHJKLMNPQRSTUVXYZabcdefghjkmnpqrstuvxyz"


def refused_with(status: int) -> int:
    """The flags of a call that got this final response. A redirection ends by the node's own CANCEL."""
    return REDIRECTED | CANCELLED if is_redirection(status) else REFUSED | STATUS


class Call:
    """A channel from its creation to its destruction."""

    __slots__ = (
        "_hooks",
        "answered_us",
        "application_index",
        "applications",
        "at",
        "attempt",
        "cause",
        "created_us",
        "ended_us",
        "executing",
        "fields",
        "flags",
        "gateway",
        "late",
        "media_us",
        "number",
        "outcome",
        "patience",
        "progress_us",
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
        attempt: Attempt,
    ) -> None:
        self.uuid = uuid
        self.number = number
        self.gateway = gateway
        self.attempt = attempt
        self.at = at
        self.created_us = int(wall * 50) * TICK_MICROSECONDS + 4_216
        self.answered_us = self.progress_us = self.media_us = self.ended_us = 0
        self.variables = {name: value for name, value in leg.variables.items() if not holds_expansion(value)}
        self._hooks = {name: value for name, value in self.variables.items() if name.startswith(_HOOKS)}
        self.late: dict[str, str] = {}
        self.tasks: list[Timer] = []
        self.patience: Timer | None = None
        self.applications: list[tuple[str, str]] | None = None
        self.application_index = 0
        self.executing = False
        self.cause = ""
        self.sip = 0
        self.outcome: Outcome
        spec = attempt.spec
        self.flags = INVITED | (SOFIA if leg.endpoint == "sofia" else 0) | (NAMED if spec.caller_name else 0)
        self.fields = self._first_fields(leg.endpoint, session)

    def _first_fields(self, endpoint: str, session: int) -> dict[str, str]:
        spec = self.attempt.spec
        channel = f"sofia/external/{self.number}" if endpoint == "sofia" else f"{endpoint}/{self.number}"
        tag = _tag(session)
        fields = {
            "uuid": self.uuid,
            "number": self.number,
            "gateway": self.gateway,
            "channel": channel,
            "cid_name": spec.caller_name,
            "cid_number": spec.caller_number or "0000000000",
            "session": str(session),
            "endpoint": endpoint,
            "early_ok": "false" if ignores_early_media(self.variables) else "true",
            "state": "CS_NONE",
            "call_state": "DOWN",
            "answer_state": "ringing",
            "created": str(self.created_us),
            "answered": "0",
            "bridged": "0",
            "bridge_epoch": "0",
            "progress": "0",
            "progress_media": "0",
            "hangup": "0",
            "port": str(20_000 + session * 2 % 10_000),
            "sdp": str(179_539_000 + session % 1_000),
            "branch": f"mg{tag}X",
            "from_tag": f"F{tag}K",
            "to_tag": f"25160T{session}",
            "cseq": str(123_154_000 + session),
            "call_id": f"{session:08x}-61ac-1240-76be-{int(self.created_us / 1e6):012x}",
            "ssrc": str(4_279_000_000 + session % 10_000_000),
            "user_j": json_block(self.variables),
            "late_j": "",
            "state_number": "0",
            "call_state_number": "0",
            "now_local": "",
            "now_gmt": "",
            "now_us": "",
            "sequence": "",
            "application": "",
            "application_j": "",
            "application_uuid": "",
            "application_uuid_j": "",
        }
        for name in ("uuid", "number", "gateway", "channel", "cid_name", "cid_number"):
            fields[name + "_j"] = escape(fields[name])
        return fields

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
        fields = self.fields
        start, end = self.created_us, self.ended_us
        fields["start_stamp"], fields["end_stamp"] = stamp(start // 1_000_000), stamp(end // 1_000_000)
        fields["start_epoch"], fields["end_epoch"] = str(start // 1_000_000), str(end // 1_000_000)
        fields["hangup"] = str(end)
        _spans(fields, ("duration", "mduration", "uduration"), start, end)
        for name, moment in (("answer", self.answered_us), ("progress", self.progress_us)):
            fields[name + "_epoch"] = str(moment // 1_000_000)
            _spans(fields, (f"{name}sec", f"{name}msec", f"{name}usec"), start, moment or start)
        fields["progress_media_epoch"] = str(self.media_us // 1_000_000)
        _spans(
            fields,
            ("progress_mediasec", "progress_mediamsec", "progress_mediausec"),
            start,
            self.media_us or start,
        )
        if self.progress_us:
            fields["progress_stamp"] = stamp(self.progress_us // 1_000_000)
        if self.media_us:
            fields["progress_media_stamp"] = stamp(self.media_us // 1_000_000)
        if self.answered_us:
            fields["answer_stamp"] = stamp(self.answered_us // 1_000_000)
        _spans(fields, ("billsec", "billmsec", "billusec"), self.answered_us or end, end)
        _spans(
            fields,
            ("flow_billsec", "flow_billmsec", "flow_billusec"),
            start if self.answered_us else end,
            end,
        )
        fields["skipped"] = str((end - (self.media_us or self.answered_us or end)) // TICK_MICROSECONDS)
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
    """Whether a 183 leaves the originate waiting for the 200 (fact A4)."""
    return variables.get("ignore_early_media", "").lower() in _TRUE


def _spans(fields: dict[str, str], names: tuple[str, str, str], start: int, end: int) -> None:
    seconds, milliseconds, microseconds = names
    # Differences of whole epochs, as recorded: 2.999985 s across three ticks of the second is 3.
    fields[seconds] = str(end // 1_000_000 - start // 1_000_000)
    fields[milliseconds] = str(end // 1_000 - start // 1_000)
    fields[microseconds] = str(end - start)


def _tag(session: int) -> str:
    value = session * 2_654_435_761 % 0x7FFF_FFFF_FFFF + 0x1000_0000
    text = ""
    while value:
        value, digit = divmod(value, len(_DIGITS))
        text += _DIGITS[digit]
    return text

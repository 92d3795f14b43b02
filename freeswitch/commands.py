"""The commands a dialer gives a node. Every builder refuses what could become anything but the one value it is.

A dial-string variable runs through three un-escaping passes inside FreeSWITCH (split on blanks, on commas, on
`=`), and an unescaped comma in it can run a shell command on the node. So every value is escaped three times here,
and what no escaping carries unchanged is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from freeswitch import dedup
from freeswitch.applications import Application, checked_cause, checked_endpoint, end_after, inline
from freeswitch.errors import CommandRefused

__all__ = [
    "Command",
    "CommandRefused",
    "OriginateRequest",
    "endpoint",
    "escape",
    "event_filter",
    "event_subscription",
    "hupall",
    "mark_delete",
    "mark_select",
    "originate",
    "own_events_filters",
    "recover",
    "refusal",
    "sched_hangup",
    "uuid_dump",
    "uuid_exists",
    "uuid_kill",
    "variable_name",
]

MAX_VARIABLES: Final = 1024
MAX_LIST_VARIABLE_BYTES: Final = 4096
VARIABLE_PREFIX: Final = "carillon_"
DEFAULT_PDD_SECONDS: Final = 15
LONGEST_CALL_SECONDS: Final = 86_400

_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_DIALER_ID: Final = re.compile(r"[0-9a-z]{1,32}")
_NUMBER: Final = re.compile(r"\+?[0-9]{3,20}")
_LIST_VARIABLE: Final = re.compile(rf"{VARIABLE_PREFIX}[0-9a-z_]{{1,128}}")
_PLAIN_VARIABLE: Final = re.compile(r"[0-9a-z_]{1,64}")
_EVENT_NAME: Final = re.compile(r"[A-Z_]{2,64}")
_DISPLAY_NAME_CHARACTERS: Final = re.compile(r"""[^"'<>\\@;\t\r\n]{1,80}""")
# Tab and line breaks travel escaped; nothing else below the space does.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_VARIABLE_REFERENCE: Final = re.compile(r"\$\\*\{")

CALLER_ID_TYPES: Final[Mapping[str, str]] = {"from": "none", "pai": "pid", "rpid": "rpid"}
"""What `sip_cid_type` says for each header that may carry the caller's number beside From.

Without it a node adds Remote-Party-ID, whatever its gateway's `cid-type` is: the profile's `caller-id-type` decides.
"""

_PASS_ASSIGN: Final = str.maketrans(
    {"\\": r"\\", "'": r"\'", "=": r"\=", " ": r"\s", "\t": r"\t", "\n": r"\n", "\r": r"\r"}
)
_PASS_COMMA: Final = str.maketrans({"\\": r"\\", "'": r"\'", ",": r"\,"})
_PASS_BLANK: Final = str.maketrans({"\\": r"\\", "'": r"\'"})


@dataclass(frozen=True, slots=True)
class Command:
    """One command for the socket: its line, and the headers below it."""

    line: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OriginateRequest:
    """One call to place.

    `endpoint` comes from `endpoint()`, the names in `variables` from `variable_name()`. `ring_seconds` counts from
    the first 18x, `pdd_seconds` is what the carrier may take until then, `max_seconds` counts from the answer.
    `applications` is what the call does once answered. `caller_id_header` is a key of `CALLER_ID_TYPES`.
    """

    call_id: str
    dialer_id: str
    tenant_id: str
    campaign_id: str
    contact_id: str
    endpoint: str
    caller_id_number: str
    ring_seconds: int
    max_seconds: int
    applications: Sequence[Application]
    caller_id_name: str | None = None
    caller_id_header: str = "from"
    pdd_seconds: int = DEFAULT_PDD_SECONDS
    variables: Mapping[str, str] = field(default_factory=dict)


def refusal(value: str) -> str | None:
    """Why `value` cannot be a channel variable of a call; None when it arrives unchanged.

    Tabs and line breaks travel escaped and arrive as they are: a dialplan may not write such a variable into a SIP
    header or a request. No other control character gets through.
    """
    if _CONTROL.search(value):
        return "holds a control character"
    if ":_:" in value:
        return "holds :_:, which separates legs"
    if _VARIABLE_REFERENCE.search(value):
        return "holds ${, which starts a variable"
    if not _balanced(value):
        return "holds a { or } without its partner"
    if value.startswith("ARRAY::"):
        return "starts with ARRAY::, which makes a list of it"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "holds half a character"
    return None


def escape(value: str) -> str:
    """Write `value` so that FreeSWITCH's three passes over `{name=value,...}` give it back.

    Only for values that `refusal` lets through.
    """
    return value.translate(_PASS_ASSIGN).translate(_PASS_COMMA).translate(_PASS_BLANK)


def variable_name(column: str) -> str:
    """The channel variable that carries a list's column: `Order ID` travels as `carillon_order_id`."""
    return VARIABLE_PREFIX + re.sub(r"[^0-9a-z_]", "_", column.strip().lower())


def endpoint(template: str, number: str) -> str:
    """Fill a gateway's dial string: `{number}` with the number as it is, `{digits}` without its plus.

    Raises CommandRefused for a number other than `+?[0-9]{3,20}` and for a template that is not one leg.
    """
    if not _NUMBER.fullmatch(number):
        raise CommandRefused("number", number, "3 to 20 digits with at most a + in front")
    filled = template.replace("{number}", number).replace("{digits}", number.removeprefix("+"))
    if filled == template:
        raise CommandRefused("endpoint", template, "{number} or {digits} stands for the number")
    return checked_endpoint(filled)


def originate(request: OriginateRequest) -> Command:
    """The `bgapi originate` of a call, with the Job-UUID that filters and adoption rely on.

    Raises CommandRefused for any field that could not arrive as it is.
    """
    call_id = _identifier("call_id", request.call_id)
    variables = _own_variables(request) | _list_variables(request.variables)
    if len(variables) > MAX_VARIABLES:
        raise CommandRefused("variables", len(variables), f"at most {MAX_VARIABLES} for a call")
    assignments = ",".join(f"{name}={escape(value)}" for name, value in variables.items())
    steps = inline([end_after(request.max_seconds), *request.applications])
    return Command(
        f"bgapi originate {{{assignments}}}{checked_endpoint(request.endpoint)} {steps}",
        {"Job-UUID": f"{_dialer(request.dialer_id)}.{call_id}"},
    )


def uuid_kill(call_id: str, cause: str = "NORMAL_CLEARING") -> str:
    """End one call. `-ERR No such channel!` means not yet, or gone already."""
    return f"uuid_kill {_identifier('call_id', call_id)} {checked_cause(cause)}"


def hupall(cause: str, variable: str, value: str) -> str:
    """End every call whose channel variable has this value; `+OK` even when there is none."""
    if not _PLAIN_VARIABLE.fullmatch(variable):
        raise CommandRefused("variable", variable, "1 to 64 of 0-9 a-z _")
    return f"hupall {checked_cause(cause)} {variable} {_identifier('value', value)}"


def sched_hangup(call_id: str, seconds: int, cause: str = "ALLOTTED_TIMEOUT") -> str:
    """End one call `seconds` from now, or up to a second sooner: the node counts whole ones."""
    limit = _seconds("seconds", seconds, LONGEST_CALL_SECONDS)
    return f"sched_hangup +{limit} {_identifier('call_id', call_id)} {checked_cause(cause)}"


def recover() -> str:
    """Bring back the answered calls that the node's last run left behind; again is harmless.

    Each call comes back under its id with its variables, and without its timers. Needs `track-calls` on the profile.
    """
    return "sofia recover"


def uptime() -> str:
    """How long the node has run: the cheapest question, to learn whether it answers."""
    return "uptime"


def uuid_exists(call_id: str) -> str:
    """Ask for a call: `true` or `false`, exact while the node has not been restarted."""
    return f"uuid_exists {_identifier('call_id', call_id)}"


def uuid_dump(call_id: str) -> str:
    """Ask for all there is to a live call, as JSON for `events.channel_from_dump`."""
    return f"uuid_dump {_identifier('call_id', call_id)} json"


def mark_select(call_id: str) -> str:
    """Ask for the mark a call leaves when it ends: `done`, or `-ERR no reply` when there is none."""
    return f"hash select/carillon/{_identifier('call_id', call_id)}"


def mark_delete(call_id: str) -> str:
    """Remove a call's mark, which otherwise lives as long as the node."""
    return f"hash delete/carillon/{_identifier('call_id', call_id)}"


def event_subscription(names: Iterable[str]) -> str:
    """The command that subscribes to these events, in JSON."""
    wanted = list(names)
    for name in wanted:
        if not _EVENT_NAME.fullmatch(name):
            raise CommandRefused("event", name, "an event's name in capitals")
    return " ".join(["event json", *wanted])


def own_events_filters(dialer_id: str) -> list[str]:
    """The commands that let through the events and the jobs of this dialer's calls.

    Filters are ORed, and once there is one, what none lets through is held back.
    """
    return [f"filter {passing}" for passing in _own_events(dialer_id)]


def own_events_filters_lifted(dialer_id: str) -> list[str]:
    """The commands that take `own_events_filters` back; each deletes the one filter of just this value."""
    return [f"filter delete {passing}" for passing in _own_events(dialer_id)]


def _own_events(dialer_id: str) -> list[str]:
    dialer = _dialer(dialer_id)
    return [f"variable_dialer_id {dialer}", f"Job-UUID /^{dialer}\\./"]


def event_filter(name: str) -> str:
    """The command that lets through every event of this name, whoever caused it."""
    if not _EVENT_NAME.fullmatch(name):
        raise CommandRefused("event", name, "an event's name in capitals")
    return f"filter Event-Name {name}"


def _own_variables(request: OriginateRequest) -> dict[str, str]:
    call_id = request.call_id
    ring = _seconds("ring_seconds", request.ring_seconds, 600)
    pdd = _seconds("pdd_seconds", request.pdd_seconds, 120)
    # execute_on_ring runs on a 180 only, execute_on_pre_answer on a 183 only: it takes both. The answer then
    # removes the timer, with whatever else was scheduled, so the maximum duration starts in the answered leg.
    ring_timer = f"sched_hangup +{ring + 1} NO_ANSWER"
    variables = {
        "origination_uuid": call_id,
        "origination_caller_id_number": _caller_id(request.caller_id_number),
        "sip_cid_type": _caller_id_type(request.caller_id_header),
        "ignore_early_media": "true",
        "leg_progress_timeout": str(pdd),
        "originate_timeout": str(pdd + ring + 1),
        "outbound_redirect_fatal": "true",
        "execute_on_ring": ring_timer,
        "execute_on_pre_answer": ring_timer,
        "api_on_answer": f"sched_del {call_id}",
        "api_hangup_hook": f"hash insert/carillon/{call_id}/done",
        "dialer_id": _dialer(request.dialer_id),
        "dialer_tenant": _identifier("tenant_id", request.tenant_id),
        "dialer_campaign": _identifier("campaign_id", request.campaign_id),
        "dialer_contact": _identifier("contact_id", request.contact_id),
    }
    if dedup.counts(request.endpoint):
        variables["execute_on_originate"] = dedup.counted(call_id)
    name = request.caller_id_name
    if name:
        if refusal(name) or not _DISPLAY_NAME_CHARACTERS.fullmatch(name):
            raise CommandRefused("caller_id_name", name, "1 to 80 characters without \" ' < > \\ @ ;")
        variables["origination_caller_id_name"] = name
    return variables


def _list_variables(variables: Mapping[str, str]) -> dict[str, str]:
    carried: dict[str, str] = {}
    size = 0
    for name, value in variables.items():
        if not _LIST_VARIABLE.fullmatch(name):
            raise CommandRefused("variable", name, f"{VARIABLE_PREFIX} and 1 to 128 of 0-9 a-z _")
        rule = refusal(value)
        if rule is not None:
            raise CommandRefused(name, value, rule)
        # FreeSWITCH has no empty variables: an assignment without a value is none.
        if value:
            carried[name] = value
            size += len(name) + len(value.encode())
    if size > MAX_LIST_VARIABLE_BYTES:
        raise CommandRefused(
            "variables", f"{size} bytes", f"at most {MAX_LIST_VARIABLE_BYTES} bytes for a call"
        )
    return carried


def _balanced(value: str) -> bool:
    depth = 0
    for character in value:
        if character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth < 0:
                return False
    return depth == 0


def _identifier(name: str, value: str) -> str:
    if not _ID.fullmatch(value):
        raise CommandRefused(name, value, "1 to 64 of 0-9 A-Z a-z _ -")
    return value


def _dialer(dialer_id: str) -> str:
    if not _DIALER_ID.fullmatch(dialer_id):
        raise CommandRefused("dialer_id", dialer_id, "1 to 32 of 0-9 a-z")
    return dialer_id


def _caller_id(number: str) -> str:
    if not _NUMBER.fullmatch(number):
        raise CommandRefused("caller_id_number", number, "3 to 20 digits with at most a + in front")
    return number


def _caller_id_type(header: str) -> str:
    if header not in CALLER_ID_TYPES:
        raise CommandRefused("caller_id_header", header, f"one of {', '.join(CALLER_ID_TYPES)}")
    return CALLER_ID_TYPES[header]


def _seconds(name: str, value: int, limit: int) -> int:
    if not 1 <= value <= limit:
        raise CommandRefused(name, value, f"1 to {limit}")
    return value

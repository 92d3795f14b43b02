"""The `bgapi originate` of a call: its dial string, its variables, its timers, and what it does once answered.

Every part is refused that could become anything but the one value it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from freeswitch import dedup
from freeswitch.applications import Application, checked_endpoint, end_after, inline
from freeswitch.argument_checks import checked_dialer_id, checked_id, checked_seconds
from freeswitch.channel_variables import escape, list_variables, refusal
from freeswitch.errors import CommandRefused

MAX_VARIABLES: Final = 1024
DEFAULT_PDD_SECONDS: Final = 15

_NUMBER: Final = re.compile(r"\+?[0-9]{3,20}")
_DISPLAY_NAME_CHARACTERS: Final = re.compile(r"""[^"'<>\\@;\t\r\n]{1,80}""")

CALLER_ID_TYPES: Final[Mapping[str, str]] = {"from": "none", "pai": "pid", "rpid": "rpid"}
"""What `sip_cid_type` says for each header that may carry the caller's number beside From.

Without it a node adds Remote-Party-ID, whatever its gateway's `cid-type` is: the profile's `caller-id-type` decides.
"""


@dataclass(frozen=True, slots=True)
class Command:
    """One command for the socket: its line, and the headers below it."""

    line: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OriginateRequest:
    """One call to place.

    `endpoint` comes from `endpoint()`, the names in `variables` are those of a list's columns.
    `ring_seconds` counts from the first 18x, `pdd_seconds` is what the carrier may take until then, `max_seconds`
    counts from the answer. `applications` is what the call does once answered. `caller_id_header` is a key of
    `CALLER_ID_TYPES`.
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


def most_seconds(ring_seconds: int, pdd_seconds: int = DEFAULT_PDD_SECONDS) -> int:
    """For how long a call may be up without an answer."""
    return pdd_seconds + ring_seconds + 1


def originate(request: OriginateRequest) -> Command:
    """The `bgapi originate` of a call, with the Job-UUID that filters and adoption rely on.

    Raises CommandRefused for any field that could not arrive as it is.
    """
    call_id = checked_id("call_id", request.call_id)
    variables = _own_variables(request) | list_variables(request.variables)
    if len(variables) > MAX_VARIABLES:
        raise CommandRefused("variables", len(variables), f"at most {MAX_VARIABLES} for a call")
    assignments = ",".join(f"{name}={escape(value)}" for name, value in variables.items())
    steps = inline([end_after(request.max_seconds), *request.applications])
    return Command(
        f"bgapi originate {{{assignments}}}{checked_endpoint(request.endpoint)} {steps}",
        {"Job-UUID": f"{checked_dialer_id(request.dialer_id)}.{call_id}"},
    )


def _own_variables(request: OriginateRequest) -> dict[str, str]:
    call_id = request.call_id
    ring = checked_seconds("ring_seconds", request.ring_seconds, 600)
    pdd = checked_seconds("pdd_seconds", request.pdd_seconds, 120)
    # execute_on_ring runs on a 180 only, execute_on_pre_answer on a 183 only: it takes both. The answer then
    # removes the timer, with whatever else was scheduled, so the maximum duration starts in the answered leg.
    ring_timer = f"sched_hangup +{ring + 1} NO_ANSWER"
    variables = {
        "origination_uuid": call_id,
        "origination_caller_id_number": _caller_id(request.caller_id_number),
        "sip_cid_type": _caller_id_type(request.caller_id_header),
        "ignore_early_media": "true",
        "leg_progress_timeout": str(pdd),
        "originate_timeout": str(most_seconds(ring, pdd)),
        "outbound_redirect_fatal": "true",
        "execute_on_ring": ring_timer,
        "execute_on_pre_answer": ring_timer,
        "api_on_answer": f"sched_del {call_id}",
        "api_hangup_hook": f"hash insert/carillon/{call_id}/done",
        "dialer_id": checked_dialer_id(request.dialer_id),
        "dialer_tenant": checked_id("tenant_id", request.tenant_id),
        "dialer_campaign": checked_id("campaign_id", request.campaign_id),
        "dialer_contact": checked_id("contact_id", request.contact_id),
    }
    if dedup.counts(request.endpoint):
        variables["execute_on_originate"] = dedup.limit_application(call_id)
    name = request.caller_id_name
    if name:
        if refusal(name) or not _DISPLAY_NAME_CHARACTERS.fullmatch(name):
            raise CommandRefused("caller_id_name", name, "1 to 80 characters without \" ' < > \\ @ ;")
        variables["origination_caller_id_name"] = name
    return variables


def _caller_id(number: str) -> str:
    if not _NUMBER.fullmatch(number):
        raise CommandRefused("caller_id_number", number, "3 to 20 digits with at most a + in front")
    return number


def _caller_id_type(header: str) -> str:
    if header not in CALLER_ID_TYPES:
        raise CommandRefused("caller_id_header", header, f"one of {', '.join(CALLER_ID_TYPES)}")
    return CALLER_ID_TYPES[header]

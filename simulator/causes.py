"""Hangup causes as a node reads and reports them, and what a SIP final response turns into.

Used by the plan, the switch and `uuid_kill`. An unknown name means NORMAL_CLEARING, as on the real node.
"""

from __future__ import annotations

from freeswitch.causes import HANGUP_CAUSES
from simulator.integers import decimal

_BY_NUMBER = {number: name for name, number in HANGUP_CAUSES.items()}

_SIP = {
    400: ("Bad Request", "NORMAL_TEMPORARY_FAILURE"),
    401: ("Unauthorized", "CALL_REJECTED"),
    402: ("Payment Required", "CALL_REJECTED"),
    403: ("Forbidden", "CALL_REJECTED"),
    404: ("Not Found", "UNALLOCATED_NUMBER"),
    407: ("Proxy Authentication Required", "CALL_REJECTED"),
    408: ("Request Timeout", "RECOVERY_ON_TIMER_EXPIRE"),
    410: ("Gone", "NUMBER_CHANGED"),
    480: ("Temporarily Unavailable", "NO_USER_RESPONSE"),
    484: ("Address Incomplete", "INVALID_NUMBER_FORMAT"),
    486: ("Busy Here", "USER_BUSY"),
    487: ("Request Terminated", "ORIGINATOR_CANCEL"),
    500: ("Server Internal Error", "NORMAL_TEMPORARY_FAILURE"),
    502: ("Bad Gateway", "NETWORK_OUT_OF_ORDER"),
    503: ("Service Unavailable", "NORMAL_TEMPORARY_FAILURE"),
    603: ("Decline", "CALL_REJECTED"),
    608: ("Rejected", "CALL_REJECTED"),
}


def final_response(status: int) -> tuple[str, str]:
    """The usual phrase of a final response, and the cause that a node makes of it.

    A redirection counts as one that is not followed, as with outbound_redirect_fatal.
    """
    if is_redirection(status):
        return "", "REQUESTED_CHAN_UNAVAIL"
    return _SIP.get(status, ("", "NORMAL_UNSPECIFIED"))


def is_redirection(status: int) -> bool:
    """Whether this final response names another address."""
    return 300 <= status < 400


def parse_cause(text: str, default: str = "NORMAL_CLEARING") -> str:
    """A cause by name in any case or by number; what FreeSWITCH does not know becomes `default`."""
    number = decimal(text)
    if number is not None:
        return _BY_NUMBER.get(number, default)
    name = text.upper()
    return name if name in HANGUP_CAUSES else default


def q850(cause: str) -> int:
    """The number reported as hangup_cause_q850: causes of FreeSWITCH's own are reported as 16."""
    number = HANGUP_CAUSES.get(cause, 16)
    return number if number < 128 else 16

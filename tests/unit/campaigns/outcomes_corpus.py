"""The corpus of outcomes: what must come of a call, for every final response, 18x, Reason and cause.

It restates the product's table of outcomes independently of the code: by row, in words of SIP. `on_the_wire` is what
the called party did; `by_cause` is where no final response came; `once_answered` is after an answer. The suites
against the simulator and against real nodes use the same corpus.

Three readings that the table leaves open: a final response that stands in no row is read by its Reason header, the
next word of the key, where it names a Q.850 cause; causes that FreeSWITCH gives for 408, 480, 487 and 504 count as
those; and a gateway whose profile or address is wrong is at fault like one that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

FINAL_RESPONSES = range(300, 700)


class Shape(IntEnum):
    """What came before the final response."""

    NOTHING = 0
    RINGING = 1
    EARLY_MEDIA = 2


@dataclass(frozen=True, slots=True)
class Reason:
    """What goes with a final response: its phrase, its Reason header, and the Q.850 cause that stands in it."""

    phrase: str = "Whatever"
    header: str | None = None
    q850: int | None = None
    plus: bool = False


REASONS: Mapping[int, Reason] = {
    0: Reason(),
    1: Reason(header="Q.850;cause=17", q850=17),
    2: Reason(header="Q.850;cause=34", q850=34),
    3: Reason(header="Q.850;cause=1", q850=1),
    4: Reason(header="Q.850;cause=41", q850=41),
    5: Reason(header="Q.850;cause=999", q850=999),
    6: Reason(
        "Network Blocked",
        'Q.850;cause=21;text="v=analytics1;url=https://redress.example"',
        q850=21,
        plus=True,
    ),
    7: Reason("Network Blocked"),
    8: Reason(header='SIP;cause=200;text="Call completed elsewhere"'),
    9: Reason(
        header='Q.850;cause=17;text="x%0AHangup-Cause%3A FORGED_BY_SIP%0AUnique-ID%3A forged-uuid"', q850=17
    ),
}
"""By the digit that stands for it in the dialled number."""

_ROWS: Mapping[int, str] = {
    **dict.fromkeys(range(300, 400), "redirected"),
    **dict.fromkeys((486, 600), "busy"),
    **dict.fromkeys((404, 410, 484, 604), "invalid"),
    **dict.fromkeys((401, 402, 403, 407, *range(428, 439)), "gateway_fault"),
    603: "rejected",
    607: "network_blocked",
    608: "network_blocked",
}
_BY_REASON: Mapping[int, str] = {17: "busy", 1: "invalid", 22: "invalid", 28: "invalid", 21: "rejected"}


def on_the_wire(status: int, reason: Reason, shape: Shape) -> str:
    """The disposition of a call that ended with this final response."""
    rang = shape is not Shape.NOTHING
    if status == 603 and reason.phrase == "Network Blocked":
        return "network_blocked"
    if status in _ROWS:
        return _ROWS[status]
    if status in (408, 480, 487, 504) or (status not in (500, 502, 503) and reason.q850 in (18, 19, 102)):
        return "no_answer" if rang else "unreachable"
    if status in (500, 502, 503) or reason.q850 in (34, 38, 41, 42):
        return "no_answer" if rang else "congestion"
    return _BY_REASON.get(reason.q850 or 0, "unreachable")


_CAUSES: Mapping[str, str] = {
    "USER_BUSY": "busy",
    "UNALLOCATED_NUMBER": "invalid",
    "INVALID_NUMBER_FORMAT": "invalid",
    "NUMBER_CHANGED": "invalid",
    "CALL_REJECTED": "rejected",
    "GATEWAY_DOWN": "gateway_fault",
    "INVALID_GATEWAY": "gateway_fault",
    "INVALID_PROFILE": "gateway_fault",
    "INVALID_URL": "gateway_fault",
    "UNKNOWN": "outcome_unknown",
}
_TIMED_OUT = (
    *("NO_ANSWER", "NO_PICKUP", "PROGRESS_TIMEOUT", "RECOVERY_ON_TIMER_EXPIRE"),
    *("NO_USER_RESPONSE", "ORIGINATOR_CANCEL"),
)
_NO_CAPACITY = (
    *("NORMAL_CIRCUIT_CONGESTION", "NETWORK_OUT_OF_ORDER", "NORMAL_TEMPORARY_FAILURE", "SWITCH_CONGESTION"),
)


def by_cause(cause: str, *, channel: bool, rang: bool) -> str:
    """The disposition of a call that ended with this cause, and without a final response."""
    if cause in _CAUSES:
        return _CAUSES[cause]
    if not channel:
        return "congestion"
    if cause == "INCOMPATIBLE_DESTINATION":
        return "node_fault"
    if cause in _TIMED_OUT:
        return "no_answer" if rang else "unreachable"
    if cause in _NO_CAPACITY:
        return "no_answer" if rang else "congestion"
    if cause == "SYSTEM_SHUTDOWN":
        return "no_answer" if rang else "switch_lost"
    return "unreachable"


def once_answered(
    *, must_be_joined: bool, joined: bool, given_up: bool, hung_up_by_us: bool, no_leg: bool = False
) -> str:
    """The disposition of a call that was answered.

    `must_be_joined`: by a bridge, from a queue or in a conference; `given_up`: the node went on to the message;
    `no_leg`: the node could send nobody an INVITE.
    """
    if no_leg and hung_up_by_us and not joined:
        return "agent_failed"
    return "abandoned" if given_up or (must_be_joined and not joined and hung_up_by_us) else "answered"


ROWS = frozenset(
    {
        *("busy", "no_answer", "unreachable", "rejected", "network_blocked", "invalid", "redirected"),
        *("gateway_fault", "congestion", "switch_lost", "outcome_unknown", "abandoned", "answered"),
        *("agent_failed", "node_fault"),
    }
)
"""Every row of the table but `machine`: nothing detects answering machines yet."""

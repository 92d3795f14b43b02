"""Least-cost routing and failover: which gateways may take a call, in which order, and when the next is tried. Pure.

Called by the dialer. The order is that of least-cost routing: the longest prefix that matches the number, then the
cheapest, then the order in which the operator named them. Another gateway is tried only where the end of a call
proves that nobody was reached: a person whose phone rang must not be called a second time for one attempt. A further
attempt is `campaigns/retry.py`, the same call sent once more `dialer/recovery/resend_or_close.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Protocol, TypeVar

from campaigns.dispositions import Disposition, Evidence, dispose, named_q850


class Carries(Protocol):
    """What of a gateway says who may leave by it. No prefix: it carries every number. `cost` is of a minute."""

    @property
    def prefixes(self) -> Sequence[str]: ...
    @property
    def cost(self) -> float | None: ...


T = TypeVar("T", bound=Carries)

FAILS_OVER: Mapping[Disposition, bool] = {
    Disposition.ANSWERED: False,
    Disposition.ABANDONED: False,
    Disposition.AGENT_FAILED: False,
    Disposition.BUSY: False,
    Disposition.NO_ANSWER: False,
    Disposition.UNREACHABLE: False,
    Disposition.REJECTED: False,
    Disposition.NETWORK_BLOCKED: False,
    Disposition.INVALID: False,
    Disposition.REDIRECTED: False,
    Disposition.GATEWAY_FAULT: True,
    Disposition.CONGESTION: True,
    Disposition.NODE_FAULT: False,
    Disposition.NOT_SENT: False,
    Disposition.SWITCH_LOST: False,
    Disposition.OUTCOME_UNKNOWN: False,
}
"""Whether an outcome is the gateway's doing: a fault of the gateway, or a carrier without capacity. The others are
about the number, the person or the node, and would be the same by any gateway."""

TIMER_STATUS = frozenset({408, 504})
"""Final responses that somebody's timer made: the phone may have rung all the while."""
REACHED_Q850 = frozenset({16, 17, 18, 19, 102})
"""What a Reason header says of a line that was reached: cleared, busy, no response, no answer, a timer."""


ONE_DIGIT = frozenset("17")
TWO_DIGITS = frozenset(
    {"20", "27", "36", "39", "98"}
    | {str(code) for tens in (30, 40, 50, 60, 90) for code in range(tens, tens + 10)}
    - {"35", "37", "38", "42", "50", "59", "67", "68", "69", "96", "97", "99"}
    | {"81", "82", "84", "86"}
)
"""The country calling codes of ITU-T E.164 with one digit and with two; all others have three."""


def match_length(prefixes: Sequence[str], number: str) -> int | None:
    """How many characters of the longest prefix match an E.164 number: 0 without prefixes, None where none does."""
    if not prefixes:
        return 0
    return max((len(prefix) for prefix in prefixes if number.startswith(prefix)), default=None)


def destination(number: str, prefixes: Sequence[str]) -> str:
    """Where a number is, as far as one gateway tells destinations apart: by the longest of its prefixes that matches,
    or by the country calling code where that is longer."""
    code = 2 if number[1:2] in ONE_DIGIT else 3 if number[1:3] in TWO_DIGITS else 4
    return number[: max(code, match_length(prefixes, number) or 0)]


def in_order(gateways: Sequence[T], number: str) -> list[T]:
    """Those of `gateways` that carry a number, the one to be tried first in front.

    Costs are compared where all that match equally long have one; otherwise their own order holds.
    """
    matches = [(found, one) for one in gateways if (found := match_length(one.prefixes, number)) is not None]
    ordered: list[T] = []
    matches.sort(key=lambda match: -match[0])
    for _, group in groupby(matches, key=lambda match: match[0]):
        equal = [one for _, one in group]
        if all(one.cost is not None for one in equal):
            equal.sort(key=lambda one: one.cost or 0.0)
        ordered += equal
    return ordered


def may_fail_over(evidence: Evidence) -> bool:
    """Whether this end of a call proves that nobody was reached, and that it was the gateway's doing.

    Never after an answer or any 18x, nor after a timer, ours or another's. Where a channel was made an INVITE may
    have left: only a final response proves that it went nowhere, and only where its own Reason header does not say
    that a line was reached. Without a channel, only a gateway that the node would not use.
    """
    if evidence.answered or evidence.progress:
        return False
    disposition = dispose(evidence)
    if not evidence.channel:
        return disposition is Disposition.GATEWAY_FAULT
    status = evidence.sip_status
    if status is None or status < 400 or status in TIMER_STATUS or named_q850(evidence) in REACHED_Q850:
        return False
    return FAILS_OVER[disposition]

"""What the board says of calls that were refused by a gateway, or by whoever is behind it: a few words for each
final response of SIP, and for an end without one. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from web.words import cause_words

BY_STATUS: Final[Mapping[int, str]] = {
    **dict.fromkeys(range(300, 400), "number has moved"),
    400: "not understood",
    401: "wants a password",
    402: "wants to be paid",
    403: "forbidden",
    404: "no such number",
    407: "wants a password",
    408: "no answer in time",
    410: "number is gone",
    415: "no codec in common",
    **dict.fromkeys(range(428, 439), "caller’s identity not accepted"),
    480: "phone out of reach",
    482: "goes in a circle",
    483: "goes in a circle",
    484: "number not complete",
    486: "busy",
    487: "cancelled",
    488: "no codec in common",
    500: "fault at the carrier",
    501: "not what the carrier can do",
    502: "fault behind the carrier",
    503: "no room at the carrier",
    504: "no answer behind the carrier",
    600: "busy everywhere",
    603: "declined",
    604: "no such number",
    606: "no codec in common",
    607: "unwanted",
    608: "blocked by the network",
}
WITHOUT_STATUS: Final[Mapping[str, str]] = {
    "GATEWAY_DOWN": "the gateway is down",
    "INVALID_GATEWAY": "the node does not know the gateway",
    "RECOVERY_ON_TIMER_EXPIRE": "no answer from the carrier",
    "NO_USER_RESPONSE": "no answer from the carrier",
    "PROGRESS_TIMEOUT": "no ring in time",
    "NO_ANSWER": "no ring in time",
}


def by_words(refusals: Iterable[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """What refusals said, as the API tells them, and how many calls each was said to; the most first."""
    found: Counter[str] = Counter()
    for one in refusals:
        found[_words(one["sip_status"], one["cause"])] += one["calls"]
    return found.most_common()


def _words(status: int | None, cause: str) -> str:
    """`503 no room at the carrier`."""
    if status is None:
        return WITHOUT_STATUS.get(cause, cause_words(cause))
    return f"{status} {BY_STATUS.get(status, cause_words(cause))}"

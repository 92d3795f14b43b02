"""The number plan: what the called party of each number does, or a seeded mix.

Asked by the switch once for each leg. Pure: a number in, a CalledParty out; all times are simulated seconds after
the INVITE, and the first answer of the far end takes NETWORK_SECONDS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import accumulate

NETWORK_SECONDS = 0.02  # event times of the real node step in 20 ms
TIMER_B_SECONDS = 32.0  # an INVITE nobody answers

HOSTILE_REASON = 'Q.850;cause=16;text="x%0AHangup-Cause%3A FORGED_BY_SIP%0AUnique-ID%3A forged-uuid"'
NORMAL_REASON = 'Q.850;cause=16;text="NORMAL_CLEARING"'


@dataclass(frozen=True, slots=True)
class CalledParty:
    """What one called party does. `None` for a time means that it does not happen; `talk` None waits for our BYE."""

    ring: float | None = None  # 180
    early: float | None = None  # 183 with SDP
    answer: float | None = None  # 200
    talk: float | None = None  # seconds from the answer to the far end's BYE
    refuse: float | None = None  # the final response `status`
    status: int = 0
    phrase: str = ""  # "" is the usual phrase of the status
    reason: str = NORMAL_REASON  # Reason header of the far end's BYE
    reached: bool = True  # whether any SIP packet came back


_FIRST = NETWORK_SECONDS
QUICK_ANSWER = CalledParty(ring=_FIRST, answer=_FIRST + 0.1, talk=2.5)
PLAN = {
    "00": CalledParty(ring=_FIRST, answer=_FIRST + 1.5, talk=4.0),
    "01": CalledParty(refuse=_FIRST, status=486),
    "02": CalledParty(ring=_FIRST),
    "03": CalledParty(refuse=_FIRST, status=404),
    "04": CalledParty(refuse=_FIRST, status=503),
    "05": CalledParty(refuse=_FIRST, status=480),
    "06": CalledParty(refuse=_FIRST, status=603),
    "07": CalledParty(answer=_FIRST),
    "08": CalledParty(early=_FIRST, answer=_FIRST + 2.0, talk=3.0),
    "09": CalledParty(),
    "10": QUICK_ANSWER,
    "11": CalledParty(refuse=_FIRST, status=487),
    "12": CalledParty(early=_FIRST, refuse=_FIRST + 1.0, status=486),
    "13": CalledParty(answer=_FIRST, talk=1.0, reason=HOSTILE_REASON),
}
SWALLOWED = CalledParty(refuse=TIMER_B_SECONDS, status=408, reached=False)
PORT_CLOSED = CalledParty(refuse=_FIRST, status=503, reached=False)
ANSWERS_AT_ONCE = CalledParty(answer=0.0)

_USER = re.compile(r"(\d\d)(?:[;@].*)?$", re.DOTALL)

# Shares of a hundred: roughly what a list of consumers does in the afternoon.
_MIX = (
    (46, "answered"),
    (8, "early"),
    (24, "02"),
    (9, "01"),
    (5, "03"),
    (3, "05"),
    (3, "06"),
    (2, "04"),
)
_BOUNDS = tuple(zip(accumulate(share for share, _ in _MIX), (name for _, name in _MIX), strict=True))


def refusing(status: int, *, ring: bool = False) -> CalledParty:
    """A gateway that answers every INVITE with this final response, at once or after a 180."""
    if ring:
        return CalledParty(ring=_FIRST, refuse=_FIRST + 0.1, status=status)
    return CalledParty(refuse=_FIRST, status=status)


def by_number(number: str) -> CalledParty:
    """The called party that the last two digits choose; other endings answer quickly, like 10."""
    match = _USER.search(number)
    return PLAN.get(match[1], QUICK_ANSWER) if match else QUICK_ANSWER


class Mix:
    """Called parties drawn by weight. The n-th call to a number meets the same one whenever the seed is the same."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._calls: dict[str, int] = {}

    def draw(self, number: str) -> CalledParty:
        """Who is met by the next call to `number`."""
        attempt = self._calls.get(number, 0) + 1
        self._calls[number] = attempt
        digest = blake2b(
            f"{self._seed}:{number}:{attempt}".encode("utf-8", "surrogateescape"), digest_size=12
        ).digest()
        point = int.from_bytes(digest[:4], "big") % 100
        ring = 2.0 + digest[4] / 255 * 16.0
        talk = 3.0 + (digest[5] / 255) ** 2 * 57.0
        name = next(name for bound, name in _BOUNDS if point < bound)
        if name == "answered":
            return CalledParty(ring=_FIRST, answer=_FIRST + ring, talk=talk)
        if name == "early":
            return CalledParty(early=_FIRST, answer=_FIRST + ring, talk=talk)
        if name in ("02", "03"):
            return PLAN[name]
        return replace(PLAN[name], ring=_FIRST, refuse=_FIRST + ring / 2)

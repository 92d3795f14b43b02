"""Whether anybody beyond us showed life in a call: a ring, an answer, a final response of his own. Pure.

Both breakers go by it: what got through shows that a gateway works and releases what is held. An end that a timer
made says nothing. A node writes its own CANCEL down as 487 and its own timer B as 408, of both of which the carrier
knows nothing.
"""

from __future__ import annotations

from campaigns.routing import TIMER_STATUS
from dialer.live_calls import LiveCall
from dialer.record.outcome_rows import Ended


def rang(call: LiveCall, ended: Ended) -> bool:
    """Whether the call was answered, or any 18x came."""
    return ended.answered or call.answered_at is not None or call.progress or ended.progress_ms is not None


def responded(ended: Ended) -> bool:
    """Whether the far end ended the call with a response that no timer made, and not this side."""
    return ended.sip_status is not None and ended.sip_status not in TIMER_STATUS and ended.hung_up_by != "us"

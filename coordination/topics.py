"""Topics of control messages: words that travel between processes of any version, and so never change."""

from __future__ import annotations

from enum import StrEnum


class Topic(StrEnum):
    """The topics, each with what its payload holds."""

    WAKE = "wake"
    """Something was changed that is read every second anyway: read it now. The payload is for people."""
    HOLD = "hold"
    """No call of `campaign_id` claimed below `generation` may leave any more."""
    HALT = "halt"
    """No call of the tenant `scope` ("*": of anybody) may leave any more, and those that are up end."""
    UNHALT = "unhalt"
    """The halt of `scope` is over."""
    SUPPRESS = "suppress"
    """No call of the tenant `scope` ("*": of anybody) that was claimed before may leave to `number`, or to what
    begins with `prefix`, or at all where neither is named; of `campaign_id` alone where that is."""
    HANGUP = "hangup"
    """The calls of `campaign_id` that are up end."""
    HANDOVER = "handover"
    """`dialer_id` is ending: somebody take its calls."""
    CDR = "cdr"
    """A node's records of calls have come in."""


def known(word: str) -> Topic | None:
    """The topic that `word` stands for; None for one that only a newer process knows."""
    try:
        return Topic(word)
    except ValueError:
        return None

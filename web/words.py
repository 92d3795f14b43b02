"""What states, outcomes and reasons are called on the board, and by which of the four meanings they are shown. Pure.

`good`, to be tried again (`wait`), failed (`bad`) and not counted (`plat`), each with a shape of its own; `run` is
something that goes on, `rest` what nothing became of yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from campaigns.blocked_words import BLOCKED_WORDS
from campaigns.dispositions import CONTACT_MEANINGS


@dataclass(frozen=True, slots=True)
class Chip:
    """A word with its meaning's colour and shape."""

    kind: str
    words: str


STATES: Final[Mapping[str, Chip]] = {
    "draft": Chip("rest", "draft"),
    "scheduled": Chip("wait", "scheduled"),
    "running": Chip("run", "running"),
    "paused": Chip("wait", "paused"),
    "completed": Chip("good", "completed"),
    "failed": Chip("bad", "failed"),
}
ENDED: Final[Mapping[str, Chip]] = {
    "stopped": Chip("rest", "stopped"),
    "exhausted": Chip("good", "completed"),
    "deadline": Chip("rest", "ended by its deadline"),
    "error": Chip("bad", "failed"),
}
OUTCOMES: Final[Mapping[str, Chip]] = {
    "answered": Chip("good", "answered"),
    "abandoned": Chip("bad", "answered, nobody there"),
    "agent_failed": Chip("plat", "answered, agent failed"),
    "busy": Chip("wait", "busy"),
    "no_answer": Chip("wait", "no answer"),
    "unreachable": Chip("wait", "unreachable"),
    "rejected": Chip("wait", "rejected"),
    "network_blocked": Chip("bad", "blocked by the network"),
    "invalid": Chip("bad", "invalid number"),
    "redirected": Chip("bad", "number has changed"),
    "gateway_fault": Chip("plat", "gateway fault"),
    "congestion": Chip("plat", "no room at the carrier"),
    "node_fault": Chip("plat", "node fault"),
    "switch_lost": Chip("wait", "node lost"),
    "outcome_unknown": Chip("bad", "nobody can say"),
    "not_sent": Chip("bad", "never placed"),
    "expired": Chip("rest", "too late to be called"),
    "suppressed": Chip("rest", "not to be called"),
}
CONTACT_STATES: Final[Mapping[str, Chip]] = {
    "pending": Chip("rest", "not called yet"),
    "originated": Chip("run", "being called"),
    "connected": Chip("run", "talking"),
    "completed": Chip("good", "reached"),
    "failed": Chip("bad", "not reached"),
    "cancelled": Chip("rest", "cancelled"),
}


def state_chip(campaign: Mapping[str, Any]) -> Chip:
    """What state a campaign is in; of one that has ended, how it did."""
    ended = ENDED.get(campaign["end_reason"] or "")
    return ended or STATES.get(campaign["status"], Chip("rest", campaign["status"]))


def outcome_chip(disposition: str | None) -> Chip:
    """How a call ended; one that has not is in progress."""
    if disposition is None:
        return Chip("run", "in progress")
    return OUTCOMES.get(disposition, Chip("rest", disposition.replace("_", " ")))


def call_chip(call: Mapping[str, Any]) -> Chip:
    """How a call ended; one that never left for its node has no disposition."""
    if call["ended_at"] is not None and call["disposition"] is None:
        return Chip("rest", "taken back, not placed")
    return outcome_chip(call["disposition"])


def contact_chip(contact: Mapping[str, Any]) -> Chip:
    """Where a contact stands: one that waits for another call is not one that was never called."""
    if contact["status"] == "pending" and (contact["next_attempt_at"] or contact["disposition"]):
        words = outcome_chip(contact["disposition"]).words if contact["disposition"] else "to be called"
        return Chip("wait", f"{words}, to be tried again")
    if contact["status"] in ("failed", "completed") and contact["disposition"]:
        return outcome_chip(contact["disposition"])
    return CONTACT_STATES.get(contact["status"], Chip("rest", contact["status"]))


def meaning(disposition: str | None) -> str:
    """What a disposition means; empty for one of a newer release."""
    return CONTACT_MEANINGS.get(disposition or "", "")


def cause_words(cause: str) -> str:
    """A hangup cause as it is read: `USER_BUSY` is `user busy`."""
    return cause.replace("_", " ").lower()


def blocked_sentence(reason: str) -> str:
    """What holds a campaign back; also of a reason that only a newer dialer knows."""
    return BLOCKED_WORDS.get(reason, f"Something holds it back that this page does not know ({reason}).")

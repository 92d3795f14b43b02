"""Duplicate guard for originates: a node refuses the second of one id, whoever sends it and however late it is read.

FreeSWITCH refuses the id of a call that is up, and no other: an originate that lay in a socket's buffer until the
call it was resent for had ended would be a second call. So each counts itself in the node's own table of rates
before its INVITE leaves, and one that is not the first there is ended at once. Observed on FreeSWITCH 1.11.3-dev: no
INVITE leaves, no CHANNEL_CREATE comes; the job says `-ERR LOSE_RACE`, and CHANNEL_HANGUP_COMPLETE follows.
"""

from __future__ import annotations

from typing import Final

from freeswitch.hangup import Hangup

MODULE: Final = "mod_hash"
"""Keeps the count. A node without it ends every originate, so no link comes up to one; where it is unloaded while a
link stands, each counts as refused by the node."""
SECONDS: Final = 3600
"""For so long a node knows an id. It keeps some 200 bytes for each, a quarter of an hour longer at the most; no
connection stands still for so long."""
CAUSE: Final = "LOSE_RACE"
"""How an originate ends that is not the first under its id. FreeSWITCH itself ends legs so that rang beside the one
that answered; ours have one leg."""


def counts(endpoint: str) -> bool:
    """Whether an originate to this dial string counts itself.

    `user/` and `group/` place a second leg with the same variables under the same hook: it would take the first one's
    place, and the first would be ended when it is answered.
    """
    return not endpoint.startswith(("user/", "group/"))


def limit_application(call_id: str) -> str:
    """What `execute_on_originate` says: it runs when the channel is made, before its INVITE."""
    return f"limit hash carillon {call_id} 1/{SECONDS} !{CAUSE}"


def is_refused_duplicate(hangup: Hangup) -> bool:
    """Whether this is the end of an originate that the node refused because it has had one of the same id before: it
    says nothing about the call but that it lived, and is over.

    A carrier can name this cause too (`Reason: Q.850;cause=702`), but only in a response.
    """
    return hangup.cause == CAUSE and hangup.sip_status is None and not hangup.progress and not hangup.answered

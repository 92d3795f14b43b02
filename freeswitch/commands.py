"""Commands to a node beside the originate: hang up, query, subscribe to events.

Every builder refuses what could become anything but the one value it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from freeswitch.applications import checked_cause
from freeswitch.argument_checks import checked_dialer_id, checked_id, checked_seconds
from freeswitch.errors import CommandRefused

LONGEST_CALL_SECONDS: Final = 86_400

# mod_hash writes D/<realm>_<key>/<value>, for every key in which the realm occurs (mod_hash.c, hash_dump_function).
_MARKER: Final = re.compile(
    r"^D/carillon_([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})/done$", re.MULTILINE
)
_VARIABLE: Final = re.compile(r"[a-z_]{1,64}")
_EVENT_NAME: Final = re.compile(r"[A-Z_]{2,64}")


def uuid_kill(call_id: str, cause: str = "NORMAL_CLEARING") -> str:
    """End one call. `-ERR No such channel!` means not yet, or gone already."""
    return f"uuid_kill {checked_id('call_id', call_id)} {checked_cause(cause)}"


def sched_hangup(call_id: str, seconds: int, cause: str = "ALLOTTED_TIMEOUT") -> str:
    """End one call `seconds` from now, or up to a second sooner: the node counts whole ones."""
    limit = checked_seconds("seconds", seconds, LONGEST_CALL_SECONDS)
    return f"sched_hangup +{limit} {checked_id('call_id', call_id)} {checked_cause(cause)}"


def recover() -> str:
    """Bring back the answered calls that the node's last run left behind; again is harmless.

    Each call comes back under its id with its variables, and without its timers. Needs `track-calls` on the profile.
    """
    return "sofia recover"


def uptime() -> str:
    """How long the node has run: the cheapest question, to learn whether it answers."""
    return "uptime"


def uuid_exists(call_id: str) -> str:
    """Ask for a call: `true` or `false`, exact while the node has not been restarted."""
    return f"uuid_exists {checked_id('call_id', call_id)}"


def uuid_dump(call_id: str) -> str:
    """Ask for all there is to a live call, as JSON for `events.channel_from_dump`."""
    return f"uuid_dump {checked_id('call_id', call_id)} json"


def uuid_getvar(call_id: str, variable: str) -> str:
    """What a variable of a call that is up says; `_undef_` where it is not set."""
    if not _VARIABLE.fullmatch(variable):
        raise CommandRefused("variable", variable, "1 to 64 of a-z _")
    return f"uuid_getvar {checked_id('call_id', call_id)} {variable}"


def hangup_marker_select(call_id: str) -> str:
    """Ask for the marker that a call leaves when it ends: `done`, or `-ERR no reply` when there is none."""
    return f"hash select/carillon/{checked_id('call_id', call_id)}"


def hangup_marker_delete(call_id: str) -> str:
    """Remove a call's hangup marker, which otherwise lives as long as the node."""
    return f"hash delete/carillon/{checked_id('call_id', call_id)}"


def hangup_marker_list() -> str:
    """Ask for every hangup marker that the node has, for `hangup_markers_in`."""
    return "hash_dump db carillon"


def hangup_markers_in(listed: str) -> Iterator[str]:
    """The ids of the calls whose markers a node lists; whatever else lies in its hash is none of ours."""
    return (found[1] for found in _MARKER.finditer(listed))


def event_subscription(names: Iterable[str]) -> str:
    """The command that subscribes to these events, in JSON."""
    wanted = list(names)
    for name in wanted:
        if not _EVENT_NAME.fullmatch(name):
            raise CommandRefused("event", name, "an event's name in capitals")
    return " ".join(["event json", *wanted])


def own_events_filters(dialer_id: str) -> list[str]:
    """The commands that let through the events and the jobs of this dialer's calls.

    Filters are ORed, and once there is one, what none lets through does not come.
    """
    return [f"filter {passing}" for passing in _own_events(dialer_id)]


def own_events_filters_removed(dialer_id: str) -> list[str]:
    """The commands that take `own_events_filters` back; each deletes the one filter of just this value."""
    return [f"filter delete {passing}" for passing in _own_events(dialer_id)]


def _own_events(dialer_id: str) -> list[str]:
    dialer = checked_dialer_id(dialer_id)
    return [f"variable_dialer_id {dialer}", f"Job-UUID /^{dialer}\\./"]


def event_filter(name: str) -> str:
    """The command that lets through every event of this name, whoever caused it."""
    if not _EVENT_NAME.fullmatch(name):
        raise CommandRefused("event", name, "an event's name in capitals")
    return f"filter Event-Name {name}"

"""How a node finds out by itself that a called person was left alone, in a room or by a queue, and lets him go.

A host who hangs up leaves the person in silence until the call's maximum: mod_conference ends a room only for all who
are in it, or, with `mintwo`, for a host who waits for the next person. So each call to a room schedules two looks on
its node, again and again. The first notes a person who is alone (`dialer_left`), and takes him for one who was not
met; the second gets him out of the room, so that the list of his call goes on: it looks for a host once more, plays
the message and hangs up. Both name him by his id, so that nobody else is ever got out, and both end with his call.

An agent of a queue who leaves a call ends it, wherever he goes (`hangup_after_bridge`). One whose phone is gone in
the moment of being joined leaves the person in the queue, with the timer called off that would have let him go, and
out of reach of a transfer: only a hang-up gets him out, without a message.
"""

from __future__ import annotations

import re
from typing import Final

NOTE_SECONDS: Final = 3
KICK_SECONDS: Final = 6
"""Between a host's leaving and this side's getting the person out lie at most so many, and a second: the node's
scheduler counts whole ones."""

QUEUE_SECONDS: Final = 6
"""So often a node looks whether somebody is in a queue and was not joined: by then his wait is long over."""

ROOM: Final = re.compile(r"[0-9A-Za-z_.-]{1,128}")
_GROUP: Final = "left-${uuid}"
_UNTIL_THE_END: Final = f"api_reporting_hook=sched_del {_GROUP}"
# Who is joined shows either application: what ran last of his own is the hook that called the timer off.
_RUNS: Final = r"\${uuid_getvar(${uuid} current_application)}"
_IN_QUEUE: Final = rf"\${{cond({_RUNS} == sched_cancel ? callcenter : {_RUNS})}}"
_BOND: Final = r"\${uuid_getvar(${uuid} signal_bond)}"
_UNJOINED: Final = rf"\${{cond({_IN_QUEUE}{_BOND} == callcenter_undef_ ? ${{uuid}} : none)}}"
_LOOK_IN_QUEUE: Final = f"dialer_watch=${{sched_api(@{QUEUE_SECONDS} {_GROUP} expand uuid_kill {_UNJOINED})}}"
WATCH_QUEUE: Final = (_UNTIL_THE_END, _LOOK_IN_QUEUE)
"""The arguments of `set` that begin the looks at a call in a queue."""
OVER: Final = f"dialer_watch=${{sched_del({_GROUP})}}"
"""An argument of `set` that ends the looks: nobody is to be met in a room any more."""


def watch(room: str) -> list[str]:
    """The arguments of `set` that begin the looks into a room of the default profile."""
    # \$ puts off what is to be asked at each look; `expand` expands the arguments of its command, not its name.
    alone = rf"\${{cond(\${{conference({room} get count)}} == 1 ? ${{uuid}} : none)}}"
    note = f"uuid_setvar_multi {alone} conference_member_id=0;dialer_left=true"
    kick = f"conference {room} kick uuid={alone}"
    return [
        _UNTIL_THE_END,
        f"dialer_watch=${{sched_api(@{NOTE_SECONDS} {_GROUP} expand {note})}}",
        f"dialer_watch=${{sched_api(@{KICK_SECONDS} {_GROUP} expand {kick})}}",
    ]


def is_ours(argument: str) -> bool:
    """Whether this is, to the last character, one of the arguments above for some room."""
    if argument in (*WATCH_QUEUE, OVER):
        return True
    found = re.search(rf"conference\(({ROOM.pattern}) get count\)", argument)
    return found is not None and argument in watch(found[1])

"""What an agent does with an answered call: typed data, never a string for the switch.

`action_parsing` makes it of an agent's JSON, within what the platform gave the tenant; `action_templates` puts a
contact's columns into its templates (`{first_name}`). The API parses before it stores; the dialer parses with the
permissions of the moment and fills for each call. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from campaigns.errors import CampaignsError, quoted

DEFAULT_VOICE = "flite/slt"
VOICES = frozenset({"flite/awb", "flite/kal", "flite/rms", "flite/slt"})


class ActionRefused(CampaignsError):  # noqa: N818 - it reads as what happened to the action
    """An action breaks a rule: `field` is where (`action.file`), `value` what it holds, `rule` what may be."""

    def __init__(self, field: str, value: object, rule: str) -> None:
        super().__init__(f"{field} is {'missing' if value is None else quoted(str(value))}; {rule}")
        self.field = field
        self.value = value
        self.rule = rule


class NotGranted(ActionRefused):
    """It needs what the platform did not give the tenant, or has taken away: so says the database, to everybody."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the platform lets a tenant's actions reach. `socket_hosts` and `audio_hosts` are `host` or `host:port`;
    `prefixes` are those of the gateways of `gateway_ids` that carry some numbers only."""

    tenant_id: str
    sound_folder: str
    audio_hosts: frozenset[str] = frozenset()
    voices: frozenset[str] = VOICES
    gateway_ids: frozenset[str] = frozenset()
    prefixes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    queues: frozenset[str] = frozenset()
    socket_hosts: frozenset[str] = frozenset()
    dialplan_context: str | None = None


@dataclass(frozen=True, slots=True)
class PlayFile:
    """Play a file: an absolute path below the sound folder, or an https URL of an allowed host.

    `folder` is the part in front of what the tenant wrote; empty of a URL.
    """

    file: str
    folder: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PlayTone:
    """Play a tone of FreeSWITCH's tone language."""

    tone: str


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a text. `voice` is `engine/voice`."""

    text: str
    voice: str = DEFAULT_VOICE


@dataclass(frozen=True, slots=True)
class Transfer:
    """Go on at an extension of the dialplan context that the platform gave the tenant."""

    extension: str
    context: str


@dataclass(frozen=True, slots=True)
class Bridge:
    """Connect to a number (E.164 once filled) through one of the tenant's gateways."""

    gateway_id: str
    number: str


@dataclass(frozen=True, slots=True)
class Queue:
    """Hand the call to one of the tenant's queues."""

    name: str


@dataclass(frozen=True, slots=True)
class Socket:
    """Hand the call to an outbound event socket server."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Conference:
    """Join a room. `name` is the room's on the switch, which no other tenant's room can have."""

    room: str
    tenant_id: str

    @property
    def name(self) -> str:
        """The tenant's id, a dot, and the room."""
        return f"{self.tenant_id}.{self.room}"


@dataclass(frozen=True, slots=True)
class Park:
    """Hold the call in silence."""


@dataclass(frozen=True, slots=True)
class Echo:
    """Play the called party's own voice back."""


Action = PlayFile | PlayTone | Say | Transfer | Bridge | Queue | Socket | Conference | Park | Echo

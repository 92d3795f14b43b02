"""What the doctor finds wrong with a node, by what the node said of itself; each with what to do about it. Pure.

The advice is that of docs/freeswitch.md. The codes are in `tables/cluster.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from campaigns.agent_needs import Need, NeedKind
from freeswitch import dedup
from freeswitch.connection import WRONG_PASSWORD
from models import FindingCode as Code
from settings import NodeSettings

NEEDED_MODULES: Final = (
    "mod_commands",
    "mod_dptools",
    "mod_event_socket",
    "mod_json_cdr",
    "mod_sofia",
    "mod_tone_stream",
)
CANNOT_BE_ASKED: Final = (
    "Check that FreeSWITCH runs, that its event_socket.conf.xml listens there and lets this host in, and the password"
    " in FREESWITCH_URLS or of /api/v1/nodes."
)
PASSWORD: Final = (
    "Give the one in its event_socket.conf.xml: in FREESWITCH_URLS, or with PATCH /api/v1/nodes for a node that was"
    " added there."
)
SLOW_MS: Final = 20.0
"""A busy node answers within a few milliseconds; beyond this it is saturated, or far away."""
SKEW_SECONDS: Final = 2.0
STOCK_PASSWORD: Final = "ClueCon"
STOCK_USER, STOCK_USER_PASSWORD = "1000", "1234"
"""Of the users 1000 to 1019 that a stock FreeSWITCH has, by `default_password` in its vars.xml."""
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(slots=True)
class Facts:
    """What a node says of itself; None for what it was not, or could not be, asked. `gateways` holds UP, DOWN, …"""

    error: str | None = None
    core_uuid: str = ""
    version: str = ""
    modules: dict[str, bool] = field(default_factory=dict)
    lacks: tuple[Need, ...] = ()
    sessions_per_second: int | None = None
    max_sessions: int | None = None
    paused: bool = False
    shutting_down: bool = False
    gateways: dict[str, str | None] = field(default_factory=dict)
    hash_works: bool = True
    skew_seconds: float = 0.0
    round_trip_ms: float = 0.0
    cdr: Mapping[str, str] | None = None
    event_socket: Mapping[str, str] | None = None
    untracked: tuple[str, ...] = ()
    stopped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The profiles that are configured and do not run, each with what it was told to be its outer addresses."""
    stock_users: bool = False
    """Whether a phone can register as user 1000 with the stock password."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its code, what of the node it is about where there may be several, and what to do."""

    code: Code
    sentence: str
    subject: str = ""


def findings(node: NodeSettings, facts: Facts) -> list[Finding]:
    """Everything that is missing, each with what to do about it."""
    if facts.error is not None and dedup.MODULE in facts.error:
        # No link comes up to such a node, so that nothing else can be asked of it.
        return [_not_loaded(dedup.MODULE)]
    if facts.error == WRONG_PASSWORD:
        return [Finding(Code.WRONG_PASSWORD, f"{node.address} does not take the password. {PASSWORD}")]
    if facts.error is not None:
        said = f"{node.address} cannot be asked: {facts.error.rstrip('.')}. {CANNOT_BE_ASKED}"
        return [Finding(Code.CANNOT_BE_ASKED, said)]
    return [
        *_missing_modules(facts),
        *(_lacking(need) for need in facts.lacks),
        *_limits(node, facts),
        *_profiles(facts),
        *_gateways(facts),
        *_event_socket(node, facts),
        *_call_records(facts),
        *_health(facts),
    ]


def unknown(outer: Iterable[str]) -> bool:
    """Whether a profile would have to learn one of its outer addresses from a server on the internet, as the stock
    vars.xml has it; empty where that failed. Not every node can reach one."""
    return any(not address or address.startswith("stun:") for address in outer)


def _missing_modules(facts: Facts) -> list[Finding]:
    missing = [name for name, there in facts.modules.items() if not there]
    return [
        _no_sofia(facts) if name == "mod_sofia" and facts.stopped else _not_loaded(name) for name in missing
    ]


def _no_sofia(facts: Facts) -> Finding:
    """Loading it again would fail as it did at the start."""
    said = (
        f"mod_sofia is not loaded: the outer address of the profile {' and '.join(facts.stopped)} was to be learned"
        " from a STUN server. Set external_sip_ip and external_rtp_ip in vars.xml to the node's own, then: reloadxml,"
        " and load mod_sofia."
    )
    return Finding(Code.MODULE_MISSING, said, "mod_sofia")


def _not_loaded(module: str) -> Finding:
    said = f"{module} is not loaded. Load it in modules.conf.xml; until then: load {module}."
    if module == "mod_json_cdr":
        # A stock FreeSWITCH neither builds it nor has a file for it.
        said += (
            " Where the node has no such file, build it (event_handlers/mod_json_cdr in modules.conf) or install"
            " freeswitch-mod-json-cdr, and put json_cdr.conf.xml into autoload_configs."
        )
    return Finding(Code.MODULE_MISSING, said, module)


def _lacking(need: Need) -> Finding:
    """An agent's need that the node cannot serve: whoever answers would hear nothing."""
    match need.kind:
        case NeedKind.MODULE:
            said = f"an agent needs it: {_not_loaded(need.name).sentence}"
        case NeedKind.FILE:
            said = f"the file {need.name} is not there, and an agent plays it. Put it there, readable for FreeSWITCH."
        case NeedKind.QUEUE:
            said = f"the queue {need.name} is not there, and an agent uses it. Add it to callcenter.conf.xml."
        case NeedKind.SERVER:
            said = f"nobody listens at {need.name}, which an agent's socket needs. Start the server there."
        case NeedKind.GATEWAY:
            said = f"the gateway {need.name} takes no call, and an agent bridges by it."
    return Finding(Code.AGENT_NEEDS, said, str(need))


def _limits(node: NodeSettings, facts: Facts) -> list[Finding]:
    found = []
    sps, sessions = facts.sessions_per_second, facts.max_sessions
    if sps is not None and sps <= node.cps:
        said = (
            f"sessions-per-second is {sps} and admits {sps - 1}, below cps={node.cps}. Set it to"
            f" {node.cps + 1} or more in switch.conf.xml (now: fsctl sps {node.cps + 1}), or lower cps."
        )
        found.append(Finding(Code.SESSIONS_PER_SECOND, said))
    if sessions is not None and node.channels is not None and sessions < node.channels:
        said = (
            f"max-sessions is {sessions}, below channels={node.channels}. Raise it in switch.conf.xml (now:"
            f" fsctl max_sessions {node.channels}), or lower channels; every leg counts."
        )
        found.append(Finding(Code.MAX_SESSIONS, said))
    if facts.paused:
        found.append(Finding(Code.PAUSED, "outbound calls are paused. To let them go: fsctl resume."))
    if facts.shutting_down:
        found.append(Finding(Code.SHUTTING_DOWN, "it is shutting down. To keep it: fsctl shutdown cancel."))
    return found


def _profiles(facts: Facts) -> list[Finding]:
    found = []
    for name, outer in facts.stopped.items() if facts.modules.get("mod_sofia", True) else ():
        said = f"the profile {name} does not run"
        if unknown(outer):
            said += (
                ", and its outer address was to be learned from a STUN server. Set external_sip_ip and"
                " external_rtp_ip in vars.xml to the node's own, then: reload mod_sofia."
            )
        else:
            said += f". Take it away, or see why in the log after: sofia profile {name} start."
        found.append(Finding(Code.PROFILE_STOPPED, said, name))
    if facts.stock_users:
        said = (
            f"whoever reaches its SIP port registers as {STOCK_USER} with the stock password and places calls. Change"
            " default_password in vars.xml, or take directory/default and the profiles internal away where no phone"
            " registers here."
        )
        found.append(Finding(Code.STOCK_USERS, said))
    return found


def _gateways(facts: Facts) -> list[Finding]:
    found: list[Finding] = []
    if not facts.modules.get("mod_sofia", True):
        # None is known without it, and that is told by itself.
        return found
    for name, status in facts.gateways.items():
        if status is None:
            said = (
                f"the gateway {name} is not known. Add it to the external profile (sip_profiles/external/{name}.xml),"
                " then: sofia profile external rescan."
            )
            found.append(Finding(Code.GATEWAY_UNKNOWN, said, name))
        elif status != "UP":
            said = f"the gateway {name} is {status}. Look at: sofia status gateway {name}."
            found.append(Finding(Code.GATEWAY_DOWN, said, name))
    return found


def _event_socket(node: NodeSettings, facts: Facts) -> list[Finding]:
    settings = facts.event_socket
    if settings is None:
        return []
    address = settings.get("listen-ip", "")
    if address in LOOPBACK:
        return []
    found = []
    if node.password == STOCK_PASSWORD:
        said = (
            f"port {node.port} listens on {address or 'every address'} with the stock password, and whoever gets in"
            " can run commands as FreeSWITCH. Choose another, in event_socket.conf.xml and where the node is named."
        )
        found.append(Finding(Code.STOCK_PASSWORD, said))
    if address in ("", "::", "0.0.0.0"):
        said = (
            f"port {node.port} listens on every address. Set listen-ip in event_socket.conf.xml to 127.0.0.1 or to"
            " the private address that the dialers use."
        )
        found.append(Finding(Code.OPEN_TO_ALL, said))
    return found


def _call_records(facts: Facts) -> list[Finding]:
    settings = facts.cdr
    found = []
    if settings is not None and settings.get("url"):
        said = (
            "json_cdr.conf.xml has a url: a service that hangs would hold up every hang-up. Take it out; log-dir and"
            " ship_cdrs.py do the same without that."
        )
        found.append(Finding(Code.RECORDS_BY_URL, said))
    if settings is not None and not settings.get("log-dir"):
        said = "json_cdr.conf.xml has no log-dir: what ended while no dialer listened is lost. Set it."
        found.append(Finding(Code.RECORDS_NOT_KEPT, said))
    for name in facts.untracked:
        said = (
            f"the profile {name} does not set track-calls: calls that the node's death cuts off cannot be brought"
            f" back. Set it to true, then: sofia profile {name} restart."
        )
        found.append(Finding(Code.CALLS_NOT_TRACKED, said, name))
    return found


def _health(facts: Facts) -> list[Finding]:
    found = []
    if not facts.hash_works:
        said = "a mark in the hash does not come back: recovery would not know which calls have ended."
        found.append(Finding(Code.MARKS_LOST, said))
    if abs(facts.skew_seconds) > SKEW_SECONDS:
        said = (
            f"its clock is {abs(facts.skew_seconds):.0f} s {'ahead of' if facts.skew_seconds > 0 else 'behind'} this"
            " host's. Let both keep time by NTP."
        )
        found.append(Finding(Code.CLOCK, said))
    if facts.round_trip_ms > SLOW_MS:
        said = (
            f"it takes {facts.round_trip_ms:.0f} ms to answer; beyond {SLOW_MS:.0f} it is overloaded or far away."
            " Lower its cps, or move the dialer next to it."
        )
        found.append(Finding(Code.SLOW, said))
    return found

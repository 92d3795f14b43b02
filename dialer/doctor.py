"""`python -m dialer doctor`: checks that each node is what a dialer needs. One line for what is missing.

A node is asked by short api commands only, and left as it was: the mark that is written is deleted, no call is made.
`findings` is pure; `ask` does the asking. The advice is that of docs/freeswitch.md.
"""

from __future__ import annotations

import re
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final
from xml.etree import ElementTree as Xml

import gevent
from peewee import PeeweeException

from campaigns.agent_needs import GATEWAY, Need, NeedKind
from dialer.dispatch.node_entries import of_environment, read_table, with_table
from dialer.node_needs import missing, needed_by_agents
from freeswitch import commands, dedup
from freeswitch.cluster import Cluster, NodeConfig, NodeLink
from freeswitch.connection import WRONG_PASSWORD
from freeswitch.errors import EslError
from logs import configure
from models import connect, db, rows
from settings import NodeSettings, Settings, SettingsError

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
DOCTOR: Final = "ddoctor"
CONNECT_SECONDS: Final = 15.0
DATABASE_SECONDS: Final = 10
"""Nothing waits behind the doctor: a server that is only busy may take its time."""
ROUND_TRIPS: Final = 50
SLOW_MS: Final = 20.0
"""A busy node answers within a few milliseconds; beyond this it is saturated, or far away."""
SKEW_SECONDS: Final = 2.0
STOCK_PASSWORD: Final = "ClueCon"
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_NUMBER: Final = re.compile(r": (\d+)\s*$")


@dataclass(frozen=True, slots=True)
class Required:
    """What the database says that every node must have: gateways by name, and what agents need."""

    gateways: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()


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


def main(settings: Settings, say: Callable[[str], None] = print) -> int:
    """Examine every node, of the environment and of the database; 0 when nothing is missing anywhere, 1 otherwise."""
    nodes, wanted, faults = of_environment(settings.nodes), Required(), 0
    if settings.database_url is None:
        say("DATABASE_URL is not set: gateways, agents and the nodes there are not looked at.")
    else:
        try:
            connect(settings.database_url, connect_seconds=DATABASE_SECONDS)
            with db.connection_context():
                wanted = required_by_database(settings.sound_folder)
                nodes = with_table(nodes, read_table())
        except PeeweeException as error:
            say(
                f"database: {str(error).strip()[:200]}: gateways, agents and the nodes there are not looked at."
            )
            faults += 1
    examined = [nodes[name].node for name in sorted(nodes) if not nodes[name].deleted]
    if not examined:
        say("No node is known: set FREESWITCH_URLS, or add one with POST /api/v1/nodes.")
        faults += 1
    asking = [gevent.spawn(ask, node, wanted) for node in examined]
    for node, job in zip(examined, asking, strict=True):
        facts = job.get()
        found = findings(node, facts)
        faults += len(found)
        if facts.error is None:
            say(f"{node.name}: {_summary(facts)}")
        for line in found:
            say(f"{node.name}: {line}")
    say("Nothing is missing." if not faults else f"{faults} to mend.")
    return 1 if faults else 0


def required_by_database(sound_folder: str) -> Required:
    """The gateways, and what agents need. Raises PeeweeException where the database cannot be asked."""
    gateways = rows("SELECT DISTINCT dial_string FROM gateway WHERE deleted_at IS NULL")
    names = {match[1] for gateway in gateways for match in GATEWAY.finditer(gateway["dial_string"])}
    # Every gateway is looked at as such, whoever bridges by it.
    needs = (need for need in needed_by_agents(sound_folder) if need.kind is not NeedKind.GATEWAY)
    return Required(tuple(sorted(names)), tuple(sorted(needs)))


def ask(node: NodeSettings, wanted: Required) -> Facts:
    """Connect as a dialer does, filters and all, and ask for everything; `error` says where that ended."""
    facts = Facts()
    config = NodeConfig(node.name, node.host, node.port, node.password)
    cluster = Cluster([config], DOCTOR, lambda _node, _event: None, lambda _change: None)
    link = cluster.links[node.name]
    cluster.start()
    try:
        _wait_up(link)
        _ask_itself(link, facts)
        _ask_modules(link, facts, wanted)
        _ask_gateways(link, facts, wanted)
        _ask_hash(link, facts)
        _ask_configuration(link, facts)
        _ask_time(link, facts)
    except EslError as error:
        facts.error = error.reason
    finally:
        cluster.stop()
    return facts


def findings(node: NodeSettings, facts: Facts) -> list[str]:
    """Everything that is missing, each with what to do about it."""
    if facts.error is not None and dedup.MODULE in facts.error:
        # No link comes up to such a node, so that nothing else can be asked of it.
        return [_not_loaded(dedup.MODULE)]
    if facts.error == WRONG_PASSWORD:
        return [f"{node.address} does not take the password. {PASSWORD}"]
    if facts.error is not None:
        return [f"{node.address} cannot be asked: {facts.error.rstrip('.')}. {CANNOT_BE_ASKED}"]
    return [
        *_missing_modules(facts),
        *(_lacking(need) for need in facts.lacks),
        *_limits(node, facts),
        *_gateways(facts),
        *_event_socket(node, facts),
        *_call_records(facts),
        *_health(facts),
    ]


def _missing_modules(facts: Facts) -> list[str]:
    return [_not_loaded(name) for name, there in facts.modules.items() if not there]


def _not_loaded(module: str) -> str:
    return f"{module} is not loaded. Load it in modules.conf.xml; until then: load {module}."


def _lacking(need: Need) -> str:
    """An agent's need that the node cannot serve: whoever answers would hear nothing."""
    match need.kind:
        case NeedKind.MODULE:
            return f"an agent needs it: {_not_loaded(need.name)}"
        case NeedKind.FILE:
            return f"the file {need.name} is not there, and an agent plays it. Put it there, readable for FreeSWITCH."
        case NeedKind.QUEUE:
            return f"the queue {need.name} is not there, and an agent uses it. Add it to callcenter.conf.xml."
        case NeedKind.SERVER:
            return f"nobody listens at {need.name}, which an agent's socket needs. Start the server there."
        case NeedKind.GATEWAY:
            return f"the gateway {need.name} takes no call, and an agent bridges by it."


def _limits(node: NodeSettings, facts: Facts) -> list[str]:
    found = []
    sps, sessions = facts.sessions_per_second, facts.max_sessions
    if sps is not None and sps <= node.cps:
        found.append(
            f"sessions-per-second is {sps} and admits {sps - 1}, below cps={node.cps}. Set it to"
            f" {node.cps + 1} or more in switch.conf.xml (now: fsctl sps {node.cps + 1}), or lower cps."
        )
    if sessions is not None and node.channels is not None and sessions < node.channels:
        found.append(
            f"max-sessions is {sessions}, below channels={node.channels}. Raise it in switch.conf.xml (now:"
            f" fsctl max_sessions {node.channels}), or lower channels; every leg counts."
        )
    if facts.paused:
        found.append("outbound calls are paused. To let them go: fsctl resume.")
    if facts.shutting_down:
        found.append("it is shutting down. To keep it: fsctl shutdown cancel.")
    return found


def _gateways(facts: Facts) -> list[str]:
    found = []
    for name, status in facts.gateways.items():
        if status is None:
            found.append(
                f"the gateway {name} is not known. Add it to the external profile (sip_profiles/external/{name}.xml),"
                " then: sofia profile external rescan."
            )
        elif status != "UP":
            found.append(f"the gateway {name} is {status}. Look at: sofia status gateway {name}.")
    return found


def _event_socket(node: NodeSettings, facts: Facts) -> list[str]:
    settings = facts.event_socket
    if settings is None:
        return []
    address = settings.get("listen-ip", "")
    if address in LOOPBACK:
        return []
    found = []
    if node.password == STOCK_PASSWORD:
        found.append(
            f"port {node.port} listens on {address or 'every address'} with the stock password, and whoever gets in"
            " can run commands as FreeSWITCH. Choose another, in event_socket.conf.xml and where the node is named."
        )
    if address in ("", "::", "0.0.0.0"):
        found.append(
            f"port {node.port} listens on every address. Set listen-ip in event_socket.conf.xml to 127.0.0.1 or to"
            " the private address that the dialers use."
        )
    return found


def _call_records(facts: Facts) -> list[str]:
    settings = facts.cdr
    found = []
    if settings is not None and settings.get("url"):
        found.append(
            "json_cdr.conf.xml has a url: a service that hangs would hold up every hang-up. Take it out; log-dir and"
            " ship_cdrs.py do the same without that."
        )
    if settings is not None and not settings.get("log-dir"):
        found.append("json_cdr.conf.xml has no log-dir: what ended while no dialer listened is lost. Set it.")
    found += [
        f"the profile {name} does not set track-calls: calls that the node's death cuts off cannot be brought back."
        f" Set it to true, then: sofia profile {name} restart."
        for name in facts.untracked
    ]
    return found


def _health(facts: Facts) -> list[str]:
    found = []
    if not facts.hash_works:
        found.append("a mark in the hash does not come back: recovery would not know which calls have ended.")
    if abs(facts.skew_seconds) > SKEW_SECONDS:
        found.append(
            f"its clock is {abs(facts.skew_seconds):.0f} s {'ahead of' if facts.skew_seconds > 0 else 'behind'} this"
            " host's. Let both keep time by NTP."
        )
    if facts.round_trip_ms > SLOW_MS:
        found.append(
            f"it takes {facts.round_trip_ms:.0f} ms to answer; beyond {SLOW_MS:.0f} it is overloaded or far away."
            " Lower its cps, or move the dialer next to it."
        )
    return found


def _wait_up(link: NodeLink) -> None:
    """Return once the link stands; raises EslError with what was in its way."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while not link.connected:
        if link.last_error is not None or time.monotonic() > deadline:
            raise EslError(link.name, link.last_error or f"not connected within {CONNECT_SECONDS:.0f} s")
        gevent.sleep(0.01)


def _ask_itself(link: NodeLink, facts: Facts) -> None:
    facts.core_uuid = link.api("global_getvar core_uuid").strip()
    facts.version = link.api("version short").strip()
    facts.sessions_per_second = _number(link.api("fsctl sps"))
    facts.max_sessions = _number(link.api("fsctl max_sessions"))
    facts.paused = link.api("fsctl pause_check outbound").strip() == "true"
    facts.shutting_down = link.api("fsctl shutdown_check").strip() == "true"


def _ask_modules(link: NodeLink, facts: Facts, wanted: Required) -> None:
    for name in NEEDED_MODULES:
        facts.modules[name] = link.api(f"module_exists {name}").strip() == "true"
    others = [need for need in wanted.needs if need.name not in NEEDED_MODULES]
    facts.lacks = tuple(sorted(missing(link, others)))


def _ask_gateways(link: NodeLink, facts: Facts, wanted: Required) -> None:
    for name in wanted.gateways:
        status = re.search(r"^Status\s+(\S+)", link.api(f"sofia status gateway {name}"), re.MULTILINE)
        facts.gateways[name] = status[1] if status else None


def _ask_hash(link: NodeLink, facts: Facts) -> None:
    mark = f"doctor-{uuid.uuid4().hex}"
    link.api(f"hash insert/carillon/{mark}/done")
    kept = link.api(commands.hangup_marker_select(mark)).strip() == "done"
    link.api(commands.hangup_marker_delete(mark))
    facts.hash_works = kept and link.api(commands.hangup_marker_select(mark)).strip() != "done"


def _ask_configuration(link: NodeLink, facts: Facts) -> None:
    facts.cdr = _settings(_located(link, "json_cdr.conf"))
    facts.event_socket = _settings(_located(link, "event_socket.conf"))
    sofia = _located(link, "sofia.conf")
    if sofia is not None:
        dialling = [
            profile for profile in sofia.iter("profile") if profile.find("gateways/gateway") is not None
        ]
        profiles = {profile.get("name", ""): _settings(profile) or {} for profile in dialling}
        facts.untracked = tuple(n for n, given in profiles.items() if given.get("track-calls") != "true")


def _ask_time(link: NodeLink, facts: Facts) -> None:
    taken = []
    nobody = commands.uuid_exists(str(uuid.uuid4()))
    for _ in range(ROUND_TRIPS):
        began = time.monotonic()
        link.api(nobody)
        taken.append(time.monotonic() - began)
    facts.round_trip_ms = median(taken) * 1000
    asked = time.time()
    theirs = _number(f": {link.api('strepoch')}")
    if theirs is not None:
        # The node tells whole seconds: half a second is the middle of what it may mean.
        facts.skew_seconds = theirs + 0.5 - (asked + time.time()) / 2


def _located(link: NodeLink, name: str) -> Xml.Element | None:
    """A configuration as the node has it in memory; None where it cannot be shown."""
    text = link.api(f"xml_locate configuration configuration name {name}")
    try:
        return Xml.fromstring(text)
    except Xml.ParseError:
        return None


def _settings(element: Xml.Element | None) -> dict[str, str] | None:
    """The params of a configuration's or a profile's settings."""
    if element is None:
        return None
    return {p.get("name", ""): p.get("value", "") for p in element.iterfind("settings/param")}


def _number(text: str) -> int | None:
    match = _NUMBER.search(text)
    return int(match[1]) if match else None


def _summary(facts: Facts) -> str:
    gateways = ", ".join(f"{name} {status}" for name, status in facts.gateways.items() if status)
    return (
        f"FreeSWITCH {facts.version}, core {facts.core_uuid}, {facts.sessions_per_second} sessions per second,"
        f" {facts.max_sessions} sessions, api p50 {facts.round_trip_ms:.1f} ms, clock {facts.skew_seconds:+.1f} s"
        f"{f', gateways {gateways}' if gateways else ''}"
    )


def run() -> int:
    """The command line: settings from the environment; 2 where one is wrong."""
    try:
        settings = Settings.from_environ()
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    # What stands in the way of a connection is among the findings.
    configure("ERROR")
    return main(settings)

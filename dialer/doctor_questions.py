"""What the doctor asks a node: short api commands only, over a connection of its own. It is left as it was: the
marker that is written is deleted, no call is made. What follows from the answers: `doctor_findings`.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final
from xml.etree import ElementTree as Xml

import gevent

from campaigns.agent_needs import GATEWAY, Need, NeedKind
from cooperative import let_others_run
from dialer.doctor_findings import NEEDED_MODULES, STOCK_USER, STOCK_USER_PASSWORD, Facts, unknown
from dialer.node_needs import BATCH, missing, needed_by_agents
from freeswitch import commands
from freeswitch.cluster import Cluster, NodeConfig, NodeLink
from freeswitch.errors import EslError
from models import rows
from settings import NodeSettings

DOCTOR: Final = "ddoctor"
CONNECT_SECONDS: Final = 15.0
ROUND_TRIPS: Final = 50
PIECE: Final = 16_384
"""Characters of a configuration that are read at once: one of a thousand gateways would hold a dialer up."""
_RUNNING: Final = re.compile(r"^\s*(\S+)\s+profile\s", re.MULTILINE)
_STATUS: Final = re.compile(r"^Status\s+(\S+)", re.MULTILINE)
_NUMBER: Final = re.compile(r": (\d+)\s*$")


@dataclass(frozen=True, slots=True)
class Required:
    """What the database says that every node must have: gateways by name, and what agents need."""

    gateways: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()


def required_by_database(sound_folder: str) -> Required:
    """The gateways, and what agents need. Raises PeeweeException where the database cannot be asked."""
    gateways = rows("SELECT DISTINCT dial_string FROM gateway WHERE deleted_at IS NULL")
    names = {match[1] for gateway in gateways for match in GATEWAY.finditer(gateway["dial_string"])}
    # Every gateway is looked at as such, whoever bridges by it.
    needs = (need for need in needed_by_agents(sound_folder) if need.kind is not NeedKind.GATEWAY)
    return Required(tuple(sorted(names)), tuple(sorted(needs)))


def ask(node: NodeSettings, wanted: Required, *, timed: bool = False) -> Facts:
    """Connect as a dialer does, filters and all, and ask for everything; `error` says where that ended. `timed`: also
    how long an answer takes, which says nothing where this process is busy itself."""
    facts = Facts()
    # The log tells this connection from that which carries calls.
    config = NodeConfig(f"{node.name} (doctor)", node.host, node.port, node.password)
    cluster = Cluster([config], DOCTOR, lambda _node, _event: None, lambda _change: None)
    link = cluster.links[config.name]
    cluster.start()
    try:
        _wait_up(link)
        _ask_itself(link, facts)
        _ask_modules(link, facts, wanted)
        facts.gateways = gateway_statuses(link, wanted.gateways)
        _ask_hash(link, facts)
        _ask_configuration(link, facts)
        _ask_clock(link, facts)
        if timed:
            _ask_round_trips(link, facts)
    except EslError as error:
        facts.error = error.reason
    finally:
        cluster.stop()
    return facts


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


def gateway_statuses(link: NodeLink, names: Sequence[str]) -> dict[str, str | None]:
    """What each of these gateways is; None for one that the node does not know. Many in one round trip: a thousand,
    one by one, would outlast an examination. Raises FreeswitchError."""
    found: dict[str, str | None] = {}
    for start in range(0, len(names), BATCH):
        some = names[start : start + BATCH]
        answers = link.api_many([f"sofia status gateway {name}" for name in some])
        if len(answers) < len(some):
            raise EslError(link.name, "it did not answer")
        statuses = (_STATUS.search(answer) for answer in answers)
        found |= {name: status and status[1] for name, status in zip(some, statuses, strict=True)}
    return found


def _ask_hash(link: NodeLink, facts: Facts) -> None:
    marker = f"doctor-{uuid.uuid4().hex}"
    link.api(f"hash insert/carillon/{marker}/done")
    kept = link.api(commands.hangup_marker_select(marker)).strip() == "done"
    link.api(commands.hangup_marker_delete(marker))
    facts.hash_works = kept and link.api(commands.hangup_marker_select(marker)).strip() != "done"


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
        facts.stopped = stopped_profiles(sofia, link.api("sofia status"))
    domain = link.api("global_getvar domain").strip()
    password = link.api(f"user_data {STOCK_USER}@{domain} param password").strip()
    facts.stock_users = password == STOCK_USER_PASSWORD


def stopped_profiles(sofia: Xml.Element, status: str) -> dict[str, tuple[str, ...]]:
    """The profiles of this configuration that `sofia status` does not show, with their outer addresses; without
    mod_sofia those alone for which it would not load."""
    running, found = set(_RUNNING.findall(status)), {}
    for profile in sofia.iter("profile"):
        given = _settings(profile) or {}
        outer = tuple(given[name] for name in ("ext-sip-ip", "ext-rtp-ip") if name in given)
        if profile.get("name", "") not in running and (not status.startswith("-ERR") or unknown(outer)):
            found[profile.get("name", "")] = outer
    return found


def _ask_clock(link: NodeLink, facts: Facts) -> None:
    asked = time.time()
    theirs = _number(f": {link.api('strepoch')}")
    if theirs is not None:
        # The node tells whole seconds: half a second is the middle of what it may mean.
        facts.skew_seconds = theirs + 0.5 - (asked + time.time()) / 2


def _ask_round_trips(link: NodeLink, facts: Facts) -> None:
    taken = []
    nobody = commands.uuid_exists(str(uuid.uuid4()))
    for _ in range(ROUND_TRIPS):
        began = time.monotonic()
        link.api(nobody)
        taken.append(time.monotonic() - began)
    facts.round_trip_ms = median(taken) * 1000


def _located(link: NodeLink, name: str) -> Xml.Element | None:
    """A configuration as the node has it in memory; None where it cannot be shown."""
    text = link.api(f"xml_locate configuration configuration name {name}")
    parser = Xml.XMLParser()
    try:
        for start in range(0, len(text), PIECE):
            parser.feed(text[start : start + PIECE])
            let_others_run()
        return parser.close()
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

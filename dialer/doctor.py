"""`python -m dialer doctor`: checks that each node is what a dialer needs. One line for what is missing.

What a node is asked: `doctor_questions`. What follows from its answers: `doctor_findings`. Dialers look for the same
by themselves: `node_doctor`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import gevent
from peewee import PeeweeException

from dialer.dispatch.node_entries import of_environment, read_table, with_table
from dialer.doctor_findings import Facts, findings
from dialer.doctor_questions import Required, ask, required_by_database
from logs import configure
from models import connect, db
from settings import Settings, SettingsError

DATABASE_SECONDS: Final = 10
"""Nothing waits behind the doctor: a server that is only busy may take its time."""


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
    asking = [gevent.spawn(ask, node, wanted, timed=True) for node in examined]
    for node, job in zip(examined, asking, strict=True):
        facts = job.get()
        found = findings(node, facts)
        faults += len(found)
        if facts.error is None:
            say(f"{node.name}: {_summary(facts)}")
        for finding in found:
            say(f"{node.name}: {finding.sentence}")
    say("Nothing is missing." if not faults else f"{faults} to mend.")
    return 1 if faults else 0


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

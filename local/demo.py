"""`python -m local demo`: the whole product on this machine, dialling a list, with the proof at its end."""

from __future__ import annotations

import argparse
import http.client
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.api_client import ApiClient, ApiFailedError
from local.errors import LocalError, exit_status
from local.first_key import first_key
from local.proof import Proof, prove
from local.server import woken_by_signals
from local.simulated_cluster import SimulatorOptions
from local.stack import ROOT, Stack
from settings import Settings, SettingsError

LIST = ROOT / "examples" / "contacts.csv"
DIALERS = 2
SPEED = 10.0
NODE_CPS = 40
NODE_SESSIONS_PER_SECOND = 60
CAMPAIGN_SECONDS = 300.0
CALLER_ID = "+14155550100"
GATEWAY = "demo-carrier"
AGENT = "Demo announcement"
BAR = 40
NOT_OURS = ("DATABASE_URL", "FREESWITCH_URLS", "REDIS_URL")
"""What would have the demo dial real nodes, or write where others read."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One demo campaign, over."""

    campaign: dict[str, Any]
    calls: list[dict[str, Any]]
    proof: Proof
    seconds: float


def main(arguments: Sequence[str]) -> int:
    """0 when the campaign was dialled and the proof holds, 1 when not, 2 for a wrong setting.

    Ctrl-C and SIGTERM end it in order, with 0.
    """
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--exit", action="store_true", help="end after the campaign instead of serving on")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(serve_on=not options.exit)
    except KeyboardInterrupt:
        print()
        return 0
    except (LocalError, SettingsError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return exit_status(error)


def demo_stack(home: Path | None = None, **overrides: Any) -> Stack:
    """The stack that the demo dials on: two dialers, two simulated nodes, ten times as fast as life.

    `overrides` are what Stack takes, `dialers` and `simulator` included.
    """
    simulator = SimulatorOptions(
        speed=SPEED, cps=NODE_CPS, arguments=("--sps", str(NODE_SESSIONS_PER_SECOND))
    )
    options: dict[str, Any] = {"dialers": DIALERS, "simulator": simulator} | overrides
    return Stack(home, **options)


def own_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without what names servers and nodes: those of the demo are its own, embedded and simulated."""
    return {name: value for name, value in environ.items() if name not in NOT_OURS}


def _run(*, serve_on: bool) -> int:
    environ = own_environ(os.environ)
    unused = [name for name in NOT_OURS if os.environ.get(name)]
    # CARILLON_HOME holds the first key of the database that is named there: no other may be written over it.
    home = Settings.from_environ(environ).home / "demo" if unused else None
    stack = demo_stack(home, environ=environ)
    if unused:
        print(f"Not used here: {', '.join(unused)}. The demo's servers and nodes are its own, in {home}.")
    print(
        "Starting PostgreSQL, Valkey, two simulated FreeSWITCH nodes, the API and two dialers ...", flush=True
    )
    with woken_by_signals() as woken, stack:
        stack.wait_ready()
        key, where = first_key(stack.home, stack.settings.bootstrap_key)
        client = ApiClient(stack.web_url, key)
        print(f"Watch it:  {client.sign_in_link()}  (signs in once, within ten minutes)", flush=True)
        outcome = dial(client, [node.ledger for node in stack.nodes])
        _print_outcome(outcome)
        print(f"\nAPI:      {stack.web_url}/docs")
        print(f"Campaign: {stack.web_url}/api/v1/campaigns/{outcome.campaign['id']}")
        print(f"Key:      {where}", flush=True)
        if serve_on and outcome.proof.holds:
            print(f"Board:    {client.sign_in_link()}  (signs in once, within ten minutes)")
            print("\nServing on. Ctrl-C ends it.", flush=True)
            while True:
                woken.recv(64)
    return 0 if outcome.proof.holds else 1


def dial(client: ApiClient, ledgers: Sequence[Path], *, show: bool = True) -> Outcome:
    """Upload the demo's list, dial it to its end, and compare what the switches did with what was recorded."""
    campaign = create(client)
    began = time.monotonic()
    client.post(f"/api/v1/campaigns/{campaign['id']}/start")
    watch(client, campaign["id"], show=show)
    seconds = time.monotonic() - began
    return Outcome(*collect(client, campaign["id"], ledgers), seconds)


def create(client: ApiClient) -> dict[str, Any]:
    """A campaign in draft over the demo's list, with the gateway, agent and number that it needs."""
    gateway = _found_or_made(
        client, "gateways", "name", GATEWAY, {"dial_string": "sofia/gateway/carrier/{number}"}
    )
    # The tone ends by itself well before the longest call, so a callee that never hangs up is hung up on.
    action = {"type": "playback", "tone": "%(3000,0,640)"}
    agent = _found_or_made(client, "agents", "name", AGENT, {"action": action, "max_call_seconds": 30})
    number = _found_or_made(
        client, "phone-numbers", "e164", CALLER_ID, {"gateway_id": gateway["id"], "outbound_enabled": True}
    )
    return client.post_form(
        "/api/v1/campaigns",
        {
            "name": f"Demo {time.strftime('%H:%M:%S')}",
            "agent_id": agent["id"],
            "phone_number_id": number["id"],
            "max_concurrent_calls": "100",
        },
        "contacts",
        LIST.name,
        LIST.read_bytes(),
    )


def watch(client: ApiClient, campaign_id: str, *, show: bool) -> None:
    """Follow the event stream until the campaign's end, across disconnections; raises LocalError when it takes
    longer than five minutes."""
    deadline = time.monotonic() + CAMPAIGN_SECONDS
    last_id: str | None = None
    while time.monotonic() < deadline:
        try:
            for event in client.events(f"/api/v1/campaigns/{campaign_id}/events", last_id):
                last_id = event.id or last_id
                if event.kind == "snapshot" and show:
                    _show_progress(event.data)
                if event.kind == "end":
                    if show:
                        print()
                    return
                if time.monotonic() > deadline:
                    break
        except (OSError, http.client.HTTPException):
            continue
    raise LocalError(f"the campaign did not end within {CAMPAIGN_SECONDS:.0f} s")


def collect(
    client: ApiClient, campaign_id: str, ledgers: Sequence[Path]
) -> tuple[dict[str, Any], list[dict[str, Any]], Proof]:
    """The campaign, its calls and the proof, as they stand now. A late record may correct an outcome while they are
    read page by page: then they are read again."""
    now, campaign = client.get(f"/api/v1/campaigns/{campaign_id}"), None
    while campaign is None or campaign["counts"] != now["counts"]:
        campaign = now
        contacts = list(client.every(f"/api/v1/campaigns/{campaign_id}/contacts", "contacts"))
        calls = list(client.every("/api/v1/calls", "calls", campaign_id=campaign_id))
        now = client.get(f"/api/v1/campaigns/{campaign_id}")
    return campaign, calls, prove(campaign, contacts, calls, ledgers)


def _found_or_made(
    client: ApiClient, resource: str, name: str, value: str, body: dict[str, Any]
) -> dict[str, Any]:
    for row in client.every(f"/api/v1/{resource}", resource.replace("-", "_")):
        if row[name] == value:
            return row
    return client.post(f"/api/v1/{resource}", {name: value, **body})


def _show_progress(snapshot: dict[str, Any]) -> None:
    counts = snapshot["counts"]
    total = counts["total"] or 1
    over = counts["completed"] + counts["failed"] + counts["cancelled"]
    done = BAR * over // total
    line = (
        f"[{'#' * done}{'.' * (BAR - done)}] {over}/{total}"
        f"  in flight {snapshot['in_flight']:>3}  {snapshot['calls_per_second']:>5.1f} calls/s"
        f"  {snapshot['blocked_reason'] or ''}"
    )
    if sys.stdout.isatty():
        print(f"\r{line:<110}", end="", flush=True)
    else:
        print(line, flush=True)


def _print_outcome(outcome: Outcome) -> None:
    dispositions = Counter(call["disposition"] or "not sent" for call in outcome.calls)
    print(f"\n{'outcome':<16}{'calls':>7}")
    for disposition, count in dispositions.most_common():
        print(f"{disposition:<16}{count:>7}")
    proof = outcome.proof
    print(f"\n{proof.contacts} contacts, {proof.calls} calls in {outcome.seconds:.1f} s.")
    if proof.holds:
        print(
            f"Proof: the nodes' ledgers show {proof.originates} originates ({proof.accepted} became calls); each"
            " number was dialled exactly as often as the call records say, and every contact is settled."
        )
    for fault in proof.faults[:20]:
        print(f"NOT PROVEN: {fault}")


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


__all__ = ["ApiFailedError", "Outcome", "collect", "create", "demo_stack", "dial", "main", "watch"]

"""Nothing of ours that hangs or is down costs the switch a call, or holds up a hang-up."""

from __future__ import annotations

import os
import re
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from settings import NodeSettings
from tests.e2e.rig import PARK, Tenant, new_tenant, numbers, polled
from tests.real.callers import Callers
from tests.real.carrier import Carrier
from tests.real.conftest import real_stack
from tests.real.machine import ask, pid_of, stopped
from tests.real.test_campaigns import compare

pytestmark = pytest.mark.real

CALLS = 150
RATE = 10
LATER_SECONDS = 0.5
"""What the machine's own stalls may add; a hang-up that waits for something of ours waits for seconds."""
HEARTBEAT_BYTES = 4096
MORE_CALLS = 150
LONGEST_CALL_SECONDS = 10.0
WEB_SECONDS = 240.0


def family(pid: int) -> list[int]:
    """A process and all that come of it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        children.setdefault(int(text.rpartition(")")[2].split()[1]), []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def unread(pid: int, port: int) -> int:
    """Bytes that came from this port of a peer's and that the process has not read."""
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(link)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    lines = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return sum(
        int(line[4].partition(":")[2], 16)
        for line in lines
        if line[9] in inodes and line[2].endswith(f":{port:04X}")
    )


def resident(pid: int) -> int:
    """Kilobytes of memory that a process has."""
    match = re.search(r"^VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1])


def over(tenant: Tenant, campaign: str) -> bool:
    """Whether the campaign has ended, or ends while this waits. Of workers that stood still for longer than gunicorn
    waits for a sign of life some are killed as soon as it goes on itself, and so is what they were answering."""
    with suppress(OSError):
        tenant.wait_over(campaign, WEB_SECONDS)
        return True
    return False


def test_a_node_loses_no_call_and_delays_no_hangup_while_web_hangs_a_dialer_stands_still_and_postgresql_is_gone(
    server_home: Path, tmp_path: Path, carrier: Carrier, nodes: tuple[NodeSettings, ...]
) -> None:
    node = nodes[0]
    pid = pid_of(node)
    with ExitStack() as beside:
        sps = int(ask(node, "fsctl sps")[0].rpartition(" ")[2])
        # Callers are sessions too: without room for them they would be refused for want of it.
        ask(node, f"fsctl sps {sps + 3 * RATE}")
        beside.callback(ask, node, f"fsctl sps {sps}")
        stack = beside.enter_context(real_stack(server_home / tmp_path.name))
        stack.wait_ready()
        callers = beside.enter_context(Callers(node, tmp_path))
        tenant = new_tenant(stack, action=PARK)
        called = numbers("00", "10", "01", "08", count=2500)
        campaign = tenant.campaign(called, max_concurrent_calls=400, retries_per_contact=0)
        tenant.act(campaign, "start")
        tenant.wait_touched(campaign, 100, 120)
        before = callers.call(CALLS, RATE, "before")
        assert len(before.answered) == CALLS, "the node's own dialplan answers whoever calls it"

        still, web = stack.pids["dialer.1"], family(stack.pids["web.1"])
        with stopped(still):
            memory = resident(pid)
            stood = time.monotonic()
            polled(
                lambda: time.monotonic() > stood + LONGEST_CALL_SECONDS,
                "the end of what it had placed",
                seconds=30,
            )
            left = unread(still, node.port)
            touched = tenant.touched(campaign)
            polled(
                lambda: tenant.touched(campaign) > touched + MORE_CALLS,
                "calls of the other dialer",
                seconds=60,
            )
            grown = unread(still, node.port) - left
            print(
                f"a dialer that stands still: {left} bytes unread, {grown} more after {MORE_CALLS} further calls;"
                f" the node's memory {memory} kB before, {resident(pid)} kB after"
            )
            assert grown <= HEARTBEAT_BYTES
            with stopped(*web):
                hung = callers.call(CALLS, RATE, "web-and-dialer")
                with stopped(*family(stack.pids["postgres"])):
                    gone = callers.call(CALLS, RATE, "postgresql")
        for name, heard in (
            ("all well", before),
            ("web and a dialer stopped", hung),
            ("PostgreSQL too", gone),
        ):
            print(f"{name}: {heard}")
        polled(lambda: over(tenant, campaign), "the campaign's end", seconds=WEB_SECONDS)
        compare(tenant, campaign, carrier)
    for heard in (hung, gone):
        assert len(heard.answered) == len(heard.reported) == CALLS
        assert max(heard.answered) <= max(before.answered) + LATER_SECONDS
        assert max(heard.reported) <= max(before.reported) + LATER_SECONDS

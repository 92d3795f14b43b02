"""One of several processes that hammer the limiter, as a module of its own so that it starts as a fresh process.

Usage: python -m tests.integration.limits.acquiring_process URL NAME SECONDS PER_MINUTE CPS CONCURRENCY TASKS
Asks for one call after another in each of TASKS greenlets for SECONDS. Prints the ids that were granted, one on a
line, each with the number of calls that all processes had open at that moment, counted apart from the limiter.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import random  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402

from coordination.membership import Membership  # noqa: E402
from limits.limiter import (  # noqa: E402
    CallCaps,
    EndedCall,
    GatewayCaps,
    Limiter,
    NodeCaps,
    Permit,
    PermitRequest,
    TenantCaps,
)
from tests.integration.limits.limiter_rig import PREFIX, connect  # noqa: E402


def main() -> None:
    url, name, seconds, per_minute, cps, concurrency, tasks = sys.argv[1:]
    client = connect(url)
    Membership(client, PREFIX, lease_seconds=60.0).register(name, {})
    limiter = Limiter(client, PREFIX, name)
    tenant = TenantCaps(None, int(per_minute) or None, None, None)
    gateway = GatewayCaps("gw", int(cps) or None, None)
    nodes = [NodeCaps("fs1", None, None)]
    caps = CallCaps("t", "c", int(concurrency), tenant, gateway)
    until = time.monotonic() + float(seconds)
    grants: list[str] = []

    def ask(task: int) -> None:
        serial = 0
        gevent.sleep(random.random() * 0.05)
        while time.monotonic() < until:
            call = f"{name}.{task}.{serial}"
            (answer,) = limiter.acquire(nodes, [PermitRequest(call, call, caps, ["fs1"])])
            if isinstance(answer, Permit):
                serial += 1
                grants.append(f"{call} {client.incr('open')}")
                gevent.sleep(random.random() * 0.01)
                client.decr("open")
                limiter.release([EndedCall(call, "c", "t", "gw", "fs1", 0)])
            else:
                gevent.sleep(min(answer.retry_after, max(0.0, until - time.monotonic())))

    gevent.joinall([gevent.spawn(ask, task) for task in range(int(tasks))], raise_error=True)
    print("\n".join(grants))


main()

"""How late the end of a call at the switch reaches those who listen to its campaign, of fifty that are dialled.

Beside flask-sse as shipped with as many channels, listeners and events a second, which are only published there.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.listeners import Heard, Listeners
from bench.served_streams import stock
from bench.stand import Account, Window, load, seconds, settled, stand
from bench.table import Row, goal_at_least, goal_at_most
from bench.windows import percentile
from local.valkey import EmbeddedValkey

EVENTS_OF_A_CALL = 3
"""It is originated, connected, completed."""
WARM_UP_SECONDS = 3.0


def measure(quick: bool) -> Sequence[Row]:
    """Ours, with everything that dials, then the peer's."""
    campaigns, listeners, per_second = (10, 100, 40) if quick else (50, 1_000, 200)
    length = seconds(quick)
    contacts = round(per_second * (length + WARM_UP_SECONDS + 5) * 2 / campaigns)
    with stand() as at:
        dialled = load(at, campaigns, contacts, gateway={"cps": per_second})
        paths = [f"/api/v1/campaigns/{one}/events" for one in dialled.campaigns]
        key = dialled.tenant.api.post("/api/v1/api-keys", {"name": "listeners", "role": "read"})["key"]
        with Listeners(int(at.web_url.rpartition(":")[2]), paths, key, listeners) as crowd:
            crowd.wait_ready(lambda: None)
            with dialled.dialled(WARM_UP_SECONDS):
                window = at.window(length)
            found = settled(dialled)
            heard = crowd.heard()
    late, expected = lateness(found, heard, window, listeners // campaigns)
    with (
        TemporaryDirectory() as name,
        EmbeddedValkey(Path(name), durable=False) as server,
        stock(Path(name), server.url, campaigns) as flask_sse,
    ):
        peer, _ = flask_sse.heard(listeners, per_second * EVENTS_OF_A_CALL, length)
    what = f"{per_second} calls a second over {campaigns} campaigns, {listeners:,} listeners"
    rate = expected / (listeners / campaigns) / window.seconds
    return [
        goal_at_most(
            f"p99 from the switch to a listener, {what}",
            percentile(late, 0.99),
            150.0,
            f"flask-sse: {peer.p99:,.0f} ms; p50 {percentile(late, 0.5):.0f} to its {peer.p50:.0f} ms;"
            f" {rate:.0f} calls a second ended",
            "ms",
        ),
        goal_at_least(f"heard, {what}", 100 * len(late) / max(1, expected), 100.0, "all of them", "%"),
    ]


def lateness(found: Account, heard: Heard, window: Window, each: int) -> tuple[list[float], int]:
    """Milliseconds from a call's end at the node to each hearing, for calls that ended in the window; how many
    hearings there should have been."""
    ended = {call: at for call, at in found.ended.items() if window.began <= at < window.ended}
    late = [(at - ended[call]) * 1000 for call, at in heard.calls if call in ended]
    return late, len(ended) * each

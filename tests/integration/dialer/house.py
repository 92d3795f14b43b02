"""An API, a node behind a link that can be cut, and dialers that go by it: for what has to hold over all of them."""

from __future__ import annotations

import uuid
from collections import Counter
from contextlib import ExitStack
from typing import Any

from flask import Flask

from api.key_digest import digest
from app import create_app
from models import CampaignStatus, db, new_id, rows
from simulator.ledger import Step, read_ledger
from simulator.process import SimulatedNode
from tests import pools
from tests.chaos.proxy import Proxy
from tests.factories import World, make_campaign
from tests.integration.api.site import PEPPER, key, settings_for
from tests.integration.dialer.dialer_rig import Dialer
from tests.waiting import wait_until

TALKS, RINGS = "07", "02"
"""Numbers that end so answer at once and never hang up, and ring for as long as they may."""
CAUSE = "MANAGER_REQUEST"
"""Why a call ends that a halt or a stop hung up."""


class House:
    """One tenant's; everything of it ends with `stack`."""

    def __init__(self, world: World, urls: tuple[str, str], node: SimulatedNode, stack: ExitStack) -> None:
        self.world = world
        self.node = node
        self.link = Proxy("fs1", node.port)
        stack.callback(self.link.close)
        self._urls = urls
        self._people = 0
        self._stack = stack
        self._app: Flask = create_app(settings_for(*urls))
        stack.callback(self._close)
        with db.connection_context():
            rows(
                "INSERT INTO api_key (id, tenant_id, name, role, digest, prefix)"
                " VALUES (%s, %s, 'crm', 'operate', %s, 'sk')",
                new_id(),
                world.tenant_id,
                digest(key("operate", world.tenant_id), PEPPER),
            )
            rows("UPDATE agent SET max_call_seconds = 3600, ring_timeout_seconds = 120")

    def _close(self) -> None:
        found = self._app.extensions["carillon"]
        found.background.kill()
        found.redis.close()
        pools.close(db.obj)

    def dialer(self) -> Dialer:
        url = f"esl://:{self.node.password}@127.0.0.1:{self.link.port}?name=fs1&cps=200"
        made = Dialer(*self._urls, url)
        self._stack.callback(lambda: None if made.dead or made.ended else made.die())
        return made.start()

    def api(self, method: str, path: str) -> Any:
        headers = {"Authorization": f"Bearer {key('operate', self.world.tenant_id)}"}
        answer = self._app.test_client().open(f"/api/v1{path}", method=method, headers=headers)
        assert answer.status_code in (200, 204), answer.text
        return answer.json

    def campaign(self, *endings: str, **columns: Any) -> uuid.UUID:
        """One that runs, with a contact for each of these endings of a number, all of whom are up."""
        # Started once its contacts are there: a dialer ends one that has none.
        campaign_id = make_campaign(
            self.world, 0, status=CampaignStatus.PAUSED, max_concurrent_calls=50, **columns
        )
        with db.connection_context(), db.atomic():
            for position, ending in enumerate(endings):
                rows(
                    "INSERT INTO contact (id, campaign_id, position, phone_number) VALUES (%s, %s, %s, %s)",
                    new_id(),
                    campaign_id,
                    position,
                    f"+14155{self._people + position:04d}{ending}",
                )
            rows("UPDATE campaign_count SET pending = %s WHERE campaign_id = %s", len(endings), campaign_id)
            rows("UPDATE campaign SET status = 'running' WHERE id = %s", campaign_id)
        self._people += len(endings)
        expected = {"ringing": endings.count(RINGS), "answered": endings.count(TALKS)}
        wait_until(
            lambda: self._states(campaign_id) == Counter({name: n for name, n in expected.items() if n}),
            "all of them up",
        )
        return campaign_id

    def _states(self, campaign_id: uuid.UUID) -> Counter[str]:
        up = "SELECT state FROM call WHERE campaign_id = %s AND ended_at IS NULL"
        with db.connection_context():
            return Counter(row["state"] for row in rows(up, campaign_id))

    def up(self) -> set[str]:
        """The calls that the switch has placed and not ended."""
        view = read_ledger(self.node.ledger or "")
        return {line.uuid for line in view.originates if line.accepted} - set(view.ends())

    def ends(self) -> dict[str, Step]:
        """The ends of calls, as the switch says."""
        return read_ledger(self.node.ledger or "").ends()

    def settled(self) -> bool:
        with db.connection_context():
            return not rows("SELECT 1 FROM call WHERE ended_at IS NULL OR slot_until IS NOT NULL")

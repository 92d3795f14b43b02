"""The event routes as gunicorn serves them: `REDIS_URL` names the server, every campaign is running."""

from __future__ import annotations

import os

from live import worker_state
from live.hub import Hub
from live.places import FILES
from tests.integration.live.conftest import PREFIX, make_client
from tests.integration.live.stream_server import Campaigns, make_app

bind = "127.0.0.1:0"
worker_class = "gevent"
worker_connections = FILES
graceful_timeout = 20
control_socket_disable = True


def post_worker_init(worker: object) -> None:
    worker_state.worker = worker


def wsgi() -> object:
    campaigns = Campaigns()
    campaigns.status.update(c1=os.environ.get("SITE_STATUS", "running"))
    client = make_client(os.environ["REDIS_URL"])
    return make_app(Hub(client, PREFIX, campaigns.snapshot), campaigns)

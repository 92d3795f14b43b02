"""flask-sse as shipped, as gunicorn serves it: the peer of the event streams. `REDIS_URL` names the server."""

from __future__ import annotations

import os

from flask import Flask

bind = "127.0.0.1:0"
worker_class = "gevent"
worker_connections = 10_000
control_socket_disable = True


def wsgi() -> Flask:
    """Its blueprint and nothing else."""
    from flask_sse import sse

    app = Flask("stock")
    app.config["REDIS_URL"] = os.environ["REDIS_URL"]
    app.register_blueprint(sse, url_prefix="/stream")
    return app

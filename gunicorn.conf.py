"""How gunicorn serves the API, the live stream and the page.

No preload: the app must be imported after the worker's monkey patch, or peewee's state is shared by every greenlet.
"""

from __future__ import annotations

import gc
import sys
from typing import Any

import web_errors
from live.places import FILES, open_more
from settings import Settings, SettingsError, address_of

try:
    _settings = Settings.from_environ().require("database_url", "redis_url", "secret_key")
except SettingsError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(2)

for _warning in _settings.warnings:
    sys.stderr.write(f"{_warning}\n")

bind = address_of(_settings.host or "0.0.0.0", _settings.port)
workers = _settings.web_concurrency
worker_class = "gevent"
# Above what the live hub admits as listeners, so that the API always has room beside them.
worker_connections = FILES
open_more()
preload_app = False
# Below the 30 s that a platform gives a process to stop; the live streams end themselves well before.
graceful_timeout = 20
accesslog = None
errorlog = "-"
loglevel = "warning"
# It would be a second way in, below the home folder of whoever runs this.
control_socket_disable = True
logger_class = "web_errors.CleanLogger"
web_errors.install()


def post_fork(_arbiter: Any, _worker: Any) -> None:
    """Collect nothing until the app is imported: there is nothing yet, and looking costs a tenth of the start."""
    gc.disable()


def post_worker_init(worker: Any) -> None:
    """Let the live streams see that their worker was asked to stop: gunicorn waits for them, so they must end. Say
    what is wrong with the servers."""
    from api import start_check
    from live import worker_state

    worker_state.worker = worker
    start_check.begin(worker.wsgi)
    # A full collection over the libraries' own objects takes 50 ms, and any request can set it off.
    gc.collect()
    gc.freeze()
    gc.enable()

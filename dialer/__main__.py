"""`python -m dialer`: one dialer process. SIGTERM ends it without losing a call; any number may run.

`python -m dialer doctor` instead says what each node lacks, and ends.
"""

from __future__ import annotations

import gc

# Until everything is imported: what is collected meanwhile is nothing, and costs a tenth of the start.
gc.disable()

from gevent import monkey

monkey.patch_all()

import signal
import sys

import gevent

from coordination.control_bus import SILENCE_SECONDS
from coordination.redis_client import client
from dialer.fault_points import arm
from dialer.gc_tuning import keep_collections_short
from dialer.watchdog import Watchdog
from logs import configure
from settings import Settings, SettingsError

STATEMENT_SECONDS = 60.0
"""Statements here are small; one that takes so long is lost, and its work done again."""


def main() -> int:
    """Exit 0 after a clean end, 2 when a setting is wrong.

    A server that is away is waited for, and a lost lease begins another life in the same process. The watchdog ends
    it with another status, whatever it is doing.
    """
    try:
        settings = Settings.from_environ().require("database_url", "redis_url", "secret_key")
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    for warning in settings.warnings:
        print(warning, file=sys.stderr)  # noqa: T201
    assert settings.database_url is not None
    assert settings.redis_url is not None
    configure(settings.log_level)
    Watchdog().start()
    if settings.chaos_points is not None:
        arm(settings.chaos_points)

    from dialer.own_identities import OwnIdentities
    from dialer.process import Process
    from models import connect

    connect(settings.database_url, statement_seconds=STATEMENT_SECONDS)
    redis, control_redis = (
        client(settings.redis_url),
        client(settings.redis_url, wait_seconds=SILENCE_SECONDS),
    )
    identities = OwnIdentities(lambda: Process(settings, redis, control_redis))
    keep_collections_short(lambda: len(identities.process.live_calls))
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, identities.end)
    identities.run()
    return 0


def examine() -> int:
    """Exit 0 when nothing is missing, 1 when something is, 2 when a setting is wrong."""
    from dialer.doctor import run

    return run()


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            sys.exit(main())
        case ["doctor"]:
            sys.exit(examine())
        case _:
            sys.exit("usage: python -m dialer [doctor]")

"""Loaded as the first pytest plugin, so that gevent patches before psycopg or peewee are imported.

psycopg and peewee look at the threading module once, at import: imported before the patch they block every
greenlet of the process.

The collector rests until everything is imported, and leaves that alone: looking through it again and again took
a third of the start. During the tests it looks less often than it does by itself.
"""

from __future__ import annotations

import gc

from gevent import monkey

monkey.patch_all()
gc.disable()

YOUNG = 10_000


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
    gc.enable()

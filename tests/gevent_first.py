"""Loaded as the first pytest plugin, so that gevent patches before psycopg or peewee are imported.

psycopg and peewee look at the threading module once, at import: imported before the patch they block every
greenlet of the process.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()
